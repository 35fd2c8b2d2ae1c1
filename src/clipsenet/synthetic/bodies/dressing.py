"""Dressing: roof loads, spoiler, tow bar, lamps and plates, put where a mesh has room for them."""

import numpy as np
from jaxtyping import Float

from clipsenet.synthetic.bodies.fittings import spoiler, tow_bar
from clipsenet.synthetic.bodies.frame import Roof, Tail
from clipsenet.synthetic.bodies.meshes import panel
from clipsenet.synthetic.bodies.roofs import roof_load
from clipsenet.synthetic.body import Lamp, Part
from clipsenet.synthetic.identity import Vehicle

Corners = Float[np.ndarray, "m 3 3"]
"""Triangles' corners in metres."""


def surface(corners: Corners, axis: int, sign: int, place: tuple[float, float], otherwise: float) -> float:
    """How far out along an axis a surface is.

    Args:
        corners: of its triangles.
        axis: 0, 1 or 2.
        sign: 1 looks for the greatest place along it, -1 for the least.
        place: on the two other axes, in order.
        otherwise: where the line meets nothing.
    """
    plane = [other for other in range(3) if other != axis]
    first, second, third = (corners[:, corner][:, plane] - place for corner in range(3))
    weights = [a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] for a, b in ((second, third), (third, first), (first, second))]
    total = weights[0] + weights[1] + weights[2]
    hit = (np.abs(total) > 1e-12) & (((weights[0] >= 0) & (weights[1] >= 0) & (weights[2] >= 0)) | (
        (weights[0] <= 0) & (weights[1] <= 0) & (weights[2] <= 0)
    ))  # fmt: skip
    if not hit.any():
        return otherwise
    out = sum(weights[corner][hit] * corners[hit, corner, axis] for corner in range(3)) / total[hit]
    return float(sign * np.max(sign * out))


def put_lamps(vehicle: Vehicle, corners: Corners, size: tuple[float, float, float]) -> tuple[Lamp, ...]:
    """Two in front and two behind, at the height where vehicles have them."""
    length, width, height = size
    found = []
    for side, sign in (("left", 1), ("right", -1)):
        for kind, out, up in (("head", 1, min(0.45 * height, 0.85)), ("tail", -1, min(0.55 * height, 1.05))):
            x = surface(corners, 0, out, (sign * 0.36 * width, up), out * length / 2)
            works = vehicle.details.dead_lamp != f"{side}-{kind}"
            found.append(Lamp(kind, (x + 0.02 * out, sign * 0.36 * width, up), side, works))  # type: ignore[arg-type]
    return tuple(found)


def put_plates(corners: Corners, size: tuple[float, float, float]) -> dict[str, Float[np.ndarray, "4 3"]]:
    """Front and rear, counter-clockwise from the lower left as their reader sees them."""
    length, _, height = size
    found = {}
    for name, out, up in (("front", 1, min(0.3 * height, 0.5)), ("rear", -1, min(0.4 * height, 0.8))):
        x = surface(corners, 0, out, (0.0, up), out * length / 2) + 0.02 * out
        found[name] = np.array(
            [(x, out * y, up + z) for y, z in ((-0.22, -0.07), (0.22, -0.07), (0.22, 0.07), (-0.22, 0.07))], np.float64
        )
    return found


def put_details(vehicle: Vehicle, corners: Corners, size: tuple[float, float, float]) -> list[Part]:
    """Plates, spoiler, tow bar, and what is on the roof, in the skin ``palette``."""
    found = [panel(plate.tolist(), "white") for plate in put_plates(corners, size).values()]
    roof = find_roof(corners, size)
    tail = _find_tail(vehicle, corners, size, roof)
    if vehicle.details.spoiler:
        found += spoiler(vehicle, tail)
    if vehicle.details.tow_bar:
        found += tow_bar(tail)
    return [*found, *roof_load(vehicle, roof)]


def find_roof(corners: Corners, size: tuple[float, float, float]) -> Roof:
    """The longest stretch of the middle line that is nearly as high as the mesh."""
    length, width, height = size
    along = np.linspace(-length / 2, length / 2, 41)[1:-1]
    tops = np.array([surface(corners, 2, 1, (float(x), 0.0), 0.0) for x in along])
    high = tops > 0.92 * tops.max()
    starts, ends = (np.flatnonzero(np.diff(np.concatenate([[0], high, [0]])) == step) for step in (1, -1))
    longest = int(np.argmax(ends - starts))
    rear, front = int(starts[longest]), int(ends[longest]) - 1
    half, middle = 0.28 * width, (rear + front) // 2
    sides = [surface(corners, 2, 1, (float(along[middle]), y), height) for y in (-half, half)]
    camber = min(max(0.0, float(tops[middle]) - min(sides)), 0.2)
    rise = max(0.0, float(tops[middle] - (tops[rear] + tops[front]) / 2))
    return Roof(float(along[rear]), float(along[front]), half, float(tops[rear]), float(tops[front]), rise, camber)


def _find_tail(vehicle: Vehicle, corners: Corners, size: tuple[float, float, float], roof: Roof) -> Tail:
    """The bumper, and the edge for a spoiler: of a saloon the boot's, else the roof's."""
    length, width, _ = size
    edge = 0.15 - length / 2 if vehicle.model.family == "saloon" else roof.rear
    top = surface(corners, 2, 1, (edge, 0.0), roof.rear_z)
    bumper = surface(corners, 0, -1, (0.0, 0.34), -length / 2)
    return Tail(bumper, 0.45 * width, 0.5, edge, top, 0.32 * width)
