"""Scenery: the street that a camera watches: road, marks, kerbs, pavements, houses, hedges, poles."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFilter

from clipsenet.synthetic.body import Part, Skin
from clipsenet.synthetic.sites import Site

REACH = 34.0
"""Half of the ground's painted side, in metres."""

PIXELS = 1536
"""Of the ground's skin, on a side."""

Rgba = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Scenery:
    """What stands at a site whoever drives by.

    Attributes:
        parts: ground, kerbs, houses.
        skins: of the parts.
        pole: parts of a pole before the camera, for the pictures in which it stands in the way.
    """

    parts: tuple[Part, ...]
    skins: dict[str, Skin]
    pole: tuple[Part, ...]


def make_scenery(site: Site, seed: int) -> Scenery:
    """The street at a site, drawn from the seed and the site's number."""
    rng = np.random.default_rng((seed, 41, site.number))
    edges = _edges(site)
    ground = _paint_ground(site, edges, rng)
    parts: list[Part] = []
    skins: dict[str, Skin] = {"ground": ground, "plain": _flat((96, 98, 90, 10)), "kerb": _flat((150, 148, 142, 20))}
    for side, y in zip((-1, 1), edges, strict=True):
        parts += _box((-REACH, y - 0.08), (REACH, y + 0.08), 0.0, 0.13, "kerb")
        parts += _line_street(site, side, y, skins, rng)
    parts += _lie_flat()  # last: what stands on it is not shaded twice
    pole = _box((-0.09, -0.09), (0.09, 0.09), 0.0, 9.0, "pole")
    shade = int(rng.integers(60, 150))
    skins["pole"] = _flat((shade, shade, shade, 50))
    return Scenery(tuple(parts), skins, tuple(pole))


def _lie_flat() -> list[Part]:
    """The painted ground, and plain ground around it as far as one can see."""
    near, far = REACH, 400.0
    strips = [(-far, -far, far, -near), (-far, near, far, far), (-far, -near, -near, near), (near, -near, far, near)]
    around = [_quad([(x0, y0, 0.0), (x1, y0, 0.0), (x1, y1, 0.0), (x0, y1, 0.0)], "plain") for x0, y0, x1, y1 in strips]
    return [_quad([(-near, -near, 0.0), (near, -near, 0.0), (near, near, 0.0), (-near, near, 0.0)], "ground"), *around]


def _edges(site: Site) -> tuple[float, float]:
    """The y of the road's right and left edge, between which the lanes lie."""
    across = [lane.across for lane in site.lanes]
    return min(across) - 2.6, max(*across, 0.0) + 2.6


def _line_street(site: Site, side: int, edge: float, skins: dict[str, Skin], rng: np.random.Generator) -> list[Part]:
    """Houses, a wall, or a hedge along one side; nothing stands between the camera and the road."""
    parts: list[Part] = []
    camera_side = side * site.eye[1] > 0
    wide = float(rng.uniform(3.5, 9.0))
    front = edge + side * wide
    if camera_side and abs(site.eye[1]) > abs(front) - 1.0:
        return parts  # it would stand before the camera
    kind = str(rng.choice(["houses", "hedge", "wall", "open"], p=[0.5, 0.2, 0.15, 0.15]))
    if kind == "open":
        return parts
    if kind in ("hedge", "wall"):
        height = float(rng.uniform(1.0, 2.4))
        name = f"{kind}{side}"
        skins[name] = _leaves(rng) if kind == "hedge" else _facade(rng, windows=False)
        parts += _facades(-REACH, REACH, front, side, height, name, 8.0)
        front += side * 6.0
    x = -70.0
    number = 0
    while x < 70.0:
        length = float(rng.uniform(9, 22))
        if rng.random() < 0.82:
            name = f"house{side}{number}"
            skins[name] = _facade(rng, windows=True)
            parts += _facades(
                x, x + length, front + side * float(rng.uniform(0, 3)), side, float(rng.uniform(5, 16)), name, length
            )
        x += length + float(rng.choice([0.0, rng.uniform(1, 6)]))
        number += 1
    return parts


def _facades(x0: float, x1: float, y: float, side: int, height: float, skin: str, period: float) -> list[Part]:
    """A front towards the road, its two ends, and a lid."""
    back = y + side * 6.0
    repeats = (x1 - x0) / period
    fronts = [(x0, y, 0.0), (x1, y, 0.0), (x1, y, height), (x0, y, height)]
    right = [(x1, y, 0.0), (x1, back, 0.0), (x1, back, height), (x1, y, height)]
    left = [(x0, back, 0.0), (x0, y, 0.0), (x0, y, height), (x0, back, height)]
    lid = [(x0, y, height), (x1, y, height), (x1, back, height), (x0, back, height)]
    return [_quad(corners, skin, repeats if corners is fronts else 0.4) for corners in (fronts, right, left, lid)]


def _paint_ground(site: Site, edges: tuple[float, float], rng: np.random.Generator) -> Skin:
    """Asphalt with patches, tracks, stains and marks; pavements or grass beside it; x to the right, y upwards."""
    grey = int(rng.integers(86, 138))
    tint = rng.integers(-5, 6, 3)
    image = Image.new("RGB", (PIXELS, PIXELS), tuple(int(v) for v in np.clip(grey + tint, 0, 255)))
    draw = ImageDraw.Draw(image, "RGBA")
    scale = PIXELS / (2 * REACH)

    def at(x: float, y: float) -> tuple[float, float]:
        return (x + REACH) * scale, (REACH - y) * scale

    def bar(x0: float, y0: float, x1: float, y1: float, colour: Rgba) -> None:
        (left, bottom), (right, top) = at(min(x0, x1), min(y0, y1)), at(max(x0, x1), max(y0, y1))
        draw.rectangle((left, top, right, bottom), fill=colour)

    for _ in range(int(rng.integers(6, 22))):  # patches of other asphalt
        x, y = rng.uniform(-REACH, REACH, 2)
        dark = int(rng.integers(0, 2)) * 255
        bar(x, y, x + rng.uniform(0.6, 9), y + rng.uniform(0.5, 3.5), (dark, dark, dark, int(rng.integers(8, 30))))
    for lane in site.lanes:  # where wheels run it is darker, and oil drips between them
        for wheel in (-0.8, 0.8):
            bar(-REACH, lane.across + wheel - 0.28, REACH, lane.across + wheel + 0.28, (0, 0, 0, 26))
        bar(-REACH, lane.across - 0.2, REACH, lane.across + 0.2, (0, 0, 0, 18))
    for _ in range(int(rng.integers(3, 9))):  # cracks, filled with tar
        x, y = rng.uniform(-REACH, REACH), rng.uniform(min(edges), max(edges))
        steps = np.cumsum(rng.normal(0, 0.7, (12, 2)) + np.array([rng.normal(0, 0.5), 0.0]), axis=0)
        draw.line([at(x + dx, y + dy) for dx, dy in steps], fill=(15, 15, 16, 120), width=2)
    white = (222, 222, 214, int(rng.integers(150, 235)))
    low, high = min(edges), max(edges)
    for y in (low + 0.55, high - 0.55):
        bar(-REACH, y - 0.07, REACH, y + 0.07, white)
    across = sorted(lane.across for lane in site.lanes)
    both = len({lane.direction for lane in site.lanes}) == 2
    for one, other in pairwise(across):
        y = (one + other) / 2
        if one < 0 < other and both:
            yellow = (220, 176, 60, 220)
            bar(-REACH, y - 0.22, REACH, y - 0.1, yellow)
            bar(-REACH, y + 0.1, REACH, y + 0.22, yellow)
        else:
            for x in np.arange(-REACH, REACH, 6.0):
                bar(x, y - 0.07, x + 2.5, y + 0.07, white)
    if rng.random() < 0.35:  # a crossing
        x = float(rng.uniform(-14, 10))
        for y in np.arange(low + 0.8, high - 0.8, 1.0):
            bar(x, y, x + 3.2, y + 0.5, white)
    if rng.random() < 0.4:
        _arrow(draw, at, float(rng.uniform(-10, 6)), site.lanes[0].across, site.lanes[0].direction, white)
    pavements = [(128, 124, 118), (150, 140, 126), (104, 106, 108), (86, 104, 62), (112, 96, 84)]
    for side, y in ((-1, low), (1, high)):
        colour = pavements[int(rng.integers(len(pavements)))]
        bar(-REACH, y, REACH, side * REACH, (*colour, 255))
        if colour != (86, 104, 62):
            for x in np.arange(-REACH, REACH, 0.6):
                bar(x, y, x + 0.03, y + side * 9, (40, 40, 40, 60))
            for step in np.arange(0, 9, 0.6):
                bar(-REACH, y + side * step, REACH, y + side * (step + 0.03), (40, 40, 40, 60))
    pixels = np.asarray(image, dtype=np.float32)
    fine = rng.normal(0, 7, (PIXELS, PIXELS, 1))
    broad = _clouds(rng, PIXELS, 24) * 12
    pixels = np.clip(pixels + fine + broad[..., None], 0, 255)
    return np.concatenate([pixels, np.full((PIXELS, PIXELS, 1), 14.0)], axis=2).astype(np.uint8)


def _arrow(draw: ImageDraw.ImageDraw, at: object, x: float, y: float, direction: int, colour: Rgba) -> None:
    assert callable(at)
    tip, d = x + 4.2 * direction, direction
    draw.polygon([at(x, y - 0.12), at(x, y + 0.12), at(x + 2.6 * d, y + 0.12), at(x + 2.6 * d, y - 0.12)], fill=colour)
    draw.polygon([at(x + 2.5 * d, y - 0.45), at(x + 2.5 * d, y + 0.45), at(tip, y)], fill=colour)


def _facade(rng: np.random.Generator, windows: bool) -> Skin:
    """A house's front, or a wall."""
    walls = [(178, 164, 142), (150, 92, 74), (196, 192, 184), (120, 122, 124), (204, 184, 150), (110, 96, 88), (168, 176, 180)]
    wall = np.array(walls[int(rng.integers(len(walls)))]) + rng.integers(-12, 13, 3)
    wide, high = 512, 384
    image = Image.new("RGBA", (wide, high), (*(int(v) for v in np.clip(wall, 0, 255)), 12))
    draw = ImageDraw.Draw(image)
    if windows:
        rows, columns = int(rng.integers(2, 5)), int(rng.integers(3, 8))
        frame = tuple(int(v) for v in np.clip(wall * 0.7, 0, 255))
        shop = bool(rng.random() < 0.5)
        for row in range(rows):
            for column in range(columns):
                x, y = (column + 0.2) * wide / columns, (row + 0.2) * high / rows
                w, h = 0.6 * wide / columns, 0.6 * high / rows
                if shop and row == rows - 1:
                    x, w = (column + 0.06) * wide / columns, 0.88 * wide / columns
                glass = tuple(int(v) for v in rng.integers(28, 80) + np.array([0, 4, 10]))
                draw.rectangle((x - 4, y - 4, x + w + 4, y + h + 4), fill=(*frame, 20))
                draw.rectangle((x, y, x + w, y + h), fill=(*glass, 235))
                draw.line((x + w / 2, y, x + w / 2, y + h), fill=(*frame, 40), width=3)
        if shop:
            sign = tuple(int(v) for v in rng.integers(30, 210, 3))
            top = (rows - 1) * high / rows
            draw.rectangle((0, top - 10, wide, top + 18), fill=(*sign, 40))
    else:
        for y in range(0, high, 48):
            draw.line((0, y, wide, y), fill=(60, 58, 54, 12), width=3)
    pixels = np.asarray(image, dtype=np.float32).copy()
    pixels[..., :3] += rng.normal(0, 5, (high, wide, 1)) + _clouds(rng, wide, 8)[:high, :, None] * 14
    return np.clip(pixels, 0, 255).astype(np.uint8)


def _leaves(rng: np.random.Generator) -> Skin:
    green = np.array([58, 82, 42]) + rng.integers(-14, 15, 3)
    texture = rng.normal(0, 26, (192, 512, 1)) + _clouds(rng, 512, 40)[:192, :, None] * 30
    blurred = Image.fromarray(np.clip(green + texture, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.4))
    return np.concatenate([np.asarray(blurred), np.full((192, 512, 1), 10, np.uint8)], axis=2)


def _clouds(rng: np.random.Generator, side: int, cells: int) -> Float[np.ndarray, "side side"]:
    """Smooth noise around 0, about 1 wide."""
    small = Image.fromarray(rng.normal(0, 1, (cells, cells)).astype(np.float32))
    return np.asarray(small.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float64)


def _flat(colour: Rgba) -> Skin:
    return np.tile(np.array(colour, dtype=np.uint8), (4, 4, 1))


def _quad(corners: list[tuple[float, float, float]], skin: str, repeats: float = 1.0) -> Part:
    """Four corners, counter-clockwise as seen from its front; ``repeats`` skins side by side."""
    points = np.array(corners, dtype=np.float32)
    normal = np.cross(points[1] - points[0], points[3] - points[0])
    normal = normal / np.linalg.norm(normal)
    uv = np.array([[0, 0], [repeats, 0], [repeats, 1], [0, 1]], dtype=np.float32)
    return Part(points, np.tile(normal.astype(np.float32), (4, 1)), uv, np.array([[0, 1, 2], [0, 2, 3]]), skin)


def _box(low: tuple[float, float], high: tuple[float, float], bottom: float, top: float, skin: str) -> list[Part]:
    (x0, y0), (x1, y1) = low, high
    return [
        _quad([(x0, y0, bottom), (x1, y0, bottom), (x1, y0, top), (x0, y0, top)], skin),
        _quad([(x1, y1, bottom), (x0, y1, bottom), (x0, y1, top), (x1, y1, top)], skin),
        _quad([(x1, y0, bottom), (x1, y1, bottom), (x1, y1, top), (x1, y0, top)], skin),
        _quad([(x0, y1, bottom), (x0, y0, bottom), (x0, y0, top), (x0, y1, top)], skin),
        _quad([(x0, y0, top), (x1, y0, top), (x1, y1, top), (x0, y1, top)], skin),
    ]
