"""Wheels: tyres with round shoulders and dished rims, twin ones behind on lorries and buses."""

from collections.abc import Sequence

import numpy as np

from clipsenet.synthetic.bodies.parts import merged, mirrored, moved, turned
from clipsenet.synthetic.bodies.rims import LORRY_RIM, RIM, face, is_large
from clipsenet.synthetic.bodies.rounds import lathe
from clipsenet.synthetic.body import Part, Skin
from clipsenet.synthetic.identity import Vehicle

SIDES = 24


def wheels(
    vehicle: Vehicle, axles: Sequence[float], track: float, radius: float, width: float
) -> tuple[list[Part], dict[str, Skin]]:
    """Two wheels an axle, standing on the ground; lorries and buses have four on the axles behind the middle.

    Args:
        vehicle: whose rims they wear.
        axles: x of each axle, in metres.
        track: distance between the outer faces of the wheels, in metres.
        radius: of a wheel, in metres.
        width: of a tyre, in metres.

    Returns:
        Parts with the skin ``wheels``, and that skin.
    """
    large = is_large(vehicle)
    found: list[Part] = []
    for number, x in enumerate(axles):
        twin = large and x < 0
        dish = 0.14 if twin else -0.05 if large else 0.018 + 0.006 * (vehicle.details.rims % 4)
        angles = np.random.default_rng((vehicle.number, 41, number)).uniform(0, 360, 2)
        for angle, left in zip(angles, (True, False), strict=True):
            wheel = turned(_wheel(radius, width, LORRY_RIM if large else RIM, dish), 1, float(angle))
            wheel = moved(wheel, (x, track / 2, radius))
            pair = [wheel, moved(_tyre(radius, width), (x, track / 2 - 1.1 * width, radius))] if twin else [wheel]
            found += pair if left else [mirrored(shape) for shape in pair]
    return merged(found), {"wheels": face(vehicle)}


def _wheel(radius: float, width: float, share: float, dish: float) -> Part:
    """A wheel whose outer face is at y = 0; its rim, ``share`` of the radius, lies ``dish`` metres deep."""
    rim = share * radius
    hub = [(0.008 - dish, 0), (0.004 - dish, 0.28 * rim), (-dish - 0.004, 0.84 * rim), (-0.012, 0.93 * rim)]
    if dish < 0:  # the hub of a lorry's front wheel stands out
        hub = [(0.0, 0), (0.0, 0.3 * rim), (-0.02, 0.5 * rim), (-0.05, 0.86 * rim), (-0.03, 0.93 * rim)]
    lip = [(-0.004, 0.945 * rim), (-0.004, 0.945 * rim)]
    outline = [*hub, *lip, *_tread(radius, width, rim), (-width + 0.04, 0)]
    return lathe(outline, sides=SIDES, skin="wheels", scale=radius)


def _tyre(radius: float, width: float) -> Part:
    """A tyre without its rim, of which only the tread is seen; closed."""
    rim = 0.6 * radius
    outline = [(-0.03, 0), (-0.03, rim), (-0.03, rim), *_tread(radius, width, rim), (-width + 0.03, 0)]
    return lathe(outline, sides=SIDES, skin="wheels", scale=radius)


def _tread(radius: float, width: float, rim: float) -> list[tuple[float, float]]:
    """From the rim's outer edge over the tread to its inner edge; the sidewalls bulge, the shoulders are round."""
    high = radius - rim
    half = [(-0.006, rim), (0.0, rim + 0.45 * high), (-0.016, rim + 0.86 * high), (-0.045 * width / 0.2, radius)]
    return [*half, *((-width - y, r) for y, r in half[::-1])]
