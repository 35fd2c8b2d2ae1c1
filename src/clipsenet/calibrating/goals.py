"""Goals: what a threshold is chosen for."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from clipsenet.calibrating.verdicts import Curves, curves
from clipsenet.errors import UsageError


@dataclass(frozen=True)
class Goal(ABC):
    """What a user wants of the verdicts."""

    def threshold(
        self,
        score: Float[np.ndarray, " n"],
        right: Bool[np.ndarray, " n"],
        present: Bool[np.ndarray, " n"],
        weight: Float[np.ndarray, " n"],
    ) -> float:
        """From which score on an answer is accepted; just above the highest one where nothing may be.

        Args:
            score: larger is surer.
            right: whether the first answer is the queried vehicle.
            present: whether the gallery has it.
            weight: of each example.
        """
        return self._best(curves(score, right, present, weight))

    @abstractmethod
    def _best(self, at: Curves) -> float: ...


@dataclass(frozen=True)
class FalseAlarms(Goal):
    """As many right answers as possible while at most a share of the absent queries gets an answer.

    Attributes:
        most: that share, 0 to 1.
    """

    most: float

    def _best(self, at: Curves) -> float:
        lowest = np.flatnonzero(at.false_alarms <= self.most + 1e-12)[-1]  # thresholds descend
        return float(at.threshold[lowest])

    def __str__(self) -> str:
        return f"false-alarms<={100 * self.most:g}%"


@dataclass(frozen=True)
class F1AndTnr(Goal):
    """The largest 0.7 F1 + 0.3 TNR."""

    def _best(self, at: Curves) -> float:
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
