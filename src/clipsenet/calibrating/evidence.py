"""Evidence: what one search tells of an answer, in numbers that a gallery without a vehicle's name can compute."""

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from clipsenet.sightings import Sightings

Feature = Literal["similarity", "gap", "sharpness", "size", "quality", "behind"]

FEATURES: tuple[Feature, ...] = get_args(Feature)
"""The columns of evidence.

With s the answer's similarity, and the ``FIRST`` most alike pictures of the candidates beside it:

* ``similarity``: s.
* ``gap``: s minus the best similarity of another track (track and camera; a picture without a track is one of its own).
* ``sharpness``: s minus the mean similarity of the others.
* ``size``: the logarithm of the number of candidates after filters.
* ``quality``: of the query's picture, ``quality.quality_of``.
* ``behind``: the best similarity of all minus s: 0 of the first answer.

NaN where there is nothing to compare with: such evidence speaks neither for nor against.
"""

OF_FIRST: tuple[Feature, ...] = ("similarity", "gap", "sharpness", "size", "quality")
"""What tells whether the first answer is right."""

OF_LATER: tuple[Feature, ...] = ("similarity", "behind", "sharpness", "size", "quality")
"""What tells of an answer after it: another track that is more alike may be of the same vehicle, and speaks not against it."""

ALONE: tuple[Feature, ...] = ("similarity",)
"""What tells where nothing stands beside it; and the plain way, a threshold on the similarity."""

SIGNS: dict[Feature, int] = {"similarity": 1, "gap": 1, "sharpness": 1, "size": -1, "quality": 1, "behind": -1}
"""Whether more of it may only raise (1) or only lower (-1) the probability that the answer is right."""

FIRST = 50
"""Pictures that are looked at."""


def evidence_of(
    similarity: Float[np.ndarray, " first"],
    track: Int[np.ndarray, " first"],
    candidates: int,
    quality: float,
    answer: int = 0,
) -> Float[np.ndarray, " features"]:
    """The evidence for one answer of one search, in the order of ``FEATURES``.

    Where all that are looked at are of the answer's track, and there are more, the best of another track is no more alike
    than the last of them, and stands for it.

    Args:
        similarity: of the most alike pictures, descending, at most ``FIRST``.
        track: of each, a number that other tracks do not have.
        candidates: how many pictures were searched.
        quality: of the query's picture, 0 to 1, or NaN.
        answer: the place of the answer, from 0.
    """
    own = float(similarity[answer])
    other = similarity[track != track[answer]]
    beside = np.delete(similarity, answer)
    gap = np.nan
    if len(other):
        gap = own - float(other.max())
    elif candidates > len(similarity):
        gap = own - float(similarity[-1])
    sharpness = own - float(beside.mean()) if len(beside) else np.nan
    behind = max(0.0, float(similarity.max()) - own)
    return np.array([own, gap, sharpness, np.log(max(1, candidates)), quality, behind], dtype=np.float64)


def track_numbers(sightings: Sightings) -> Int[np.ndarray, " n"]:
    """A number for each picture's track: equal for one name under one camera; a picture without a track has its own."""
    width = max(1, len(sightings.track.names))
    number = (sightings.camera.numbers + 1) * np.int64(width) + sightings.track.numbers
    own: Int[np.ndarray, " n"] = np.where(sightings.track.known, number, -1 - np.arange(len(sightings)))
    return own
