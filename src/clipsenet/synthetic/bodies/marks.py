"""Marks: stickers, lettering, dents and dirt."""

import numpy as np
from jaxtyping import Float
from PIL import Image

from clipsenet.synthetic.bodies.atlas import Atlas
from clipsenet.synthetic.bodies.plans import Plan
from clipsenet.synthetic.bodies.proportions import Proportions
from clipsenet.synthetic.bodies.shell import smooth
from clipsenet.synthetic.body import Skin
from clipsenet.synthetic.identity import Rgb, Sticker, Vehicle

DUST = np.array([120.0, 106.0, 88.0, 10.0])
PRIMER = np.array([118.0, 84.0, 76.0, 20.0])

Field = tuple[float, float, float, float]
"""Least and greatest coordinate across, then up, in metres."""


def field_of(place: str, lines: Proportions, plan: Plan) -> tuple[str, Field]:
    """The side that a place is on, and the field within it that 0 to 1 spans."""
    half = lines.width / 2
    if place in ("left", "right"):
        return place, (lines.rear + 0.3, lines.front - 0.4, lines.ground + 0.15, plan.sill - 0.05)
    if place == "bonnet":
        return "top", (lines.front - 0.95, lines.front - 0.25, -0.6 * half, 0.6 * half)
    if place == "rear-window" and plan.window is not None:
        return "rear", (-0.6 * half, 0.6 * half, plan.window[0] + 0.06, plan.window[1] - 0.1)
    if place == "front":
        return "front", (-0.8 * half, 0.8 * half, lines.ground + 0.1, plan.nose)
    top = plan.window[0] if plan.window is not None else plan.nose
    return "rear", (-0.8 * half, 0.8 * half, plan.bumper[1], top - 0.04)


def paint_stickers(atlas: Atlas, vehicle: Vehicle, lines: Proportions, plan: Plan) -> None:
    """Stickers and magnetic signs."""
    for sticker in vehicle.details.stickers:
        side, (left, right, low, high) = field_of(sticker.place, lines, plan)
        atlas.turn_to(side)
        middle = left + sticker.across * (right - left), low + sticker.up * (high - low)
        tall = 1.0
        if sticker.place == "rear-window" and plan.window is not None:  # seen from behind, a leaning pane is low
            foot, head = smooth(lines.window, np.array(plan.window))
            tall = float(np.cos(np.arctan2(head - foot, plan.window[1] - plan.window[0])))
        _paint_sticker(atlas, sticker, middle, tall)


def _paint_sticker(atlas: Atlas, sticker: Sticker, middle: tuple[float, float], tall: float) -> None:
    a, b = middle
    size = sticker.size / 2
    high = tall * size
    ink: Rgb = (235, 235, 230) if sum(sticker.colour) < 330 else (40, 40, 44)
    if sticker.shape == "disc":
        atlas.disc(middle, size, sticker.colour, 90, tall)
        atlas.disc(middle, 0.45 * size, ink, 90, tall)
    elif sticker.shape == "block":
        atlas.rectangle((a - 1.3 * size, b - 0.7 * high), (a + 1.3 * size, b + 0.7 * high), sticker.colour, 90)
        for line in (-0.25, 0.25):
            atlas.rectangle(
                (a - size, b + (line - 0.12) * high), (a + (1 - abs(line)) * size, b + (line + 0.12) * high), ink, 90
            )
    else:
        atlas.polygon([(a - 1.2 * size, b - 0.8 * high), (a + 1.2 * size, b - 0.8 * high), (a, b + high)], sticker.colour, 90)


def paint_lettering(atlas: Atlas, vehicle: Vehicle, field: Field, side: str) -> None:
    """Words that nobody can read, and perhaps a mark beside them."""
    seed, colour = vehicle.details.lettering, vehicle.details.lettering_colour
    if seed is None:
        return
    atlas.turn_to(side)
    rng = np.random.default_rng((seed, 1))
    left, right, low, high = field
    if rng.random() < 0.5:
        size = min(0.3 * (right - left), high - low) / 2
        atlas.disc((left + size, (low + high) / 2), size, colour, 100)
        left += 2.4 * size
    rows = int(rng.integers(1, 3))
    for row in range(rows):
        tall = (high - low) / rows * (0.7 if row == 0 else 0.45)
        foot = high - (high - low) / rows * (row + 0.85)
        at, end = left, left + (right - left) * float(rng.uniform(0.6, 1.0))
        while at < end - 0.4 * tall:
            wide = tall * float(rng.uniform(0.4, 0.75))
            if rng.random() < 0.16:
                at += 0.5 * tall
                continue
            _paint_letter(atlas, rng, (at, foot), (min(wide, end - at), tall), colour)
            at += wide + 0.16 * tall


def _paint_letter(
    atlas: Atlas, rng: np.random.Generator, foot: tuple[float, float], size: tuple[float, float], colour: Rgb
) -> None:
    """Two or three strokes that look like a letter and are none."""
    (a, b), (wide, tall) = foot, size
    pen = 0.2 * tall
    stem = a + pen / 2 if rng.random() < 0.7 else a + wide / 2
    atlas.line([(stem, b), (stem, b + tall)], pen, colour, 100)
    for height in rng.permutation([0.08, 0.5, 0.92])[: int(rng.integers(1, 3))]:
        atlas.line([(a, b + height * tall), (a + wide, b + height * tall)], pen, colour, 100)


def weather_skin(skin: Skin, atlas: Atlas, vehicle: Vehicle, lines: Proportions, plan: Plan) -> Skin:
    """Dents, primer and dirt on a finished skin."""
    found = skin.astype(np.float32)
    rng = np.random.default_rng((*vehicle.model.key, 15, vehicle.number))
    for dent in vehicle.details.dents:
        side, (left, right, low, high) = field_of(dent.place, lines, plan)
        middle = left + dent.across * (right - left), low + dent.up * (high - low)
        _press(found, atlas, side, middle, dent.size, dent.primer)
    for side in ("left", "right", "front", "rear", "top"):
        rows, columns = atlas.area(side)
        patch = found[rows, columns]
        share = _dirt(patch.shape[:2], atlas, side, vehicle.details.dirt, lines, rng)[..., None]
        patch += (DUST - patch) * share
    finished: Skin = np.clip(found + 0.5, 0, 255).astype(np.uint8)
    return finished


def _press(
    found: Float[np.ndarray, "height width 4"], atlas: Atlas, side: str, middle: tuple[float, float], size: float, primer: bool
) -> None:
    rows, columns = atlas.area(side)
    patch, place = found[rows, columns], atlas.sides[side]
    a = place.low[0] + (np.arange(patch.shape[1]) + 0.5) / atlas.scale - middle[0]
    b = place.high[1] - (np.arange(patch.shape[0]) + 0.5) / atlas.scale - middle[1]
    radius = np.hypot(a[None] / (0.5 * size), b[:, None] / (0.36 * size))
    inside = np.clip(1.15 - radius, 0, 0.3) / 0.3
    if primer:
        patch += (PRIMER.astype(np.float32) - patch) * inside[..., None]
        return
    # lit from above: dark above its middle, light below it
    shade = np.clip(1.2 - radius, 0, 1) * np.clip(b[:, None] / (0.3 * size), -1, 1)
    patch[..., :3] *= (1 - 0.6 * shade)[..., None]
    patch[..., :3] += (np.clip(-shade, 0, 1) * 50)[..., None]


def _dirt(
    shape: tuple[int, ...], atlas: Atlas, side: str, dirt: float, lines: Proportions, rng: np.random.Generator
) -> Float[np.ndarray, "height width"]:
    """How much dust lies on each pixel, 0 to 1: more below, behind the wheels, and in patches."""
    coarse = rng.random((9, 25)).astype(np.float32)
    noise = np.asarray(Image.fromarray(coarse).resize((shape[1], shape[0]), Image.Resampling.BICUBIC))
    place = atlas.sides[side]
    if side == "top":
        return np.asarray(0.28 * dirt * noise)
    z = place.high[1] - (np.arange(shape[0]) + 0.5) / atlas.scale
    share = np.exp(-np.maximum(z - lines.ground, 0) / 0.4)[:, None] * np.ones(shape[1])
    if side in ("left", "right"):
        x = place.low[0] + (np.arange(shape[1]) + 0.5) / atlas.scale
        for axle in lines.axles:
            behind = np.clip((axle - x) / max(lines.arch, 0.3), 0, 2)
            share *= 1 + 0.6 * np.exp(-((behind - 1.2) ** 2))[None]
    weight = 1.0 if side == "rear" else 0.8
    return np.asarray(np.clip(dirt * weight * (1.15 * share * (0.45 + 0.9 * noise) + 0.12 * noise), 0, 0.85))
