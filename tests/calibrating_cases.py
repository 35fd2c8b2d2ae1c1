"""What the tests of calibrated answers share: answers whose true probabilities are known, and a calibration by hand."""

from dataclasses import dataclass

import numpy as np

from clipsenet.calibrating.calibration import Belief, Calibration, Likelihood, Weighed
from clipsenet.calibrating.evidence import ALONE, FEATURES, OF_FIRST, OF_LATER, SIGNS, Feature
from clipsenet.calibrating.examples import Examples, Lessons
from clipsenet.calibrating.fitting import Source, fit
from clipsenet.calibrating.goals import parse_goal
from clipsenet.features import Features
from clipsenet.sightings import Sightings

SOURCE = Source("run" * 10, "cosine", "made up", "f" * 16, ("0" * 16,), ("0" * 12,), True, 50)
SIMILARITY, GAP, SHARPNESS, SIZE, QUALITY, BEHIND = range(len(FEATURES))
NAMES = np.array([f"v{number:02}" for number in range(80)])


def logistic(score: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-score))


def made_up(n: int = 4000, absent: float = 0.5, seed: int = 0, size: int = 100) -> tuple[Examples, np.ndarray]:
    """Searches whose answers are right with a known logistic probability of the evidence, and that probability."""
    rng = np.random.default_rng(seed)
    similarity, gap = rng.normal(0.6, 0.1, n), np.abs(rng.normal(0, 0.1, n))
    others = rng.normal(0.3, 0.1, n), np.full(n, np.log(size)), rng.uniform(0.1, 1, n), np.zeros(n)
    p = logistic(15 * (similarity - 0.6) + 10 * (gap - 0.08))
    right = rng.uniform(size=n) < p
    present = right | (rng.uniform(size=n) > absent)
    evidence = np.stack([similarity, gap, *others], axis=1)
    return Examples(evidence, right, present, NAMES[np.arange(n) % 80], np.full(n, size)), p


@dataclass
class Alike:
    """Searches or pairs with one number as evidence: right ones lie about 0.8, all others about ``wrong_at``, 0.1 wide.

    So the odds are the prior's x exp((0.8 - wrong_at) / 0.01 x (similarity - the middle)), at any share of absent ones.
    """

    n: int = 20_000
    absent: float = 0.5
    found_first: float = 0.8
    wrong_at: float = 0.6
    pair: bool = False
    seed: int = 0
    size: int = 100

    def examples(self) -> Examples:
        rng = np.random.default_rng(self.seed)
        present = rng.uniform(size=self.n) >= self.absent
        right = present & (rng.uniform(size=self.n) < self.found_first)
        evidence = np.zeros((self.n, len(FEATURES)))
        evidence[:, SIMILARITY] = np.where(right, rng.normal(0.8, 0.1, self.n), rng.normal(self.wrong_at, 0.1, self.n))
        evidence[:, [GAP, SHARPNESS]] = np.nan if self.pair else 0.1
        evidence[:, SIZE], evidence[:, QUALITY] = np.log(self.size), 0.5
        return Examples(evidence, right, present, NAMES[np.arange(self.n) % 80], np.full(self.n, self.size))

    def truth(self, similarity: np.ndarray, share: float) -> np.ndarray:
        right = (1 - share) * self.found_first
        middle = (0.8 + self.wrong_at) / 2
        return logistic(np.log(right / (1 - right)) + (0.8 - self.wrong_at) / 0.01 * (similarity - middle))


PAIRS = Alike(n=2000, found_first=1.0, wrong_at=0.5, pair=True, size=1)


def made_up_later(first: Examples, truth: np.ndarray, seed: int = 3) -> tuple[Examples, np.ndarray]:
    """An answer after the first of each search, right with a known logistic probability below that of the first."""
    rng = np.random.default_rng(seed)
    n = len(first)
    p = truth * rng.uniform(0.05, 0.95, n)
    behind = np.abs(rng.normal(0, 0.1, n))
    evidence = first.evidence.copy()
    evidence[:, SIMILARITY] = 0.6 + (np.log(p / (1 - p)) + 10 * (behind - 0.08)) / 15
    evidence[:, BEHIND] = behind
    right = rng.uniform(size=n) < p
    present = np.ones(n, dtype=bool)  # as many are absent as of the first ones, so that no weight changes a probability
    present[rng.choice(np.flatnonzero(~right), int((~first.present).sum()), replace=False)] = False
    return Examples(evidence, right, present, first.vehicle, first.size), p


def lessons_of(first: Examples, pairs: Examples | None = None, later: Examples | None = None) -> Lessons:
    """Lessons of these; without later answers where none are given."""
    nobody = first[np.zeros(len(first), dtype=bool)] if later is None else later
    return Lessons(first, nobody, np.arange(len(nobody)), PAIRS.examples() if pairs is None else pairs)


def share_of(examples: Examples) -> float:
    return float((~examples.present).mean())


def fitted(examples: Examples, goal: str = "f1+tnr", absent: float | None = None, **others: Examples) -> Calibration:
    """By default with the share of absent ones that the examples have, so that no weight changes a probability."""
    share = share_of(examples) if absent is None else absent
    return fit(lessons_of(examples, **others), SOURCE, parse_goal(goal), share)


def p_of(calibration: Calibration, examples: Examples, share: float | None = None) -> np.ndarray:
    return calibration.believe(examples.evidence, share).p


MEANS: dict[Feature, tuple[float, float]] = {
    "similarity": (0.8, 0.1),
    "gap": (0.05, 0.1),
    "sharpness": (0.1, 0.2),
    "size": (4.0, 2.0),
    "quality": (0.2, 0.2),
    "behind": (0.1, 0.1),
}


def weighed(*features: Feature) -> tuple[Weighed, ...]:
    """A curve in which every feature tells something."""
    return tuple(
        Weighed(name=name, mean=MEANS[name][0], deviation=MEANS[name][1], weight=SIGNS[name] * (1.0 + number / 4))
        for number, name in enumerate(features)
    )


def by_hand(run_id: str, expect_absent: float = 0.5, sizes: tuple[int, ...] = (20, 100), later: bool = True) -> Calibration:
    """A calibration that nobody fitted: all of its curves and thresholds differ, and all evidence counts."""
    return Calibration(
        run_id=run_id,
        similarity="cosine",
        belief=Belief(features=weighed(*OF_FIRST), intercept=0.2, absent_among_wrong=0.6, threshold=0.55, alarms=3),
        plain=Belief(features=weighed(*ALONE), intercept=-0.3, absent_among_wrong=0.6, threshold=0.4, alarms=4),
        pair=Belief(features=weighed(*ALONE), intercept=0.7, absent_among_wrong=1.0, threshold=0.7, alarms=5),
        later=Likelihood(features=weighed(*OF_LATER), intercept=-2.0, absent_among_wrong=0.5) if later else None,
        expect_absent=expect_absent,
        goal="f1+tnr",
        sizes=sizes,
        tracks=False,
        queries=10,
        vehicles=5,
        examples=90,
        data="nobody's",
        fingerprint="f" * 16,
        pictures=(),
        named=(),
    )


def curve(likelihood: Likelihood, **evidence: float) -> float:
    """A curve's probability, written out a second time."""
    score = likelihood.intercept
    for one in likelihood.features:
        score += one.weight * (evidence[one.name] - one.mean) / one.deviation
    return float(1 / (1 + np.exp(-score)))


def drawn_features(vehicles: int, pictures: int, seed: int = 0, dim: int = 8, spread: float = 0.8) -> Features:
    """Pictures of vehicles under two cameras, two a track, that lie about their vehicle's middle."""
    rng = np.random.default_rng(seed)
    rows = [(v, p) for v in range(vehicles) for p in range(pictures)]
    centre = rng.normal(size=(vehicles, dim))
    vectors = np.stack([centre[v] + spread * rng.normal(size=dim) for v, _ in rows]).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    some = Sightings.of(
        [f"{v}_{p}.png" for v, p in rows],
        vehicle=[f"v{v}" for v, _ in rows],
        camera=[str(p // 2 % 2) for _, p in rows],
        track=[f"v{v}t{p // 2}" for v, p in rows],
    )
    return Features(some, vectors, "r" * 64)
