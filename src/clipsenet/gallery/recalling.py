"""Recalling: what is recorded of sightings, as ``Sightings`` again."""

import numpy as np
from jaxtyping import Int

from clipsenet.gallery.ledger import Ledger
from clipsenet.gallery.recorded_segments import EXTRA, LABELS
from clipsenet.gallery.snapshot import Snapshot
from clipsenet.sightings import TEXT, WHOLE, Labels, Sightings


def recall(snapshot: Snapshot, ledger: Ledger, ids: Int[np.ndarray, " n"]) -> Sightings:
    """Sightings by their ids, in that order.

    Raises:
        ForgottenError: an id that is not there, or no longer.
    """
    rows = snapshot.rows_of(ids)
    paths, boxes = ledger.pictures(ids.tolist())
    extra = [name for name in snapshot.columns if name.startswith(EXTRA)]
    labels = {name: _labels(ledger, snapshot.label(name)[rows]) for name in (*LABELS, *extra)}
    return Sightings(
        path=np.array(paths, dtype=TEXT),
        vehicle=labels["vehicle"],
        camera=labels["camera"],
        view=labels["view"],
        track=labels["track"],
        time=snapshot.columns["time"][rows],
        box=np.array(boxes, dtype=np.int64).reshape(-1, 4) if any(box != WHOLE for box in boxes) else None,
        extra={name.removeprefix(EXTRA): labels[name] for name in extra},
    )


def _labels(ledger: Ledger, numbers: Int[np.ndarray, " n"]) -> Labels:
    names = ledger.names(np.unique(numbers).tolist())
    return Labels.from_texts([names.get(number, "") for number in numbers.tolist()])
