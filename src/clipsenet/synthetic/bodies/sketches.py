"""Sketches: a car of each family in a few numbers, drawn by chance."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sketch:
    """A car in a few numbers, in metres; what a model's random numbers move.

    Attributes:
        length, width, height, wheelbase, overhang, wheel, ground: as they say; the overhang is the front one.
        nose, cowl, belt, boot: heights of the bonnet's front edge, the windscreen's foot, the belt line, and the boot or
            the rear window's foot.
        bonnet: from the front to the windscreen's foot.
        screen: from the windscreen's foot to its head.
        roof: from the windscreen's head to the rear window's.
        window: from the rear window's head to its foot.
        drop: how much lower the roof's rear end is than its highest place.
        lean: how far the nose leans back.
        square: 0 for round corners, 1 for edges.
    """

    length: float
    width: float
    height: float
    wheelbase: float
    overhang: float
    wheel: float
    ground: float
    nose: float
    cowl: float
    belt: float
    boot: float
    bonnet: float
    screen: float
    roof: float
    window: float
    drop: float
    lean: float
    square: float


def saloon(rng: np.random.Generator) -> Sketch:
    """Three boxes; from upright to fastback."""
    fast = float(rng.uniform(0, 1))
    length = float(rng.uniform(4.4, 4.98))
    return Sketch(
        length=length,
        width=1.72 + 0.3 * (length - 4.4),
        height=float(rng.uniform(1.41, 1.5)),
        wheelbase=0.585 * length,
        overhang=float(rng.uniform(0.82, 0.95)),
        wheel=0.325,
        ground=0.17,
        nose=float(rng.uniform(0.71, 0.82)),
        cowl=0.97,
        belt=float(rng.uniform(0.92, 0.98)),
        boot=float(rng.uniform(0.98, 1.08)),
        bonnet=1.42 - 0.12 * fast + 0.25 * (length - 4.4),
        screen=0.68 + 0.2 * fast,
        roof=1.22 - 0.3 * fast,
        window=0.55 + 0.4 * fast,
        drop=0.05 + 0.06 * fast,
        lean=float(rng.uniform(0.08, 0.2)),
        square=float(rng.uniform(0, 0.8)),
    )


def hatchback(rng: np.random.Generator) -> Sketch:
    """Two boxes, short."""
    length = float(rng.uniform(3.6, 4.3))
    tall = float(rng.uniform(0, 0.1))
    return Sketch(
        length=length,
        width=1.64 + 0.2 * (length - 3.6),
        height=1.46 + tall,
        wheelbase=0.61 * length,
        overhang=float(rng.uniform(0.72, 0.82)),
        wheel=0.305,
        ground=0.16,
        nose=float(rng.uniform(0.74, 0.84)) + 0.4 * tall,
        cowl=0.98 + 0.5 * tall,
        belt=0.93 + 0.5 * tall,
        boot=float(rng.uniform(0.98, 1.08)),
        bonnet=1.02 + 0.35 * (length - 3.6),
        screen=0.64,
        roof=0.36 * length + 0.06,
        window=float(rng.uniform(0.2, 0.48)),
        drop=float(rng.uniform(0.05, 0.12)),
        lean=float(rng.uniform(0.08, 0.2)),
        square=float(rng.uniform(0, 0.8)),
    )


def estate(rng: np.random.Generator) -> Sketch:
    """A saloon's front with a long roof."""
    front = saloon(rng)
    window = float(rng.uniform(0.16, 0.42))
    roof = front.length - front.bonnet - front.screen - window - 0.12
    return Sketch(**{**vars(front), "roof": roof, "window": window, "drop": 0.06, "height": front.height + 0.03, "boot": 1.03})


def suv(rng: np.random.Generator) -> Sketch:
    """High, with large wheels; from a crossover to a box."""
    box = float(rng.uniform(0, 1))
    length = float(rng.uniform(4.15, 4.9))
    window = 0.5 - 0.38 * box
    bonnet, screen = 1.16 + 0.3 * (length - 4.15), 0.66 - 0.26 * box
    return Sketch(
        length=length,
        width=1.83 + 0.16 * (length - 4.15),
        height=1.66 + 0.22 * box,
        wheelbase=0.6 * length,
        overhang=float(rng.uniform(0.78, 0.86)),
        wheel=0.375 + 0.02 * box,
        ground=0.25 + 0.05 * box,
        nose=0.93 + 0.13 * box,
        cowl=1.14 + 0.08 * box,
        belt=1.1 + 0.08 * box,
        boot=1.17,
        bonnet=bonnet,
        screen=screen,
        roof=length - bonnet - screen - window - 0.1,
        window=window,
        drop=0.09 - 0.07 * box,
        lean=0.1 - 0.06 * box,
        square=0.3 + 0.7 * box,
    )


def mpv(rng: np.random.Generator) -> Sketch:
    """One box: a short, steep bonnet in line with the windscreen."""
    length = float(rng.uniform(4.3, 5.1))
    window = float(rng.uniform(0.18, 0.34))
    bonnet, screen = 0.9, 0.98
    return Sketch(
        length=length,
        width=1.8 + 0.12 * (length - 4.3),
        height=float(rng.uniform(1.64, 1.8)),
        wheelbase=0.62 * length,
        overhang=float(rng.uniform(0.82, 0.92)),
        wheel=0.325,
        ground=0.17,
        nose=float(rng.uniform(0.78, 0.86)),
        cowl=1.06,
        belt=1.0,
        boot=1.1,
        bonnet=bonnet,
        screen=screen,
        roof=length - bonnet - screen - window - 0.06,
        window=window,
        drop=float(rng.uniform(0.03, 0.09)),
        lean=float(rng.uniform(0.14, 0.24)),
        square=float(rng.uniform(0, 0.7)),
    )


SKETCHES: dict[str, Callable[[np.random.Generator], Sketch]] = {
    "saloon": saloon,
    "hatchback": hatchback,
    "estate": estate,
    "suv": suv,
    "mpv": mpv,
}
