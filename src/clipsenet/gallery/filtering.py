"""Which rows a filter means: whole columns compared at once."""

import numpy as np
from jaxtyping import Int

from clipsenet.errors import ClipsenetError
from clipsenet.gallery.interface import EVERYTHING, Filter
from clipsenet.gallery.ledger import Ledger
from clipsenet.gallery.recorded_segments import EXTRA, LABELS
from clipsenet.gallery.snapshot import Snapshot
from clipsenet.sightings import NO_TIME

NAMED = 8
"""How many names a message tells."""


def meant_rows(snapshot: Snapshot, ledger: Ledger, where: Filter) -> Int[np.ndarray, " m"] | None:
    """The rows that a filter means, ascending; none: all of them.

    Raises:
        ClipsenetError: a column that does not exist.
    """
    if where == EVERYTHING:
        return None
    conditions: list[np.ndarray] = []
    if where.since is not None or where.until is not None:
        time = snapshot.columns["time"]
        condition = time != NO_TIME
        if where.since is not None:
            condition &= time >= where.since
        if where.until is not None:
            condition &= time < where.until
        conditions.append(condition)
    if where.cameras:
        conditions.append(_named(snapshot, ledger, "camera", where.cameras))
    conditions += [_named(snapshot, ledger, stored_name(snapshot, name), (value,)) for name, value in where.equal]
    return np.flatnonzero(np.logical_and.reduce(conditions))


def stored_name(snapshot: Snapshot, name: str) -> str:
    """The stored name of a column that a user names.

    Raises:
        ClipsenetError: there is none of that name.
    """
    if name in LABELS:
        return name
    if EXTRA + name in snapshot.columns:
        return EXTRA + name
    known = [*LABELS, *(one.removeprefix(EXTRA) for one in snapshot.columns if one.startswith(EXTRA))]
    raise ClipsenetError(f"no column '{name}' in the gallery: found {', '.join(known)}")


def explain_nothing(snapshot: Snapshot, ledger: Ledger, where: Filter) -> str:
    """Why a filter leaves nothing to be searched."""
    if not len(snapshot):
        return "the gallery is empty; add pictures first: clipsenet gallery index"
    reasons = []
    if where.cameras:
        reasons += _absent(snapshot, ledger, "camera", "camera", where.cameras)
    for name, value in where.equal:
        reasons += _absent(snapshot, ledger, name, stored_name(snapshot, name), (value,))
    time = snapshot.columns["time"]
    if where.since is not None or where.until is not None:
        dated = time[time != NO_TIME]
        if len(dated):
            first, last = np.datetime64(int(dated.min()), "us"), np.datetime64(int(dated.max()), "us")
            reasons.append(f"its times run from {first}Z to {last}Z")
        else:
            reasons.append("none of its sightings has a time")
    return f"none of the {len(snapshot)} sightings is left by the filter" + "".join(f"; {reason}" for reason in reasons)


def _named(snapshot: Snapshot, ledger: Ledger, column: str, texts: tuple[str, ...]) -> np.ndarray:
    numbers = ledger.numbers(column, texts)
    wanted = [numbers.get(text, -1) if text else 0 for text in texts]
    values = snapshot.label(column)
    return values == wanted[0] if len(wanted) == 1 else np.isin(values, wanted)


def _absent(snapshot: Snapshot, ledger: Ledger, name: str, column: str, texts: tuple[str, ...]) -> list[str]:
    if _named(snapshot, ledger, column, texts).any():
        return []
    there = ledger.some_names(column, NAMED + 1)
    listed = ", ".join(there[:NAMED]) + (", ..." if len(there) > NAMED else "") if there else "none"
    return [f"no sighting has {name} {' or '.join(map(repr, texts))}, found {listed}"]
