"""Carrying over: what is embedded anew of a segment stays so when the segment is written anew without what is to go."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt32

from clipsenet.gallery.ledger import Ledger
from clipsenet.gallery.segments import stretches

COPIED = 16_384
"""Vectors that are copied at once."""


@dataclass(frozen=True, eq=False)
class Carried:
    """New vectors of a segment that was written anew.

    Attributes:
        file: theirs, written and synced.
        rows: ``(n,)`` where they stand in it, ascending, counted in what stays of the segment.
        checksums: ``(n,)`` of each.
    """

    file: int
    rows: Int[np.ndarray, " n"]
    checksums: UInt32[np.ndarray, " n"]


def carry_over(ledger: Ledger, segment: int, stays: Int[np.ndarray, " n"] | None, file: int) -> Carried | None:
    """Copy the new vectors of what stays of a segment; none where it has none, or their file is gone.

    Args:
        ledger: of the gallery.
        segment: its number.
        stays: ids of what stays, in the order of its rows; none where nothing does.
        file: a new number.

    Raises:
        OSError: a full disk; the new file is nobody's.
    """
    found = {number: (old, rows) for number, old, rows in ledger.renewals()}.get(segment)
    if found is None or stays is None:
        return None
    layout, (old, rows) = ledger.layout("renewal"), found
    path = layout.path(old)
    if not path.exists() or path.stat().st_size < rows * layout.row_bytes:
        return None  # somebody took it away: it is made again
    done, checksums = renewed_rows(ledger, segment)
    size = next(count for number, _, count in ledger.segments() if number == segment)
    staying = np.isin(ledger.columns(segment, size, only="id")["id"], stays)
    kept, now = staying[done], np.cumsum(staying) - 1
    done, checksums = done[kept], checksums[kept]
    if not len(done):
        return None
    vectors = layout.map(old, rows).numpy()
    for start in range(0, len(done), COPIED):
        part = done[start : start + COPIED]
        layout.put(file, now[part], np.ascontiguousarray(vectors[part]))
    return Carried(file, now[done], checksums)


def record_renewed(ledger: Ledger, segment: int, new: Carried) -> None:
    """Record new vectors of a segment, within a transaction."""
    for part in stretches(new.rows):
        ledger.add_renewed(segment, new.file, int(new.rows[part.start]), new.checksums[part])


def renewed_rows(ledger: Ledger, segment: int) -> tuple[Int[np.ndarray, " n"], UInt32[np.ndarray, " n"]]:
    """The rows of a segment that have new vectors, ascending, and the checksums of these."""
    rows, checksums = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.uint32)]
    for first, found in ledger.renewed_stretches(segment):
        rows.append(np.arange(first, first + len(found)))
        checksums.append(found)
    return np.concatenate(rows), np.concatenate(checksums)
