"""Shadows: what a vehicle takes from the street below and beside it."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFilter
from scipy.spatial import ConvexHull, QhullError

from clipsenet.synthetic.body import Body
from clipsenet.synthetic.light import Light
from clipsenet.synthetic.viewing import moved

PIXELS = 160
"""Of a shadow's picture, on a side."""


@dataclass(frozen=True)
class Stand:
    """A vehicle where it stands: x and y in metres, heading in degrees."""

    body: Body
    place: tuple[float, float]
    heading: float

    def distance(self, eye: tuple[float, float, float]) -> float:
        """From a point, in metres."""
        return float(np.linalg.norm(np.subtract(eye, (*self.place, 0.7))))

    def facing(self, eye: tuple[float, float, float]) -> float:
        """1 where its front looks at the eye, -1 where its rear does."""
        bearing = np.arctan2(eye[1] - self.place[1], eye[0] - self.place[0]) - np.deg2rad(self.heading)
        return float(np.cos(bearing))


def cast_shadow(stand: Stand, light: Light) -> tuple[UInt8[np.ndarray, "pixels pixels"], Float[np.ndarray, "4 3"]]:
    """A vehicle's shadow on the ground.

    Returns:
        How dark, 0 to 255, top row first; and the corners of the square on the ground that it covers.
    """
    sun = np.array(light.towards)
    slices = _slices(stand.body)
    hulls = []
    for points in slices:
        world = moved(points, stand.place, stand.heading)
        hulls.append(world[:, :2] - world[:, 2:] * sun[:2] / max(sun[2], 0.2))
    length, width, _ = stand.body.size
    foot = moved(
        np.array([[sx * length / 2, sy * width / 2, 0.0] for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]),
        stand.place,
        stand.heading,
    )[:, :2]
    everything = np.concatenate([*hulls, foot])
    low, high = everything.min(axis=0) - 0.8, everything.max(axis=0) + 0.8
    side = float((high - low).max())
    scale = PIXELS / side

    def drawn(polygons: list[Float[np.ndarray, "_ 2"]], soft: float) -> Float[np.ndarray, "pixels pixels"]:
        image = Image.new("L", (PIXELS, PIXELS), 0)
        draw = ImageDraw.Draw(image)
        for polygon in polygons:
            draw.polygon([(float((x - low[0]) * scale), float(PIXELS - (y - low[1]) * scale)) for x, y in polygon], fill=255)
        blurred = image.filter(ImageFilter.GaussianBlur(soft * scale))
        return np.asarray(blurred, dtype=np.float64) / 255

    below = drawn([foot], 0.22)
    direct = drawn([outline for hull in hulls if (outline := _outline(hull)) is not None], 0.03 + 0.35 * (1 - light.hard))
    strength = light.hard * 0.85
    dark = 1 - (1 - 0.72 * below) * (1 - strength * direct)
    x0, y0, x1, y1 = low[0], low[1], low[0] + side, low[1] + side
    z = 0.015
    corners = np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]])
    return (dark * 255).astype(np.uint8), corners


def _outline(points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "m 2"] | None:
    """The corners around points; none where all lie on a line: that casts no shadow."""
    try:
        around: Float[np.ndarray, "m 2"] = points[ConvexHull(points).vertices]
    except QhullError:
        return None
    return around


@lru_cache(maxsize=32)
def _slices(body: Body) -> tuple[Float[np.ndarray, "_ 3"], ...]:
    """The points in slabs along the vehicle, and where triangles cross the slabs' borders: each slab is about convex."""
    points = np.concatenate([part.points for part in body.parts]).astype(np.float64)
    triangles = np.concatenate([part.points[part.faces] for part in body.parts]).astype(np.float64)
    starts, ends = triangles.reshape(-1, 3), np.roll(triangles, -1, axis=1).reshape(-1, 3)
    edges = np.linspace(points[:, 0].min(), points[:, 0].max(), 13)
    step = edges[1] - edges[0]
    borders = np.concatenate([edges[:-1] - 0.35 * step, edges[:-1] + 1.35 * step])
    long = np.abs(ends[:, 0] - starts[:, 0]) > 0.3 * step  # the others have points enough
    starts, ends = starts[long], ends[long]
    crossings = [points]
    for border in borders:
        across = (starts[:, 0] - border) * (ends[:, 0] - border) < 0
        a, b = starts[across], ends[across]
        crossings.append(a + ((border - a[:, 0]) / (b[:, 0] - a[:, 0]))[:, None] * (b - a))
    points = np.concatenate(crossings)
    found = []
    for low, high in zip(borders[:12] - 1e-6, borders[12:] + 1e-6, strict=True):
        inside = points[(points[:, 0] >= low) & (points[:, 0] <= high)]
        if len(inside) >= 4 and np.ptp(inside[:, 1]) > 0.05:
            found.append(inside)
    return tuple(found)
