"""Goals: what a threshold is chosen for."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from clipsenet.calibrating.prior import weigh
from clipsenet.calibrating.verdicts import curves
from clipsenet.errors import ClipsenetError, UsageError


@dataclass(frozen=True)
class Goal(ABC):
    """What a user wants of the verdicts."""

    @abstractmethod
    def threshold(
        self,
        score: Float[np.ndarray, " n"],
        right: Bool[np.ndarray, " n"],
        present: Bool[np.ndarray, " n"],
        size: Int[np.ndarray, " n"],
        expect_absent: float,
    ) -> float:
        """From which score on an answer is accepted; just above the highest one where nothing may be.

        Args:
            score: larger is surer.
            right: whether the first answer is the queried vehicle.
            present: whether the gallery has it.
            size: of the gallery.
            expect_absent: the share of absent queries.

        Raises:
            ClipsenetError: the goal speaks of absent queries, and there is none.
        """

    @abstractmethod
    def __str__(self) -> str: ...


@dataclass(frozen=True)
class FalseAlarms(Goal):
    """As many right answers as possible while in galleries of each size at most a share of the absent queries gets an answer.

    The share is one of the absent alone, so that how many queries are absent does not matter.

    Attributes:
        most: that share, 0 to 1.
    """

    most: float

    def threshold(
        self,
        score: Float[np.ndarray, " n"],
        right: Bool[np.ndarray, " n"],
        present: Bool[np.ndarray, " n"],
        size: Int[np.ndarray, " n"],
        expect_absent: float,
    ) -> float:
        """See ``Goal.threshold``: the lowest score above all at which any size has too many."""
        if present.all():
            raise ClipsenetError(
                f"--goal '{self}': the vehicle of every example is in the gallery, so that nothing tells of it"
            )
        too_low = max(self._too_low(score[of], right[of], present[of]) for of in (size == one for one in np.unique(size)))
        enough = score[score > too_low]
        return float(enough.min() if len(enough) else np.nextafter(score.max(), np.inf))

    def _too_low(self, score: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], present: Bool[np.ndarray, " n"]) -> float:
        at = curves(score, right, present, np.ones(len(score)))
        too_many = at.threshold[at.false_alarms > self.most + 1e-12]  # thresholds descend
        return float(too_many[0]) if len(too_many) else -np.inf

    def __str__(self) -> str:
        return f"false-alarms<={100 * self.most:g}%"


@dataclass(frozen=True)
class F1AndTnr(Goal):
    """The largest 0.7 F1 + 0.3 TNR."""

    def threshold(
        self,
        score: Float[np.ndarray, " n"],
        right: Bool[np.ndarray, " n"],
        present: Bool[np.ndarray, " n"],
        size: Int[np.ndarray, " n"],
        expect_absent: float,
    ) -> float:
        """See ``Goal.threshold``: over all sizes together."""
        at = curves(score, right, present, weigh(present, size, expect_absent))
        return float(at.threshold[np.argmax(0.7 * at.f1 + 0.3 * (1 - at.false_alarms))])

    def __str__(self) -> str:
        return "f1+tnr"


def parse_goal(text: str) -> Goal:
    """Read ``false-alarms<=1%`` or ``f1+tnr``.

    Raises:
        UsageError: neither.
    """
    plain = text.replace(" ", "").lower()
    if plain == "f1+tnr":
        return F1AndTnr()
    found = re.fullmatch(r"false-alarms<=(\d+(?:\.\d+)?)%", plain)
    if found is None or float(found[1]) > 100:
        raise UsageError(f"goal '{text}': wanted f1+tnr, or false-alarms<=1% with a share from 0 to 100 %")
    return FalseAlarms(float(found[1]) / 100)
