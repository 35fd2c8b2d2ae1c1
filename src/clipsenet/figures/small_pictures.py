"""Small pictures to be handed on: at most 96 pixels long, the lower middle blurred, where a number plate often is."""

import numpy as np
from jaxtyping import Int
from PIL import Image, ImageFilter

from clipsenet.images import open_sighting
from clipsenet.sightings import Sightings

SIDE = 96
"""Pixels of the long side at most."""

REGION = (0.1, 0.5, 0.9, 1.0)
"""Left, top, right and bottom of what is blurred, as shares of the picture."""

RADIUS = 3.0
"""Of the blur, in pixels of a picture of ``SIDE``; more of a larger one."""

HEURISTIC = (
    "The lower middle of each picture (its lower half without a tenth at either side) is blurred, and known plates with it. "
    "That is a heuristic, not a guarantee: of a vehicle seen at a slant the plate may lie outside, and other things that tell "
    "a person or a place are not looked for."
)


def small(
    test: Sightings, row: int, *, side: int = SIDE, blurred: bool, plate: Int[np.ndarray, " 4"] | None = None
) -> Image.Image:
    """A small picture of a sighting.

    Args:
        test: the pictures.
        row: which.
        side: pixels of the long side at most.
        blurred: whether the lower middle and a known plate are blurred.
        plate: x, y, width, height in pixels of the sighting; none, or without width: not known.

    Raises:
        PictureError: it cannot be opened.
    """
    picture = open_sighting(test, row)
    tile = shrink(picture, side)
    if not blurred:
        return tile
    if plate is None or not plate[2]:
        return blur(tile)
    x, y, width, height = (plate * (np.array(tile.size * 2) / np.array(picture.size * 2))).tolist()
    return blur(tile, (int(x), int(y), int(np.ceil(width)) + 1, int(np.ceil(height)) + 1))


def shrink(picture: Image.Image, side: int = SIDE) -> Image.Image:
    """The picture with its long side at most ``side`` pixels; a smaller one stays as it is."""
    factor = side / max(picture.size)
    if factor >= 1:
        return picture
    return picture.resize([max(1, round(edge * factor)) for edge in picture.size], Image.Resampling.LANCZOS)


def blur(picture: Image.Image, plate: tuple[int, int, int, int] | None = None) -> Image.Image:
    """Blur ``REGION`` of a small picture, and a plate.

    Args:
        picture: as ``shrink`` makes it.
        plate: x, y, width, height in its pixels; none: not known.
    """
    width, height = picture.size
    left, top, right, bottom = REGION
    boxes = [(int(left * width), int(top * height), max(1, round(right * width)), max(1, round(bottom * height)))]
    if plate is not None:
        x, y, wide, high = plate
        boxes.append((max(0, x - 1), max(0, y - 1), min(width, x + wide + 1), min(height, y + high + 1)))
    soft, result = picture.filter(ImageFilter.GaussianBlur(max(RADIUS, RADIUS * max(picture.size) / SIDE))), picture.copy()
    for box in boxes:
        if box[2] > box[0] and box[3] > box[1]:
            result.paste(soft.crop(box), box[:2])
    return result
