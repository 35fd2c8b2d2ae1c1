"""Intervals: how far a score, or the difference of two, may be off because the tested vehicles are a sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from clipsenet.sightings import Sightings
from clipsenet.trials import Evaluation, TrialResult

LEVEL = 0.95
Interval = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Asked:
    """The queries of one trial.

    Attributes:
        vehicle: ``(q,)`` whose picture each is, a number.
        per_query: score name to ``(q,)`` summands, NaN for a query that does not count.
    """

    vehicle: Int[np.ndarray, " q"]
    per_query: Mapping[str, Float[np.ndarray, " q"]]


def bootstrap(
    evaluations: Sequence[Evaluation],
    draws: int,
    seed: int,
    mask: Bool[np.ndarray, " n"] | None = None,
) -> list[dict[str, Float[np.ndarray, " draws"]]]:
    """``bootstrap_queries`` of several evaluations of the same trials.

    Args:
        evaluations: of the same test pictures and trials, so that differences are paired.
        draws: how many samples.
        seed: of the draws.
        mask: ``(n,)`` which test rows count as queries; none: all.
    """
    return bootstrap_queries([[_asked(result, one.test, mask) for result in one.results] for one in evaluations], draws, seed)


def bootstrap_queries(
    methods: Sequence[Sequence[Asked]], draws: int, seed: int
) -> list[dict[str, Float[np.ndarray, " draws"]]]:
    """Bootstrap every score of several methods that were asked the same, with the same draws for all of them.

    Whole vehicles are drawn with replacement, not queries: the queries of one vehicle, in both directions, stand or
    fall together, and drawing them singly would make the interval too narrow.

    Args:
        methods: for each the trials' queries.
        draws: how many samples.
        seed: of the draws.

    Returns:
        For each method score to ``(draws,)`` values; a draw in which no query is left is NaN.
    """
    vehicles = np.unique(np.concatenate([asked.vehicle for asked in methods[0]]))
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(vehicles), np.full(len(vehicles), 1 / len(vehicles)), size=draws).astype(np.float64)
    result: list[dict[str, Float[np.ndarray, " draws"]]] = []
    for trials in methods:
        sums: dict[str, list[Float[np.ndarray, " draws"]]] = {}
        for asked in trials:
            number = np.searchsorted(vehicles, asked.vehicle)
            for score, values in asked.per_query.items():
                counted = ~np.isnan(values)
                of_vehicle = np.bincount(number[counted], values[counted], minlength=len(vehicles))
                queries = np.bincount(number[counted], minlength=len(vehicles))
                if not queries.any():  # a slice that lives in another trial only
                    continue
                with np.errstate(invalid="ignore"):
                    sums.setdefault(score, []).append((counts @ of_vehicle) / (counts @ queries))
        result.append({score: _mean_of_trials(np.stack(per_trial)) for score, per_trial in sums.items()})
    return result


def _asked(result: TrialResult, test: Sightings, mask: Bool[np.ndarray, " n"] | None) -> Asked:
    query = result.trial.query
    if mask is None:
        return Asked(test.vehicle.numbers[query], result.per_query)
    counted = mask[query]
    return Asked(
        test.vehicle.numbers[query], {name: np.where(counted, values, np.nan) for name, values in result.per_query.items()}
    )


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
