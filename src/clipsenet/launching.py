"""Several processes as one training: begun, listened to, and ended together."""

import contextlib
import json
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning_fabric import Fabric
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from clipsenet import errors
from clipsenet.errors import ClipsenetError

LOOK, PATIENCE = 2.0, 10.0
"""Seconds between two looks for another process's error, and what is then left for an orderly end."""


def run_in_processes(fabric: Fabric, work: Callable[..., None], *arguments: Any, state: Path) -> None:
    """Call ``work(fabric, *arguments)`` in each of the processes that ``fabric`` was made for, and wait for them.

    An error in one ends all; it is raised here as it was raised there. A signal to this process is handed on, so that all
    stop at the same step.

    Args:
        fabric: not launched yet.
        work: a function of a module, since each process imports it.
        arguments: pickled for each process.
        state: the file that the work can go on from, once it is there.

    Raises:
        ClipsenetError: what a process raised, or that one died.
    """
    threads = max(1, torch.get_num_threads() // fabric.world_size)
    with tempfile.TemporaryDirectory(prefix="clipsenet-") as told:
        try:
            with _handing_signals_on():
                # bound to the function: Fabric walks through what it is given beside it, and writes into it
                fabric.launch(partial(_begin, work=work, told=Path(told), threads=threads, arguments=arguments))
        except (ProcessRaisedException, ProcessExitedException) as error:
            found = [path for path in Path(told).iterdir() if path.suffix == ".json"]
            if found:
                first = min(found, key=lambda path: path.stat().st_mtime_ns)
                raise _error_of(json.loads(first.read_text(encoding="utf-8"))) from error
            saved = "what was saved is whole: go on with --resume" if state.is_file() else "nothing was saved yet: start again"
            raise ClipsenetError(
                f"one of {fabric.world_size} training processes ended: {_what(str(error))}; {saved}"
            ) from error


def _begin(fabric: Fabric, work: Callable[..., None], told: Path, threads: int, arguments: tuple[Any, ...]) -> None:
    """What each process does: its share of the threads, the work, and a note of what went wrong."""
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_the_others, args=(told,), daemon=True).start()
    try:
        work(fabric, *arguments)
    except ClipsenetError as error:
        note = json.dumps({"kind": type(error).__name__, "text": str(error)})
        half = told / f"{fabric.global_rank}.partial"
        half.write_text(note, encoding="utf-8")
        half.rename(half.with_suffix(".json"))
        raise


def _end_with_the_others(told: Path) -> None:
    """End this process some seconds after another one has raised: it may wait for that one in a collective for ever."""
    while not any(json.loads(path.read_text(encoding="utf-8"))["kind"] != "Interrupted" for path in told.glob("*.json")):
        time.sleep(LOOK)
        if not told.is_dir():
            return
    time.sleep(PATIENCE)
    os._exit(1)


def _what(text: str) -> str:
    """The line that names an error, of a text that may end in its traceback; the message below it may be long."""
    _, _, trace = text.rpartition("Traceback (most recent call last):\n")
    lines = [line for line in trace.splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith(" ")), lines[-1].strip())


def _error_of(note: dict[str, str]) -> ClipsenetError:
    """The error again; one that only a part of the package knows becomes its base."""
    kind: type[ClipsenetError] = getattr(errors, note["kind"], ClipsenetError)
    return kind(note["text"])


@contextlib.contextmanager
def _handing_signals_on() -> Iterator[None]:
    """While open, SIGINT and SIGTERM go on to the processes begun by this one, instead of ending it."""

    def hand_on(number: int, frame: FrameType | None) -> None:
        for child in multiprocessing.active_children():
            if child.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGTERM)

    former: dict[signal.Signals, Any] = {}
    for wanted in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(ValueError):  # not the main thread
            former[wanted] = signal.signal(wanted, hand_on)
    try:
        yield
    finally:
        for wanted, handler in former.items():
            signal.signal(wanted, handler)
