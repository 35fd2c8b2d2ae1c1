"""Open cargo bodies: the platform of a flatbed and the tub of a tipper, with what lies on them."""

from itertools import pairwise

import numpy as np

from clipsenet.synthetic.bodies.frame import Bed
from clipsenet.synthetic.bodies.loads import load
from clipsenet.synthetic.bodies.meshes import box, prism
from clipsenet.synthetic.bodies.parts import mirrored
from clipsenet.synthetic.bodies.rounds import tube
from clipsenet.synthetic.body import Part
from clipsenet.synthetic.identity import Vehicle


def platform(vehicle: Vehicle, start: float, end: float, width: float, floor: float) -> list[Part]:
    """A flatbed: planks between rails; by model with low drop sides or with stakes; a headboard behind the cab.

    Args:
        vehicle: whose it is.
        start: x of its rear end, in metres.
        end: x of its front end.
        width: metres.
        floor: z of its floor.
    """
    rng, half = vehicle.model.rng(56), width / 2
    sides, high = bool(rng.random() < 0.6), float(rng.uniform(0.36, 0.5))
    colour = ("body", "steel")[int(rng.integers(2))]
    found = [box((start, -half, floor - 0.12), (end, half, floor - 0.015), "frame")]
    edges = np.linspace(-half + 0.03, half - 0.03, 10)
    shades = ("wood", "wood-dark", "wood", "wood-pale")
    for place, (low, above) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        found.append(box((start + 0.03, low + 0.006, floor - 0.02), (end - 0.03, above - 0.006, floor), shades[place % 4]))
    found += _headboard(end, half, floor, float(rng.uniform(0.8, 1.2)))
    stops = np.linspace(start + 0.05, end - 0.12, max(3, round((end - start) / 1.6)) + 1).tolist()
    if sides:
        found += _drop_sides(stops, half, floor, high, colour)
        found.append(box((start, -half, floor - 0.02), (start + 0.04, half, floor + high), colour))
    else:
        high = 0.12
        for x in stops:
            left = box((x - 0.03, half - 0.07, floor), (x + 0.03, half - 0.01, floor + 0.8), "steel")
            found += [left, mirrored(left)]
    return [*found, *load(vehicle, Bed(start + 0.08, end - 0.15, half - 0.1, floor, floor + high))]


def tub(vehicle: Vehicle, start: float, end: float, width: float, floor: float) -> list[Part]:
    """A tipper: a ribbed tub whose front wall leans over as a guard for the cab, and its tail gate.

    Args:
        vehicle: whose it is.
        start: x of its rear end, in metres.
        end: x of its front end.
        width: metres.
        floor: z of its floor.
    """
    rng, half = vehicle.model.rng(57), width / 2
    high, rise, lean = float(rng.uniform(0.75, 1.25)), float(rng.uniform(0.35, 0.6)), float(rng.uniform(0.12, 0.35))
    colour = ("body", "body", "steel")[int(rng.integers(3))]
    top, thick = floor + high, 0.07
    front = end - 0.12
    wall = [(start + 0.16, floor), (front, floor), (front, top), (start, top)]
    left = prism(wall, half - thick, half, colour)
    lining = prism(
        [(start + 0.22, floor + 0.06), (front, floor + 0.06), (front, top - 0.02), (start + 0.08, top - 0.02)],
        half - thick - 0.006,
        half - thick + 0.01,
        "frame",
    )
    found = [left, mirrored(left), lining, mirrored(lining)]
    found.append(box((start + 0.16, -half, floor - 0.06), (front, half, floor + 0.06), "frame"))
    found.append(
        prism(
            [(front - 0.06, floor), (front, floor), (front + lean, top + rise), (front + lean - 0.06, top + rise)],
            -half,
            half,
            colour,
        )
    )
    shield = [
        (front + lean - 0.06, top + rise - 0.05),
        (front + lean + 0.3, top + rise - 0.01),
        (front + lean + 0.3, top + rise + 0.03),
    ]
    found.append(prism([*shield, (front + lean - 0.06, top + rise)], -half + 0.02, half - 0.02, colour))
    gate = [(start + 0.16, floor), (start + 0.22, floor), (start + 0.06, top - 0.04), (start, top - 0.04)]
    found.append(prism(gate, -half + thick, half - thick, colour))
    rail = box((start - 0.02, half - thick - 0.02, top - 0.05), (front, half + 0.045, top + 0.05), colour, bevel=0.02)
    foot = box((start + 0.16, half - 0.02, floor - 0.04), (front, half + 0.04, floor + 0.08), colour, bevel=0.015)
    found += [rail, mirrored(rail), foot, mirrored(foot)]
    for x in np.linspace(start + 0.25, front - 0.05, max(4, round((front - start) / 0.62))).tolist():
        rib = box((x - 0.045, half - 0.01, floor), (x + 0.045, half + 0.05, top), colour)
        found += [rib, mirrored(rib)]
    for y in (-half * 0.5, 0.0, half * 0.5):  # ribs of the tail gate
        rib = box((start - 0.05, y - 0.04, floor), (start + 0.01, y + 0.04, top - 0.04), colour)
        found.append(_sheared(rib, start, floor, 0.16 / (high - 0.04)))
    found.append(tube([(front + 0.06, 0, floor - 0.1), (front + 0.06, 0, floor + 0.6)], 0.09, "steel", sides=10))
    return [*found, *load(vehicle, Bed(start + 0.2, front - 0.07, half - thick - 0.01, floor + 0.06, top))]


def _sheared(shape: Part, start: float, floor: float, slope: float) -> Part:
    """Leaning backwards with height, as the tail gate does."""
    points = shape.points.copy()
    points[:, 0] += 0.16 - slope * (points[:, 2] - floor)
    return Part(points, shape.normals, shape.uv, shape.faces, shape.skin)


def _headboard(end: float, half: float, floor: float, high: float) -> list[Part]:
    found = [box((end - 0.1, -half + 0.03, floor + high - 0.08), (end - 0.04, half - 0.03, floor + high), "steel")]
    found.append(box((end - 0.08, -half + 0.03, floor), (end - 0.05, half - 0.03, floor + 0.4 * high), "steel"))
    for y in np.linspace(-half + 0.06, half - 0.06, 7).tolist():
        found.append(box((end - 0.09, y - 0.025, floor), (end - 0.05, y + 0.025, floor + high), "steel"))
    return found


def _drop_sides(stops: list[float], half: float, floor: float, high: float, colour: str) -> list[Part]:
    found = []
    for here, there in pairwise(stops):
        board = box((here + 0.04, half - 0.035, floor - 0.02), (there - 0.04, half, floor + high), colour)
        ridge = box((here + 0.04, half - 0.01, floor + high * 0.45), (there - 0.04, half + 0.015, floor + high * 0.55), colour)
        found += [board, ridge]
    found += [box((x - 0.04, half - 0.06, floor - 0.05), (x + 0.04, half + 0.01, floor + high + 0.03), "steel") for x in stops]
    return [*found, *(mirrored(shape) for shape in found)]
