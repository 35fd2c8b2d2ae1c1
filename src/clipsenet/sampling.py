"""IdentitySampler: batches of P vehicles x K pictures, the same for the same seed and epoch."""

from typing import Literal

import numpy as np
from jaxtyping import Int
from pydantic import Field

from clipsenet.errors import ClipsenetError
from clipsenet.loading import Draw
from clipsenet.settings import Settings


class SamplerSettings(Settings):
    """How an epoch is cut into batches."""

    vehicles: int = Field(default=16, ge=2, description="Vehicles in a batch (P).")
    pictures: int = Field(default=8, ge=1, description="Pictures of each vehicle (K).")
    epoch: Literal["all-groups", "one-group"] = Field(
        default="all-groups",
        description="All of a vehicle's pictures in groups of K each epoch, or one group of K per vehicle.",
    )


class IdentitySampler:
    """Deals batches of P vehicles x K pictures.

    Each vehicle's pictures are shuffled and cut into groups of K; a vehicle with fewer than K is filled up by drawing
    with replacement, a rest smaller than K is left out that epoch. A batch takes one group each of P vehicles drawn
    from those that still have groups, until fewer than P are left (``design point 16``).

    Args:
        vehicle: ``(n,)`` the number of each picture's vehicle.
        settings: P, K and the epoch's form.
        seed: with the epoch it decides every draw.

    Raises:
        ClipsenetError: fewer than P vehicles.
    """

    def __init__(self, vehicle: Int[np.ndarray, " n"], settings: SamplerSettings, seed: int) -> None:
        order = np.argsort(vehicle, kind="stable")
        starts = np.flatnonzero(np.diff(vehicle[order])) + 1
        self.rows_of = np.split(order, starts) if len(order) else []
        if len(self.rows_of) < settings.vehicles:
            raise ClipsenetError(
                f"{len(self.rows_of)} training vehicles, wanted at least sampler.vehicles={settings.vehicles} for one batch"
            )
        self.settings = settings
        self.seed = seed

    def batches(self, epoch: int) -> list[list[Draw]]:
        """The batches of one epoch, each P x K draws, a vehicle's pictures beside each other."""
        rng = np.random.default_rng((self.seed, epoch))
        groups = [self._groups(rows, rng) for rows in self.rows_of]
        left = np.array([len(of_vehicle) for of_vehicle in groups])
        result: list[list[Draw]] = []
        while True:
            candidates = np.flatnonzero(left)
            if len(candidates) < self.settings.vehicles:
                return result
            batch: list[Draw] = []
            for vehicle in rng.choice(candidates, self.settings.vehicles, replace=False):
                left[vehicle] -= 1
                for row in groups[vehicle][left[vehicle]]:
                    place = len(result) * self.settings.vehicles * self.settings.pictures + len(batch)
                    batch.append(Draw(int(row), epoch, place))
            result.append(batch)

    def _groups(self, rows: Int[np.ndarray, " rows"], rng: np.random.Generator) -> list[Int[np.ndarray, " k"]]:
        k = self.settings.pictures
        shuffled = rng.permutation(rows)
        if len(rows) < k:
            return [np.concatenate([shuffled, rng.choice(rows, k - len(rows))])]
        count = 1 if self.settings.epoch == "one-group" else len(rows) // k
        return [shuffled[i * k : (i + 1) * k] for i in range(count)]
