"""Nested folds: where vehicles are few, each is judged by a calibration that never saw it."""

from collections.abc import Sequence

import numpy as np

from clipsenet.calibrating.asked import Asked
from clipsenet.calibrating.fitting import fit
from clipsenet.calibrating.goals import Goal
from clipsenet.calibrating.judging import Judgement, join_judgements, judge
from clipsenet.calibrating.searches import sizes_up_to
from clipsenet.chain import Chain
from clipsenet.errors import ClipsenetError
from clipsenet.reporting import SILENT, Watch
from clipsenet.sightings import UNKNOWN


def judge_nested(
    asked: Asked,
    chain: Chain,
    goal: Goal,
    *,
    folds: int,
    expect_absent: float = 0.5,
    sizes: Sequence[int] = (),
    seed: int = 0,
    watch: Watch = SILENT,
) -> tuple[Judgement, list[int]]:
    """Split the vehicles into folds; judge the searches within each by what was fitted on searches within the others.

    The galleries of a fold hold its own vehicles only, and so do those of its calibration: the two never meet, not even as
    strangers. Pictures of nobody known are dealt out one by one.

    Args:
        asked: pictures and questions.
        chain: by what similarity.
        goal: what each threshold is for.
        folds: from 2.
        expect_absent: the share of absent queries.
        sizes: of the galleries; none: as many as the smallest side allows.
        seed: of folds and galleries.
        watch: told how far it is.

    Returns:
        The judgement, and the galleries' sizes.

    Raises:
        ClipsenetError: too few vehicles, or a fold without right or wrong answers.
    """
    vehicle = asked.features.sightings.vehicle
    known = np.unique(vehicle.numbers[vehicle.known])
    if not 2 <= folds <= len(known):
        raise ClipsenetError(f"--folds {folds}: wanted 2 to {len(known)}, the number of vehicles")
    rng = np.random.default_rng((seed, 1))
    of_vehicle = np.zeros(len(vehicle.names) + 1, dtype=np.int64)
    of_vehicle[known] = rng.permutation(np.arange(len(known)) % folds)
    fold = np.where(vehicle.numbers == UNKNOWN, np.arange(len(vehicle.numbers)) % folds, of_vehicle[vehicle.numbers])
    sides = [(asked.of(fold != one), asked.of(fold == one)) for one in range(folds)]
    wanted = list(sizes) or sizes_up_to(min(side.largest for pair in sides for side in pair))
    parts = []
    for one, (learned, tested) in enumerate(sides):
        lessons = learned.search(chain, wanted, seed, watch, f", learning for fold {one + 1} of {folds}")
        calibration = fit(lessons, learned.source(chain, fold != one), goal, expect_absent)
        parts.append(judge(tested.search(chain, wanted, seed + 1, watch, f", fold {one + 1} of {folds}"), calibration))
    return join_judgements(parts), wanted
