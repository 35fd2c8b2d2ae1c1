"""Forgetting: segments that are meant as a whole are unlinked, others written anew without what is to go.

The new files are written and synced beside the old ones; one transaction switches, and marks that there is still to be
wiped; then old files are unlinked, the audit's clear texts deleted, and SQLite's files rebuilt without a trace. Killed at any
moment it leaves the old or the new state, and the next writer goes on wiping.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from clipsenet.files import sync_folder
from clipsenet.gallery.audit import Audit
from clipsenet.gallery.carrying import COPIED, carry_over, record_renewed
from clipsenet.gallery.interface import NOBODY
from clipsenet.gallery.ledger import Ledger
from clipsenet.gallery.leftovers import clear_leftovers, discard_unrecorded
from clipsenet.gallery.recorded_segments import label_columns
from clipsenet.gallery.schema import transaction


@dataclass(frozen=True)
class _Rewritten:
    """A segment without what is to go.

    Attributes:
        old: its number.
        day: its day.
        file: of what stays, written and synced; none where nothing does.
        columns: of what stays.
    """

    old: int
    day: str
    file: int | None
    columns: dict[str, np.ndarray]


def take_out(ledger: Ledger, ids: Int[np.ndarray, " n"], before: int | None = None) -> None:
    """Remove sightings from the gallery; ``wipe`` then removes what is left of them in the files.

    Of a re-embedding that was begun, what is done of the others stays done.

    Args:
        ledger: of the gallery, opened to write.
        ids: of sightings; what lies behind a file's end goes with them.
        before: the audit forgets queries asked before this time, too.

    Raises:
        OSError, sqlite3.Error: a full disk; nothing has changed then.
    """
    rewritten: list[_Rewritten] = []
    try:
        for number, file, rows in ledger.segments():
            if np.isin(ledger.columns(number, rows, only="id").get("id", NOBODY), ids).any():
                rewritten.append(_without(ledger, number, file, rows, ids, len(rewritten)))
        free = int(ledger.meta("next_file")) + len(rewritten)
        carried = [carry_over(ledger, one.old, one.columns.get("id"), free + place) for place, one in enumerate(rewritten)]
        with transaction(ledger.db, write=True):
            ledger.take_number("next_file", 2 * len(rewritten))
            for one, renewed in zip(rewritten, carried, strict=True):
                ledger.remove_segment(one.old)
                if one.file is not None:
                    new = ledger.add_segment(one.day, one.file, len(one.columns["id"]))
                    ledger.append_columns(new, 0, one.columns)
                    if renewed is not None:
                        record_renewed(ledger, new, renewed)
            ledger.leave(ids.tolist())
            ledger.remove_names(_unused_names(ledger))
            ledger.unset_meta("neighbours")
            ledger.set_meta("forgettings", str(ledger.forgettings + 1))
            ledger.set_meta("cleaning", json.dumps({"before": before}))
    except BaseException:
        discard_unrecorded(ledger)
        raise


def wipe(folder: Path, ledger: Ledger) -> None:
    """Remove every trace of what is no longer recorded; quick where there is none.

    Raises:
        OSError, sqlite3.Error: the next writer goes on.
    """
    clear_leftovers(ledger)
    pending = ledger.meta("cleaning")
    if not pending:
        return
    audit = Audit(folder)
    gone = audit.answers() - ledger.all_ids()
    audit.forget(paths=ledger.leaving(), ids=gone, before=json.loads(pending)["before"])
    ledger.db.execute("DELETE FROM leaving")
    ledger.db.execute("VACUUM")  # deleted cells are overwritten at once, but copies of them may lie in pages that were split
    ledger.unset_meta("cleaning")
    sync_folder(folder)


def _without(ledger: Ledger, number: int, file: int, rows: int, ids: Int[np.ndarray, " n"], taken: int) -> _Rewritten:
    """Copy what stays of a segment into a new file; its checksums stay those of the first writing."""
    layout = ledger.layout()
    columns, path = ledger.columns(number, rows), layout.path(file)
    there = min(rows, path.stat().st_size // layout.row_bytes) if path.exists() else 0
    keep = np.flatnonzero(~np.isin(columns["id"][:there], ids))
    day = ledger.day_of(number)
    if not len(keep):
        return _Rewritten(number, day, None, {})
    new, vectors = int(ledger.meta("next_file")) + taken, layout.map(file, there).numpy()
    for start in range(0, len(keep), COPIED):
        layout.append(new, start, np.ascontiguousarray(vectors[keep[start : start + COPIED]]))
    return _Rewritten(number, day, new, {name: values[keep] for name, values in columns.items()})


def _unused_names(ledger: Ledger) -> list[int]:
    """Numbers of names that no sighting has."""
    used: set[int] = set()
    for number, _, rows in ledger.segments():
        columns = ledger.columns(number, rows)
        for name in label_columns(columns):
            used.update(np.unique(columns[name]).tolist())
    return sorted(ledger.all_names() - used)
