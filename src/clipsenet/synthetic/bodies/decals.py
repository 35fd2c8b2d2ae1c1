"""Decals: stickers, bands, words and a glass roof, laid along the surface of a user's mesh."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from clipsenet.synthetic.bodies.dressing import Corners, find_roof, surface
from clipsenet.synthetic.bodies.palette import dusty
from clipsenet.synthetic.bodies.parts import grid_faces, merged, part
from clipsenet.synthetic.body import Part, Skin
from clipsenet.synthetic.identity import Rgb, Sticker, Vehicle

SKIN = "decals"
LIFT = 0.008
"""Metres between the lowest decal and the surface below it."""
LAYER = 0.001
"""Metres between decals that may lie on each other."""
STRAY = 0.12
"""Metres: what lies further out or in than a decal's usual depth is a mirror, a handle or a hole."""

Size = tuple[float, float, float]
Shape = tuple[Float[np.ndarray, "_ 2"], Int[np.ndarray, "_ 3"]]
"""Points on the two other axes, in metres, and triangles."""
FACES = {"left": (1, 1), "right": (1, -1), "rear": (0, -1), "rear-window": (0, -1), "bonnet": (2, 1), "roof": (2, 1)}
"""The axis and sign along which a place of the body is seen."""


def put_decals(vehicle: Vehicle, corners: Corners, size: Size) -> tuple[list[Part], dict[str, Skin]]:
    """What is stuck to or painted on the surface by the vehicle's details.

    Args:
        vehicle: its stickers, band, lettering and sunroof count.
        corners: of the mesh's triangles, upright and in metres.
        size: its length, width, height.

    Returns:
        At most one part with the skin ``decals``, and that skin; nothing where there is nothing to show.
    """
    details = vehicle.details
    laid: list[tuple[int, str, Shape, tuple[Rgb, int]]] = []
    if details.sunroof:
        laid.append((0, "roof", _sunroof(corners, size), ((14, 16, 18), 255)))
    for side in ("left", "right"):
        if details.band is not None:
            stripe = _rectangle((-0.39 * size[0], 0.39 * size[0]), (0.45 * size[2], 0.52 * size[2]), 32)
            laid.append((1, side, stripe, (details.band, 130)))
        if details.lettering is not None:
            laid += [(2, side, glyph, (details.lettering_colour, 100)) for glyph in _words(details.lettering, size)]
    for number, sticker in enumerate(details.stickers):
        ink: Rgb = (235, 235, 230) if sum(sticker.colour) < 330 else (40, 40, 44)
        for layer, (shape, colour) in enumerate(zip(_outlines(sticker, size), (sticker.colour, ink), strict=False)):
            laid.append((3 + 2 * number + layer, sticker.place, shape, (colour, 90)))
    if not laid:
        return [], {}
    colours = list(dict.fromkeys(look for *_, look in laid))
    skin = np.zeros((4 * len(colours), 4, 4), np.uint8)
    for row, (colour, gloss) in enumerate(colours):
        skin[4 * row : 4 * row + 4] = (*dusty(colour, 0.6 * details.dirt), gloss)
    found = []
    for layer, place, shape, look in laid:
        across = 0.5, 1 - (colours.index(look) + 0.5) / len(colours)
        found.append(_lay(corners, place, shape, LIFT + LAYER * layer, across))
    return merged(found), {SKIN: skin}


def _lay(corners: Corners, place: str, shape: Shape, lift: float, uv: tuple[float, float]) -> Part:
    """A shape with each of its points on the surface that is seen there."""
    axis, sign = FACES[place]
    plane = [other for other in range(3) if other != axis]
    flat, faces = shape
    near = (corners[:, :, plane].min(axis=1) <= flat.max(axis=0)) & (corners[:, :, plane].max(axis=1) >= flat.min(axis=0))
    below = corners[near.all(axis=1)]
    depths = np.array([surface(below, axis, sign, (float(a), float(b)), np.nan) for a, b in flat])
    known = depths[np.isfinite(depths)]
    usual = float(np.median(known)) if len(known) else sign * float((sign * corners[:, :, axis]).max())
    depths = np.where(np.abs(depths - usual) < STRAY + min(0.1 * float(np.ptp(flat)), 0.12), depths, usual)
    points, normals = np.zeros((len(flat), 3)), np.zeros((len(flat), 3))
    points[:, plane], points[:, axis], normals[:, axis] = flat, depths + sign * lift, sign
    laid = part(points, normals, faces, np.tile(uv, (len(flat), 1)), SKIN)
    ends = laid.points[laid.faces]  # lit like the surface below
    tilt = np.cross(ends[:, 1] - ends[:, 0], ends[:, 2] - ends[:, 0]).sum(axis=0)
    return part(points, np.tile(tilt, (len(flat), 1)), laid.faces, laid.uv, SKIN)


def _outlines(sticker: Sticker, size: Size) -> Sequence[Shape]:
    """The sticker's shape, and the mark on it."""
    length, width, height = size
    half = sticker.size / 2
    if sticker.place in ("left", "right"):
        middle = (sticker.across - 0.5) * 0.6 * length, (0.28 + 0.24 * sticker.up) * height
    elif sticker.place == "bonnet":
        middle = (0.3 + 0.12 * sticker.up) * length, (sticker.across - 0.5) * 0.6 * width
    else:
        low, high = (0.68, 0.86) if sticker.place == "rear-window" else (0.36, 0.6)
        middle = (sticker.across - 0.5) * 0.7 * width, (low + (high - low) * sticker.up) * height
    a, b = middle
    if sticker.shape == "disc":
        return _disc(middle, half), _disc(middle, 0.45 * half)
    if sticker.shape == "block":
        return (
            _rectangle((a - 1.3 * half, a + 1.3 * half), (b - 0.7 * half, b + 0.7 * half), 4),
            _rectangle((a - half, a + 0.8 * half), (b - 0.2 * half, b + 0.15 * half), 4),
        )
    wedge = np.array([(a - 1.2 * half, b - 0.8 * half), (a + 1.2 * half, b - 0.8 * half), (a, b + half)])
    return ((wedge, np.array([[0, 1, 2]])),)


def _words(seed: int, size: Size) -> list[Shape]:
    """Glyphs that nobody can read, in one line between the wheels."""
    rng = np.random.default_rng((seed, 45))
    tall = float(rng.uniform(0.06, 0.1)) * size[2]
    at, end, low = -0.22 * size[0], float(rng.uniform(0.02, 0.2)) * size[0], 0.34 * size[2]
    found = []
    while at < end:
        wide = tall * float(rng.uniform(0.35, 0.75))
        if rng.random() < 0.84:  # the others are gaps between words
            found.append(_rectangle((at, at + wide), (low, low + tall * float(rng.choice([0.65, 1.0]))), 1))
        at += wide + 0.2 * tall
    return found


def _sunroof(corners: Corners, size: Size) -> Shape:
    roof = find_roof(corners, size)
    middle, half = 0.4 * roof.rear + 0.6 * roof.front, min(0.4, 0.3 * (roof.front - roof.rear))
    return _rectangle((middle - half, middle + half), (-0.25 * size[1], 0.25 * size[1]), 6)


def _rectangle(across: tuple[float, float], up: tuple[float, float], steps: int) -> Shape:
    a, b = np.meshgrid(np.linspace(*across, steps + 1), np.linspace(*up, 3))
    return np.stack([a.ravel(), b.ravel()], axis=1), grid_faces(3, steps + 1)


def _disc(middle: tuple[float, float], radius: float) -> Shape:
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    ring = np.stack([middle[0] + radius * np.cos(turn), middle[1] + radius * np.sin(turn)], axis=1)
    first = np.arange(16)
    faces = np.stack([np.full(16, 16), first, (first + 1) % 16], axis=1)
    return np.concatenate([ring, np.array([middle])]), faces
