"""Developing: lamps that burn, rain, blur, exposure: from what was drawn to what the camera gives."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from clipsenet.synthetic import lens
from clipsenet.synthetic.light import Light
from clipsenet.synthetic.seeing import Depth, is_seen
from clipsenet.synthetic.shadows import Stand
from clipsenet.synthetic.sites import Sensor
from clipsenet.synthetic.viewing import Eye, moved

GREY = 0.22
"""What a street throws back of its light, on the whole."""

LAMP = 0.075
"""Radius of a lamp's core, in metres."""


def burn(
    drawn: lens.Linear,
    stands: Sequence[Stand],
    eye: Eye,
    depth: Depth,
    corner: tuple[int, int],
    height: int,
    width: int | None = None,
) -> None:
    """Add the glow of all lamps that work and are seen, in place.

    Args:
        drawn: a part of the picture, linear.
        stands: the vehicles.
        eye: the camera.
        depth: of the whole picture.
        corner: left and top of the part, in pixels.
        height: of the whole picture, in pixels.
        width: of it; none: as its height.
    """
    for stand in stands:
        for lamp in stand.body.lamps:
            head = lamp.kind == "head"
            facing = stand.facing(eye.place) * (1 if head else -1)
            (place,) = moved(np.array([lamp.place]), stand.place, stand.heading)
            ((x, y, distance),) = eye.project(place[None])
            if not lamp.works or facing < 0.05 or not is_seen(depth, x, y, distance, 0.5):
                continue
            radius = LAMP / (2 * np.tan(np.deg2rad(eye.angle) / 2) * distance) * height
            colour = (1.0, 0.95, 0.82) if head else (1.0, 0.06, 0.03)
            strength = (2.2 if head else 0.75) * facing**0.5
            lens.glow(drawn, x * (width or height) - corner[0], y * height - corner[1], max(0.8, radius), colour, strength)


def develop(
    drawn: lens.Linear, sensor: Sensor, light: Light, scale: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """What the camera gives.

    Args:
        drawn: linear light.
        sensor: the camera's.
        light: day or night, rain or not.
        scale: a vehicle's pixels, of 256: blur counts in those.
        rng: of rain, blur and noise.
    """
    if light.weather == "rain":
        lens.streaks(drawn, rng)
    smear = {"day": 0.0, "dusk": 1.5, "night": 3.0}[light.part] * scale * rng.uniform(0, 1)
    soft = lens.blurred(drawn, sensor.blur * max(scale, 0.5) * rng.uniform(0.8, 1.25), float(smear))
    # the automatic exposure aims at the middle grey of the whole street, and does not quite get there by night
    street = GREY * light.on_the_ground + (1 - np.exp(-15.0 * light.haze)) * light.horizon[1] * 0.7
    aim = {"day": 0.25, "dusk": 0.22, "night": 0.17}[light.part]
    gain = float(np.clip((aim / street) ** 0.9, 0.4, 6.0))
    return lens.expose(soft, sensor, gain, {"day": 1.0, "dusk": 1.3, "night": 1.9}[light.part], rng)
