"""Dressing: what tells apart vehicles that wear the same mesh: stickers, roof loads, lamps and plates put where it is found."""

import numpy as np
from jaxtyping import Float

from clipsenet.synthetic.bodies.frame import Roof
from clipsenet.synthetic.bodies.meshes import panel, prism
from clipsenet.synthetic.bodies.palette import SWATCHES
from clipsenet.synthetic.bodies.parts import Vector
from clipsenet.synthetic.bodies.roofs import roof_load
from clipsenet.synthetic.body import Lamp, Part
from clipsenet.synthetic.identity import Sticker, Vehicle

Corners = Float[np.ndarray, "m 3 3"]
"""Triangles' corners in metres."""
INKS = ("white", "plastic", "red", "blue", "yellow", "green", "amber")


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
    """Plates, stickers, and what is on the roof, in the skin ``palette``."""
    found = [panel(plate.tolist(), "white") for plate in put_plates(corners, size).values()]
    found += [
        _stick(sticker, corners, size) for sticker in vehicle.details.stickers if sticker.place in ("left", "right", "rear")
    ]
    return [*found, *roof_load(vehicle, find_roof(corners, size))]


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


def _stick(sticker: Sticker, corners: Corners, size: tuple[float, float, float]) -> Part:
    """A flat shape just before the surface, in the colour of the palette that is nearest to its own."""
    length, width, height = size
    up, half = (0.3 + 0.35 * sticker.up) * height, sticker.size / 2
    across: list[tuple[float, float]]
    if sticker.shape == "disc":
        turn = np.linspace(0, 2 * np.pi, 13)[:-1]
        across = [(half * float(np.cos(angle)), half * float(np.sin(angle))) for angle in turn]
    elif sticker.shape == "block":
        across = [(-1.5 * half, -0.7 * half), (1.5 * half, -0.7 * half), (1.5 * half, 0.7 * half), (-1.5 * half, 0.7 * half)]
    else:
        across = [(-half, -half), (half, -half), (0.0, half)]
    ink = INKS[min(range(len(INKS)), key=lambda place: _distance(sticker, INKS[place]))]
    if sticker.place == "rear":
        middle = (sticker.across - 0.5) * 0.7 * width
        x = surface(corners, 0, -1, (middle, up), -length / 2)
        return prism([(middle + a, up + b) for a, b in across], x - 0.012, x, ink, axis=0)
    middle, out = (sticker.across - 0.5) * 0.6 * length, 1 if sticker.place == "left" else -1
    y = surface(corners, 1, out, (middle, up), out * width / 2)
    outline: list[Vector] = [(middle + a, up + b) for a, b in across]
    return prism(outline, min(y, y + 0.012 * out), max(y, y + 0.012 * out), ink)


def _distance(sticker: Sticker, name: str) -> float:
    return float(sum((a - b) ** 2 for a, b in zip(sticker.colour, SWATCHES[name][0], strict=True)))
