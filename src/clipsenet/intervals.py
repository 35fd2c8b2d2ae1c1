"""Intervals: how far a score, or the difference of two, may be off because the tested vehicles are a sample."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from clipsenet.trials import Evaluation

LEVEL = 0.95
Interval = tuple[float, float]


def bootstrap(
    evaluations: Sequence[Evaluation],
    draws: int,
    seed: int,
    mask: Bool[np.ndarray, " n"] | None = None,
) -> list[dict[str, Float[np.ndarray, " draws"]]]:
    """Bootstrap every score of several evaluations of the same trials, with the same draws for all of them.

    Whole vehicles are drawn with replacement, not queries: the queries of one vehicle, in both directions, stand or
    fall together, and drawing them singly would make the interval too narrow.

    Args:
        evaluations: of the same test pictures and trials, so that differences are paired.
        draws: how many samples.
        seed: of the draws.
        mask: ``(n,)`` which test rows count as queries; none: all.

    Returns:
        For each evaluation score to ``(draws,)`` values; a draw in which no query is left is NaN.
    """
    vehicles, number = np.unique(evaluations[0].test.vehicle.numbers, return_inverse=True)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(vehicles), np.full(len(vehicles), 1 / len(vehicles)), size=draws).astype(np.float64)
    result: list[dict[str, Float[np.ndarray, " draws"]]] = []
    for evaluation in evaluations:
        sums: dict[str, list[Float[np.ndarray, " draws"]]] = {}
        for one in evaluation.results:
            asked = number[one.trial.query]
            for score, values in one.per_query.items():
                counted = ~np.isnan(values) & (True if mask is None else mask[one.trial.query])
                of_vehicle = np.bincount(asked[counted], values[counted], minlength=len(vehicles))
                queries = np.bincount(asked[counted], minlength=len(vehicles))
                if not queries.any():  # a slice that lives in another trial only
                    continue
                with np.errstate(invalid="ignore"):
                    sums.setdefault(score, []).append((counts @ of_vehicle) / (counts @ queries))
        result.append({score: _mean_of_trials(np.stack(per_trial)) for score, per_trial in sums.items()})
    return result


def _mean_of_trials(values: Float[np.ndarray, "trials draws"]) -> Float[np.ndarray, " draws"]:
    """As the score itself: over the trials that have a query in the draw; NaN where none has."""
    counted = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        mean: Float[np.ndarray, " draws"] = np.where(counted, values, 0).sum(axis=0) / counted.sum(axis=0)
    return mean


def interval(values: Float[np.ndarray, " draws"]) -> Interval:
    """The percentile interval at ``LEVEL``; NaN where no draw had a query."""
    kept = values[~np.isnan(values)]
    if len(kept) == 0:
        return (float("nan"), float("nan"))
    low, high = np.quantile(kept, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return (float(low), float(high))


def intervals(values: Mapping[str, Float[np.ndarray, " draws"]]) -> dict[str, Interval]:
    """The interval of each score."""
    return {score: interval(one) for score, one in values.items()}


def difference_intervals(
    a: Mapping[str, Float[np.ndarray, " draws"]], b: Mapping[str, Float[np.ndarray, " draws"]]
) -> dict[str, Interval]:
    """The interval of a's score minus b's, draw by draw."""
    return {score: interval(a[score] - b[score]) for score in a}
