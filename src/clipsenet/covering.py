"""Covering parts of pictures: where number plates are, and pictures with a rectangle painted over."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from PIL import Image

from clipsenet.errors import ClipsenetError
from clipsenet.sightings import WHOLE, Sightings

NOWHERE = (0, 0, 0, 0)
"""A rectangle that covers nothing."""


def plate_boxes(sightings: Sightings) -> Int[np.ndarray, "n 4"]:
    """``(n, 4)`` x, y, width, height of each number plate within its picture's box, in pixels; ``NOWHERE`` where not known.

    They come from the column ``plate``, which has four numbers in pixels of the upright file, separated by blanks or commas.

    Raises:
        ClipsenetError: a cell that cannot be read, with its line.
    """
    boxes = np.zeros((len(sightings), 4), dtype=np.int64)
    column = sightings.extra.get("plate")
    if column is None:
        return boxes
    for row, text in enumerate(column.texts().tolist()):
        if not text:
            continue
        try:
            x, y, width, height = (int(part) for part in text.replace(",", " ").split())
            if min(x, y) < 0 or min(width, height) < 1:
                raise ValueError
        except ValueError:
            raise ClipsenetError(
                f"{sightings.describe(row)}, column plate: '{text}'; wanted x y width height in whole pixels, such as "
                "'110 39 18 10', or nothing where no plate is seen"
            ) from None
        own = sightings.box_of(row)
        if own != WHOLE:  # the plate's place is told in the whole frame
            x, y = x - own[0], y - own[1]
            right, bottom = min(x + width, own[2]), min(y + height, own[3])
            x, y = max(x, 0), max(y, 0)
            if right <= x or bottom <= y:
                continue
            width, height = right - x, bottom - y
        boxes[row] = x, y, width, height
    return boxes


@dataclass(frozen=True, eq=False)
class Cover:
    """Paints a rectangle over each picture.

    Attributes:
        boxes: ``(n, 4)`` x, y, width, height of each row's, in pixels; ``NOWHERE`` leaves the picture as it is.
        colour: RGB, 0 to 255.
    """

    boxes: Int[np.ndarray, "n 4"]
    colour: tuple[int, int, int]

    def __call__(self, picture: Image.Image, row: int) -> Image.Image:
        """The picture of a row, covered; what came is left alone."""
        x, y, width, height = self.boxes[row].tolist()
        if not width:
            return picture
        covered = picture.copy()
        covered.paste(self.colour, (x, y, x + width, y + height))
        return covered


def elsewhere(
    box: tuple[int, int, int, int], size: tuple[int, int], rng: np.random.Generator, tries: int = 100
) -> tuple[int, int, int, int]:
    """A rectangle of the same size that does not touch the given one, in the middle 80 % of the picture.

    Args:
        box: x, y, width, height in pixels.
        size: width and height of the picture.
        rng: draws the place.
        tries: draws before giving up.

    Returns:
        It, or ``NOWHERE`` where there is no room for it.
    """
    x, y, width, height = box
    low = round(0.1 * size[0]), round(0.1 * size[1])
    high = round(0.9 * size[0]) - width, round(0.9 * size[1]) - height
    if high[0] < low[0] or high[1] < low[1]:
        return NOWHERE
    for _ in range(tries):
        left, top = int(rng.integers(low[0], high[0] + 1)), int(rng.integers(low[1], high[1] + 1))
        if left >= x + width or left + width <= x or top >= y + height or top + height <= y:
            return left, top, width, height
    return NOWHERE
