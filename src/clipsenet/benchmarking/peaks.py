"""The largest resident memory of a piece of work."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_memory() -> float:
    """The largest resident size of this process so far, in GB (10^9 bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


@dataclass
class Peak:
    """What was measured.

    Attributes:
        above_gb: how far the resident size rose above what it was at the start, in GB; none where the system cannot tell.
    """

    above_gb: float | None = None


@contextmanager
def watching_memory() -> Iterator[Peak]:
    """Linux alone forgets an earlier peak on request (``/proc/self/clear_refs``)."""
    peak = Peak()
    try:
        _CLEAR.write_text("5")
    except OSError:
        yield peak
        return
    start = _read("VmRSS")
    yield peak
    peak.above_gb = (_read("VmHWM") - start) / 1e9


def _read(name: str) -> int:
    (line,) = [line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024
