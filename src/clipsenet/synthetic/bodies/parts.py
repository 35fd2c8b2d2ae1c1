"""Parts: made with care for outward normals, moved, turned, mirrored, joined."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float, Int

from clipsenet.synthetic.bodies.palette import swatch
from clipsenet.synthetic.body import Part

Vector = Sequence[float | int]


def part(
    points: Float[np.ndarray, "n 3"],
    normals: Float[np.ndarray, "n 3"],
    faces: Int[np.ndarray, "m 3"],
    uv: Float[np.ndarray, "n 2"] | str,
    skin: str = "palette",
) -> Part:
    """A part; faces are turned where they disagree with the normals, and those without area left out.

    Args:
        points: metres.
        normals: outwards, of any length but 0.
        faces: rows of points.
        uv: places in the skin, or a swatch of the palette.
        skin: its name.
    """
    corners = points[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    wrong = np.einsum("ij,ij->i", across, normals[faces].sum(axis=1)) < 0
    faces = np.where(wrong[:, None], faces[:, ::-1], faces)[np.linalg.norm(across, axis=1) > 1e-12]
    places = np.tile(swatch(uv), (len(points), 1)) if isinstance(uv, str) else uv
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return Part(
        np.asarray(points, np.float64),
        np.asarray(normals / np.maximum(lengths, 1e-12), np.float64),
        np.asarray(places, np.float64),
        np.asarray(faces, np.int64),
        skin,
    )


def grid_faces(rows: int, columns: int) -> Int[np.ndarray, "m 3"]:
    """Two triangles for each cell of a grid of points in row-major order."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    first = np.stack([corner, corner + 1, corner + columns + 1], axis=1)
    second = np.stack([corner, corner + columns + 1, corner + columns], axis=1)
    return np.concatenate([first, second])


def moved(shape: Part, offset: Vector) -> Part:
    """A copy elsewhere.

    Args:
        shape: what is copied.
        offset: metres.
    """
    return Part(shape.points + np.asarray(offset, np.float64), shape.normals, shape.uv, shape.faces, shape.skin)


def turned(shape: Part, axis: int, degrees: float | int, about: Vector = (0, 0, 0)) -> Part:
    """A copy turned about a line along an axis, counter-clockwise as seen from its far end.

    Args:
        shape: what is copied.
        axis: 0, 1 or 2.
        degrees: how far.
        about: a point of that line.
    """
    angle = np.deg2rad(degrees)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[[first, second], [first, second]] = np.cos(angle)
    matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
    middle = np.asarray(about, np.float64)
    return Part((shape.points - middle) @ matrix.T + middle, shape.normals @ matrix.T, shape.uv, shape.faces, shape.skin)


def mirrored(shape: Part) -> Part:
    """Its mirror image on the vehicle's other side (y becomes -y)."""
    flip = np.array([1.0, -1.0, 1.0])
    return Part(shape.points * flip, shape.normals * flip, shape.uv, shape.faces[:, ::-1], shape.skin)


def merged(parts: Iterable[Part]) -> list[Part]:
    """One part for each skin, in the order in which the skins come first."""
    found: dict[str, list[Part]] = {}
    for shape in parts:
        found.setdefault(shape.skin, []).append(shape)
    joined = []
    for skin, same in found.items():
        starts = np.cumsum([0, *(len(shape.points) for shape in same[:-1])])
        joined.append(
            Part(
                np.concatenate([shape.points for shape in same]),
                np.concatenate([shape.normals for shape in same]),
                np.concatenate([shape.uv for shape in same]),
                np.concatenate([shape.faces + start for shape, start in zip(same, starts, strict=True)]),
                skin,
            )
        )
    return joined
