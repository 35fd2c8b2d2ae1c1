"""Palette: the small skin of a vehicle's plain parts, one flat colour a swatch."""

import colorsys

import numpy as np

from clipsenet.synthetic.body import Skin
from clipsenet.synthetic.identity import COLOURS, Rgb, Vehicle

SWATCHES: dict[str, tuple[Rgb, int]] = {
    "body": ((0, 0, 0), 140),  # these four differ from vehicle to vehicle
    "trim": ((0, 0, 0), 40),
    "load": ((0, 0, 0), 60),
    "rim": ((0, 0, 0), 170),
    "plastic": ((34, 35, 37), 45),
    "rubber": ((27, 27, 28), 8),
    "frame": ((44, 45, 48), 30),
    "steel": ((122, 126, 130), 110),
    "chrome": ((196, 200, 204), 235),
    "mirror": ((112, 128, 142), 255),
    "glass": ((26, 32, 38), 255),
    "white": ((214, 214, 210), 90),
    "red": ((150, 28, 26), 90),
    "blue": ((46, 74, 126), 60),
    "green": ((60, 92, 66), 60),
    "yellow": ((204, 168, 54), 60),
    "amber": ((214, 128, 30), 200),
    "lamp-red": ((172, 20, 22), 230),
    "lamp-white": ((222, 224, 224), 250),
    "wood": ((158, 122, 80), 12),
    "wood-dark": ((124, 92, 60), 12),
    "wood-pale": ((186, 152, 106), 12),
    "card": ((166, 132, 92), 10),
    "card-dark": ((142, 110, 76), 10),
    "sand": ((174, 148, 108), 4),
    "gravel": ((124, 120, 114), 6),
    "cloth": ((84, 92, 86), 10),
    "cloth-dark": ((60, 64, 70), 10),
    "copper": ((158, 92, 58), 120),
    "pipe": ((146, 90, 62), 40),
    "underbody": ((20, 20, 21), 4),
}
"""Colour (sRGB) and gloss by name."""

COLUMNS, BLOCK = 8, 8
DUST = np.array((128, 112, 92), np.float64)


def swatch(name: str) -> tuple[float, float]:
    """Where a colour lies in the palette skin, 0 to 1.

    Args:
        name: one of SWATCHES.
    """
    place = list(SWATCHES).index(name)
    rows = -(-len(SWATCHES) // COLUMNS)
    return (place % COLUMNS + 0.5) / COLUMNS, 1 - (place // COLUMNS + 0.5) / rows


def paint_of(vehicle: Vehicle) -> Rgb:
    """The vehicle's own paint, sRGB: its colour moved by ``details.tone``."""
    hue, saturation, brightness = colorsys.rgb_to_hsv(*(channel / 255 for channel in COLOURS[vehicle.colour][0]))
    turn, purer, brighter = vehicle.details.tone
    saturation = min(max(saturation + purer * min(1.0, saturation * 3 + 0.15), 0), 1)
    red, green, blue = colorsys.hsv_to_rgb((hue + turn) % 1, saturation, min(max(brightness + brighter, 0.04), 0.97))
    return round(red * 255), round(green * 255), round(blue * 255)


def trim_of(vehicle: Vehicle) -> tuple[Rgb, int]:
    """Colour and gloss of mirrors, rails and bumpers by ``details.trim``."""
    if vehicle.details.trim == "painted":
        return paint_of(vehicle), SWATCHES["body"][1]
    return SWATCHES["chrome" if vehicle.details.trim == "chrome" else "plastic"]


def dusty(colour: Rgb, dirt: float) -> Rgb:
    """A colour under dust.

    Args:
        colour: sRGB.
        dirt: 0 (clean) to 1.
    """
    mixed = np.array(colour, np.float64) * (1 - 0.4 * dirt) + DUST * 0.4 * dirt
    red, green, blue = (int(value) for value in np.rint(mixed))
    return red, green, blue


def palette(vehicle: Vehicle) -> Skin:
    """The skin whose places ``swatch`` gives; every part with the skin ``palette`` of one vehicle shares it."""
    details = vehicle.details
    own = {
        "body": (paint_of(vehicle), SWATCHES["body"][1]),
        "trim": trim_of(vehicle),
        "load": (details.load_colour, SWATCHES["load"][1]),
        "rim": (details.rim_colour, SWATCHES["rim"][1]),
    }
    rows = -(-len(SWATCHES) // COLUMNS)
    skin = np.zeros((rows * BLOCK, COLUMNS * BLOCK, 4), np.uint8)
    for place, (name, known) in enumerate(SWATCHES.items()):
        colour, gloss = own.get(name, known)
        share = details.dirt * (0.4 if name in ("body", "trim", "load") or name.startswith("lamp") else 0.8)
        row, column = divmod(place, COLUMNS)
        block = skin[row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK]
        block[..., :3], block[..., 3] = dusty(colour, share), round(gloss * (1 - 0.6 * share))
    return skin
