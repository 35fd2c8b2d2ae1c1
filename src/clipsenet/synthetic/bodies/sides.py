"""Sides: windows, doors and trim on the left and the right of a vehicle, and what is seen from above."""

import numpy as np

from clipsenet.synthetic.bodies.atlas import Atlas, Point
from clipsenet.synthetic.bodies.lamps import is_round_behind, lamp_edge
from clipsenet.synthetic.bodies.looks import BLACK, LAMP_RED, PALE_GLASS, PLASTIC, Look, mixed
from clipsenet.synthetic.bodies.plans import Plan
from clipsenet.synthetic.bodies.proportions import Proportions
from clipsenet.synthetic.bodies.shell import smooth
from clipsenet.synthetic.identity import CARS, Vehicle


def paint_flank(atlas: Atlas, name: str, vehicle: Vehicle, lines: Proportions, plan: Plan, look: Look) -> None:
    """The left or the right side."""
    atlas.turn_to(name)
    details, rng = vehicle.details, vehicle.model.rng(6)
    front, rear = lines.front, lines.rear
    deep = 0.05 + 0.07 * float(rng.random())
    if details.band is not None:
        low, high = plan.sill - 0.34, plan.sill - float(rng.uniform(0.12, 0.2))
        atlas.rectangle((rear, low), (front, high), details.band, 130)
    _paint_bumpers(atlas, lines, plan, look)
    atlas.rectangle((rear, 0.0), (front, lines.ground + deep), *look.clad)
    if rng.random() < 0.4 and plan.style in ("car", "rough"):  # a strip along the doors
        height = lines.ground + 0.3 + 0.12 * float(rng.random())
        atlas.rectangle((lines.axles[-1] + lines.arch, height), (lines.axles[0] - lines.arch, height + 0.05), *look.trim)
    elif plan.style in ("car", "rough"):  # a crease
        height = 0.72 * plan.sill + 0.06 * float(rng.random())
        dark = mixed(look.paint, (0, 0, 0), 0.16)
        atlas.line([(rear + 0.4, height + 0.04), (front - 0.7, height - 0.04)], 0.035, dark, 140)
    for axle in lines.axles if lines.arch else ():
        if plan.style == "rough" and details.trim != "painted":
            atlas.disc((axle, lines.wheel), lines.arch + 0.085, PLASTIC, 40)
        else:
            atlas.disc((axle, lines.wheel), lines.arch + 0.05, mixed(look.paint, (0, 0, 0), 0.22), 120)
        atlas.disc((axle, lines.wheel), lines.arch + 0.03, (9, 9, 10), 0)
    doors = plan.right_doors if name == "right" and plan.right_doors is not None else plan.doors
    _paint_doors(atlas, vehicle, lines, plan, look, doors)
    _paint_glass(atlas, vehicle, lines, plan, look)
    _paint_lamp_ends(atlas, vehicle, lines, plan)
    if (name == "right") == (rng.random() < 0.5) and plan.style not in ("bus", "cab"):  # the fuel flap
        atlas.line(_loop(lines.axles[-1] - 0.28, 0.72 * plan.sill + 0.08, 0.16, 0.15), 0.014, look.seam, 100)


def _loop(x: float, z: float, width: float, height: float) -> list[Point]:
    return [(x, z), (x + width, z), (x + width, z + height), (x, z + height), (x, z)]


def _paint_bumpers(atlas: Atlas, lines: Proportions, plan: Plan, look: Look) -> None:
    first, last = lines.axles[0] + lines.arch, lines.axles[-1] - lines.arch
    atlas.rectangle((first - 0.1, 0.0), (lines.front, plan.bumper[0]), *look.bumper)
    atlas.rectangle((lines.rear, 0.0), (last + 0.1, plan.bumper[1]), *look.bumper)
    if plan.style == "bus":
        return
    atlas.line([(first, plan.bumper[0]), (lines.front, plan.bumper[0])], 0.014, look.seam, 100)
    atlas.line([(lines.rear, plan.bumper[1]), (last, plan.bumper[1])], 0.014, look.seam, 100)


def _paint_doors(
    atlas: Atlas, vehicle: Vehicle, lines: Proportions, plan: Plan, look: Look, doors: tuple[tuple[float, float], ...]
) -> None:
    bright = vehicle.details.trim == "chrome"
    for rear, front in doors:
        head = float(smooth(lines.roof, np.array((rear + front) / 2))) - plan.drop + 0.05
        if plan.style == "bus":
            middle = (rear + front) / 2
            atlas.rectangle((rear, plan.door_foot), (front, head), BLACK, 90, 0.05)
            for low, high in ((rear, middle), (middle, front)):
                atlas.rectangle((low + 0.06, plan.door_foot + 0.12), (high - 0.04, head - 0.1), look.screen, 255, 0.04)
            continue
        foot = plan.door_foot
        outline = [(front, plan.sill), (front, foot + 0.1), (front - 0.06, foot), (rear, foot), (rear, plan.sill + 0.1)]
        wheel = lines.axles[-1] + lines.arch + 0.03
        if lines.axles[-1] - 0.1 < rear < wheel + 0.05 and plan.style != "van":  # it is cut out around the rear wheel
            angle = np.linspace(
                np.arccos(min(max((rear - lines.axles[-1]) / lines.arch, -1), 1)) if rear < wheel - 0.05 else 0.3, 0.1, 8
            )
            ring = lines.arch + 0.05
            curve = [(lines.axles[-1] + ring * float(np.cos(a)), lines.wheel + ring * float(np.sin(a))) for a in angle]
            outline = [*outline[:2], (front - 0.06, foot), (curve[-1][0], foot), *curve[::-1], (rear, plan.sill + 0.1)]
        elif plan.style in ("van", "cab"):
            outline = [(front, head), *outline[:4], (rear, head), (front, head)]
        atlas.line(outline, 0.016, look.seam, 100)
        handle = plan.sill - 0.12
        atlas.rectangle(
            (rear + 0.06, handle - 0.022), (rear + 0.24, handle + 0.022), *(look.trim if bright else (look.seam, 90))
        )


def _paint_glass(atlas: Atlas, vehicle: Vehicle, lines: Proportions, plan: Plan, look: Look) -> None:
    """One dark outline, the glass within it, posts over it."""
    front_foot = float(smooth(lines.screen, np.array(plan.sill))) - plan.pillars[0]
    ends = (lines.roof[0][0], lines.roof[-1][0])

    def top(x: float) -> float:
        return float(smooth(lines.roof, np.array(min(max(x, ends[0]), ends[1])))) - plan.drop

    high = top(lines.screen[-2][1] - plan.pillars[0])
    front_head = float(smooth(lines.screen, np.array(high))) - plan.pillars[0]
    if plan.glass_rear is not None:
        rear_foot = rear_head = plan.glass_rear
    else:
        rear_foot = float(smooth(lines.window, np.array(plan.sill + plan.rise))) + plan.pillars[1]
        rear_head = float(smooth(lines.window, np.array(top(rear_foot + 0.3)))) + plan.pillars[1]
    foot_rear = plan.sill + plan.rise
    arc = [(float(x), top(float(x))) for x in np.linspace(front_head, rear_head, 9)]
    outline = [(front_foot, plan.sill), *arc, (rear_foot, foot_rear)]
    bright = vehicle.details.trim == "chrome" and vehicle.model.family in CARS
    middle = np.mean(np.array(outline), axis=0)
    frame = [_away(point, middle, 0.035) for point in outline]
    atlas.polygon(frame, BLACK, 150, 0.09)
    atlas.polygon(outline, look.glass, 255, 0.08)
    if bright:  # a strip below the glass; around it, it would be torn at the pillars, where another side begins
        atlas.line([(front_foot - 0.06, plan.sill - 0.03), (rear_foot + 0.06, foot_rear - 0.03)], 0.035, *look.trim)
    post = max((x for x in plan.posts), default=None)
    if post is not None:  # the front windows are not darkened
        ahead = [(max(x, post), z) for x, z in outline]
        atlas.polygon(ahead, mixed(look.glass, look.screen, 0.7), 255, 0.06)
    low, top_z = plan.sill + 0.12, high - 0.1
    for x in [(*sorted(plan.posts, reverse=True), rear_foot)[k] + 0.1 for k in range(min(len(plan.posts), 2))]:
        if plan.style in ("car", "rough", "cab", "van"):  # head rests, seen through the glass
            shade = mixed(look.glass, (0, 0, 0), 0.45)
            atlas.rectangle((x + 0.05, low), (x + 0.22, min(low + 0.2, top_z)), shade, 255, 0.05)
    for x in plan.posts:
        wide = 0.09 if plan.style == "bus" else 0.075
        shift = 0.05 if plan.style in ("car", "rough") else 0.0
        foot = plan.sill + plan.rise * min(max((front_foot - x) / max(front_foot - rear_foot, 0.1), 0), 1)
        atlas.line([(x, foot - 0.02), (x - shift, top(x) + 0.02)], wide, BLACK, 120)


def _away(point: Point, middle: np.ndarray[tuple[int], np.dtype[np.float64]], by: float) -> Point:
    return point[0] + by * float(np.sign(point[0] - middle[0])), point[1] + by * float(np.sign(point[1] - middle[1]))


def _paint_lamp_ends(atlas: Atlas, vehicle: Vehicle, lines: Proportions, plan: Plan) -> None:
    """Lamps reach around the corners."""
    rng = vehicle.model.rng(7)
    reach = (float(rng.uniform(0.24, 0.46)), float(rng.uniform(0.22, 0.4)))
    if plan.style in ("bus", "cab", "van"):
        reach = (0.24, 0.28)
    foot, head = lamp_edge(vehicle, plan)
    edge, bend = lines.front, lines.front - 0.2
    side = "left" if atlas.name == "left" else "right"
    dead = vehicle.details.dead_lamp
    if head > foot:
        glass = mixed(PALE_GLASS, (40, 42, 46), 0.6) if dead == f"{side}-head" else PALE_GLASS
        outline = [(edge, foot), (edge, head), (bend, head), (edge - reach[0], head - 0.02), (bend + 0.02, foot)]
        atlas.polygon(outline, glass, 255, 0.01)
    if is_round_behind(vehicle, plan):
        return
    low, high = plan.tail_lamp
    atlas.polygon(
        [(lines.rear, low), (lines.rear, high), (lines.rear + reach[1], high), (lines.rear + 0.04 + 0.7 * reach[1], low)],
        mixed(LAMP_RED, (40, 8, 10), 0.75) if dead == f"{side}-tail" else LAMP_RED,
        240,
        0.02,
    )


def paint_top(atlas: Atlas, vehicle: Vehicle, lines: Proportions, plan: Plan, look: Look) -> None:
    """Bonnet, roof and boot."""
    atlas.turn_to("top")
    half, details = lines.width / 2, vehicle.details
    cowl = float(smooth(lines.screen, np.array(plan.screen[0])))
    head = float(smooth(lines.screen, np.array(plan.screen[1])))
    foot = float(smooth(lines.window, np.array(plan.window[0]))) if plan.window else lines.rear
    if plan.style in ("car", "rough"):
        inner = 0.78 * half
        atlas.line([(cowl, -inner), (lines.front - 0.3, -0.86 * inner)], 0.014, look.seam, 100)
        atlas.line([(cowl, inner), (lines.front - 0.3, 0.86 * inner)], 0.014, look.seam, 100)
        if vehicle.model.rng(8).random() < 0.5:  # creases of the bonnet
            for y in (-0.4 * half, 0.4 * half):
                atlas.line([(cowl, y), (lines.front - 0.3, 0.6 * y)], 0.05, mixed(look.paint, (0, 0, 0), 0.12), 140)
        atlas.rectangle((cowl - 0.02, -0.8 * inner), (cowl + 0.06, 0.8 * inner), BLACK, 60)
        if foot - lines.rear > 0.25:
            atlas.line([(foot - 0.04, -0.74 * half), (lines.rear, -0.74 * half)], 0.014, look.seam, 100)
            atlas.line([(foot - 0.04, 0.74 * half), (lines.rear, 0.74 * half)], 0.014, look.seam, 100)
        for y in (-0.62 * half, 0.62 * half):  # gutters
            atlas.line([(head - 0.05, y), (foot + 0.5, y)], 0.016, look.seam, 90)
    if details.sunroof:
        long = 0.9 if vehicle.model.rng(9).random() < 0.4 else 0.48
        atlas.rectangle((head - 0.22 - long, -0.4), (head - 0.22, 0.4), BLACK, 255, 0.06)
    if plan.style in ("van", "bus"):
        for x in np.arange(lines.rear + 0.5, head - 0.3, 0.55):
            atlas.line([(float(x), -0.7 * half), (float(x), 0.7 * half)], 0.035, mixed(look.paint, (0, 0, 0), 0.1), 120)
    if plan.style == "bus":
        for x in (-0.25 * lines.length, 0.2 * lines.length):
            atlas.rectangle((x - 0.35, -0.4), (x + 0.35, 0.4), mixed(look.paint, (0, 0, 0), 0.3), 80, 0.06)
