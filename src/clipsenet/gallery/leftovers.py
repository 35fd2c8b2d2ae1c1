"""Leftovers: what a process that was killed, or a forgetting, leaves behind; every writer clears it away first."""

import contextlib
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from clipsenet.gallery.ledger import Ledger


@dataclass(frozen=True)
class Leftovers:
    """Bytes that no record counts.

    Attributes:
        tails: files with the number of rows that count, and the bytes behind them.
        orphans: files of vectors, or of neighbours, of which nothing is recorded.
    """

    tails: tuple[tuple[int, int, int], ...]
    orphans: tuple[Path, ...]


def find_leftovers(ledger: Ledger) -> Leftovers:
    """What lies there and is not recorded. Only where nobody writes: what is being written is not recorded yet."""
    recorded: dict[Path, tuple[int, int]] = {}
    layout = ledger.layout()
    tails = []
    for file, rows, row_bytes in recorded_files(ledger):
        path = layout.path(file)
        recorded[path] = (file, rows)
        behind = (path.stat().st_size if path.exists() else 0) - rows * row_bytes
        if behind > 0:
            tails.append((file, rows * row_bytes, behind))
    index = json.loads(ledger.meta("neighbours") or "{}").get("file")
    others = [path for path in sorted(ledger.folder.glob("neighbours-*")) if path.name != index]
    return Leftovers(tuple(tails), tuple([path for path in layout.files() if path not in recorded] + others))


def clear_leftovers(ledger: Ledger) -> None:
    """Cut off and remove what is not recorded.

    Raises:
        OSError: the system's.
    """
    layout, found = ledger.layout(), find_leftovers(ledger)
    for file, size, _ in found.tails:
        with layout.path(file).open("r+b") as opened:
            opened.truncate(size)
    for path in found.orphans:
        path.unlink()
    if missing_index(ledger):
        ledger.unset_meta("neighbours")


def discard_unrecorded(ledger: Ledger) -> None:
    """What a failed work has written and not recorded; what cannot be removed now, the next writer removes.

    Whether it was recorded the ledger is asked: a signal's exception may come just behind the commit.
    """
    with contextlib.suppress(OSError, sqlite3.Error):
        clear_leftovers(ledger)


def missing_index(ledger: Ledger) -> str:
    """The recorded index of neighbours, where its file is gone; else empty."""
    file = str(json.loads(ledger.meta("neighbours") or "{}").get("file", ""))
    return file if file and not (ledger.folder / file).exists() else ""


def recorded_files(ledger: Ledger) -> list[tuple[int, int, int]]:
    """File, rows that count, and bytes of a row, of all segments and of those that will take their places."""
    now = ledger.layout().row_bytes
    files = [(file, rows, now) for _, file, rows in ledger.segments()]
    if ledger.meta("renewal"):
        then = ledger.layout("renewal").row_bytes
        files += [(file, rows, then) for _, file, rows in ledger.renewals()]
    return files
