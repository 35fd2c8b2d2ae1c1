"""Judging: what verdicts are worth, with intervals over vehicles, beside a plain threshold on the similarity."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from clipsenet.calibrating.calibration import Calibration
from clipsenet.calibrating.examples import Examples, Lessons, join
from clipsenet.calibrating.prior import weigh
from clipsenet.calibrating.verdicts import FIGURES, figures_of
from clipsenet.intervals import Interval, interval

BINS = 10
"""Of the reliability diagram, equally wide in the probability."""

SEED = 0
"""Of the bootstrap: the same answers give the same interval."""

CALIBRATED, PLAIN, DIFFERENCE = "calibrated", "similarity alone", "difference"


@dataclass(frozen=True, eq=False)
class Believed:
    """What one way of judging says of each search.

    Attributes:
        p: the probability that the first answer is right.
        accepted: its verdict.
    """

    p: Float[np.ndarray, " n"]
    accepted: Bool[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Judged:
    """Searches of known vehicles, judged in two ways that were fitted on the same other vehicles.

    Attributes:
        examples: the searches.
        calibrated: by all the evidence.
        plain: by the similarity alone.
    """

    examples: Examples
    calibrated: Believed
    plain: Believed


@dataclass(frozen=True, eq=False)
class Bin:
    """One bin of the reliability diagram: mean probability, share of right answers with its interval, share of searches."""

    p: float
    right: float
    interval: Interval
    share: float


@dataclass(frozen=True, eq=False)
class Section:
    """The figures of the searches of one gallery size, or of all.

    Attributes:
        title: which.
        searches, absent: how many, and of how many the vehicle was absent.
        rank_1: the share of right first answers where it was present: no verdict can find more.
        figures: way (``CALIBRATED``, ``PLAIN``, ``DIFFERENCE``) to figure to value.
        intervals: the same with 95 % intervals.
    """

    title: str
    searches: int
    absent: int
    rank_1: float
    figures: dict[str, dict[str, float]]
    intervals: dict[str, dict[str, Interval]]


@dataclass(frozen=True, eq=False)
class Judgement:
    """All that a calibration says, judged.

    Attributes:
        searches: of first answers: what verdicts are worth.
        pairs: of two pictures; the plain way is here the threshold of searches.
        later: of answers after the first: only the probability counts. None where it was not learned, or there is none.
    """

    searches: Judged
    pairs: Judged
    later: Judged | None


def judge(lessons: Lessons, calibration: Calibration) -> Judgement:
    """The probability and verdict of each example, in both ways."""
    searches = _judged(lessons.first, calibration)
    later = None
    if calibration.later is not None and len(lessons.later):
        p = np.minimum(calibration.believe_later(lessons.later.evidence), searches.calibrated.p[lessons.search])
        plain = calibration.plain.probability(lessons.later.evidence)
        nothing = np.zeros(len(p), dtype=bool)
        later = Judged(lessons.later, Believed(p, nothing), Believed(plain, nothing))
    return Judgement(searches, _judged(lessons.pairs, calibration), later)


def _judged(examples: Examples, calibration: Calibration) -> Judged:
    told = calibration.believe(examples.evidence)
    plain = calibration.plain.probability(examples.evidence)
    return Judged(examples, Believed(told.p, told.accepted), Believed(plain, plain >= calibration.plain.threshold))


def join_judgements(parts: list[Judgement]) -> Judgement:
    """All of several folds."""
    later = [one.later for one in parts if one.later is not None]
    return Judgement(
        searches=_join([one.searches for one in parts]),
        pairs=_join([one.pairs for one in parts]),
        later=_join(later) if len(later) == len(parts) else None,
    )


def _join(parts: list[Judged]) -> Judged:
    def together(of: Callable[[Judged], Believed]) -> Believed:
        return Believed(np.concatenate([of(one).p for one in parts]), np.concatenate([of(one).accepted for one in parts]))

    return Judged(join([one.examples for one in parts]), together(lambda one: one.calibrated), together(lambda one: one.plain))


def sections(judged: Judged, absent_share: float, draws: int = 1000) -> list[Section]:
    """The figures over all searches, then by gallery size.

    Args:
        judged: the searches.
        absent_share: with which they are weighed.
        draws: of the bootstrap over vehicles; 0: no intervals.
    """
    sizes = np.unique(judged.examples.size)
    found = [_section("all", judged, np.ones(len(judged.examples), dtype=bool), absent_share, draws)]
    if len(sizes) > 1:
        found += [_section(str(size), judged, judged.examples.size == size, absent_share, draws) for size in sizes.tolist()]
    return found


def reliability(judged: Judged, absent_share: float, draws: int = 1000) -> list[Bin]:
    """The reliability diagram of the calibrated probabilities; empty bins are left out."""
    examples, p = judged.examples, judged.calibrated.p
    weight = weigh(examples.present, examples.size, absent_share)
    number = np.minimum((p * BINS).astype(int), BINS - 1)

    def shares(weight: Float[np.ndarray, " n"]) -> Float[np.ndarray, " bins"]:
        total = np.bincount(number, weight, minlength=BINS)
        right = np.bincount(number, weight * examples.right, minlength=BINS)
        share: Float[np.ndarray, " bins"] = np.divide(right, total, out=np.full(BINS, np.nan), where=total > 0)
        return share

    total = np.bincount(number, weight, minlength=BINS)
    mean = np.divide(np.bincount(number, weight * p, minlength=BINS), total, out=np.full(BINS, np.nan), where=total > 0)
    sampled = [shares(weigh(examples.present, examples.size, absent_share, times)) for times in _draws(examples, draws)]
    bounds = np.stack(sampled) if sampled else np.full((1, BINS), np.nan)
    right = shares(weight)
    return [
        Bin(float(mean[at]), float(right[at]), interval(bounds[:, at]), float(total[at] / total.sum()))
        for at in range(BINS)
        if total[at] > 0
    ]


def _section(title: str, judged: Judged, rows: Bool[np.ndarray, " n"], absent_share: float, draws: int) -> Section:
    examples = judged.examples[rows]
    ways = {CALIBRATED: judged.calibrated, PLAIN: judged.plain}

    def figures(times: Float[np.ndarray, " m"] | None) -> dict[str, dict[str, float]]:
        weight = weigh(examples.present, examples.size, absent_share, times)
        found = {
            name: figures_of(one.p[rows], one.accepted[rows], examples.right, examples.present, weight)
            for name, one in ways.items()
        }
        found[DIFFERENCE] = {figure: found[CALIBRATED][figure] - found[PLAIN][figure] for figure in FIGURES}
        return found

    sampled = [figures(times) for times in _draws(examples, draws)]
    bounds = {
        way: {figure: interval(np.array([one[way][figure] for one in sampled])) for figure in FIGURES}
        for way in (CALIBRATED, PLAIN, DIFFERENCE)
    }
    absent = int((~examples.present).sum())
    weight = weigh(examples.present, examples.size, absent_share)
    there = weight[examples.present].sum()
    rank_1 = float(weight[examples.right].sum() / there) if there else float("nan")
    return Section(title, len(examples), absent, rank_1, figures(None), bounds if draws else {})


def _draws(examples: Examples, draws: int) -> list[Float[np.ndarray, " n"]]:
    """How often each example counts in each draw: whole vehicles are drawn with replacement."""
    names, number = np.unique(examples.vehicle, return_inverse=True)
    rng = np.random.default_rng(SEED)
    counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws).astype(np.float64)
    return [one[number] for one in counts]
