"""Faces: grille, lamps, bumpers, plate and badge of front and rear, by model."""

from typing import TypeVar

import numpy as np
from jaxtyping import Float

from clipsenet.synthetic.bodies.atlas import Atlas
from clipsenet.synthetic.bodies.looks import AMBER, BLACK, CHROME, LAMP_RED, PALE_GLASS, PLASTIC, Look, mixed
from clipsenet.synthetic.bodies.plans import Plan
from clipsenet.synthetic.bodies.proportions import Proportions
from clipsenet.synthetic.bodies.shell import smooth
from clipsenet.synthetic.identity import LORRIES, Rgb, Vehicle

Point = tuple[float, float]
Number = TypeVar("Number", float, Float[np.ndarray, " n"])
PLATE = (0.44, 0.14)
"""Width and height of a number plate, in metres."""


def upper_half(lines: Proportions, z: Number) -> Number:
    """Half the width of the upper body at a height, in metres."""
    return lines.width / 2 * lines.waist - lines.tumblehome * (z - lines.screen[0][0])


def paint_front(atlas: Atlas, vehicle: Vehicle, lines: Proportions, plan: Plan, look: Look) -> None:
    """The front with the windscreen."""
    atlas.turn_to("front")
    rng = vehicle.model.rng(10)
    half, details = lines.width / 2, vehicle.details
    low, high = plan.screen
    _paint_pane(atlas, lines, (low - 0.03, high + 0.03), (low + 0.02, high - 0.02), look.screen, inside=plan.style != "bus")
    wide = upper_half(lines, high - 0.04) - 0.05
    if details.sun_strip is not None:
        atlas.rectangle(
            (-wide - 0.01, high - 0.02 - 0.16 * (high - low) - 0.03), (wide + 0.01, high - 0.01), details.sun_strip, 200
        )
    for y in (-0.05, 0.55 * half):  # wipers
        atlas.line([(y, low + 0.01), (y - 0.5 * half, low + 0.06)], 0.02, BLACK, 30)
    if plan.style == "bus":
        _paint_board(atlas, half, high)
    atlas.rectangle((-half, 0), (half, plan.bumper[0]), *look.bumper)
    atlas.rectangle((-half, 0), (half, lines.ground + 0.09), *look.clad)
    nose = plan.nose
    _paint_grille(atlas, vehicle, lines, plan, look)
    _paint_head_lamps(atlas, vehicle, half, plan)
    # air intake and fog lamps
    bottom = lines.ground + 0.1
    if rng.random() < 0.75:
        wide, tall = half * float(rng.uniform(0.4, 0.72)), float(rng.uniform(0.08, 0.16))
        atlas.polygon(
            [(-wide, bottom), (wide, bottom), (0.86 * wide, bottom + tall), (-0.86 * wide, bottom + tall)], BLACK, 30, 0.04
        )
    fog = int(rng.integers(3))
    for sign in (-1, 1):
        place = (sign * 0.72 * half, bottom + 0.1)
        if fog == 1:
            atlas.disc(place, 0.075, BLACK, 60)
            atlas.disc(place, 0.05, PALE_GLASS, 255)
        elif fog == 2:
            atlas.rectangle((place[0] - 0.13, place[1] - 0.045), (place[0] + 0.13, place[1] + 0.045), BLACK, 60, 0.02)
            atlas.rectangle((place[0] - 0.05, place[1] - 0.03), (place[0] + 0.05, place[1] + 0.03), PALE_GLASS, 255, 0.02)
    if plan.style in ("car", "rough"):
        atlas.line([(-0.8 * half, nose + 0.005), (0.8 * half, nose + 0.005)], 0.012, look.seam, 100)
    _paint_plate(atlas, vehicle, plan.plate[0])


def _paint_pane(
    atlas: Atlas, lines: Proportions, frame: tuple[float, float], glass: tuple[float, float], colour: Rgb, inside: bool
) -> None:
    """A windscreen or rear window: a dark rim, glass that is darker above, seats behind it."""
    for (low, high), shade, gloss, inset in ((frame, BLACK, 160, 0.015), (glass, colour, 255, 0.055)):
        foot, head = upper_half(lines, low) - inset - 0.05, upper_half(lines, high) - inset - 0.03
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


def _paint_board(atlas: Atlas, half: float, high: float) -> None:
    """A bus's destination board, blank."""
    atlas.rectangle((-0.8 * half, high - 0.42), (0.8 * half, high - 0.08), BLACK, 200, 0.04)
    atlas.rectangle((-0.6 * half, high - 0.36), (0.6 * half, high - 0.14), (92, 74, 26), 160, 0.02)


def _paint_grille(atlas: Atlas, vehicle: Vehicle, lines: Proportions, plan: Plan, look: Look) -> None:
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
        [(-0.8 * wide, top), (0.8 * wide, top), (wide, top - 0.5 * tall), (0.6 * wide, top - 1.5 * tall), (-0.6 * wide, top - 1.5 * tall), (-wide, top - 0.5 * tall)],
        [(-1.7 * wide, top - 0.05), (1.7 * wide, top - 0.05), (1.6 * wide, top - 0.13), (-1.6 * wide, top - 0.13)],
        [(-0.75 * wide, top), (0.75 * wide, top), (0.6 * wide, top - 1.7 * tall), (-0.6 * wide, top - 1.7 * tall)],
    ]  # fmt: skip
    if kind == 5 and plan.style not in ("cab", "bus"):  # twin openings
        for sign in (-1, 1):
            shape = [(sign * 0.04, top), (sign * 0.6 * wide, top), (sign * 0.62 * wide, top - tall), (sign * 0.09, top - tall)]
            atlas.polygon([_grown(p, (sign * 0.3 * wide, top - tall / 2), 0.025) for p in shape], CHROME, 235, 0.04)
            atlas.polygon(shape, BLACK, 60, 0.04)
    elif kind == 6 and plan.style not in ("cab", "bus"):  # closed, with a line
        atlas.line([(-half * 0.5, top - 0.06), (half * 0.5, top - 0.06)], 0.03, *look.trim)
    else:
        shape = shapes[kind % 5]
        middle = (0.0, float(np.mean([z for _, z in shape])))
        atlas.polygon([_grown(p, middle, 0.028) for p in shape], colour, gloss, 0.05)
        atlas.polygon(shape, BLACK, 60, 0.04)
        bars = int(rng.integers(0, 4))
        bottom, reach = min(z for _, z in shape), min(abs(y) for y, _ in shape)
        for k in range(bars):
            z = top - (top - bottom) * (k + 1) / (bars + 1)
            atlas.line(
                [(-reach, z), (reach, z)], 0.022, *((CHROME, 235) if vehicle.details.trim == "chrome" else (PLASTIC, 60))
            )
    atlas.disc((0.0, top - 0.07), 0.055, CHROME, 240)


def _grown(point: Point, middle: Point, by: float) -> Point:
    return point[0] + by * float(np.sign(point[0] - middle[0])), point[1] + by * float(np.sign(point[1] - middle[1]))


def lamp_edge(vehicle: Vehicle, plan: Plan) -> tuple[float, float]:
    """Least and greatest z of a head lamp where it reaches the corner; of a round lamp, which does not, twice the same."""
    kind = int(vehicle.model.rng(12).integers(5))
    middle, tall = plan.lamp
    if plan.style in ("bus", "cab"):
        kind = kind % 3
    low, high = ((0.0, 0.0), (-0.5, 0.5), (-0.35, 0.55), (-0.2, 0.6), (-0.55, 0.5))[kind]
    return middle + low * tall, middle + high * tall


def _paint_head_lamps(atlas: Atlas, vehicle: Vehicle, half: float, plan: Plan) -> None:
    rng = vehicle.model.rng(12)
    kind = int(rng.integers(5))
    middle, tall = plan.lamp
    inner, outer = half * float(rng.uniform(0.46, 0.6)), half
    if plan.style in ("bus", "cab"):
        kind = kind % 3
        inner, outer = 0.62 * half, 0.93 * half
    for sign in (-1, 1):
        dead = vehicle.details.dead_lamp == ("left-head" if sign > 0 else "right-head")
        glass = mixed(PALE_GLASS, (40, 42, 46), 0.6) if dead else PALE_GLASS
        low, high = middle - tall / 2, middle + tall / 2
        if kind == 0:
            atlas.disc((sign * 0.72 * half, middle), 0.62 * tall, CHROME, 240)
            atlas.disc((sign * 0.72 * half, middle), 0.53 * tall, glass, 255)
            continue
        # before the corner all lamps are level: the side's picture goes on from there
        bend, (foot, head) = 0.8 * outer, lamp_edge(vehicle, plan)
        end = [(bend, foot), (outer, foot), (outer, head), (bend, head)]
        shape = [
            [(inner, low), *end, (inner, high)],
            [(inner, middle - 0.1 * tall), *end, (inner + 0.06, middle + 0.25 * tall)],
            [(inner, low), *end, (inner - 0.06, middle + 0.1 * tall)],
            [(inner, middle), (0.7 * outer, low - 0.06), *end[1:], (inner, high - 0.02)],
        ][kind - 1]
        mirrored = [(sign * y, z) for y, z in shape]
        centre = (sign * (inner + outer) / 2, middle)
        atlas.polygon([_grown(p, centre, 0.02) for p in mirrored], BLACK, 120, 0.04)
        atlas.polygon(mirrored, glass, 255, 0.035)
        atlas.disc((sign * (0.62 * inner + 0.38 * outer), middle), 0.34 * tall, mixed(glass, (60, 66, 74), 0.7), 255)
        atlas.disc((sign * (0.62 * inner + 0.38 * outer), middle), 0.16 * tall, glass, 255)
        if kind in (1, 3):
            atlas.rectangle(
                (sign * 0.9 * outer - 0.05, middle - 0.26 * tall),
                (sign * 0.9 * outer + 0.05, middle + 0.26 * tall),
                AMBER,
                220,
                0.02,
            )


def paint_rear(atlas: Atlas, vehicle: Vehicle, lines: Proportions, plan: Plan, look: Look) -> None:
    """The rear with its window."""
    atlas.turn_to("rear")
    rng = vehicle.model.rng(13)
    half = lines.width / 2
    if plan.window is not None:
        low, high = plan.window
        split = plan.style == "van"
        _paint_pane(
            atlas,
            lines,
            (low - 0.02, high + 0.02),
            (low + 0.015, high - 0.015),
            look.glass,
            inside=not split and plan.style != "bus",
        )
        if split:
            atlas.rectangle((-0.1, low - 0.03), (0.1, high + 0.03), look.paint, 140)
            atlas.line([(0, lines.ground + 0.2), (0, lines.height - 0.12)], 0.018, look.seam, 90)
        elif rng.random() < 0.5 and plan.style != "bus":
            atlas.line([(0.0, low + 0.02), (-0.5 * half, low + 0.09)], 0.022, BLACK, 30)
    elif plan.style == "van":
        atlas.line([(0, lines.ground + 0.2), (0, lines.height - 0.12)], 0.018, look.seam, 90)
    atlas.rectangle((-half, 0), (half, plan.bumper[1]), *look.bumper)
    atlas.rectangle((-half, 0), (half, lines.ground + 0.11), *look.clad)
    atlas.line([(-half, plan.bumper[1]), (half, plan.bumper[1])], 0.016, look.seam, 100)
    if plan.style == "bus":
        for k in range(4):
            atlas.line(
                [(-0.6 * half, 0.75 + 0.1 * k), (0.6 * half, 0.75 + 0.1 * k)], 0.04, mixed(look.paint, (0, 0, 0), 0.5), 60
            )
    elif vehicle.model.family not in LORRIES:  # the boot lid's gaps
        edge, foot = 0.76 * half, plan.bumper[1]
        top = plan.window[0] if plan.window else plan.nose
        for sign in (-1, 1):
            atlas.line([(sign * edge, foot), (sign * edge, top - 0.02)], 0.013, look.seam, 100)
    _paint_tail_lamps(atlas, vehicle, half, plan)
    height = plan.plate[1]
    atlas.rectangle((-0.36, height - 0.1), (0.36, height + 0.1), mixed(look.paint, (0, 0, 0), 0.3), 100, 0.04)
    if vehicle.details.trim == "chrome":
        atlas.rectangle((-0.36, height + 0.1), (0.36, height + 0.13), CHROME, 240)
    _paint_plate(atlas, vehicle, height)
    if plan.style in ("car", "rough"):
        atlas.disc((0, min(height + 0.2, plan.tail_lamp[1])), 0.045, CHROME, 240)
        if rng.random() < 0.5:
            for sign in (-1, 1):
                atlas.rectangle(
                    (sign * 0.62 * half - 0.12, lines.ground + 0.14),
                    (sign * 0.62 * half + 0.12, lines.ground + 0.18),
                    LAMP_RED,
                    220,
                )


def is_round_behind(vehicle: Vehicle, plan: Plan) -> bool:
    """Whether the tail lamps are round and do not reach around the corner."""
    return _tail_kind(vehicle, plan) == 1


def _tail_kind(vehicle: Vehicle, plan: Plan) -> int:
    kind = int(vehicle.model.rng(14).integers(5))
    return 0 if plan.style in ("bus", "cab") or (kind == 1 and plan.style == "van") else kind


def _paint_tail_lamps(atlas: Atlas, vehicle: Vehicle, half: float, plan: Plan) -> None:
    rng = vehicle.model.rng(16)
    kind = _tail_kind(vehicle, plan)
    low, high = plan.tail_lamp
    inner = half * float(rng.uniform(0.52, 0.68))
    if plan.style in ("van", "rough") and rng.random() < 0.6:
        inner = half * 0.84
    if plan.style in ("bus", "cab"):
        inner = 0.8 * half
    if kind == 3 and plan.style == "car":  # a bar across
        atlas.rectangle((-half, high - 0.09), (half, high - 0.03), mixed(LAMP_RED, (0, 0, 0), 0.25), 240)
    for sign in (-1, 1):
        dead = vehicle.details.dead_lamp == ("left-tail" if sign > 0 else "right-tail")
        red = mixed(LAMP_RED, (40, 8, 10), 0.75) if dead else LAMP_RED
        if kind == 1:  # round pairs
            for y in (inner + 0.02, 0.87 * half):
                size = min(high - low, 0.24)
                atlas.disc((sign * y, low + size / 2), 0.46 * size, BLACK, 200)
                atlas.disc((sign * y, low + size / 2), 0.39 * size, red, 240)
            continue
        outline = [
            (inner, low + (0.3 * (high - low) if kind == 2 else 0)),
            (half, low),
            (half, high),
            (inner + (0.08 if kind == 4 else 0), high),
        ]
        atlas.polygon([(sign * y, z) for y, z in outline], red, 240, 0.03)
        split = low + float(rng.uniform(0.3, 0.6)) * (high - low)
        pale, amber = mixed(PALE_GLASS, red, 0.25), mixed(AMBER, red, 0.3)
        across = sorted((sign * (inner + 0.03), sign * (half - 0.02)))
        atlas.rectangle((across[0], split - 0.03), (across[1], split + 0.015), pale if kind != 2 else amber, 240)
        if kind == 0:
            atlas.rectangle((across[0], split + 0.015), (across[1], split + 0.06), amber, 240)


def _paint_plate(atlas: Atlas, vehicle: Vehicle, height: float) -> None:
    """A blank plate with a dark border."""
    wide, tall = PLATE[0] / 2, PLATE[1] / 2
    colour: Rgb = (206, 170, 44) if vehicle.model.family in (*LORRIES, "bus") else (214, 216, 214)
    atlas.rectangle((-wide, height - tall), (wide, height + tall), (30, 30, 34), 60, 0.02)
    atlas.rectangle((-wide + 0.016, height - tall + 0.016), (wide - 0.016, height + tall - 0.016), colour, 90, 0.015)


def surface_x(lines: Proportions, at: str, z: float) -> float:
    """Where the front's or the rear's middle line is at a height, without its rounded edges."""
    return float(smooth(lines.nose if at == "front" else lines.tail, np.array(z)))
