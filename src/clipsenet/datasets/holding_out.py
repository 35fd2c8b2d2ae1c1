"""Vehicles held out of training, and a protocol other than the benchmark's own: what every reader of a data set can do."""

import numpy as np
from jaxtyping import Bool
from pydantic import Field

from clipsenet.errors import ClipsenetError
from clipsenet.protocol import ApRule, JunkRule, Protocol
from clipsenet.settings import Settings
from clipsenet.sightings import Sightings


class HoldOutSettings(Settings):
    """What holds for every benchmark."""

    validation_vehicles: int = Field(
        default=0, ge=0, description="Training vehicles held out to choose a checkpoint on, drawn with split_seed."
    )
    split_seed: int = Field(default=0, ge=0, description="The seed of the draws of vehicles.")
    junk: JunkRule | None = Field(
        default=None,
        description="The junk rule: same-camera (Market-1501's, VeRi-776's), same-file, all-same-camera; null: the "
        "benchmark's own, for your own pictures same-camera.",
    )
    ap: ApRule | None = Field(
        default=None,
        description="Average precision: step, or trapezoid as in VeRi-776's Matlab tool; null: the benchmark's own.",
    )

    def protocol(self, own: Protocol) -> Protocol:
        """A benchmark's own protocol with what is asked for put in its place."""
        asked = {name: value for name, value in (("junk", self.junk), ("ap", self.ap)) if value is not None}
        return own.model_copy(update=asked)


def draw_vehicles(
    sightings: Sightings, among: Bool[np.ndarray, " n"], number: int, rng: np.random.Generator, purpose: str
) -> Bool[np.ndarray, " n"]:
    """All pictures of ``number`` vehicles, drawn from those with at least two pictures among the given ones.

    Args:
        sightings: the pictures.
        among: ``(n,)`` those that may be drawn.
        number: how many vehicles.
        rng: that draws.
        purpose: ``validation`` or ``test``, for the message.

    Raises:
        ClipsenetError: too few vehicles.
    """
    vehicle = sightings.vehicle.numbers
    present, count = np.unique(vehicle[among & sightings.vehicle.known], return_counts=True)
    candidates = present[count > 1]
    if number >= len(candidates):
        raise ClipsenetError(
            f"data.{purpose}_vehicles={number}: only {len(candidates)} vehicles have two pictures or more; ask for fewer"
        )
    drawn: Bool[np.ndarray, " n"] = among & np.isin(vehicle, rng.choice(candidates, number, replace=False))
    return drawn
