"""Panes: windscreens, rear windows and number plates."""

from typing import TypeVar

import numpy as np
from jaxtyping import Float

from clipsenet.synthetic.bodies.atlas import Atlas
from clipsenet.synthetic.bodies.looks import BLACK, mixed
from clipsenet.synthetic.bodies.proportions import Proportions
from clipsenet.synthetic.identity import LORRIES, Rgb, Vehicle

Number = TypeVar("Number", float, Float[np.ndarray, " n"])
PLATE = (0.44, 0.14)
"""Width and height of a number plate, in metres."""


def upper_half(lines: Proportions, z: Number) -> Number:
    """Half the width of the upper body at a height, in metres."""
    return lines.width / 2 * lines.waist - lines.tumblehome * (z - lines.screen[0][0])


def paint_pane(
    atlas: Atlas, lines: Proportions, frame: tuple[float, float], glass: tuple[float, float], colour: Rgb, inside: bool
) -> None:
    """A windscreen or rear window: a dark rim, glass that is darker above, seats behind it."""
    for (low, high), shade, gloss, inset in ((frame, BLACK, 160, 0.015), (glass, colour, 255, 0.055)):
        foot, head = upper_half(lines, low) - inset - 0.085, upper_half(lines, high) - inset - 0.05
        atlas.polygon([(-foot, low), (foot, low), (head, high), (-head, high)], shade, gloss, 0.07)
    low, high = glass
    if not inside:
        return
    dark, wide = mixed(colour, (0, 0, 0), 0.4), upper_half(lines, low)
    for y in (-0.42 * wide, 0.42 * wide):
        atlas.rectangle((y - 0.2, low + 0.01), (y + 0.2, low + 0.48 * (high - low)), dark, 255, 0.08)
        atlas.rectangle((y - 0.11, low + 0.5 * (high - low)), (y + 0.11, low + 0.76 * (high - low)), dark, 255, 0.05)
    top = upper_half(lines, high) - 0.1
    atlas.polygon(
        [(-top, high - 0.005), (top, high - 0.005), (top, high - 0.07), (-top, high - 0.07)], mixed(colour, (0, 0, 0), 0.5), 255
    )


def paint_plate(atlas: Atlas, vehicle: Vehicle, height: float) -> None:
    """A blank plate with a dark border."""
    wide, tall = PLATE[0] / 2, PLATE[1] / 2
    colour: Rgb = (206, 170, 44) if vehicle.model.family in (*LORRIES, "bus") else (214, 216, 214)
    atlas.rectangle((-wide, height - tall), (wide, height + tall), (30, 30, 34), 60, 0.02)
    atlas.rectangle((-wide + 0.016, height - tall + 0.016), (wide - 0.016, height + tall - 0.016), colour, 90, 0.015)
