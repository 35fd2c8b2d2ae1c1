"""Small pictures to be handed on: at most 96 pixels long, the lower middle blurred, where a number plate often is."""

from PIL import Image, ImageFilter

SIDE = 96
"""Pixels of the long side at most."""

REGION = (0.1, 0.5, 0.9, 1.0)
"""Left, top, right and bottom of what is blurred, as shares of the picture."""

RADIUS = 3.0
"""Of the blur, in pixels of the small picture."""

HEURISTIC = (
    "The lower middle of each picture (its lower half without a tenth at either side) is blurred, and known plates with it. "
    "That is a heuristic, not a guarantee: of a vehicle seen at a slant the plate may lie outside, and other things that tell "
    "a person or a place are not looked for."
)


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
    soft, result = picture.filter(ImageFilter.GaussianBlur(RADIUS)), picture.copy()
    for box in boxes:
        if box[2] > box[0] and box[3] > box[1]:
            result.paste(soft.crop(box), box[:2])
    return result
