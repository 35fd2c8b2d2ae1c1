"""CV information: one learned row for each camera and view, added to a vector."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from clipsenet.settings import Settings
from clipsenet.sightings import UNKNOWN, Labels, Sightings


class PlaceSettings(Settings):
    """Which labels have rows, and what the rows are added to."""

    labels: Literal["camera-view", "camera", "view"] = Field(
        default="camera-view", description="A row for each camera and view together, each camera, or each view."
    )
    on: Literal["T", "T_a", "T_u"] = Field(default="T", description="The vector that rows are added to.")
    cameras: tuple[str, ...] | None = Field(
        default=None, description="Names that have rows; none: the training set's, filled in when a training starts."
    )
    views: tuple[str, ...] | None = Field(default=None, description="The same for views.")

    @property
    def named(self) -> bool:
        """Whether it is known which cameras and views have rows."""
        return all(getattr(self, f"{label}s") is not None for label in self.labels.split("-"))

    @property
    def rows(self) -> int:
        """How many rows there are: cameras x views of those that count."""
        return len(self._counted("camera", self.cameras)) * len(self._counted("view", self.views))

    def _counted(self, label: str, names: tuple[str, ...] | None) -> tuple[str, ...]:
        return (names or ()) if label in self.labels.split("-") else ("",)

    def of(self, sightings: Sightings) -> Int[np.ndarray, " n"]:
        """``(n,)`` row of each picture; -1 where its camera or view is unknown, or has none."""
        view = _index(sightings.view, self._counted("view", self.views), "view" in self.labels)
        camera = _index(sightings.camera, self._counted("camera", self.cameras), "camera" in self.labels)
        rows: Int[np.ndarray, " n"] = camera * len(self._counted("view", self.views)) + view
        rows[(camera == UNKNOWN) | (view == UNKNOWN)] = UNKNOWN
        return rows


def named_after(settings: PlaceSettings, train: Sightings) -> PlaceSettings:
    """The settings with the names that occur in the training set, sorted, where none are given yet."""
    update = {}
    for field, label, labels in (("cameras", "camera", train.camera), ("views", "view", train.view)):
        if label in settings.labels.split("-") and getattr(settings, field) is None:
            present = np.unique(labels.numbers[labels.known])
            update[field] = tuple(labels.names[number] for number in present)
    return settings.model_copy(update=update)


class PlaceRows(nn.Module):
    """``vector + row``: a row for each place, zeros at first; place -1 adds nothing."""

    def __init__(self, rows: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(rows, dim))

    def forward(self, vectors: Float[Tensor, "batch dim"], places: Int[Tensor, " batch"]) -> Float[Tensor, "batch dim"]:
        if len(self.weight) == 0:
            return vectors
        rows = self.weight[places.clamp(min=0)]
        return vectors + rows * (places >= 0)[:, None]


def _index(labels: Labels, names: tuple[str, ...], counts: bool) -> Int[np.ndarray, " n"]:
    """``(n,)`` place of each label among ``names``, -1 where it is none of them; 0 where the label does not count."""
    if not counts:
        return np.zeros(len(labels.numbers), dtype=np.int64)
    known = {name: number for number, name in enumerate(names)}
    table = np.array([*(known.get(name, UNKNOWN) for name in labels.names), UNKNOWN], dtype=np.int64)
    found: Int[np.ndarray, " n"] = table[labels.numbers]
    return found
