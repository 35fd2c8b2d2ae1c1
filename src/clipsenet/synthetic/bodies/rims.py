"""Rims: the face of a wheel as a picture, eight designs, plastic covers and the plain rims of lorries."""

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from clipsenet.synthetic.bodies.palette import DUST
from clipsenet.synthetic.body import Skin
from clipsenet.synthetic.identity import LORRIES, Vehicle

SIZE, DOUBLE = 256, 512
RIM = 0.69
"""Radius of a car's rim, as a share of the tyre's."""
LORRY_RIM = 0.6

Paint = tuple[int, int, int, int]
DARK: Paint = (17, 17, 18, 10)
RUBBER: Paint = (27, 27, 28, 8)


def is_large(vehicle: Vehicle) -> bool:
    """Whether it stands on lorry's wheels: plain rims, twin tyres behind."""
    return vehicle.model.family in (*LORRIES, "bus")


def face(vehicle: Vehicle) -> Skin:
    """The outer face of its wheels, ``(256, 256, 4)``; the tyre's outer edge touches the borders."""
    canvas = Image.new("RGBA", (DOUBLE, DOUBLE), RUBBER)
    draw = ImageDraw.Draw(canvas)
    rim = (LORRY_RIM if is_large(vehicle) else RIM) * DOUBLE / 2
    for share, shade in ((0.985, (23, 23, 24, 8)), (0.9, (34, 34, 35, 12)), (0.86, RUBBER)):
        _disc(draw, share * DOUBLE / 2, shade)
    _disc(draw, rim + 4, (18, 18, 18, 10))
    details = vehicle.details
    metal: Paint = (*details.rim_colour, 150)
    if is_large(vehicle):
        _plain(draw, rim, metal)
    elif details.covers:
        _cover(draw, rim, details.rims)
    else:
        _alloy(draw, rim, metal, details.rims)
    # channel by channel: reduced as a whole, colours would be weighed by the gloss
    pixels = np.stack([np.asarray(channel.reduce(2), np.float64) for channel in canvas.split()], axis=2)
    dirt = 0.75 * details.dirt
    pixels[..., :3] = pixels[..., :3] * (1 - 0.6 * dirt) + DUST * 0.6 * dirt
    pixels[..., 3] *= 1 - 0.7 * dirt
    skin: Skin = np.rint(pixels).astype(np.uint8)
    return skin


def _alloy(draw: ImageDraw.ImageDraw, rim: float, metal: Paint, design: int) -> None:
    """A cast rim over the dark of the wheel arch and the brake disc."""
    steel = design == 7
    _disc(draw, rim, metal if steel else DARK)
    if not steel:
        _disc(draw, rim * 0.62, (78, 78, 80, 90))  # the brake disc behind the spokes
        _disc(draw, rim * 0.3, (40, 40, 42, 20))
    side = _shaded(metal, 0.55)
    if design in (0, 1, 2, 3):
        count, width = ((5, 0.24), (6, 0.19), (7, 0.155), (10, 0.1))[design]
        for angle in np.arange(count) * 2 * np.pi / count:
            _spoke(draw, rim, angle, angle, width * 1.3, width * 1.05, side)
            _spoke(draw, rim, angle, angle, width, width * 0.7, metal)
    elif design == 4:
        for angle in np.arange(5) * 2 * np.pi / 5:
            for lean in (-0.17, 0.17):
                _spoke(draw, rim, angle + lean * 0.55, angle + lean, 0.125, 0.105, side)
                _spoke(draw, rim, angle + lean * 0.55, angle + lean, 0.085, 0.065, metal)
    elif design == 5:
        _disc(draw, rim, metal)
        for angle in np.arange(9) * 2 * np.pi / 9:
            _spoke(draw, rim * 0.84, angle, angle, 0.12, 0.2, DARK, inner=0.52)
    elif design == 6:
        for angle in np.arange(10) * 2 * np.pi / 10:
            for lean in (-0.32, 0.32):
                _spoke(draw, rim, angle, angle + lean, 0.07, 0.05, metal)
    else:
        _disc(draw, rim * 0.9, _shaded(metal, 0.8))
        for angle in np.arange(12) * 2 * np.pi / 12:
            _hole(draw, rim * 0.74, angle, rim * 0.085, DARK)
        _disc(draw, rim * 0.55, metal)
    _ring(draw, rim, rim * 0.925, metal)
    _ring(draw, rim * 0.925, rim * 0.9, side)
    _disc(draw, rim * 0.245, metal)
    for angle in np.arange(5) * 2 * np.pi / 5 + 0.3:
        _hole(draw, rim * 0.165, angle, rim * 0.032, side)
    _disc(draw, rim * 0.1, (30, 30, 32, 120))


def _cover(draw: ImageDraw.ImageDraw, rim: float, design: int) -> None:
    """A cover of silver plastic; the design decides its slots."""
    plastic: Paint = (168, 170, 174, 80)
    _disc(draw, rim, plastic)
    _ring(draw, rim, rim * 0.93, _shaded(plastic, 0.8))
    count = (7, 8, 9, 10, 12, 14, 15, 16)[design]
    for angle in np.arange(count) * 2 * np.pi / count:
        _spoke(draw, rim * 0.88, angle, angle + 0.14, 0.5 / count, 1.6 / count, DARK, inner=0.5 + 0.03 * (design % 4))
    _ring(draw, rim * 0.3, rim * 0.26, _shaded(plastic, 0.75))
    _disc(draw, rim * 0.12, _shaded(plastic, 0.6))


def _plain(draw: ImageDraw.ImageDraw, rim: float, metal: Paint) -> None:
    """A lorry's disc wheel: round holes, a ring of nuts, the hub."""
    _disc(draw, rim, metal)
    _ring(draw, rim * 0.93, rim * 0.88, _shaded(metal, 0.7))
    for angle in np.arange(10) * 2 * np.pi / 10:
        _hole(draw, rim * 0.7, angle, rim * 0.1, DARK)
        _hole(draw, rim * 0.45, angle, rim * 0.045, _shaded(metal, 0.45))
    _disc(draw, rim * 0.33, _shaded(metal, 0.62))
    _disc(draw, rim * 0.2, (44, 44, 46, 40))


def _shaded(colour: Paint, share: float) -> Paint:
    red, green, blue, gloss = colour
    return round(red * share), round(green * share), round(blue * share), gloss


def _disc(draw: ImageDraw.ImageDraw, radius: float, colour: Paint) -> None:
    middle = DOUBLE / 2
    draw.ellipse((middle - radius, middle - radius, middle + radius, middle + radius), fill=colour)


def _ring(draw: ImageDraw.ImageDraw, outer: float, inner: float, colour: Paint) -> None:
    middle = DOUBLE / 2
    draw.ellipse(
        (middle - outer, middle - outer, middle + outer, middle + outer), outline=colour, width=max(round(outer - inner), 1)
    )


def _hole(draw: ImageDraw.ImageDraw, distance: float, angle: float, radius: float, colour: Paint) -> None:
    x, y = DOUBLE / 2 + distance * np.cos(angle), DOUBLE / 2 + distance * np.sin(angle)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _spoke(
    draw: ImageDraw.ImageDraw, rim: float, start: float, end: float, near: float, far: float, colour: Paint, inner: float = 0.16
) -> None:
    """A bar from the hub to the rim: angles in radians, its widths and where it begins as shares of the rim."""
    corners: list[Float[np.ndarray, " 2"]] = []
    for distance, angle, half in ((inner, start, near / 2), (0.97, end, far / 2)):
        along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        pair = [rim * (distance * along + side * half * across) + DOUBLE / 2 for side in (-1, 1)]
        corners += pair if not corners else pair[::-1]
    draw.polygon([(float(x), float(y)) for x, y in corners], fill=colour)
