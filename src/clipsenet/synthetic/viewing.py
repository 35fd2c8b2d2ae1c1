"""Viewing: where a camera is, what falls where in its picture, and which side of a vehicle it sees."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

VIEWS = ("front", "left-front", "left", "left-rear", "rear", "right-rear", "right", "right-front")
"""VeRi-776's viewpoints, counter-clockwise around the vehicle from its front (left is the driver's left)."""

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Eye:
    """A pinhole camera.

    Attributes:
        place: where it is, in metres.
        target: what is in the middle of its picture.
        angle: how much it sees from top to bottom, in degrees.
        aspect: width over height.
        range: what is nearer or farther, in metres, is not drawn.
    """

    place: Point
    target: Point
    angle: float
    aspect: float = 1.0
    range: tuple[float, float] = (0.5, 400.0)

    @cached_property
    def axes(self) -> Float[np.ndarray, "3 3"]:
        """Rows: to the right, up, and backwards, in the scene's coordinates."""
        back = np.subtract(self.place, self.target)
        back = back / np.linalg.norm(back)
        right = np.cross([0.0, 0.0, 1.0], back)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(back, right), back])

    def project(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Where points fall: x and y from 0 (left, top) to 1, and the distance along the axis in metres."""
        turned = (points - np.array(self.place)) @ self.axes.T
        distance = -turned[:, 2]
        reach = np.tan(np.deg2rad(self.angle) / 2) * np.maximum(distance, 1e-6)
        x = 0.5 + turned[:, 0] / (2 * reach * self.aspect)
        y = 0.5 - turned[:, 1] / (2 * reach)
        return np.stack([x, y, distance], axis=1)

    def through(self, x: float, y: float) -> Point:
        """A point at the target's distance that falls at ``(x, y)``, each 0 to 1."""
        distance = float(np.linalg.norm(np.subtract(self.place, self.target)))
        reach = np.tan(np.deg2rad(self.angle) / 2) * distance
        right, up, _ = self.axes
        moved = np.array(self.target) + right * (2 * x - 1) * reach * self.aspect + up * (1 - 2 * y) * reach
        return float(moved[0]), float(moved[1]), float(moved[2])


def view_of(eye: Point, place: tuple[float, float], heading: float) -> str:
    """Which side of a vehicle at ``place`` with ``heading`` (degrees) is seen from ``eye``: one of VIEWS."""
    bearing = np.rad2deg(np.arctan2(eye[1] - place[1], eye[0] - place[0])) - heading
    return VIEWS[int(np.floor((bearing + 22.5) % 360 / 45))]


def moved(points: Float[np.ndarray, "n 3"], place: tuple[float, float], heading: float) -> Float[np.ndarray, "n 3"]:
    """A vehicle's points where it stands, in the scene's coordinates."""
    cos, sin = np.cos(np.deg2rad(heading)), np.sin(np.deg2rad(heading))
    turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    shifted: Float[np.ndarray, "n 3"] = points @ turn.T + np.array([*place, 0.0])
    return shifted
