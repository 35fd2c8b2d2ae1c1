"""Verdicts: accepted or refused, right or wrong, and what they are worth.

TP: the vehicle is present, the answer accepted and right. FP: accepted, and the vehicle is absent or the answer wrong. FN:
present, and refused or wrong. TN: absent and refused. A wrong answer that is accepted though the vehicle is present is both
FP and FN.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

FIGURES = ("brier", "log_loss", "auroc", "f1", "tnr", "f1_tnr", "false_alarms", "misses")
"""Of ``figures_of``. The first two are better where smaller, as are the last two."""

SMALLEST = 1e-12
"""A probability is kept so far from 0 and 1 in the log loss."""


@dataclass(frozen=True, eq=False)
class Curves:
    """What each threshold gives, from just above the highest score (nothing is accepted) down to the lowest.

    Attributes:
        threshold: descending; a score equal to it is accepted.
        f1: 2 TP / (2 TP + FP + FN), 0 where nothing is accepted or present.
        false_alarms: the share of the absent queries that are accepted (false-positive identification rate).
        misses: the share of the present queries that are refused or answered wrongly (false-negative identification rate).
    """

    threshold: Float[np.ndarray, " t"]
    f1: Float[np.ndarray, " t"]
    false_alarms: Float[np.ndarray, " t"]
    misses: Float[np.ndarray, " t"]


def curves(
    score: Float[np.ndarray, " n"],
    right: Bool[np.ndarray, " n"],
    present: Bool[np.ndarray, " n"],
    weight: Float[np.ndarray, " n"],
) -> Curves:
    """Every threshold that gives other verdicts than the one before; equal scores are accepted together.

    Args:
        score: larger is surer.
        right: whether the first answer is the queried vehicle; then it is present.
        present: whether the gallery has it.
        weight: of each query.
    """
    levels, number = np.unique(-score, return_inverse=True)

    def accepted(mask: Bool[np.ndarray, " n"]) -> Float[np.ndarray, " t"]:
        return np.concatenate([[0.0], np.cumsum(np.bincount(number[mask], weight[mask], minlength=len(levels)))])

    tp, absent, wrong = accepted(right), accepted(~present), accepted(present & ~right)
    there, gone = float(weight[present].sum()), float(weight[~present].sum())
    threshold = np.concatenate([[np.nextafter(-levels[0], np.inf)], -levels]) if len(levels) else np.array([1.0])
    false_alarms = absent / gone if gone else np.zeros_like(absent)
    misses = (there - tp) / there if there else np.zeros_like(tp)
    return Curves(threshold, _f1(tp, absent + wrong, there - tp), false_alarms, misses)


def figures_of(
    p: Float[np.ndarray, " n"],
    accepted: Bool[np.ndarray, " n"],
    right: Bool[np.ndarray, " n"],
    present: Bool[np.ndarray, " n"],
    weight: Float[np.ndarray, " n"],
) -> dict[str, float]:
    """All ``FIGURES`` of a method; NaN where nobody is absent or present or right, so that there is none.

    Args:
        p: the probability that the first answer is right.
        accepted: its verdict.
        right: whether the first answer is the queried vehicle.
        present: whether the gallery has it.
        weight: of each query.
    """
    total, there, gone = weight.sum(), weight[present].sum(), weight[~present].sum()
    if total <= 0:
        return dict.fromkeys(FIGURES, float("nan"))
    tp, fp = weight[accepted & right].sum(), weight[accepted & ~right].sum()
    kept = np.clip(p, SMALLEST, 1 - SMALLEST)
    f1 = float(_f1(np.array([tp]), np.array([fp]), np.array([there - tp]))[0])
    tnr = float(weight[~present & ~accepted].sum() / gone) if gone else float("nan")
    return {
        "brier": float(weight @ (p - right) ** 2 / total),
        "log_loss": float(-(weight @ np.where(right, np.log(kept), np.log1p(-kept))) / total),
        "auroc": auroc(p, right, weight),
        "f1": f1,
        "tnr": tnr,
        "f1_tnr": 0.7 * f1 + 0.3 * tnr,
        "false_alarms": float(weight[~present & accepted].sum() / gone) if gone else float("nan"),
        "misses": float((there - tp) / there) if there else float("nan"),
    }


def auroc(score: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], weight: Float[np.ndarray, " n"]) -> float:
    """The chance that a right answer has a higher score than one that is not; equal ones count half. NaN without both."""
    levels, number = np.unique(score, return_inverse=True)
    good = np.bincount(number[right], weight[right], minlength=len(levels))
    bad = np.bincount(number[~right], weight[~right], minlength=len(levels))
    if good.sum() <= 0 or bad.sum() <= 0:
        return float("nan")
    below = np.cumsum(bad) - bad / 2
    return float(good @ below / (good.sum() * bad.sum()))


def _f1(tp: Float[np.ndarray, " t"], fp: Float[np.ndarray, " t"], fn: Float[np.ndarray, " t"]) -> Float[np.ndarray, " t"]:
    total = 2 * tp + fp + fn
    f1: Float[np.ndarray, " t"] = np.divide(2 * tp, total, out=np.zeros_like(total), where=total > 0)
    return f1
