"""One writer: a lock of the operating system, which a killed process cannot leave behind."""

import contextlib
import json
import os
import platform
from pathlib import Path

from filelock import FileLock, Timeout

from clipsenet.errors import ClipsenetError

LOCK, HOLDER = "writer.lock", "writer.json"
PATIENCE = 0.5
"""Seconds until another is said to write: who only asks whether somebody does, holds the lock for a moment, too."""


class Writing:
    """The right to write to a gallery, held until it is let go.

    Raises:
        ClipsenetError: another process has it; a folder in which this one may not write.
    """

    def __init__(self, folder: Path) -> None:
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ClipsenetError(f"{folder}: no right to write to this gallery; ask its owner, or work with a copy")
        self._lock = FileLock(folder / LOCK, timeout=PATIENCE, poll_interval=0.02, is_singleton=False)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise ClipsenetError(
                f"{folder}: {_holder(folder)} is writing to this gallery, and only one may; wait until it is done, or end "
                "it. Searching is possible meanwhile"
            ) from error
        except OSError as error:
            raise ClipsenetError(f"{folder}: no right to write to this gallery ({error}); ask its owner") from error
        with contextlib.suppress(OSError):  # it serves a message
            facts = {"process": os.getpid(), "host": platform.node()}
            (folder / HOLDER).write_text(json.dumps(facts), encoding="utf-8")

    def release(self) -> None:
        """Let it go."""
        self._lock.release()


def is_written(folder: Path) -> bool:
    """Whether a process is writing to a gallery now, or may be: who has no right to ask cannot tell."""
    if not (folder / LOCK).exists():
        return False
    if not os.access(folder / LOCK, os.W_OK):
        return True
    try:
        with FileLock(folder / LOCK, timeout=0, is_singleton=False):
            return False
    except Timeout:
        return True


def _holder(folder: Path) -> str:
    try:
        facts = json.loads((folder / HOLDER).read_text(encoding="utf-8"))
        return f"process {facts['process']} on {facts['host']}"
    except (OSError, ValueError, KeyError):
        return "another process"
