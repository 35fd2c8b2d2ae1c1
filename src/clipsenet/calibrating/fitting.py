"""Fitting: examples become a calibration."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from clipsenet.calibrating.calibration import Belief, Calibration, Weighed, standardised
from clipsenet.calibrating.evidence import FEATURES, SIGNS, Feature
from clipsenet.calibrating.examples import Examples
from clipsenet.calibrating.goals import Goal
from clipsenet.calibrating.logistic import fit_curve
from clipsenet.calibrating.prior import weigh
from clipsenet.errors import ClipsenetError, UsageError

ALONE: tuple[Feature, ...] = ("similarity",)
"""The plain way: a threshold on the similarity alone, here as a probability that rises with it."""


@dataclass(frozen=True)
class Source:
    """Where examples come from.

    Attributes:
        run_id: of the embeddings.
        similarity: the chain by which was searched.
        data: the benchmark's part.
        fingerprint: of its pictures.
        pictures: a digest of each.
        tracks: whether they have tracks.
        queries: pictures that asked.
    """

    run_id: str
    similarity: str
    data: str
    fingerprint: str
    pictures: tuple[str, ...]
    tracks: bool
    queries: int


def fit(examples: Examples, source: Source, goal: Goal, expect_absent: float = 0.5) -> Calibration:
    """Fit the curves and choose their thresholds, on the same examples.

    Args:
        examples: searches of known vehicles; weighed so that absent ones have their share of every gallery size.
        source: where they come from.
        goal: what the threshold is for.
        expect_absent: the share of absent queries that is expected, 0 to below 1.

    Raises:
        ClipsenetError: no example is right, none is wrong, or absent ones are expected and there is none.
        UsageError: a share out of range.
    """
    if not 0 <= expect_absent < 1:
        raise UsageError(f"--expect-absent {expect_absent:g}: wanted a share from 0 to below 1")
    absent = int((~examples.present).sum())
    if expect_absent > 0 and not absent:
        raise ClipsenetError(
            f"--expect-absent {expect_absent:g}, and the vehicle of all {len(examples)} examples is in the gallery: give "
            "galleries without some of the vehicles, or --expect-absent 0"
        )
    weight = weigh(examples.present, examples.size, expect_absent)
    counted = weight > 0
    if not (examples.right & counted).any() or not (~examples.right & counted).any():
        found = f"{int(examples.right.sum())} of {len(examples)} examples have a right first answer ({absent} absent)"
        raise ClipsenetError(f"{found}: a probability needs some that are right and some that are not; give more vehicles")
    wrong = float(weight[~examples.right].sum())
    return Calibration(
        run_id=source.run_id,
        similarity=source.similarity,
        belief=_believe(examples, weight, goal, FEATURES),
        plain=_believe(examples, weight, goal, ALONE),
        expect_absent=float(expect_absent),
        absent_among_wrong=float(min(1.0, weight[~examples.present].sum() / wrong)),
        goal=str(goal),
        sizes=tuple(np.unique(examples.size).tolist()),
        tracks=source.tracks,
        queries=source.queries,
        vehicles=len(np.unique(examples.vehicle)),
        examples=len(examples),
        data=source.data,
        fingerprint=source.fingerprint,
        pictures=source.pictures,
    )


def _believe(examples: Examples, weight: Float[np.ndarray, " n"], goal: Goal, features: Sequence[Feature]) -> Belief:
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
    p = Belief(features=weighed, intercept=curve.intercept, threshold=0.0).probability(examples.evidence)
    threshold = goal.threshold(p, examples.right, examples.present, weight)
    return Belief(features=weighed, intercept=curve.intercept, threshold=threshold)
