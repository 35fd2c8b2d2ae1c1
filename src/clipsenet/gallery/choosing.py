"""Choosing: the best pictures of each track, where a film has hundreds of them."""

import numpy as np
from jaxtyping import Float, Int

from clipsenet.sightings import Sightings


def best_of_tracks(sightings: Sightings, quality: Float[np.ndarray, " n"], count: int) -> Int[np.ndarray, " m"]:
    """The rows of the ``count`` best pictures of each track; equal ones in their order.

    A track is a name under one camera. A picture without a track stays.

    Args:
        sightings: the pictures.
        quality: of each; NaN for one that cannot be used, which is left out.
        count: from 1.

    Returns:
        Ascending rows.
    """
    usable = np.flatnonzero(~np.isnan(quality))
    order = usable[np.argsort(-quality[usable], kind="stable")]
    camera, track = sightings.camera.numbers[order], sightings.track.numbers[order]
    pair = camera.astype(np.int64) << 32 | (track & 0xFFFFFFFF)
    by_track = np.argsort(pair, kind="stable")
    begins = np.r_[True, pair[by_track][1:] != pair[by_track][:-1]] if len(pair) else np.zeros(0, dtype=bool)
    first = np.maximum.accumulate(np.where(begins, np.arange(len(pair)), 0))
    place = np.arange(len(pair)) - first
    kept = (place < count) | (track[by_track] < 0)
    return np.sort(order[by_track[kept]])
