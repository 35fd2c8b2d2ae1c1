"""Seeing: what of a vehicle is in a picture, and what hides it."""

import numpy as np
from jaxtyping import Float

from clipsenet.synthetic import lens
from clipsenet.synthetic.aiming import all_points
from clipsenet.synthetic.body import Body
from clipsenet.synthetic.photographs import FRAME, Box, Seen
from clipsenet.synthetic.shadows import Stand
from clipsenet.synthetic.viewing import Eye, moved, view_of

Depth = Float[np.ndarray, "rows columns"]
"""How far away what is drawn is, in metres; it may be finer than the picture."""


def is_seen(depth: Depth, x: float, y: float, distance: float, slack: float) -> bool:
    """Whether a point is in the picture and nothing hides it.

    Args:
        depth: of the picture.
        x: where it falls from left to right, 0 to 1.
        y: from top to bottom.
        distance: of the point along the axis, in metres.
        slack: how much nearer than that something may be.
    """
    rows, columns = depth.shape
    if not (0 <= x < 1 and 0 <= y < 1) or distance <= 0:
        return False
    return bool(depth[int(y * rows), int(x * columns)] > distance - slack)


def plate_corners(
    body: Body, place: tuple[float, float], heading: float, eye: Eye, depth: Depth
) -> Float[np.ndarray, "4 2"] | None:
    """Where the corners of the number plate fall, 0 to 1; none where no plate faces the eye, or something hides it."""
    for corners in body.plates.values():
        points = moved(corners, place, heading)
        normal = np.cross(points[1] - points[0], points[3] - points[0])
        if normal @ (np.array(eye.place) - points[0]) <= 0:
            continue
        ((x, y, distance),) = eye.project(points.mean(axis=0)[None])
        if is_seen(depth, x, y, distance, 0.15):
            return eye.project(points)[:, :2]
    return None


def within(corners: Float[np.ndarray, "4 2"] | None, width: int, height: int) -> Box | None:
    """The box of some corners, in whole pixels; none where it is outside of the picture."""
    if corners is None:
        return None
    (x0, y0), (x1, y1) = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    x0, y0, x1, y1 = max(0.0, x0), max(0.0, y0), min(float(width), x1), min(float(height), y1)
    return (int(x0), int(y0), int(x1 - x0), int(y1 - y0)) if x1 > x0 and y1 > y0 else None


def see(stand: Stand, bend: float, eye: Eye, depth: Depth) -> Seen | None:
    """A vehicle in a whole frame; none where it is not in it, or too small.

    Args:
        stand: the vehicle where it is.
        bend: of the lens.
        eye: the camera.
        depth: of the frame before it was bent.
    """
    width, height = FRAME
    normals = np.concatenate([part.normals for part in stand.body.parts]).astype(np.float64)
    world = moved(all_points(stand.body), stand.place, stand.heading)
    places = eye.project(world)
    before = places[:, 2] >= 0.5  # a long vehicle may reach beside and behind the camera
    if not before.any():
        return None
    facing = np.flatnonzero((moved(normals, (0.0, 0.0), stand.heading) * (np.array(eye.place) - world)).sum(axis=1) > 0)
    facing = facing[:: max(1, len(facing) // 400)]
    visible = [is_seen(depth, places[row, 0], places[row, 1], places[row, 2], 0.6) for row in facing]
    bounds = lens.bent(places[before, :2], bend)
    (x0, y0), (x1, y1) = bounds.min(axis=0), bounds.max(axis=0)
    x0, y0, x1, y1 = max(0.0, x0), max(0.0, y0), min(1.0, x1), min(1.0, y1)
    if x1 - x0 < 8 / width or y1 - y0 < 8 / height or not any(visible):
        return None
    corners = plate_corners(stand.body, stand.place, stand.heading, eye, depth)
    if corners is not None:
        corners = lens.bent(corners, bend) * (width, height)
    x, y, wide, high = (round(float(v), 2) for v in (x0 * width, y0 * height, (x1 - x0) * width, (y1 - y0) * height))
    view = view_of(eye.place, stand.place, stand.heading)
    return Seen((x, y, wide, high), float(np.mean(visible)), view, within(corners, width, height))
