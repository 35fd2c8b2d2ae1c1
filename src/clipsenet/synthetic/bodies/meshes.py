"""Meshes: primitives that vehicles are made of, with outward normals, places in a skin, and a skin's name."""

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


def tube(path: Sequence[Vector], radius: float, uv: str = "plastic", sides: int = 8, flat: float = 1.0) -> Part:
    """A round bar along a path, closed at its ends.

    Args:
        path: two points or more, in metres; two that follow each other differ.
        radius: metres.
        uv: a swatch.
        sides: of its section.
        flat: how high the section is, as a share of its width.
    """
    line = np.asarray(path, np.float64)
    steps = np.diff(line, axis=0)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    ahead = np.concatenate([steps[:1], steps[:-1] + steps[1:], steps[-1:]])
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    first = np.array([0.0, 0.0, 1.0]) if abs(ahead[:, 2]).max() < 0.99 else _across(ahead)
    right = np.cross(ahead, first)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    upward = np.cross(right, ahead)
    turn = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.cos(turn)[None, :, None] * right[:, None] + flat * np.sin(turn)[None, :, None] * upward[:, None]
    normals = flat * np.cos(turn)[None, :, None] * right[:, None] + np.sin(turn)[None, :, None] * upward[:, None]
    # a bend is cut along its half angle, where the section is longer towards the bend's inside
    inside = np.zeros_like(line)
    inside[1:-1] = steps[1:] - steps[:-1]
    inside /= np.maximum(np.linalg.norm(inside, axis=1, keepdims=True), 1e-9)
    longer = np.zeros(len(line))
    longer[1:-1] = 1 / np.maximum(np.einsum("ij,ij->i", steps[:-1], ahead[1:-1]), 0.3) - 1
    ring += (longer[:, None] * np.einsum("ijk,ik->ij", ring, inside))[:, :, None] * inside[:, None]
    found = [
        part(
            (line[:, None] + radius * ring).reshape(-1, 3),
            normals.reshape(-1, 3),
            grid_faces(len(line), sides + 1),
            uv,
        )
    ]
    for end, out in ((0, -ahead[0]), (-1, ahead[-1])):
        rim = line[end] + radius * ring[end, :-1]
        found.append(_fan(rim, out, uv))
    return merged(found)[0]


def lathe(
    profile: Sequence[Vector],
    centre: Vector = (0, 0, 0),
    uv: str | None = None,
    sides: int = 24,
    skin: str = "palette",
    scale: float = 1.0,
) -> Part:
    """A profile turned about a line along y.

    Args:
        profile: (y, radius) in metres; the solid lies to its left as y is drawn to the right and the radius upwards,
            so a tyre is drawn from its greatest y outside over the tread. A point that is repeated is a sharp edge.
        centre: where y = 0 and radius = 0 are.
        uv: a swatch; none: seen along y, a circle of ``scale`` metres fills the skin.
        sides: how many steps a turn has.
        skin: its name.
        scale: radius of the skin's circle.
    """
    line = np.asarray(profile, np.float64)
    turn = np.linspace(0, 2 * np.pi, sides + 1)
    found = []
    for piece in _smooth_pieces(line):
        steps = np.diff(piece, axis=0)
        slopes = np.stack([-steps[:, 1], steps[:, 0]], axis=1)
        slopes /= np.linalg.norm(slopes, axis=1, keepdims=True)
        tilt = np.concatenate([slopes[:1], slopes[:-1] + slopes[1:], slopes[-1:]])
        # drawn towards smaller y, the outside lies on the right hand: outwards is -(-dr, dy)
        tilt = -tilt / np.linalg.norm(tilt, axis=1, keepdims=True)
        radius, y = piece[:, 1][:, None], piece[:, 0][:, None]
        points = np.stack([radius * np.cos(turn), np.broadcast_to(y, (len(piece), sides + 1)), radius * np.sin(turn)], axis=2)
        normals = np.stack(
            [tilt[:, 1:] * np.cos(turn), np.broadcast_to(tilt[:, :1], (len(piece), sides + 1)), tilt[:, 1:] * np.sin(turn)],
            axis=2,
        )
        flat = points.reshape(-1, 3)
        places = 0.5 + flat[:, [0, 2]] / (2 * scale) if uv is None else uv
        found.append(part(flat + centre, normals.reshape(-1, 3), grid_faces(len(piece), sides + 1), places, skin))
    return merged(found)[0]


def ellipsoid(centre: Vector, radii: Vector, uv: str = "plastic", sides: int = 12, rings: int = 6) -> Part:
    """An ellipsoid along the axes.

    Args:
        centre: metres.
        radii: half its length, width and height.
        uv: a swatch.
        sides: steps of a turn about z.
        rings: steps from pole to pole.
    """
    around, height = np.meshgrid(np.linspace(0, 2 * np.pi, sides + 1), np.linspace(-np.pi / 2, np.pi / 2, rings + 1))
    unit = np.stack([np.cos(height) * np.cos(around), np.cos(height) * np.sin(around), np.sin(height)], axis=2).reshape(-1, 3)
    return part(centre + unit * np.asarray(radii), unit / np.asarray(radii), grid_faces(rings + 1, sides + 1), uv)


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


def _across(ahead: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "3"]:
    """Of the axes x and y the one that a path is furthest from."""
    axis = np.zeros(3)
    axis[int(np.argmin(np.abs(ahead[:, :2]).max(axis=0)))] = 1
    return axis


def _fan(rim: Float[np.ndarray, "n 3"], normal: Float[np.ndarray, "3"], uv: str) -> Part:
    """A flat convex cap."""
    places = np.arange(1, len(rim) - 1)
    faces = np.stack([np.zeros_like(places), places, places + 1], axis=1)
    return part(rim, np.tile(normal, (len(rim), 1)), faces, uv)


def _smooth_pieces(line: Float[np.ndarray, "n 2"]) -> list[Float[np.ndarray, "k 2"]]:
    """A profile cut where a point is repeated."""
    cuts = np.flatnonzero((np.abs(np.diff(line, axis=0)) < 1e-9).all(axis=1)) + 1
    return [piece for piece in np.split(line, cuts) if len(piece) > 1]


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
