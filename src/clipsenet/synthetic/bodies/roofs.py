"""Roofs: rails, bars, a roof box, a ladder, luggage on top of a vehicle."""

from collections.abc import Callable

import numpy as np

from clipsenet.synthetic.bodies.frame import Roof
from clipsenet.synthetic.bodies.meshes import box
from clipsenet.synthetic.bodies.parts import merged, moved, turned
from clipsenet.synthetic.bodies.rounds import ellipsoid, tube
from clipsenet.synthetic.body import Part
from clipsenet.synthetic.identity import Vehicle


def roof_load(vehicle: Vehicle, roof: Roof) -> list[Part]:
    """What is on the roof by ``details.roof``, in the skin ``palette``.

    Args:
        vehicle: whose roof it is; seeds what is left open.
        roof: where it stands.
    """
    if vehicle.details.roof == "none":
        return []
    return merged(ROOFS[vehicle.details.roof](vehicle, roof, np.random.default_rng((vehicle.number, 43))))


def _rails(vehicle: Vehicle, roof: Roof, rng: np.random.Generator) -> list[Part]:
    colour = "chrome" if vehicle.details.trim == "chrome" or rng.random() < 0.35 else "plastic"
    length = roof.front - roof.rear
    found = []
    for y in (roof.half_width, -roof.half_width):
        inner, stops = y * 0.96, np.linspace(0.06, 0.94, 7) * length + roof.rear
        lifts = np.array([-0.02, 0.06, 0.065, 0.065, 0.065, 0.06, -0.02])
        stops[[1, -2]] = stops[[0, -1]] + np.array([0.09, -0.09])
        found.append(tube([(x, inner, roof.z(x, inner) + lift) for x, lift in zip(stops, lifts, strict=True)], 0.022, colour))
        if length > 1.6:
            middle = roof.rear + length / 2
            found.append(
                tube([(middle, inner, roof.z(middle, inner)), (middle, inner, roof.z(middle, inner) + 0.06)], 0.02, colour)
            )
    return found


def _bars(vehicle: Vehicle, roof: Roof, rng: np.random.Generator, lift: float = 0.1) -> list[Part]:
    colour = ("plastic", "steel")[int(rng.integers(2))]
    found = []
    for share in (0.26, 0.74):
        x, half = roof.rear + share * (roof.front - roof.rear), roof.half_width
        z = roof.z(x) + lift
        found.append(tube([(x, -half, z), (x, half, z)], 0.028, colour, sides=8, flat=0.6))
        for side in (-1, 1):
            found.append(
                box(
                    (x - 0.045, side * half * 0.94 - 0.03, roof.z(x, half) - 0.02),
                    (x + 0.045, side * half * 0.94 + 0.03, z),
                    "plastic",
                    0.01,
                )
            )
    return found


def _box(vehicle: Vehicle, roof: Roof, rng: np.random.Generator) -> list[Part]:
    colour = ("plastic", "plastic", "steel", "white")[int(rng.integers(4))]
    length = min(float(rng.uniform(1.5, 2.1)), 1.1 * (roof.front - roof.rear) + 0.2)
    half, high = min(float(rng.uniform(0.33, 0.45)), roof.half_width * 0.85), float(rng.uniform(0.3, 0.38))
    middle = (roof.rear + roof.front) / 2 + 0.1
    y = float(rng.choice([0.0, 0.0, 1.0, -1.0])) * max(0.0, roof.half_width - half - 0.04)
    shape = box((-length / 2, -half, 0), (length / 2, half, high), colour, bevel=0.11)
    ahead = np.clip(shape.points[:, 0] / (length / 2), -1, 1)  # a nose that falls off in front, narrower at both ends
    shape.points[:, 2] *= 1 - 0.45 * np.maximum(ahead - 0.2, 0) ** 1.5
    shape.points[:, 1] *= 1 - 0.16 * np.maximum(ahead, 0) ** 2
    seam = box((-length / 2 - 0.004, -half - 0.004, 0.115), (length / 2 - 0.02, half + 0.004, 0.14), "frame", bevel=0.012)
    seam.points[:, 1] *= 1 - 0.16 * np.clip(seam.points[:, 0] / (length / 2), 0, 1) ** 2
    seat = max(roof.z(x) for x in (roof.rear, middle, roof.front)) + 0.12
    return [*_bars(vehicle, roof, rng), moved(shape, (middle, y, seat)), moved(seam, (middle, y, seat))]


def _ladder(vehicle: Vehicle, roof: Roof, rng: np.random.Generator) -> list[Part]:
    length = min(float(rng.uniform(2.4, 3.4)), roof.front - roof.rear + 0.5)
    middle, y = (roof.rear + roof.front) / 2 - 0.1, float(rng.choice([-1.0, 1.0])) * roof.half_width * 0.42
    z = max(roof.z(x) for x in (roof.rear, middle, roof.front)) + 0.16
    stiles = [
        tube([(middle - length / 2, y + side, z), (middle + length / 2, y + side, z)], 0.034, "steel", 6)
        for side in (-0.2, 0.2)
    ]
    steps = np.arange(middle - length / 2 + 0.15, middle + length / 2 - 0.1, 0.28)
    rungs = [tube([(float(x), y - 0.2, z), (float(x), y + 0.2, z)], 0.02, "steel", 5) for x in steps]
    return [*_bars(vehicle, roof, rng), *stiles, *rungs]


def _luggage(vehicle: Vehicle, roof: Roof, rng: np.random.Generator) -> list[Part]:
    found = _bars(vehicle, roof, rng)
    colours = ("cloth", "cloth-dark", "red", "blue", "card", "load", "green")
    start, end = roof.rear + 0.2 * (roof.front - roof.rear), roof.rear + 0.84 * (roof.front - roof.rear)
    z = max(roof.z(x) for x in (start, end)) + 0.13
    rows = 2 if roof.half_width > 0.45 else 1
    columns = max(1, round((end - start) / 0.6))
    for column in range(columns):
        for row in range(rows):
            size = np.array([(end - start) / columns, 1.7 * roof.half_width / rows, 0.0]) * rng.uniform(0.8, 0.97)
            size[2] = rng.uniform(0.18, 0.42)
            colour = colours[int(rng.integers(len(colours)))]
            x = start + (column + 0.5) * (end - start) / columns
            y = (row - (rows - 1) / 2) * 1.7 * roof.half_width / rows
            if rng.random() < 0.2:  # a bag
                found.append(ellipsoid((x, y, z + size[2] / 2), (size[0] / 2, size[1] / 2, size[2] / 2), colour))
            else:
                case = box((-size / 2).tolist(), (size / 2).tolist(), colour, bevel=0.04)
                found.append(moved(turned(case, 2, float(rng.uniform(-6, 6))), (x, y, z + size[2] / 2)))
    return found


ROOFS: dict[str, Callable[[Vehicle, Roof, np.random.Generator], list[Part]]] = {
    "rails": _rails,
    "bars": _bars,
    "box": _box,
    "ladder": _ladder,
    "luggage": _luggage,
}
"""By ``details.roof``."""
