"""Prior: how many queries ask for a vehicle that is not there, at calibration and elsewhere."""

import numpy as np
from jaxtyping import Bool, Float, Int


def share_of_pairs(absent_share: float) -> float:
    """How many pairs are of two vehicles: as many as queries are absent, or half, since of none nothing could be learned."""
    return absent_share or 0.5


def weigh(
    present: Bool[np.ndarray, " n"],
    size: Int[np.ndarray, " n"],
    absent_share: float,
    times: Float[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, " n"]:
    """Weights with which absent examples have their share of each gallery size, and all sizes count alike.

    Args:
        present: whether the vehicle is in the gallery.
        size: of the gallery.
        absent_share: that absent ones shall have, 0 to 1.
        times: how often each example counts beforehand; none: once.

    Returns:
        ``(n,)`` that sum to 1 for each size which has both kinds.
    """
    once = np.ones(len(present)) if times is None else times
    weight = np.zeros(len(present))
    for one in np.unique(size):
        for kind, share in ((present, 1 - absent_share), (~present, absent_share)):
            rows = kind & (size == one)
            total = once[rows].sum()
            if total > 0:
                weight[rows] = once[rows] * (share / total)
    return weight


def restate(
    p: Float[np.ndarray, " n"], absent_share: float, other_share: float, absent_among_wrong: float | Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Probabilities for another share of absent queries.

    An answer is right (then the vehicle is present), or wrong though the vehicle is present, or the vehicle is absent. Going
    from share a to b multiplies the odds of the first two by k = (1 - b) / (1 - a) and those of the third by m = b / a. With
    w the part of the absent ones among all that are not right, taken to be the same at every p,

        p' = k p / (k p + (1 - p) (m w + k (1 - w)))

    which rises with p, so that an order or a verdict never turns.

    Args:
        p: for share ``absent_share``.
        absent_share: a, above 0 and below 1.
        other_share: b, from 0 to below 1.
        absent_among_wrong: w, 0 to 1; of a pair 1: two pictures of two vehicles are all that can be wrong.
    """
    assert 0 < absent_share < 1, absent_share
    assert 0 <= other_share < 1, other_share
    k, m = (1 - other_share) / (1 - absent_share), other_share / absent_share
    right = k * p
    wrong = (1 - p) * (m * absent_among_wrong + k * (1 - absent_among_wrong))
    total = right + wrong
    restated: Float[np.ndarray, " n"] = np.divide(right, total, out=np.array(p, dtype=np.float64), where=total > 0)
    return restated
