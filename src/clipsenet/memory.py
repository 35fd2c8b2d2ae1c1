"""Memory: what is free, and a refusal before hours are spent on what cannot fit."""

from pathlib import Path

import psutil

from clipsenet.errors import ClipsenetError

GB = 10**9
_CGROUP = Path("/sys/fs/cgroup")


def free_bytes() -> int:
    """What this process may still take: the machine's available memory, or less where a control group limits it."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        if limit != "max":
            free = min(free, int(limit) - int((_CGROUP / "memory.current").read_text()))
    except (OSError, ValueError):
        pass  # no control group of this kind: nothing else limits it
    return max(0, free)


def require_memory(wanted: int, what: str, instead: str) -> str:
    """Say what something will take, and refuse it where it cannot fit.

    Args:
        wanted: bytes.
        what: that takes them.
        instead: what can be done where they are not free.

    Returns:
        A line for the user.

    Raises:
        ClipsenetError: less is free.
    """
    free = free_bytes()
    line = f"{what}: up to about {wanted / GB:.2f} GB, {free / GB:.1f} GB free"
    if wanted > free:
        raise ClipsenetError(f"{line}: it does not fit; {instead}")
    return line
