"""Sites: where the cameras of a drawn city stand, and what each of them is like."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sensor:
    """How a camera turns light into pixels.

    Attributes:
        cast: gains of red, green, blue: a white balance that is off.
        exposure: gain before the curve; 1 is right.
        contrast: exponent of the curve about middle grey; above 1 dark things are darker.
        saturation: 1 is as it is, 0 is grey.
        vignette: how much darker the corners are, 0 to 1.
        bend: barrel distortion of the lens, as a share of the half picture.
        blur: standard deviation, in pixels of a 256-pixel vehicle.
        noise: standard deviation by day, of 255.
        quality: of the JPEG file, 1 to 95.
        pixels: how many pixels a vehicle's longer side has in the middle of the watched stretch.
    """

    cast: tuple[float, float, float]
    exposure: float
    contrast: float
    saturation: float
    vignette: float
    bend: float
    blur: float
    noise: float
    quality: int
    pixels: int


@dataclass(frozen=True)
class Lane:
    """A lane: vehicles drive along x.

    Attributes:
        across: y of its middle, in metres.
        direction: 1 towards greater x, -1 the other way.
    """

    across: float
    direction: int


@dataclass(frozen=True)
class Site:
    """A camera where it stands. The scene's origin is the middle of the watched stretch, on the road; x along it, z up.

    Attributes:
        number: from 1.
        along: metres from the first camera, on the road that joins them all (a ring).
        eye: where the camera is, in metres.
        stretch: from which x to which x it watches vehicles.
        lanes: of the road below it.
        turning: share of the vehicles that are seen while they turn.
        looseness: how much wider than the vehicle its boxes are, as a share; negative ones cut.
        sensor: the camera itself.
    """

    number: int
    along: float
    eye: tuple[float, float, float]
    stretch: tuple[float, float]
    lanes: tuple[Lane, ...]
    turning: float
    looseness: float
    sensor: Sensor

    @property
    def name(self) -> str:
        """Such as ``c001``."""
        return f"c{self.number:03d}"


AZIMUTHS = (20, 205, 65, 340, 120, 185, 300, 35, 250, 155, 90, 320)
"""Degrees from the road's direction to the camera: together they see vehicles from all sides."""


def make_sites(count: int, seed: int) -> tuple[Site, ...]:
    """The first ``count`` cameras of a seed; more cameras begin with the same ones.

    Args:
        count: at least 1.
        seed: decides everything.
    """
    along, found = 0.0, []
    for number in range(1, count + 1):
        rng = np.random.default_rng((seed, 11, number))
        high = rng.random() < 0.35
        height = float(rng.uniform(6.5, 10.0) if high else rng.uniform(3.0, 6.0))
        distance = float(rng.uniform(12, 22) if high else rng.uniform(8, 16))
        azimuth = np.deg2rad(AZIMUTHS[(number - 1) % len(AZIMUTHS)] + rng.uniform(-14, 14))
        lanes = tuple(Lane(-1.75 - 3.5 * lane, 1) for lane in range(int(rng.integers(1, 3))))
        lanes += tuple(Lane(-lane.across, -1) for lane in lanes) if rng.random() < 0.55 else ()
        reach = float(rng.uniform(3, 7))
        found.append(
            Site(
                number=number,
                along=along,
                eye=(
                    round(float(distance * np.cos(azimuth)), 2),
                    round(float(distance * np.sin(azimuth)), 2),
                    round(height, 2),
                ),
                stretch=(-round(reach, 2), round(reach, 2)),
                lanes=lanes,
                turning=float(rng.choice([0.0, 0.0, 0.25, 0.5])),
                looseness=round(float(rng.uniform(-0.03, 0.1)), 3),
                sensor=_make_sensor(rng),
            )
        )
        along += float(rng.uniform(350, 1400))
    return tuple(found)


def _make_sensor(rng: np.random.Generator) -> Sensor:
    warm, tint = rng.normal(0, 0.02), rng.normal(0, 0.01)
    return Sensor(
        cast=(round(float(1 + warm), 3), round(float(1 - tint), 3), round(float(1 - warm), 3)),
        exposure=round(float(np.exp(rng.normal(0, 0.1))), 3),
        contrast=round(float(rng.uniform(0.9, 1.12)), 3),
        saturation=round(float(rng.uniform(0.85, 1.05)), 3),
        vignette=round(float(rng.uniform(0, 0.25)), 3),
        bend=round(float(rng.choice([0.0, rng.uniform(0, 0.08)])), 3),
        blur=round(float(rng.uniform(0.3, 1.4)), 3),
        noise=round(float(rng.uniform(1.5, 6)), 2),
        quality=int(rng.integers(45, 93)),
        pixels=int(rng.integers(110, 240)),
    )
