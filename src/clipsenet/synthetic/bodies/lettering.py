"""Lettering: words that nobody can read, drawn as blocks and strokes."""

import numpy as np
from PIL import ImageDraw

from clipsenet.synthetic.identity import Rgb


def write(
    draw: ImageDraw.ImageDraw, place: tuple[float, float, float, float], seed: int, colour: Rgb, gloss: int = 120
) -> None:
    """One line or two of word-like strokes, and sometimes a round sign beside them.

    Args:
        draw: an RGBA picture whose fourth channel is gloss.
        place: left, top, right, bottom in pixels.
        seed: decides everything.
        colour: sRGB.
        gloss: 0 to 255.
    """
    rng = np.random.default_rng((seed, 44))
    left, top, right, bottom = place
    ink = (*colour, gloss)
    if rng.random() < 0.5:  # a sign: a disc or a diamond with a cut
        size = min(bottom - top, (right - left) * 0.25)
        middle = (top + bottom) / 2
        if rng.random() < 0.6:
            draw.ellipse((left, middle - size / 2, left + size, middle + size / 2), outline=ink, width=max(2, int(size * 0.16)))
            draw.rectangle((left + size * 0.3, middle - size * 0.12, left + size * 0.7, middle + size * 0.12), fill=ink)
        else:
            corners = [
                (left + size / 2, middle - size / 2),
                (left + size, middle),
                (left + size / 2, middle + size / 2),
                (left, middle),
            ]
            draw.polygon(corners, fill=ink)
        left += size * 1.25
    lines = 2 if rng.random() < 0.45 else 1
    high = (bottom - top) * (0.8 if lines == 1 else 0.55)
    _line(draw, left, top + (0 if lines == 2 else (bottom - top - high) / 2), right, high, ink, rng)
    if lines == 2:
        small = (bottom - top) * 0.28
        _line(draw, left, bottom - small, left + (right - left) * rng.uniform(0.5, 0.95), small, ink, rng)


def _line(
    draw: ImageDraw.ImageDraw,
    left: float,
    top: float,
    right: float,
    high: float,
    ink: tuple[int, int, int, int],
    rng: np.random.Generator,
) -> None:
    """Words of three to eight glyphs until the line is full."""
    stroke, x = max(2.0, high * 0.2), left
    while x < right - high * 0.5:
        for _ in range(int(rng.integers(3, 9))):
            wide = high * float(rng.uniform(0.4, 0.75))
            if x + wide > right:
                return
            for bar in rng.permutation(5)[: int(rng.integers(2, 4))]:
                draw.rectangle(
                    (
                        (x, top, x + stroke, top + high),
                        (x + wide - stroke, top + high * 0.25, x + wide, top + high),
                        (x, top, x + wide, top + stroke),
                        (x, top + high / 2 - stroke / 2, x + wide, top + high / 2 + stroke / 2),
                        (x, top + high - stroke, x + wide, top + high),
                    )[bar],
                    fill=ink,
                )
            x += wide + high * 0.16
        x += high * 0.45
