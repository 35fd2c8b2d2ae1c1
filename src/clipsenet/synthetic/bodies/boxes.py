"""Boxes: the closed body of a box lorry with its painted sides and rear doors."""

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from clipsenet.synthetic.bodies.lettering import write
from clipsenet.synthetic.bodies.meshes import Rectangle, box
from clipsenet.synthetic.bodies.palette import DUST, paint_of
from clipsenet.synthetic.body import Part, Skin
from clipsenet.synthetic.identity import Rgb, Sticker, Vehicle

SIZE = 768
AREAS: dict[str, Rectangle] = {
    "left": (0.0, 0.66, 1.0, 1.0),
    "right": (0.0, 0.32, 1.0, 0.66),
    "rear": (0.0, 0.0, 0.3, 0.32),
    "front": (0.3, 0.0, 0.6, 0.32),
    "top": (0.6, 0.0, 1.0, 0.32),
    "bottom": (0.995, 0.0, 1.0, 0.005),
}
"""Where each side lies in the skin."""
ALUMINIUM = (172, 176, 178, 120)

Paint = tuple[int, int, int, int]
Pixels = tuple[int, int, int, int]
Canvas = Float[np.ndarray, "height width 4"]


def box_height(vehicle: Vehicle, floor: float) -> float:
    """Metres from the floor to the top of the box; a model's."""
    return min(float(vehicle.model.rng(52).uniform(2.0, 2.6)), 3.85 - floor)


def closed_box(vehicle: Vehicle, start: float, end: float, width: float, floor: float) -> tuple[list[Part], Skin]:
    """A box with rounded edges.

    Args:
        vehicle: whose paint, band, lettering, stickers, dents and dirt are seen.
        start: x of its rear end, in metres.
        end: x of its front end.
        width: metres.
        floor: z of its floor.

    Returns:
        Parts with the skins ``cargo`` and ``palette``; the skin ``cargo``.
    """
    high = box_height(vehicle, floor)
    half, top = width / 2, floor + high
    found = [box((start, -half, floor), (end, half, top), AREAS, bevel=0.05, skin="cargo")]
    found.append(
        box((start - 0.01, -half - 0.008, floor - 0.07), (end + 0.005, half + 0.008, floor + 0.05), "steel", bevel=0.01)
    )
    rng = vehicle.model.rng(53)
    if rng.random() < 0.35:  # a cooler on the front
        found.append(box((end - 0.02, -0.8, top - 0.75), (end + 0.32, 0.8, top - 0.12), "white", bevel=0.06))
    return found, _paint(vehicle, end - start, width, high)


def _paint(vehicle: Vehicle, length: float, width: float, high: float) -> Skin:
    rng, details = vehicle.model.rng(54), vehicle.details
    ground: Rgb = paint_of(vehicle) if rng.random() < 0.7 else (222, 223, 220)
    canvas = Image.new("RGBA", (2 * SIZE, 2 * SIZE), (*ground, 110))
    draw = ImageDraw.Draw(canvas)
    ribbed = bool(rng.random() < 0.45)
    low, tall = float(rng.uniform(0.1, 0.5)), float(rng.uniform(0.08, 0.3))
    for side in ("left", "right"):
        area = _pixels(side)
        _seams(draw, area, length, (0.18 if ribbed else 1.2), ground)
        if details.band is not None:
            draw.rectangle((*_at(area, 0, low + tall), *_at(area, 1, low)), fill=(*details.band, 120))
        if details.lettering is not None:
            place = (*_at(area, 0.14, 0.84), *_at(area, 0.86, 0.52))
            if ribbed:  # a smooth board over the ribs
                draw.rectangle((*_at(area, 0.1, 0.88), *_at(area, 0.9, 0.48)), fill=(*ground, 110))
            write(draw, place, details.lettering, _readable(details.lettering_colour, ground))
        _edges(draw, area)
    _doors(draw, _pixels("rear"), ground)
    _edges(draw, _pixels("front"))
    _seams(draw, _pixels("top"), length, 1.2, ground)
    for sticker in details.stickers:
        if sticker.place in ("left", "right", "rear"):
            _stick(draw, _pixels(sticker.place), sticker, width if sticker.place == "rear" else length, high)
    # channel by channel: reduced as a whole, colours would be weighed by the gloss
    pixels = np.stack([np.asarray(channel.reduce(2), np.float32) for channel in canvas.split()], axis=2)
    for dent in details.dents:
        if dent.place != "front":
            _bruise(
                pixels,
                dent.place,
                (dent.across, dent.up),
                dent.size,
                width if dent.place == "rear" else length,
                high,
                dent.primer,
            )
    _soil(pixels, vehicle)
    return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)


def _pixels(side: str) -> Pixels:
    """Left, top, right, bottom of a side in the canvas of double size."""
    left, low, right, high = AREAS[side]
    return round(left * 2 * SIZE), round((1 - high) * 2 * SIZE), round(right * 2 * SIZE), round((1 - low) * 2 * SIZE)


def _at(area: Pixels, across: float | int, up: float | int) -> tuple[float, float]:
    """A place within an area: shares from its left and from below."""
    left, top, right, bottom = area
    return float(left + across * (right - left)), float(bottom - up * (bottom - top))


def _shaded(colour: Rgb, share: float) -> Paint:
    red, green, blue = colour
    return min(255, round(red * share)), min(255, round(green * share)), min(255, round(blue * share)), 90


def _readable(ink: Rgb, ground: Rgb) -> Rgb:
    """The ink, or dark or light where it would not be seen on its ground."""
    if sum(abs(a - b) for a, b in zip(ink, ground, strict=True)) > 150:
        return ink
    return (40, 44, 60) if sum(ground) > 380 else (226, 226, 222)


def _seams(draw: ImageDraw.ImageDraw, area: Pixels, length: float, step: float, ground: Rgb) -> None:
    count = max(2, round(length / step))
    for place in range(1, count):
        x, top = _at(area, place / count, 1.0)
        draw.line((x, top, x, area[3]), fill=_shaded(ground, 0.8), width=4)
        draw.line((x + 4, top, x + 4, area[3]), fill=_shaded(ground, 1.06), width=2)


def _edges(draw: ImageDraw.ImageDraw, area: Pixels) -> None:
    """Aluminium rails around a side."""
    draw.rectangle(area, outline=ALUMINIUM, width=14)


def _doors(draw: ImageDraw.ImageDraw, area: Pixels, ground: Rgb) -> None:
    """Two leaves with locking bars and hinges."""
    draw.rectangle(area, outline=ALUMINIUM, width=26)
    x, top = _at(area, 0.5, 0.97)
    draw.line((x, top, x, area[3] - 14), fill=_shaded(ground, 0.35), width=8)
    for across in (0.2, 0.42, 0.58, 0.8):
        x, _ = _at(area, across, 0)
        draw.line((x, top, x, area[3] - 14), fill=(150, 152, 154, 150), width=9)
        draw.line((x + 6, top, x + 6, area[3] - 14), fill=_shaded(ground, 0.55), width=4)
    for across in (0.035, 0.965):
        for up in (0.15, 0.5, 0.85):
            x, y = _at(area, across, up)
            draw.rectangle((x - 14, y - 8, x + 14, y + 8), fill=(90, 92, 94, 90))
    for side in (0.1, 0.7):  # reflecting stripes
        draw.rectangle((*_at(area, side, 0.075), *_at(area, side + 0.2, 0.04)), fill=(170, 30, 28, 160))


def _stick(draw: ImageDraw.ImageDraw, area: Pixels, sticker: Sticker, length: float, high: float) -> None:
    x, y = _at(area, sticker.across, sticker.up)
    wide = sticker.size * (area[2] - area[0]) / length * 1.4
    tall = sticker.size * (area[3] - area[1]) / high * 1.4
    ink = (*sticker.colour, 150)
    if sticker.shape == "disc":
        draw.ellipse((x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2), fill=ink)
    elif sticker.shape == "block":
        draw.rectangle((x - wide * 0.75, y - tall / 3, x + wide * 0.75, y + tall / 3), fill=ink)
    else:
        draw.polygon([(x - wide / 2, y + tall / 2), (x + wide / 2, y + tall / 2), (x, y - tall / 2)], fill=ink)


def _bruise(
    pixels: Canvas, side: str, place: tuple[float, float], size: float, length: float, high: float, primer: bool
) -> None:
    """A dent, light above and dark below, or a patch of primer."""
    left, top, right, bottom = (value // 2 for value in _pixels(side))
    y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
    across = ((x - left) / (right - left) - place[0]) * length / size
    up = ((bottom - y) / (bottom - top) - place[1]) * high / size
    weight = np.exp(-4 * (across**2 + up**2))
    patch = pixels[top:bottom, left:right]
    if primer:
        share = np.clip(3 * weight - 1, 0, 1)[..., None]
        patch[:] = patch * (1 - share) + np.array([128, 84, 76, 20]) * share
    else:
        patch[..., :3] *= (1 + 0.9 * up * weight)[..., None]


def _soil(pixels: Canvas, vehicle: Vehicle) -> None:
    """Dust: more below, and on the rear."""
    rng = np.random.default_rng((vehicle.number, 55))
    for side in ("left", "right", "rear"):
        left, top, right, bottom = (value // 2 for value in _pixels(side))
        patch = pixels[top:bottom, left:right]
        rough = rng.uniform(0.5, 1.3, (9, 33))
        noise = np.asarray(
            Image.fromarray(rough.astype(np.float32)).resize((right - left, bottom - top), Image.Resampling.BICUBIC)
        )
        depth = np.linspace(0, 1, bottom - top, dtype=np.float32)[:, None]
        share = vehicle.details.dirt * noise * (0.12 + 0.7 * depth**2.2 + (0.2 if side == "rear" else 0.0))
        share = np.clip(share, 0, 0.85)[..., None]
        patch[..., :3] = patch[..., :3] * (1 - share) + DUST.astype(np.float32) * share
        patch[..., 3:] *= 1 - 0.8 * share
