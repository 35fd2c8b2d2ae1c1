"""Made-up sightings for a gallery of any size: look-alikes that search has to tell apart, in time, before cameras.

The generator, all directions drawn from N(0, I) and brought to length 1 (nearly orthogonal to each other in 512-d):

* a vehicle is ``sqrt(0.9)`` of its model's direction and ``sqrt(0.1)`` of its own; there is a model for 500 vehicles, at
  least 4 of them, and the ``k``-th is chosen with a probability that falls as ``1 / (k + 10)``;
* a sighting is ``x`` vehicle and ``sqrt(1 - x^2)`` noise of its own, with ``x`` from N(0.835, 0.085) cut to 0.5 to 0.98: good
  and bad pictures. Two of one vehicle have a cosine of about 0.7 +- 0.1, two of one model 0.63 +- 0.09;
* a vehicle is seen 2 to 30 times: 2 and a geometric number of mean 8 that is drawn again above 28, so that a tenth as many
  vehicles as sightings are needed; the last vehicle is cut where the rows are full;
* sightings come in the order of their times, spread evenly over 30 days, each vehicle's at random moments, before one of 100
  cameras; three that follow each other before one camera never share a track unless they are of one vehicle: a track is a
  vehicle before a camera on a day. One sighting in a hundred has ``type=tractor``, the others van, bus, car or lorry.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from clipsenet.features import Features
from clipsenet.sightings import TEXT, Labels, Sightings

DAYS, CAMERAS = 30, 100
DAY = 86_400 * 10**6
BEGIN = 1_767_225_600 * 10**6
"""The first moment: 2026-01-01 in UTC."""

TYPES = ("bus", "car", "lorry", "tractor", "van")
TRACTOR = TYPES.index("tractor")
RUN = "made up"


@dataclass(frozen=True, eq=False)
class World:
    """Vehicles, and who is seen when.

    Attributes:
        model: ``(v,)`` of each vehicle.
        vehicle: ``(n,)`` of each sighting, in the order of time.
        time: ``(n,)`` microseconds since 1970 UTC, ascending.
        camera: ``(n,)`` numbers.
        kind: ``(n,)`` an index into ``TYPES``.
        models: ``(m, dim)`` their directions.
        seed: of the vehicles' own directions, and of the noise.
    """

    model: Int[np.ndarray, " v"]
    vehicle: Int[np.ndarray, " n"]
    time: Int[np.ndarray, " n"]
    camera: Int[np.ndarray, " n"]
    kind: Int[np.ndarray, " n"]
    models: Float[np.ndarray, "m dim"]
    own: Float[np.ndarray, "v dim"]
    seed: int

    @classmethod
    def draw(cls, rows: int, dim: int, seed: int) -> "World":
        """Decide everything but the noise."""
        rng = np.random.default_rng(seed)
        seen = 2 + rng.geometric(1 / 9, size=2 * rows // 10 + 10) - 1
        seen = seen[seen <= 30]
        vehicle = np.repeat(np.arange(len(seen)), seen)[:rows]
        assert len(vehicle) == rows
        vehicles = int(vehicle[-1]) + 1
        models = max(4, vehicles // 500)
        chance = 1 / (np.arange(models) + 10.0)
        rng.shuffle(vehicle)
        return cls(
            model=rng.choice(models, size=vehicles, p=chance / chance.sum()),
            vehicle=vehicle,
            time=BEGIN + np.sort(rng.integers(DAYS * DAY, size=rows)),
            camera=rng.integers(CAMERAS, size=rows),
            kind=np.where(rng.random(rows) < 0.01, TRACTOR, rng.choice([0, 1, 2, 4], size=rows)),
            models=_directions(models, dim, rng),
            own=_directions(vehicles, dim, rng),
            seed=seed,
        )

    def batches(self, size: int) -> Iterator[Features]:
        """All sightings, in the order of time."""
        for start in range(0, len(self.vehicle), size):
            rows = np.arange(start, min(start + size, len(self.vehicle)))
            yield self._features(rows, np.random.default_rng([self.seed, start]))

    def queries(self, count: int) -> Features:
        """Further sightings of vehicles that were seen, with noise of their own."""
        rng = np.random.default_rng([self.seed, len(self.vehicle)])
        return self._features(rng.integers(len(self.vehicle), size=count), rng)

    def vectors(self, vehicle: Int[np.ndarray, " k"], rng: np.random.Generator) -> Float[np.ndarray, "k dim"]:
        """A sighting of each of some vehicles."""
        clear = np.clip(rng.normal(0.835, 0.085, (len(vehicle), 1)), 0.5, 0.98).astype(np.float32)
        body = np.sqrt(np.float32(0.9)) * self.models[self.model[vehicle]] + np.sqrt(np.float32(0.1)) * self.own[vehicle]
        noise = _directions(len(vehicle), self.models.shape[1], rng)
        drawn = clear * body / np.linalg.norm(body, axis=1, keepdims=True) + np.sqrt(1 - clear**2) * noise
        unit: Float[np.ndarray, "k dim"] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return unit

    def _features(self, rows: Int[np.ndarray, " k"], rng: np.random.Generator) -> Features:
        vehicle, camera, day = self.vehicle[rows], self.camera[rows], (self.time[rows] - BEGIN) // DAY
        sightings = Sightings(
            path=np.array([f"day{of:02d}/{row:09d}.jpg" for of, row in zip(day, rows, strict=True)], dtype=TEXT),
            vehicle=Labels.unknown(len(rows)),
            camera=Labels(camera, tuple(f"c{number:03d}" for number in range(CAMERAS))),
            view=Labels.unknown(len(rows)),
            track=Labels.from_texts([f"{of:02d}-{number:06d}" for of, number in zip(day, vehicle, strict=True)]),
            time=self.time[rows],
            extra={"type": Labels(self.kind[rows], TYPES)},
        )
        return Features(sightings, self.vectors(vehicle, rng), RUN)


def likeness(world: World, pairs: int = 200_000) -> dict[str, float]:
    """What the generator really gives: cosines of pairs of one vehicle, and of any two vehicles.

    Returns:
        Mean and standard deviation of those of one vehicle; the 99.9th percentile of strangers'.
    """
    rng = np.random.default_rng([world.seed, 7])
    vehicles = len(world.model)
    same, strangers = [], []
    for _ in range(-(-pairs // 10_000)):
        first, second = rng.integers(vehicles, size=(2, 10_000))
        a, b, c = world.vectors(first, rng), world.vectors(first, rng), world.vectors(second, rng)
        same.append(np.einsum("nd,nd->n", a, b))
        strangers.append(np.einsum("nd,nd->n", a, c)[first != second])
    one, other = np.concatenate(same), np.concatenate(strangers)
    return {
        "same_vehicle_mean": float(one.mean()),
        "same_vehicle_deviation": float(one.std()),
        "strangers_p999": float(np.quantile(other, 0.999)),
    }


def _directions(number: int, dim: int, rng: np.random.Generator) -> Float[np.ndarray, "number dim"]:
    drawn = rng.standard_normal((number, dim), dtype=np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return drawn
