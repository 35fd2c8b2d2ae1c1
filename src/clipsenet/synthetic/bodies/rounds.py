"""Rounds: tubes, turned profiles and ellipsoids, with outward normals, places in a skin, and a skin's name."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from clipsenet.synthetic.bodies.parts import Vector, grid_faces, merged, part
from clipsenet.synthetic.body import Part


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
