"""Upright: a mesh of any axes and units as a vehicle in metres, x forward, z up, on the ground."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from clipsenet.synthetic.bodies.dressing import surface
from clipsenet.synthetic.bodies.mesh_files import Piece

Areas = Float[np.ndarray, " m"]

LENGTHS = {
    "saloon": 4.75,
    "hatchback": 4.1,
    "estate": 4.75,
    "suv": 4.6,
    "mpv": 4.7,
    "van": 5.6,
    "pickup": 5.3,
    "bus": 11.0,
    "box-lorry": 8.0,
    "flatbed": 8.0,
    "tipper": 7.5,
}
"""Metres that a mesh of a family is scaled to where its own length cannot be metres."""

BELIEVED = (2.0, 20.0)
"""Lengths that are believed to be metres."""

Y_UP = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""From y up, z forward, x left (glTF's rule) to x forward, y left, z up."""
QUARTER = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
"""A quarter turn to the right about z: what pointed along y points forward."""


def find_turn(pieces: Sequence[Piece], y_up: bool | None) -> Float[np.ndarray, "3 3"]:
    """The rotation that puts a mesh upright and along x.

    Args:
        pieces: the mesh.
        y_up: whether y is up in its file (glTF's rule) or z; none: it is found out: of the two shorter axes a vehicle is
            mirror-symmetric along one, its width; where both or none are, y is up.

    Returns:
        ``(3, 3)``, to be multiplied from the left. Which end is in front is open: what was forward by glTF's rule (z), or else
        the greater x or y.
    """
    points, weights = _surface(pieces)
    if y_up is None:
        length = int(np.argmax(np.ptp(points, axis=0)))
        uneven = [_asymmetry(points[:, axis], weights) for axis in range(3)]
        up = 2 if length == 1 else 1 if length == 2 else (2 if uneven[2] > uneven[1] + 0.02 else 1)
        y_up = up == 1
    turn = Y_UP if y_up else np.eye(3)
    size = np.ptp(points @ turn.T, axis=0)
    return QUARTER @ turn if size[1] > size[0] else turn


def looks_backwards(corners: Float[np.ndarray, "m 3 3"], size: tuple[float, float, float]) -> bool:
    """Whether the end at the lesser x is clearly the lower one: of cars and vans that is the bonnet.

    Args:
        corners: of an upright mesh's triangles, its middle at x = 0.
        size: its length, width, height.
    """
    ends = []
    for sign in (-1, 1):
        places = [(sign * share * size[0] / 2, across * size[1]) for share in (0.6, 0.7, 0.8) for across in (-0.12, 0.12)]
        ends.append(np.mean([surface(corners, 2, 1, place, 0.0) for place in places]))
    return bool(ends[0] < ends[1] - 0.05 * size[2])


def find_scale(length: float, family: str) -> float:
    """Metres of one unit of the mesh.

    Args:
        length: of the mesh, in its own units.
        family: of the vehicle that wears it.
    """
    return 1.0 if BELIEVED[0] <= length <= BELIEVED[1] else LENGTHS[family] / length


def signed_volume(pieces: Sequence[Piece]) -> float:
    """By the divergence theorem about the middle; below zero where a mesh is inside out."""
    middle = np.concatenate([piece.points for piece in pieces]).mean(axis=0)
    total = 0.0
    for piece in pieces:
        corners = piece.points[piece.faces] - middle
        total += float(np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6)
    return total


def areas(piece: Piece) -> Areas:
    """Of each triangle, in the mesh's units."""
    corners = piece.points[piece.faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    found: Areas = np.linalg.norm(across, axis=1) / 2
    return found


def _surface(pieces: Sequence[Piece]) -> tuple[Float[np.ndarray, "m 3"], Areas]:
    """Middles of all triangles with the corners of the mesh, and their areas."""
    middles = np.concatenate([piece.points[piece.faces].mean(axis=1) for piece in pieces])
    corners = np.concatenate([piece.points[piece.faces].reshape(-1, 3) for piece in pieces])
    sizes = np.concatenate([areas(piece) for piece in pieces])
    box = np.stack([corners.min(axis=0), corners.max(axis=0)])
    return np.concatenate([middles, box]), np.concatenate([sizes, [0.0, 0.0]])


def _asymmetry(along: Areas, weights: Areas) -> float:
    """0 where a surface is the same from both ends of an axis, at most 1."""
    counts, _ = np.histogram(along, bins=16, range=(along.min(), along.max() + 1e-9), weights=weights)
    return float(np.abs(counts - counts[::-1]).sum() / max(2 * counts.sum(), 1e-12))
