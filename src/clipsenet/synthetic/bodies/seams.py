"""Seams: which side of the atlas shows which part of a shell, with smooth borders between them."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from clipsenet.synthetic.bodies.atlas import AXES, PITCH
from clipsenet.synthetic.bodies.cutting import cut, side_of
from clipsenet.synthetic.bodies.panes import upper_half
from clipsenet.synthetic.bodies.proportions import Proportions
from clipsenet.synthetic.bodies.shell import build_shell, smooth

Points = Float[np.ndarray, "n 3"]
Faces = Int[np.ndarray, "_ 3"]
Values = Float[np.ndarray, " n"]

SIDES = (*AXES, *PITCH)
LIP = 0.03
"""How far around a wheel arch it is dark, in metres."""


@lru_cache(maxsize=64)
def build_sides(lines: Proportions) -> tuple[Points, Points, dict[str, Faces]]:
    """The shell: points, normals, and the faces of each of SIDES that shows some; triangles are cut where sides meet.

    What is hidden comes first, then each pane, then what looks up; the rest is parted between ends and flanks.
    """
    points, normals, rest = build_shell(lines)
    found: dict[str, list[Faces]] = {name: [] for name in SIDES}
    for place, name in enumerate(_names(lines)):
        points, normals, rest = cut(points, normals, rest, _fields(lines, points, normals)[place])
        inside = side_of(rest, _fields(lines, points, normals)[place]) > 0
        taken, rest = rest[inside], rest[~inside]
        if name == "ends":
            ahead = normals[taken, 0].sum(axis=1) > 0
            found["front"].append(taken[ahead])
            found["rear"].append(taken[~ahead])
        else:
            found[name].append(taken)
    left = points[rest, 1].sum(axis=1) > 0
    found["left"].append(rest[left])
    found["right"].append(rest[~left])
    joined = {name: np.concatenate(faces) for name, faces in found.items() if faces}
    return points, normals, {name: faces for name, faces in joined.items() if len(faces)}


def rail_height(lines: Proportions) -> float:
    """Height of an open bed's rails."""
    assert lines.bed is not None
    return float(smooth(lines.deck, np.array(lines.bed[0] + 0.3)))


def _names(lines: Proportions) -> list[str]:
    """Whose each of the fields is."""
    arches = ["under"] * len(lines.axles) if lines.arch else []
    return [*(["bed"] if lines.bed is not None else []), *arches, "under", "ends", "top", "ends"]


def _fields(lines: Proportions, points: Points, normals: Points) -> list[Values]:
    """Above zero: in the open bed; in an arch; looking down; on a pane; looking up; looking ahead or behind."""
    x, y, z = points.T
    ahead, aside, up = np.abs(normals[:, 0]), np.abs(normals[:, 1]), normals[:, 2]
    found = []
    if lines.bed is not None:
        start, end, floor = lines.bed
        within = np.minimum(np.minimum(x - start, end - x) + 0.02, lines.width / 2 - 0.07 - np.abs(y))
        found.append(np.minimum(within, np.minimum(z - floor + 0.05, rail_height(lines) - 0.01 - z)))
    if lines.arch:
        found += [lines.arch + LIP - np.hypot(x - axle, z - lines.wheel) for axle in lines.axles]
    # the whole of a pane belongs to its end, however far it leans, so that no border runs through its rim
    pane = np.minimum(z - lines.screen[0][0] - 0.1, upper_half(lines, z) - 0.01 - np.abs(y))
    pane = np.minimum(pane, np.minimum(0.1 * (ahead - 0.3), 0.1 * (0.92 - up)))
    return [*found, -0.75 - up, pane, 0.36 * up - np.maximum(1.05 * ahead, aside), 1.05 * ahead - aside]
