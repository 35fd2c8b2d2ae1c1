"""Examples: searches of which it is known whether the vehicle was there, and whether the first answer was right."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from clipsenet.sightings import Texts

Rows = Int[np.ndarray, " rows"] | Bool[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Examples:
    """Searches, one a row.

    Attributes:
        evidence: ``(n, 6)``, columns as ``evidence.FEATURES``.
        right: whether the answer is the queried vehicle.
        present: whether the gallery has a picture of it, junk left out.
        vehicle: the queried vehicle's name.
        size: of the gallery.
    """

    evidence: Float[np.ndarray, "n features"]
    right: Bool[np.ndarray, " n"]
    present: Bool[np.ndarray, " n"]
    vehicle: Texts
    size: Int[np.ndarray, " n"]

    def __post_init__(self) -> None:
        assert not (self.right & ~self.present).any(), "an answer cannot be right where the vehicle is absent"

    def __len__(self) -> int:
        return len(self.right)

    def __getitem__(self, rows: Rows) -> "Examples":
        return Examples(self.evidence[rows], self.right[rows], self.present[rows], self.vehicle[rows], self.size[rows])


@dataclass(frozen=True, eq=False)
class Lessons:
    """What a calibration learns from, or is judged on.

    Attributes:
        first: the first answer of each search.
        later: some answers after it, of other tracks.
        search: of each of those, the row of its search in ``first``.
        pairs: two pictures, of one vehicle or of two: galleries of one picture.
    """

    first: Examples
    later: Examples
    search: Int[np.ndarray, " later"]
    pairs: Examples


def join_lessons(parts: list[Lessons]) -> Lessons:
    """All of several."""
    before = np.cumsum([0, *(len(one.first) for one in parts[:-1])])
    return Lessons(
        first=join([one.first for one in parts]),
        later=join([one.later for one in parts]),
        search=np.concatenate([one.search + start for one, start in zip(parts, before, strict=True)]),
        pairs=join([one.pairs for one in parts]),
    )


def join(parts: list[Examples]) -> Examples:
    """All examples of several."""
    return Examples(
        np.concatenate([one.evidence for one in parts]),
        np.concatenate([one.right for one in parts]),
        np.concatenate([one.present for one in parts]),
        np.concatenate([one.vehicle for one in parts]),
        np.concatenate([one.size for one in parts]),
    )
