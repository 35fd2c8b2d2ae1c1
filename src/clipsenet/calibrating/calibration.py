"""Calibration: from the evidence of a search to a probability and a verdict; a file beside the run."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field

from clipsenet.calibrating.evidence import FEATURES, Feature
from clipsenet.calibrating.logistic import Curve
from clipsenet.calibrating.prior import restate
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.files import write_text
from clipsenet.settings import Settings

FORMAT = 2
"""1 was never released, and knew neither pairs nor answers after the first."""

NAME = "calibration.json"

NEAR = 1.1
"""A gallery that is at most so many times as large as those learned from, or as small, is told no stranger to them."""


@dataclass(frozen=True, eq=False)
class Told:
    """What is told of first answers.

    Attributes:
        p: ``(n,)`` the probability that each is the queried vehicle.
        threshold: ``(n,)`` from which probability on it is accepted.
        accepted: ``(n,)`` whether it is.
        pair: ``(n,)`` whether the curve of pairs tells it.
    """

    p: Float[np.ndarray, " n"]
    threshold: Float[np.ndarray, " n"]
    accepted: Bool[np.ndarray, " n"]
    pair: Bool[np.ndarray, " n"]


class Weighed(Settings):
    """One feature in a curve."""

    name: Feature = Field(description="Which.")
    mean: float = Field(description="Over the calibration's examples.")
    deviation: float = Field(gt=0, description="Over the same; 1 where all are equal.")
    weight: float = Field(description="Of (value - mean) / deviation in the logistic curve.")


class Likelihood(Settings):
    """A curve from evidence to a probability."""

    features: tuple[Weighed, ...] = Field(min_length=1, description="The curve's features.")
    intercept: float = Field(description="The curve's.")
    absent_among_wrong: float = Field(
        ge=0, le=1, description="Of the answers that are not right, the part of those whose vehicle is absent."
    )

    def probability(self, evidence: Float[np.ndarray, "n features"]) -> Float[np.ndarray, " n"]:
        """``(n,)``, 0 to 1; NaN counts as its feature's mean."""
        mean, deviation, weight = (
            np.array([getattr(one, name) for one in self.features]) for name in ("mean", "deviation", "weight")
        )
        values = evidence[:, [FEATURES.index(one.name) for one in self.features]]
        return Curve(self.intercept, weight).probability(standardised(values, mean, deviation))


class Belief(Likelihood):
    """A curve, and from where on an answer is accepted."""

    threshold: float = Field(ge=0, description="The probability from which on an answer is accepted.")
    alarms: int = Field(
        ge=0, description="Absent vehicles that were accepted where the threshold was chosen: it rests on these."
    )


class Calibration(Settings):
    """The probability that the first answer of a search is the queried vehicle, and from where on it is believed."""

    format: int = Field(default=FORMAT, description="Of this file.")
    run_id: str = Field(description="Run.id of the embeddings.")
    similarity: str = Field(description="The chain by which was searched, with all its parameters.")
    belief: Belief = Field(description="Of the first answer, by all the evidence.")
    plain: Belief = Field(
        description="By the similarity alone, chosen on the same searches for the same goal: to compare with."
    )
    pair: Belief = Field(description="Of two pictures, beside which nothing stands.")
    later: Likelihood | None = Field(description="Of an answer after the first; none where no such example was right.")
    expect_absent: float = Field(ge=0, lt=1, description="The share of queries whose vehicle is not in the gallery.")
    goal: str = Field(description="What the thresholds were chosen for.")
    sizes: tuple[int, ...] = Field(min_length=1, description="The galleries' sizes, ascending.")
    tracks: bool = Field(description="Whether the pictures had tracks, so that the gap is to another track.")
    queries: int = Field(ge=1, description="Pictures that asked.")
    vehicles: int = Field(ge=1, description="Whose pictures asked.")
    examples: int = Field(ge=1, description="Searches that were learned from.")
    data: str = Field(description="The benchmark's part, by name.")
    fingerprint: str = Field(description="Of its pictures.")
    pictures: tuple[str, ...] = Field(description="A digest of each picture that asked, so that none of them tests it.")
    named: tuple[str, ...] = Field(description="A digest of each vehicle's name, for the same.")

    def believe(self, evidence: Float[np.ndarray, "n features"], expect_absent: float | None = None) -> "Told":
        """How sure each first answer is, and whether it is accepted.

        A gallery smaller than any of the calibration's counts as its smallest. Where nothing of another track stands beside the
        answer (a gallery of one picture), the curve of pairs tells.

        Args:
            evidence: columns as ``evidence.FEATURES``.
            expect_absent: another share of absent queries (of a pair: of pairs of two vehicles); none: the calibration's.

        Raises:
            UsageError: as ``require_restatable``.
        """
        values = self._clamped(evidence)
        bare = np.isnan(values[:, [FEATURES.index("gap"), FEATURES.index("sharpness")]]).any(axis=1)
        p = np.where(bare, self.pair.probability(values), self.belief.probability(values))
        threshold = np.where(bare, self.pair.threshold, self.belief.threshold)
        wrong = np.where(bare, self.pair.absent_among_wrong, self.belief.absent_among_wrong)
        accepted = p >= threshold  # before it is restated, which turns no verdict
        return Told(
            self._restated(p, expect_absent, wrong),
            self._restated(np.minimum(1.0, threshold), expect_absent, wrong),
            accepted,
            bare,
        )

    def believe_later(
        self, evidence: Float[np.ndarray, "n features"], expect_absent: float | None = None
    ) -> Float[np.ndarray, " n"]:
        """How sure answers after the first are, NaN where that was not learned.

        Raises:
            UsageError: as ``require_restatable``.
        """
        if self.later is None:
            return np.full(len(evidence), np.nan)
        p = self.later.probability(self._clamped(evidence))
        return self._restated(p, expect_absent, np.full(len(p), self.later.absent_among_wrong))

    def require_restatable(self, expect_absent: float | None) -> None:
        """Refuse a share of absent queries for which nothing can be said.

        Raises:
            UsageError: a share outside 0 to below 1, or a calibration that knows no absent query.
        """
        if expect_absent is None or expect_absent == self.expect_absent:
            return
        require_share(expect_absent)
        if self.expect_absent == 0:
            raise UsageError(
                f"--expect-absent {expect_absent:g}: this calibration was made for no absent query and cannot be restated; "
                "make another: clipsenet calibrate --expect-absent 0.5"
            )

    def _clamped(self, evidence: Float[np.ndarray, "n features"]) -> Float[np.ndarray, "n features"]:
        values = np.array(evidence, dtype=np.float64)
        size = FEATURES.index("size")
        values[:, size] = np.maximum(values[:, size], np.log(self.sizes[0]))
        return values

    def _restated(
        self, p: Float[np.ndarray, " n"], expect_absent: float | None, absent_among_wrong: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, " n"]:
        self.require_restatable(expect_absent)
        if expect_absent is None or expect_absent == self.expect_absent:
            return p
        return restate(p, self.expect_absent, expect_absent, absent_among_wrong)

    def warnings(self, candidates: int, tracks: bool) -> list[str]:
        """What makes a search unlike those that were learned from.

        Args:
            candidates: pictures that the filters left; of a single one the curve of pairs tells.
            tracks: whether any of the pictures found has a track.
        """
        found = []
        low, high = self.sizes[0], self.sizes[-1]
        if candidates > 1 and not low / NEAR <= candidates <= high * NEAR:
            found.append(
                f"{candidates} candidates, calibrated on galleries of {low} to {high}: the confidence is a guess there"
            )
        if self.tracks and not tracks:
            found.append(
                "calibrated with tracks, and this gallery has none: pictures of one passage cannot be told from another "
                "vehicle's, so the confidence is too low where there are several"
            )
        return found

    def save(self, folder: Path) -> Path:
        """Write it into a run folder; an older one is replaced."""
        path = folder / NAME
        write_text(path, json.dumps(self.to_values(), indent=1) + "\n")
        return path


def load_calibration(folder: Path) -> Calibration | None:
    """The calibration in a run folder; none where there is none.

    Raises:
        ClipsenetError: broken, or of a newer format.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    again = "make it again: clipsenet calibrate"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        number = int(values["format"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ClipsenetError(f"{path} is not a whole calibration ({type(error).__name__}: {error}); {again}") from error
    if number > FORMAT:
        raise ClipsenetError(f"{path} has format {number}, this version reads {FORMAT}: update clipsenet")
    if number < FORMAT:
        raise ClipsenetError(f"{path} has format {number}, which was never released; this version reads {FORMAT}: {again}")
    try:
        return Calibration.from_values(values, str(path))
    except UsageError as error:
        raise ClipsenetError(f"{error}; {again}") from error


def require_calibrated(calibration: Calibration, run_id: str, similarity: str) -> None:
    """Refuse a calibration of another run or similarity.

    Raises:
        ClipsenetError: which it is for, and what to do.
    """
    if calibration.run_id != run_id:
        raise ClipsenetError(
            f"the calibration is of run {calibration.run_id[:16]}, these embeddings are of run {run_id[:16]} (another "
            "checkpoint is another run): calibrate that one: clipsenet calibrate"
        )
    if calibration.similarity != similarity:
        raise ClipsenetError(
            f"the calibration is for similarity '{calibration.similarity}', the search is by '{similarity}': search by that "
            f"one, or calibrate this one: clipsenet calibrate --similarity '{similarity}'"
        )


def require_share(expect_absent: float) -> None:
    """Refuse a share of absent queries that is none.

    Raises:
        UsageError: outside 0 to below 1.
    """
    if not 0 <= expect_absent < 1:
        raise UsageError(f"--expect-absent {expect_absent:g}: wanted a share from 0 to below 1")


def standardised(
    values: Float[np.ndarray, "n f"], mean: Float[np.ndarray, " f"], deviation: Float[np.ndarray, " f"]
) -> Float[np.ndarray, "n f"]:
    """(value - mean) / deviation, 0 for NaN."""
    x: Float[np.ndarray, "n f"] = np.nan_to_num((values - mean) / deviation, nan=0.0)
    return x
