"""Aiming: where a camera looks for one vehicle or for all of its street, and how its boxes are cut."""

import numpy as np
from jaxtyping import Float

from clipsenet.synthetic.body import Body
from clipsenet.synthetic.light import Light
from clipsenet.synthetic.photographs import FRAME
from clipsenet.synthetic.sites import Site
from clipsenet.synthetic.viewing import Eye, Point


def all_points(body: Body) -> Float[np.ndarray, "n 3"]:
    """Of all its parts, in metres."""
    return np.concatenate([part.points for part in body.parts]).astype(np.float64)


def nominal(site: Site) -> float:
    """From the camera to the middle of its stretch, in metres."""
    return float(np.linalg.norm(site.eye))


def aim(
    place: Point, points: Float[np.ndarray, "n 3"], looseness: float, rng: np.random.Generator
) -> tuple[Eye, tuple[float, float, float, float]]:
    """Look at a vehicle.

    Args:
        place: of the camera.
        points: of the vehicle, where it stands.
        looseness: how much wider than the vehicle the box is, on each side, as a share; below 0 it cuts.
        rng: of the box.

    Returns:
        An eye whose square picture just holds the box; and the box: left, top, right, bottom, 0 to 1.
    """
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    eye = Eye(place, (float(middle[0]), float(middle[1]), float(middle[2])), 40.0)
    margins = np.clip(rng.normal(looseness, 0.03, 4), -0.08, 0.3)
    for _ in range(2):  # after turning to the box's middle it is another box
        x0, y0, x1, y1 = _box(eye, points, margins)
        target = eye.through((x0 + x1) / 2, (y0 + y1) / 2)
        reach = max(x1 - x0, y1 - y0) * 1.002
        angle = float(np.rad2deg(2 * np.arctan(np.tan(np.deg2rad(eye.angle) / 2) * reach)))
        eye = Eye(place, target, angle)
    x0, y0, x1, y1 = _box(eye, points, margins)
    return eye, (max(0.0, x0), max(0.0, y0), min(1.0, x1), min(1.0, y1))


def _box(eye: Eye, points: Float[np.ndarray, "n 3"], margins: Float[np.ndarray, " 4"]) -> tuple[float, float, float, float]:
    """Around the points, wider by the margins: left, right, above, below."""
    places = eye.project(points)[:, :2]
    (x0, y0), (x1, y1) = places.min(axis=0), places.max(axis=0)
    wide, high = x1 - x0, y1 - y0
    return (
        float(x0 - margins[0] * wide),
        float(y0 - margins[2] * high),
        float(x1 + margins[1] * wide),
        float(y1 + margins[3] * high),
    )


def frame_angle(site: Site) -> float:
    """Wide enough for the whole watched stretch, in degrees from top to bottom."""
    reach = max(abs(site.stretch[0]), abs(site.stretch[1])) + 3.0
    return float(np.clip(np.rad2deg(2 * np.arctan(reach / nominal(site))) * FRAME[1] / FRAME[0], 22, 62))


def shadow_edge(light: Light, place: tuple[float, float], rng: np.random.Generator) -> tuple[float, float, float] | None:
    """The edge of a house's shadow near a vehicle, as ``a x + b y + c = 0``, in a quarter of the pictures with a hard sun."""
    drawn, turn, away = rng.random(), rng.uniform(0, 2 * np.pi), rng.uniform(-2.5, 2.5)
    if light.part == "night" or light.hard < 0.5 or drawn > 0.25:
        return None
    a, b = float(np.cos(turn)), float(np.sin(turn))
    return a, b, float(-(a * place[0] + b * place[1]) + away)
