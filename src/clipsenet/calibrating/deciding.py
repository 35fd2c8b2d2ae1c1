"""Deciding: the confidence of each answer of one search, and the verdict on the whole."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from clipsenet.calibrating.calibration import Calibration
from clipsenet.calibrating.evidence import evidence_of


@dataclass(frozen=True)
class Verdict:
    """Whether the queried vehicle is believed to be in the gallery.

    Attributes:
        seen: whether the first answer is accepted.
        confidence: the probability that it is the queried vehicle, 0 to 1.
        threshold: the probability from which on it is.
        goal: what that was chosen for.
        expect_absent: the share of queries whose vehicle is not in the gallery, of which both probabilities speak.
        warnings: what makes this search unlike those that were learned from.
    """

    seen: bool
    confidence: float
    threshold: float
    goal: str
    expect_absent: float
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        """In one line."""
        said = "seen: the first answer is believed" if self.seen else "not seen: the first answer is not believed"
        return f"{said}; {self.grounds}"

    @property
    def grounds(self) -> str:
        """What it stands on."""
        return (
            f"confidence {self.confidence:.3f}, threshold {self.threshold:.3f} for {self.goal}, where "
            f"{100 * self.expect_absent:g} % of the queries are expected to be absent"
        )


@dataclass(frozen=True, eq=False)
class Looked:
    """The pictures most alike in one search, whatever was shown of it.

    Attributes:
        similarity: ``(first,)``, descending, at most ``evidence.FIRST``.
        track: of each, a number that other tracks do not have.
        candidates: how many pictures were searched.
        quality: of the query's picture, 0 to 1, or NaN.
        tracks: whether any of the pictures has a track.
    """

    similarity: Float[np.ndarray, " first"]
    track: Int[np.ndarray, " first"]
    candidates: int
    quality: float
    tracks: bool


@dataclass(frozen=True)
class Shown:
    """One answer: its place among the pictures looked at, or none where it is not among them; its similarity and track."""

    place: int | None
    similarity: float
    track: int


def decide(
    calibration: Calibration, looked: Looked, shown: list[Shown], expect_absent: float | None = None
) -> tuple[list[float], Verdict]:
    """The confidence of each answer that is shown, and the verdict by the first of them.

    What was calibrated is the first answer; the confidence of a further one is that of a search in which the others stood
    beside it as they do here.

    Args:
        calibration: of this run and similarity.
        looked: what the search found.
        shown: the answers, at least one.
        expect_absent: another share of absent queries; none: the calibration's.

    Raises:
        UsageError: a share out of range.
    """
    evidence = np.stack([_evidence(looked, one) for one in shown])
    p, thresholds = calibration.believe(evidence)
    threshold = float(thresholds[0])
    seen = bool(p[0] >= threshold)  # before it is restated, which turns no verdict
    told = calibration.restated(np.append(p, min(1.0, threshold)), expect_absent)
    share = calibration.expect_absent if expect_absent is None else expect_absent
    warnings = tuple(calibration.warnings(looked.candidates, looked.tracks))
    return told[:-1].tolist(), Verdict(seen, float(told[0]), float(told[-1]), calibration.goal, share, warnings)


def _evidence(looked: Looked, one: Shown) -> Float[np.ndarray, " features"]:
    if one.place is not None:
        return evidence_of(looked.similarity, looked.track, looked.candidates, looked.quality, one.place)
    similarity, track = np.append(looked.similarity, one.similarity), np.append(looked.track, one.track)
    return evidence_of(similarity, track, looked.candidates, looked.quality, len(similarity) - 1)
