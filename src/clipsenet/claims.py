"""Claims: files by which several processes, on several machines with one shared folder, share out work."""

import contextlib
import json
import os
import platform
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from clipsenet.errors import ClipsenetError

BEAT = 20.0
"""Seconds between two signs of life."""

SILENCE = 15 * BEAT
"""Seconds without one after which a claim of another machine counts as dead: a shared folder may show a file late."""

_PROC = Path("/proc")


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Try to claim what ``path`` stands for, and hold it while the block runs.

    The file is made exclusively, so that one process gets it; while it is held its time is renewed. The claim of a process
    that is gone (on this machine: no such process; on another: silent for ``SILENCE``) is taken over. No step of this
    machine's clock makes a living process look gone.

    Args:
        path: of the claim's file; its folder is made.

    Yields:
        Whether it was got; if not, somebody else is at work.

    Raises:
        ClipsenetError: the folder cannot be written.
    """
    token = uuid.uuid4().hex
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        got = _make(path, token) or (_is_dead(path) and _bury(path) and _make(path, token))
    except OSError as error:
        raise ClipsenetError(f"cannot write {path}: {error}; free some space or give another folder") from error
    if not got:
        yield False
        return
    over = threading.Event()
    beating = threading.Thread(target=_beat, args=(path, over), daemon=True)
    beating.start()
    try:
        yield True
    finally:
        over.set()
        beating.join()
        if _token(path) == token:  # a machine that slept may have lost it
            with contextlib.suppress(OSError):
                path.unlink()


def holder(path: Path) -> str:
    """Who holds a claim, for a message; empty where nobody does."""
    facts = _facts(path)
    return f"{facts.get('host', 'somebody')}, process {facts.get('process', '?')}" if path.exists() else ""


def _make(path: Path, token: str) -> bool:
    facts = {"token": token, "host": platform.node(), "process": os.getpid(), "start": _started(os.getpid())}
    return _create(path, json.dumps(facts))


def _create(path: Path, text: str) -> bool:
    """Make a file that is not there yet; one that is there is left alone (on network folders, too)."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _is_dead(path: Path) -> bool:
    facts = _facts(path)
    if facts.get("host") == platform.node() and "start" in facts:  # an older clipsenet wrote none
        number = int(facts.get("process", -1))  # a number may be given to another process later: its start tells
        return not psutil.pid_exists(number) or _started(number) != facts["start"]
    return _age(path) > SILENCE


def _age(path: Path) -> float:
    """Seconds since a claim's last sign of life, by the clock of the folder's own machine."""
    probe = path.with_name(f".{path.name}.{uuid.uuid4().hex}.now")
    probe.touch()
    try:
        return probe.stat().st_mtime - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0  # given back meanwhile
    finally:
        probe.unlink()


def _bury(path: Path) -> bool:
    """Take a dead claim away; of several that try, one succeeds."""
    grave = path.with_name(f".{path.name}.{uuid.uuid4().hex}.dead")
    try:
        path.rename(grave)
    except FileNotFoundError:
        return False
    alive = not _is_dead(grave)  # between the look and the rename another one may have buried and claimed
    if alive:
        _create(path, grave.read_text(encoding="utf-8"))
    grave.unlink()
    return not alive


def _beat(path: Path, over: threading.Event) -> None:
    while not over.wait(BEAT):
        with contextlib.suppress(OSError):
            os.utime(path)


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts


def _token(path: Path) -> object:
    return _facts(path).get("token")


def _started(process: int) -> str:
    """When a process began; empty where there is none.

    On Linux in ticks after the system's start, with that start's own name: in seconds since 1970 it would move with each step
    of the clock. Elsewhere the system keeps those seconds as they were.
    """
    try:
        ticks = (_PROC / str(process) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
        return f"{(_PROC / 'sys' / 'kernel' / 'random' / 'boot_id').read_text().strip()} {ticks}"
    except (OSError, IndexError):
        pass  # no Linux, or no such process
    try:
        return str(round(psutil.Process(process).create_time(), 1))
    except psutil.Error:
        return ""
