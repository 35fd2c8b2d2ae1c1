"""Atlas: one skin that holds a vehicle's five sides, drawn in metres."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from clipsenet.synthetic.identity import Rgb

Point = tuple[float, float]
"""Across and up on a side, in metres."""
Points = Sequence[Point]

DRAWN = 2
"""Pixels drawn for each pixel of the skin, along each side."""
MARGIN = 0.08
"""Around each side, in metres."""
PITCH = ("under", "bed")
"""Flat colours beside the sides: below and in the wheel arches, inside an open bed."""
CELL = 16

AXES = {"left": (0, 2), "right": (0, 2), "top": (0, 1), "front": (1, 2), "rear": (1, 2)}
"""Which coordinates run across and up in each side's picture; none is mirrored, so a side may be seen from its back."""


@dataclass(frozen=True)
class Side:
    """Where a side lies in the skin.

    Attributes:
        low: its least coordinates, in metres.
        high: its greatest.
        corner: column and row of its upper left pixel in the skin.
    """

    low: tuple[float, float]
    high: tuple[float, float]
    corner: tuple[int, int]


class Atlas:
    """A skin to draw on, at twice its size.

    Args:
        low: least x, y, z of the body, in metres.
        high: greatest.
        base: the body's paint.
        gloss: of the paint.
    """

    def __init__(self, low: Float[np.ndarray, "3"], high: Float[np.ndarray, "3"], base: Rgb, gloss: int) -> None:
        low, high = low - MARGIN, high + MARGIN
        length, width, height = high - low
        self.scale = float(min(150.0, 1000 / length, 1000 / (2 * width)))
        across = max(length, 2 * width) * self.scale
        self.width = int(-(-across // 8) * 8)
        long, wide, tall = (int(np.ceil(size * self.scale)) + 1 for size in (length, width, height))
        places = {
            "left": (0, 0),
            "right": (0, tall),
            "top": (0, 2 * tall),
            "front": (0, 2 * tall + wide),
            "rear": (wide, 2 * tall + wide),
        }
        assert long <= self.width + 8
        self.height = int(-(-(3 * tall + wide + CELL) // 8) * 8)
        self.sides = {
            name: Side((float(low[a]), float(low[b])), (float(high[a]), float(high[b])), places[name])
            for name, (a, b) in AXES.items()
        }
        self.image = Image.new("RGBA", (self.width * DRAWN, self.height * DRAWN), (*base, gloss))
        self.pencil = ImageDraw.Draw(self.image)
        self.side = self.sides["left"]
        self.name = "left"

    def turn_to(self, name: str) -> None:
        """What is drawn from now on goes to this side."""
        self.name, self.side = name, self.sides[name]

    def pixels(self, points: Points | Float[np.ndarray, "n 2"]) -> list[tuple[float, float]]:
        """Where points of this side lie in the drawing."""
        factor = self.scale * DRAWN
        column, row = self.side.corner[0] * DRAWN, self.side.corner[1] * DRAWN
        low, high = self.side.low, self.side.high
        return [
            (
                column + (min(max(float(a), low[0]), high[0]) - low[0]) * factor,
                row + (high[1] - min(max(float(b), low[1]), high[1])) * factor,
            )
            for a, b in points
        ]

    def polygon(self, points: Points, colour: Rgb, gloss: int, radius: float = 0.0) -> None:
        """A filled outline, its corners rounded."""
        outline = rounded(points, radius) if radius > 0 else points
        self.pencil.polygon(self.pixels(outline), fill=(*colour, gloss))

    def line(self, points: Points, width: float, colour: Rgb, gloss: int) -> None:
        """A line, its width in metres."""
        pen = max(1, round(width * self.scale * DRAWN))
        self.pencil.line(self.pixels(points), fill=(*colour, gloss), width=pen, joint="curve")

    def rectangle(
        self, low: tuple[float, float], high: tuple[float, float], colour: Rgb, gloss: int, radius: float = 0.0
    ) -> None:
        """A rectangle, its corners rounded."""
        self.polygon([low, (high[0], low[1]), high, (low[0], high[1])], colour, gloss, radius)

    def disc(self, middle: tuple[float, float], radius: float, colour: Rgb, gloss: int, tall: float = 1.0) -> None:
        """A disc, or an ellipse that is ``tall`` times as high as wide; cut at the side's borders."""
        angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        ring = zip(middle[0] + radius * np.cos(angle), middle[1] + tall * radius * np.sin(angle), strict=True)
        self.polygon([(float(a), float(b)) for a, b in ring], colour, gloss)

    def flat(self, name: str, colour: Rgb, gloss: int) -> None:
        """Set one of the flat colours."""
        column = PITCH.index(name) * CELL * DRAWN
        row = (self.height - CELL) * DRAWN
        self.pencil.rectangle((column, row, column + CELL * DRAWN - 1, row + CELL * DRAWN - 1), fill=(*colour, gloss))

    def reduced(self) -> UInt8[np.ndarray, "height width 4"]:
        """The skin: the means of the drawing's pixels."""
        drawn = np.asarray(self.image).reshape(self.height, DRAWN, self.width, DRAWN, 4)
        total = drawn[:, 0, :, 0].astype(np.uint16)
        for row, column in ((0, 1), (1, 0), (1, 1)):
            total += drawn[:, row, :, column]
        return ((total + 2) // 4).astype(np.uint8)

    def area(self, name: str) -> tuple[slice, slice]:
        """Rows and columns of a side in the skin."""
        side = self.sides[name]
        column, row = side.corner
        wide, tall = (int((side.high[axis] - side.low[axis]) * self.scale) for axis in (0, 1))
        return slice(row, row + tall), slice(column, column + wide)

    def uv(self, name: str, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
        """Where points of the body lie in the skin, as one of its sides or a flat colour shows them."""
        if name in PITCH:
            place = ((PITCH.index(name) + 0.5) * CELL / self.width, 0.5 * CELL / self.height)
            return np.tile(np.array(place), (len(points), 1))
        side = self.sides[name]
        a, b = (points[:, axis] for axis in AXES[name])
        column = side.corner[0] + (np.clip(a, side.low[0], side.high[0]) - side.low[0]) * self.scale
        row = side.corner[1] + (side.high[1] - np.clip(b, side.low[1], side.high[1])) * self.scale
        return np.stack([column / self.width, 1 - row / self.height], axis=1)


def rounded(points: Points, radius: float) -> list[tuple[float, float]]:
    """An outline whose corners are rounded: each is cut ``radius`` before and after it and bridged by a curve."""
    corners = np.array(points, dtype=float)
    before, after = np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0)
    found = []
    for corner, last, following in zip(corners, before, after, strict=True):
        back, on = last - corner, following - corner
        start = corner + back * min(0.45, radius / max(float(np.hypot(*back)), 1e-6))
        end = corner + on * min(0.45, radius / max(float(np.hypot(*on)), 1e-6))
        for t in (0.0, 0.25, 0.5, 0.75, 1.0):
            a, b = (1 - t) ** 2 * start + 2 * t * (1 - t) * corner + t**2 * end
            found.append((float(a), float(b)))
    return found
