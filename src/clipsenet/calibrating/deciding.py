"""Deciding: the confidence of each answer of one search, and the verdict on the whole."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from clipsenet.calibrating.calibration import Calibration
from clipsenet.calibrating.evidence import evidence_of
from clipsenet.calibrating.prior import share_of_pairs


@dataclass(frozen=True)
class Verdict:
    """Whether the queried vehicle is believed to be in the gallery.

    Attributes:
        seen: whether the first answer is accepted.
        confidence: the probability that it is the queried vehicle, 0 to 1.
        threshold: the probability from which on it is.
        goal: what that was chosen for, with the share of absent queries for which it was.
        expect_absent: the share of queries whose vehicle is not in the gallery, of which both probabilities speak.
        warnings: what makes this search unlike those that were learned from.
        pair: whether one picture was compared with one: the share is then that of pairs of two vehicles.
    """

    seen: bool
    confidence: float
    threshold: float
    goal: str
    expect_absent: float
    warnings: tuple[str, ...]
    pair: bool = False

    def __str__(self) -> str:
        """In one line."""
        said = "seen: the first answer is believed" if self.seen else "not seen: the first answer is not believed"
        if self.seen and self.confidence < 0.5:
            said = "seen: the first answer is accepted, though it is less likely right than not"
        return f"{said}; {self.grounds}"

    @property
    def grounds(self) -> str:
        """What it stands on."""
        of = "pairs are of two vehicles" if self.pair else "queries are absent"
        return (
            f"confidence {self.confidence:.3f} where {100 * self.expect_absent:g} % of the {of}, threshold "
            f"{self.threshold:.3f} chosen for {self.goal}"
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
) -> tuple[list[float | None], Verdict]:
    """The confidence of each answer that is shown, and the verdict by the first of them.

    Those of the first one's track are as sure as it; none is surer.

    Args:
        calibration: of this run and similarity.
        looked: what the search found.
        shown: the answers, at least one.
        expect_absent: another share of absent queries; none: the calibration's.

    Returns:
        Confidences, none where that of later answers was not learned; and the verdict.

    Raises:
        UsageError: a share out of range.
    """
    evidence = np.stack([_evidence(looked, one) for one in shown])
    told = calibration.believe(evidence[:1], expect_absent)
    p, learned = float(told.p[0]), calibration.expect_absent
    at = share_of_pairs(learned) if told.pair[0] else learned
    share = at if expect_absent is None or expect_absent == learned else expect_absent
    later = calibration.believe_later(evidence, expect_absent)
    confidences: list[float | None] = [
        p if one.track == shown[0].track else None if np.isnan(value) else min(p, float(value))
        for one, value in zip(shown, later, strict=True)
    ]
    goal = f"{calibration.goal} at {100 * at:g} % absent"
    warnings = tuple(calibration.warnings(looked.candidates, looked.tracks))
    pair = bool(told.pair[0])
    return confidences, Verdict(bool(told.accepted[0]), p, float(told.threshold[0]), goal, share, warnings, pair)


def _evidence(looked: Looked, one: Shown) -> Float[np.ndarray, " features"]:
    if one.place is not None:
        return evidence_of(looked.similarity, looked.track, looked.candidates, looked.quality, one.place)
    similarity, track = np.append(looked.similarity, one.similarity), np.append(looked.track, one.track)
    return evidence_of(similarity, track, looked.candidates, looked.quality, len(similarity) - 1)
