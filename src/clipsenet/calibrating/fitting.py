"""Fitting: examples become a calibration."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from clipsenet.calibrating.calibration import Belief, Calibration, Likelihood, Weighed, require_share, standardised
from clipsenet.calibrating.evidence import ALONE, FEATURES, OF_FIRST, OF_LATER, SIGNS, Feature
from clipsenet.calibrating.examples import Examples, Lessons
from clipsenet.calibrating.goals import Goal
from clipsenet.calibrating.logistic import fit_curve
from clipsenet.calibrating.prior import share_of_pairs, weigh
from clipsenet.errors import ClipsenetError


@dataclass(frozen=True)
class Source:
    """Where examples come from.

    Attributes:
        run_id: of the embeddings.
        similarity: the chain by which was searched.
        data: the benchmark's part.
        fingerprint: of its pictures.
        pictures: a digest of each that asked.
        named: a digest of each vehicle's name.
        tracks: whether they have tracks.
        queries: pictures that asked.
    """

    run_id: str
    similarity: str
    data: str
    fingerprint: str
    pictures: tuple[str, ...]
    named: tuple[str, ...]
    tracks: bool
    queries: int


def fit(lessons: Lessons, source: Source, goal: Goal, expect_absent: float = 0.5) -> Calibration:
    """Fit the curves and choose their thresholds, on the same examples.

    Args:
        lessons: searches of known vehicles; weighed so that absent ones have their share of every gallery size.
        source: where they come from.
        goal: what the thresholds are for.
        expect_absent: the share of absent queries that is expected, 0 to below 1; of pairs the share of those of two vehicles.

    Raises:
        ClipsenetError: no example is right, none is wrong, or absent ones are expected and there is none.
        UsageError: a share out of range.
    """
    require_share(expect_absent)
    examples = lessons.first
    absent = int((~examples.present).sum())
    if expect_absent > 0 and not absent:
        raise ClipsenetError(
            f"--expect-absent {expect_absent:g}, and the vehicle of all {len(examples)} examples is in the gallery: give "
            "galleries without some of the vehicles, or --expect-absent 0"
        )
    if not _has_both(examples, weigh(examples.present, examples.size, expect_absent)):
        found = f"{int(examples.right.sum())} of {len(examples)} examples have a right first answer ({absent} absent)"
        raise ClipsenetError(f"{found}: a probability needs some that are right and some that are not; give more vehicles")
    later_weight = weigh(lessons.later.present, lessons.later.size, expect_absent)
    return Calibration(
        run_id=source.run_id,
        similarity=source.similarity,
        belief=_believe(examples, expect_absent, goal, OF_FIRST),
        plain=_believe(examples, expect_absent, goal, ALONE),
        pair=_believe(lessons.pairs, share_of_pairs(expect_absent), goal, ALONE),
        later=_likelihood(lessons.later, later_weight, OF_LATER) if _has_both(lessons.later, later_weight) else None,
        expect_absent=float(expect_absent),
        goal=str(goal),
        sizes=tuple(np.unique(examples.size).tolist()),
        tracks=source.tracks,
        queries=source.queries,
        vehicles=len(np.unique(examples.vehicle)),
        examples=len(examples),
        data=source.data,
        fingerprint=source.fingerprint,
        pictures=source.pictures,
        named=source.named,
    )


def _has_both(examples: Examples, weight: Float[np.ndarray, " n"]) -> bool:
    """Whether some that count are right and some are not."""
    counted = weight > 0
    return bool((examples.right & counted).any() and (~examples.right & counted).any())


def _believe(examples: Examples, expect_absent: float, goal: Goal, features: Sequence[Feature]) -> Belief:
    curve = _likelihood(examples, weigh(examples.present, examples.size, expect_absent), features)
    p = curve.probability(examples.evidence)
    threshold = goal.threshold(p, examples.right, examples.present, examples.size, expect_absent)
    alarms = len(np.unique(examples.vehicle[~examples.present & (p >= threshold)]))
    return Belief(**dict(curve), threshold=threshold, alarms=alarms)


def _likelihood(examples: Examples, weight: Float[np.ndarray, " n"], features: Sequence[Feature]) -> Likelihood:
    values = examples.evidence[:, [FEATURES.index(name) for name in features]]
    mean, deviation = np.zeros(len(features)), np.ones(len(features))
    for column in range(len(features)):
        known = ~np.isnan(values[:, column]) & (weight > 0)
        if known.any():
            mean[column] = np.average(values[known, column], weights=weight[known])
            spread = float(np.sqrt(np.average((values[known, column] - mean[column]) ** 2, weights=weight[known])))
            deviation[column] = spread if spread > 1e-9 else 1.0
    signs = np.array([SIGNS[name] for name in features])
    curve = fit_curve(standardised(values, mean, deviation), examples.right, weight, signs)
    weighed = tuple(
        Weighed(name=name, mean=float(mean[at]), deviation=float(deviation[at]), weight=float(curve.weights[at]))
        for at, name in enumerate(features)
    )
    wrong = float(weight[~examples.right].sum())
    absent = float(min(1.0, weight[~examples.present].sum() / wrong))
    return Likelihood(features=weighed, intercept=curve.intercept, absent_among_wrong=absent)
