"""Grilles: seven kinds, by model."""

import numpy as np

from clipsenet.synthetic.bodies.atlas import Atlas, Point
from clipsenet.synthetic.bodies.looks import BLACK, CHROME, PLASTIC, Look, mixed
from clipsenet.synthetic.bodies.plans import Plan
from clipsenet.synthetic.bodies.proportions import Proportions
from clipsenet.synthetic.identity import Vehicle


def grown(point: Point, middle: Point, by: float) -> Point:
    """A corner of an outline moved away from its middle, by metres across and up."""
    return point[0] + by * float(np.sign(point[0] - middle[0])), point[1] + by * float(np.sign(point[1] - middle[1]))


def paint_grille(atlas: Atlas, vehicle: Vehicle, lines: Proportions, plan: Plan, look: Look) -> None:
    """The grille and the badge; the kind is the model's, its colours are the vehicle's trim."""
    rng = vehicle.model.rng(11)
    half, nose = lines.width / 2, plan.nose
    kind = int(rng.integers(7))
    colour, gloss = look.trim
    if vehicle.details.trim == "painted":
        colour, gloss = mixed(look.paint, (0, 0, 0), 0.1), 140
    top = nose - 0.05
    wide = half * float(rng.uniform(0.28, 0.46))
    tall = float(rng.uniform(0.12, 0.24))
    if plan.style in ("cab", "bus"):
        top, tall, wide = plan.lamp[0] + 0.5, 0.42 if plan.style == "cab" else 0.16, half * float(rng.uniform(0.5, 0.75))
    elif plan.style == "rough":
        tall *= 1.25
    shapes: list[list[Point]] = [
        [(-wide, top - 0.2 * tall), (wide, top - 0.2 * tall), (0.72 * wide, top - tall), (-0.72 * wide, top - tall)],
        [(-wide, top), (wide, top), (wide, top - 0.8 * tall), (-wide, top - 0.8 * tall)],
        [
            (-0.8 * wide, top),
            (0.8 * wide, top),
            (wide, top - 0.5 * tall),
            (0.6 * wide, top - 1.5 * tall),
            (-0.6 * wide, top - 1.5 * tall),
            (-wide, top - 0.5 * tall),
        ],
        [(-1.7 * wide, top - 0.05), (1.7 * wide, top - 0.05), (1.6 * wide, top - 0.13), (-1.6 * wide, top - 0.13)],
        [(-0.75 * wide, top), (0.75 * wide, top), (0.6 * wide, top - 1.7 * tall), (-0.6 * wide, top - 1.7 * tall)],
    ]
    if kind == 5 and plan.style not in ("cab", "bus"):  # twin openings
        for sign in (-1, 1):
            shape = [(sign * 0.04, top), (sign * 0.6 * wide, top), (sign * 0.62 * wide, top - tall), (sign * 0.09, top - tall)]
            atlas.polygon([grown(p, (sign * 0.3 * wide, top - tall / 2), 0.025) for p in shape], CHROME, 235, 0.04)
            atlas.polygon(shape, BLACK, 60, 0.04)
    elif kind == 6 and plan.style not in ("cab", "bus"):  # closed, with a line
        atlas.line([(-half * 0.5, top - 0.06), (half * 0.5, top - 0.06)], 0.03, *look.trim)
    else:
        shape = shapes[kind % 5]
        middle = (0.0, float(np.mean([z for _, z in shape])))
        atlas.polygon([grown(p, middle, 0.028) for p in shape], colour, gloss, 0.05)
        atlas.polygon(shape, BLACK, 60, 0.04)
        bars = int(rng.integers(0, 4))
        bottom, reach = min(z for _, z in shape), min(abs(y) for y, _ in shape)
        for k in range(bars):
            z = top - (top - bottom) * (k + 1) / (bars + 1)
            atlas.line(
                [(-reach, z), (reach, z)], 0.022, *((CHROME, 235) if vehicle.details.trim == "chrome" else (PLASTIC, 60))
            )
    atlas.disc((0.0, top - 0.07), 0.055, CHROME, 240)
