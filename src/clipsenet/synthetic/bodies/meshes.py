"""Meshes: boxes, prisms and panels, with outward normals, places in a skin, and a skin's name."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from clipsenet.synthetic.bodies.parts import Vector, grid_faces, merged, part
from clipsenet.synthetic.body import Part

Rectangle = tuple[float, float, float, float]
"""Of a skin: left, low, right, high, 0 to 1."""

SIDES = {
    "front": (0, 1, (1, 1), 2),
    "rear": (0, -1, (1, -1), 2),
    "left": (1, 1, (0, -1), 2),
    "right": (1, -1, (0, 1), 2),
    "top": (2, 1, (0, 1), 1),
    "bottom": (2, -1, (0, -1), 1),
}
"""Of a box: the axis and sign of its normal, the axis and sign of u, the axis of v. As seen from outside u runs to the right
and v upwards; on top and bottom u runs forward."""


def box(
    low: Vector, high: Vector, uv: str | Mapping[str, Rectangle] = "plastic", bevel: float = 0.0, skin: str = "palette"
) -> Part:
    """A box along the axes; with a bevel its edges are rounded and shaded smoothly.

    Args:
        low: its least x, y, z in metres.
        high: its greatest.
        uv: a swatch, or where each side of SIDES lies in the skin; sides that are not named are left out.
        bevel: radius of its edges, in metres; cut to half of the shortest edge.
        skin: its name.
    """
    least, most = np.asarray(low, np.float64), np.asarray(high, np.float64)
    bevel = min(bevel, 0.499 * float((most - least).min()))
    stops = [
        np.array([lo, lo + bevel, hi - bevel, hi]) if bevel > 0 else np.array([lo, hi])
        for lo, hi in zip(least, most, strict=True)
    ]
    found = []
    for name, (axis, sign, (along, direction), up) in SIDES.items():
        if not isinstance(uv, str) and name not in uv:
            continue
        across, upward = np.meshgrid(stops[along], stops[up])
        points = np.zeros((across.size, 3))
        points[:, along], points[:, up] = across.ravel(), upward.ravel()
        points[:, axis] = most[axis] if sign > 0 else least[axis]
        if bevel > 0:
            inner = np.clip(points, least + bevel, most - bevel)
            normals = points - inner
            normals /= np.linalg.norm(normals, axis=1, keepdims=True)
            points = inner + bevel * normals
        else:
            normals = np.zeros_like(points)
            normals[:, axis] = sign
        places: Float[np.ndarray, "n 2"] | str = uv if isinstance(uv, str) else np.zeros((0, 2))
        if not isinstance(uv, str):
            share = (points - least) / (most - least)
            right = share[:, along] if direction > 0 else 1 - share[:, along]
            left, bottom, wide, tall = uv[name]
            places = np.stack([left + right * (wide - left), bottom + share[:, up] * (tall - bottom)], axis=1)
        found.append(part(points, normals, grid_faces(len(stops[up]), len(stops[along])), places, skin))
    return merged(found)[0]


def prism(polygon: Sequence[Vector], low: float, high: float, uv: str = "plastic", axis: int = 1) -> Part:
    """A polygon drawn out along an axis, with sharp edges.

    Args:
        polygon: its corners, without crossings, in the two other axes (x, z for axis 1; y, z for 0; x, y for 2), metres.
        low: where it begins along the axis.
        high: where it ends.
        uv: a swatch.
        axis: 0, 1 or 2.
    """
    outline = np.asarray(polygon, np.float64)
    plane = [other for other in range(3) if other != axis]
    if _area(outline) < 0:
        outline = outline[::-1]
    found = []
    for height, sign in ((low, -1.0), (high, 1.0)):
        points, normals = np.zeros((len(outline), 3)), np.zeros((len(outline), 3))
        points[:, plane], points[:, axis], normals[:, axis] = outline, height, sign
        found.append(part(points, normals, _triangles(outline), uv))
    for here, there in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        points, normals = np.zeros((4, 3)), np.zeros((4, 3))
        points[:, plane], points[:, axis] = [here, there, there, here], [low, low, high, high]
        normals[:, plane] = (there[1] - here[1], here[0] - there[0])
        found.append(part(points, normals, np.array([[0, 1, 2], [0, 2, 3]]), uv))
    return merged(found)[0]


def panel(corners: Sequence[Vector], uv: str | Rectangle, skin: str = "palette") -> Part:
    """Four corners, counter-clockwise as seen from the side that is shown, from the lower left; seen from one side only.

    Args:
        corners: metres.
        uv: a swatch or a rectangle of the skin.
        skin: its name.
    """
    points = np.asarray(corners, np.float64)
    normal = np.cross(points[1] - points[0], points[3] - points[0])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    if isinstance(uv, str):
        return part(points, np.tile(normal, (4, 1)), faces, uv, skin)
    left, low, right, high = uv
    places = np.array([(left, low), (right, low), (right, high), (left, high)], np.float64)
    return part(points, np.tile(normal, (4, 1)), faces, places, skin)


def _area(outline: Float[np.ndarray, "n 2"]) -> float:
    """Of a polygon; positive if it runs counter-clockwise."""
    x, y = outline.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def _triangles(outline: Float[np.ndarray, "n 2"]) -> Int[np.ndarray, "m 3"]:
    """A counter-clockwise polygon cut into triangles, ear after ear."""
    left, found = list(range(len(outline))), []
    while len(left) > 3:
        for place in range(len(left)):
            trio = [left[place - 1], left[place], left[(place + 1) % len(left)]]
            inside = any(_within(outline[other], outline[trio]) for other in left if other not in trio)
            if _area(outline[trio]) > 1e-12 and not inside:
                break
        found.append(trio)
        left.pop(place)
    return np.array([*found, left])


def _within(point: Float[np.ndarray, "2"], corners: Float[np.ndarray, "3 2"]) -> bool:
    """Whether a point lies in a counter-clockwise triangle or on its edge."""
    return all(
        (there[0] - here[0]) * (point[1] - here[1]) - (there[1] - here[1]) * (point[0] - here[0]) >= 0
        for here, there in zip(corners, np.roll(corners, -1, axis=0), strict=True)
    )
