"""Scores: mAP, CMC, mINP from the places of the matches."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from clipsenet.protocol import ApRule

CMC_RANKS = (1, 5, 10, 20)


@dataclass(frozen=True, eq=False)
class QueryScores:
    """What each query earned; NaN for a query without a match, which no mean counts.

    Attributes:
        average_precision: ``(q,)`` 0 to 1: the mean over the matches of their precision, by the rule.
        first_place: ``(q,)`` the place of the first match, from 0; -1 without one.
        inverse_penalty: ``(q,)`` matches / (place of the last match + 1), mINP's summand.
        precision_at: k to ``(q,)``: average precision among the first k, divided by the smaller of k and the matches.
    """

    average_precision: Float[np.ndarray, " q"]
    first_place: Int[np.ndarray, " q"]
    inverse_penalty: Float[np.ndarray, " q"]
    precision_at: dict[int, Float[np.ndarray, " q"]]

    def per_query(self) -> dict[str, Float[np.ndarray, " q"]]:
        """Each score's summand for each query, NaN without a match: ``mAP``, ``R1`` ..., ``mINP``, ``mAP@10``."""
        matched = self.first_place >= 0
        hits = {f"R{k}": np.where(matched, (self.first_place < k).astype(float), np.nan) for k in CMC_RANKS}
        cuts = {f"mAP@{k}": values for k, values in self.precision_at.items()}
        return {"mAP": self.average_precision, **hits, "mINP": self.inverse_penalty, **cuts}


def score_queries(places: Sequence[Int[np.ndarray, " _"]], cuts: Sequence[int] = (10,), ap: ApRule = "step") -> QueryScores:
    """Score each query from the places of its matches.

    A match's precision is, by the step rule, the share of matches down to its own place; by the trapezoid rule the mean
    of that share and the one down to the place before it (1 before the first place), which is the area that a straight
    line between the two cuts off the precision-recall curve.

    Args:
        places: per query, ascending places from 0; empty without a match.
        cuts: the k of mAP@k.
        ap: the rule of average precision, here and in mAP@k.
    """
    average, penalty = np.full(len(places), np.nan), np.full(len(places), np.nan)
    first = np.full(len(places), -1, dtype=np.int64)
    at = {k: np.full(len(places), np.nan) for k in cuts}
    for row, of_query in enumerate(places):
        if len(of_query) == 0:
            continue
        found = np.arange(1, len(of_query) + 1)
        precision = found / (of_query + 1)
        if ap == "trapezoid":
            before = np.divide(found - 1, of_query, out=np.ones(len(of_query)), where=of_query > 0)
            precision = (precision + before) / 2
        average[row] = precision.mean()
        first[row] = of_query[0]
        penalty[row] = len(of_query) / (of_query[-1] + 1)
        for k in cuts:
            at[k][row] = precision[of_query < k].sum() / min(k, len(of_query))
    return QueryScores(average, first, penalty, at)


def mean_counted(values: Float[np.ndarray, " _"]) -> float:
    """The mean of what is not NaN; NaN where nothing is left."""
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if len(counted) else float("nan")
