"""How many matches each query has: what the lists tell before anything is searched."""

import numpy as np
from jaxtyping import Int

from clipsenet.protocol import JunkRule
from clipsenet.sightings import UNKNOWN, Sightings, Trial, same_file


def count_matches(test: Sightings, trial: Trial, junk: JunkRule) -> Int[np.ndarray, " q"]:
    """``(q,)`` how many true matches each query has left, without any similarity; the same as ``rank`` counts.

    Args:
        test: the pictures that ``trial`` indexes.
        trial: the question.
        junk: the rule.
    """
    vehicle, camera, file = test.vehicle.numbers, test.camera.numbers, same_file(test, boxes=False)
    gallery = trial.gallery[np.argsort(vehicle[trial.gallery], kind="stable")]
    first, last = (np.searchsorted(vehicle[gallery], vehicle[trial.query], side=side) for side in ("left", "right"))
    found = np.zeros(len(trial.query), dtype=np.int64)
    for number, (query, start, stop) in enumerate(zip(trial.query.tolist(), first.tolist(), last.tolist(), strict=True)):
        if vehicle[query] == UNKNOWN:
            continue
        same = gallery[start:stop]
        kept = file[same] != file[query]
        if junk != "same-file" and camera[query] != UNKNOWN:
            kept &= camera[same] != camera[query]
        found[number] = np.count_nonzero(kept)
    return found
