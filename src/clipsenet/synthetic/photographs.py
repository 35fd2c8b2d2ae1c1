"""Photographs: what a studio gives: a picture of one vehicle, or a whole frame."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""

FRAME = (960, 540)
"""Width and height of whole frames, in pixels."""


@dataclass(frozen=True, eq=False)
class Photograph:
    """A picture of one vehicle, cut out as a detector would.

    Attributes:
        image: ``(height, width, 3)`` sRGB.
        view: which side is seen, by VeRi-776's names.
        plate: x, y, width, height of the number plate in pixels, where it is seen.
        quality: of the JPEG file.
        light: day, dusk or night.
        weather: clear, cloudy, rain or fog.
    """

    image: UInt8[np.ndarray, "height width 3"]
    view: str
    plate: Box | None
    quality: int
    light: str
    weather: str


@dataclass(frozen=True)
class Seen:
    """A vehicle in a frame.

    Attributes:
        box: x, y, width, height in pixels, within the frame.
        visibility: share of what faces the camera that nothing hides, 0 to 1.
        view: which side is seen.
        plate: as in a Photograph, in the frame's pixels.
    """

    box: tuple[float, float, float, float]
    visibility: float
    view: str
    plate: Box | None


@dataclass(frozen=True, eq=False)
class Frame:
    """A whole picture of one camera.

    Attributes:
        image: ``(height, width, 3)`` sRGB.
        seen: one for each shot that was asked for; none where it is not in the picture.
        quality, light, weather: as in a Photograph.
    """

    image: UInt8[np.ndarray, "height width 3"]
    seen: tuple[Seen | None, ...]
    quality: int
    light: str
    weather: str
