"""Assembling: a vehicle's body from shell, skin, wheels and fittings."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from clipsenet.synthetic.bodies.atlas import Atlas
from clipsenet.synthetic.bodies.frame import Bed, Frame, Mirror, Roof, Tail
from clipsenet.synthetic.bodies.fronts import paint_front
from clipsenet.synthetic.bodies.looks import look_of, mixed
from clipsenet.synthetic.bodies.marks import paint_lettering, paint_stickers, weather_skin
from clipsenet.synthetic.bodies.panes import PLATE, upper_half
from clipsenet.synthetic.bodies.plans import Plan
from clipsenet.synthetic.bodies.proportions import Proportions
from clipsenet.synthetic.bodies.rears import paint_rear
from clipsenet.synthetic.bodies.seams import build_sides, rail_height
from clipsenet.synthetic.bodies.shell import depth, smooth
from clipsenet.synthetic.bodies.sides import paint_flank, paint_top
from clipsenet.synthetic.body import Lamp, Part, Skin
from clipsenet.synthetic.identity import CARS, LORRIES, Vehicle

SKIN = "shell"


def make_skin(vehicle: Vehicle, lines: Proportions, plan: Plan) -> tuple[Atlas, Skin]:
    """The shell's skin, and the atlas that says where its sides lie."""
    look = look_of(vehicle)
    half = lines.width / 2
    low, high = np.array([lines.rear, -half, 0.0]), np.array([lines.front, half, lines.height])
    atlas = Atlas(low, high, look.paint, 140)
    atlas.flat("under", (11, 11, 12), 4)
    atlas.flat("bed", mixed(look.paint, (30, 30, 31), 0.8), 40)
    for side in ("left", "right"):
        paint_flank(atlas, side, vehicle, lines, plan, look)
        paint_lettering(atlas, vehicle, _lettered(vehicle, lines, plan), side)
    paint_top(atlas, vehicle, lines, plan, look)
    paint_front(atlas, vehicle, lines, plan, look)
    paint_rear(atlas, vehicle, lines, plan, look)
    paint_stickers(atlas, vehicle, lines, plan)
    return atlas, weather_skin(atlas.reduced(), atlas, vehicle, lines, plan)


def _lettered(vehicle: Vehicle, lines: Proportions, plan: Plan) -> tuple[float, float, float, float]:
    """Where words stand on the sides."""
    if vehicle.model.family == "van" and plan.glass_rear is not None:
        return lines.rear + 0.5, plan.glass_rear - 0.35, plan.sill - 0.1, lines.height - 0.4
    if vehicle.model.family == "bus":
        return lines.axles[1] + 1.0, lines.axles[0] - 1.0, plan.sill - 0.52, plan.sill - 0.16
    rear = plan.doors[-1][0] if plan.doors else lines.rear + 0.5
    front = plan.doors[0][1] if plan.doors else lines.front - 1
    return rear + 0.1, front - 0.1, 0.5 * plan.sill, 0.8 * plan.sill


def make_shell(lines: Proportions, atlas: Atlas) -> Part:
    """The shell with its places in the skin; points are repeated where sides of the atlas meet, with the same normals."""
    points, normals, sides = build_sides(lines)
    found: list[tuple[np.ndarray, ...]] = []
    start_row = 0
    for name, faces in sides.items():
        rows, inverse = np.unique(faces, return_inverse=True)
        found.append((points[rows], normals[rows], atlas.uv(name, points[rows]), inverse.reshape(-1, 3) + start_row))
        start_row += len(rows)
    places, turned, uv, rows = (np.concatenate(column) for column in zip(*found, strict=True))
    return Part(places, turned, uv, rows, SKIN)


def find_surface(lines: Proportions, toward: int, places: Sequence[tuple[float, float]]) -> Float[np.ndarray, "n 3"]:
    """Where lines along x, at these y and z, first meet the shell from ahead (1) or from behind (-1)."""
    y, z = np.array(places).T
    inside = np.full(len(y), (lines.front + lines.rear) / 2 if toward > 0 or lines.bed is None else lines.bed[0] - 0.05)
    outside = np.full(len(y), lines.front + 0.1 if toward > 0 else lines.rear - 0.1)
    for _ in range(14):
        middle = (inside + outside) / 2
        within = depth(lines, middle, y, z) < 0
        inside, outside = np.where(within, middle, inside), np.where(within, outside, middle)
    return np.stack([outside, y, z], axis=1)


def find_plates(lines: Proportions, plan: Plan) -> dict[str, Float[np.ndarray, "4 3"]]:
    """Corners of both plates, a little before the shell, counter-clockwise from the lower left as their reader sees them."""
    wide, tall = PLATE[0] / 2, PLATE[1] / 2
    found = {}
    for name, toward, height in (("front", 1, plan.plate[0]), ("rear", -1, plan.plate[1])):
        # the reader of the front plate has the vehicle's right side, y < 0, on the left
        across = (-wide, wide, wide, -wide) if toward > 0 else (wide, -wide, -wide, wide)
        corners = find_surface(
            lines, toward, [*zip(across, (height - tall, height - tall, height + tall, height + tall), strict=True)]
        )
        corners[:, 0] += 0.012 * toward
        found[name] = corners
    return found


def find_lamps(vehicle: Vehicle, lines: Proportions, plan: Plan) -> tuple[Lamp, ...]:
    """Two in front, two behind."""
    half, found = lines.width / 2, []
    for kind, toward, height in (("head", 1, plan.lamp[0]), ("tail", -1, sum(plan.tail_lamp) / 2)):
        for side, sign in (("left", 1), ("right", -1)):
            across = sign * (0.72 if kind == "head" else 0.76) * half
            x, y, z = find_surface(lines, toward, [(across, height)])[0]
            works = vehicle.details.dead_lamp != f"{side}-{kind}"
            found.append(Lamp(kind, (float(x) + 0.02 * toward, float(y), float(z)), side, works))  # type: ignore[arg-type]
    return tuple(found)


def frame_of(vehicle: Vehicle, lines: Proportions, plan: Plan) -> Frame:
    """What fittings need to know."""
    half, family = lines.width / 2, vehicle.model.family
    head, end = lines.screen[-2][1] - 0.12, lines.window[-2][1] + 0.14
    roof = Roof(
        rear=end,
        front=head,
        half_width=upper_half(lines, lines.height) - lines.roof_edge - 0.02,
        rear_z=float(smooth(lines.roof, np.array(end))) - 0.02,
        front_z=float(smooth(lines.roof, np.array(head))) - 0.02,
        rise=0.02 if family in CARS else 0.01,
        camber=0.05,
    )
    height = plan.sill + (0.1 if family in CARS else 0.2)
    foot = float(smooth(lines.screen, np.array(plan.sill)))
    mirror = Mirror(foot - plan.pillars[0] - 0.1, min(half * 0.95, upper_half(lines, height) + 0.02), height)
    if family in (*LORRIES, "bus"):
        mirror = Mirror(lines.front - 0.25, half * 0.98, plan.sill + 0.55)
    if family == "saloon":
        edge, edge_z, across = lines.rear + 0.2, float(lines.deck[0][1]), 0.7 * half
    else:
        edge, edge_z = lines.window[-2][1] - 0.02, float(smooth(lines.roof, np.array(lines.window[-2][1]))) - 0.03
        across = upper_half(lines, edge_z) - 0.1
    tail = Tail(lines.rear, 0.9 * half, lines.ground + 0.2, edge, edge_z, across)
    bed = None
    if lines.bed is not None:
        bed = Bed(lines.bed[0], lines.bed[1], half - 0.1, lines.bed[2], rail_height(lines))
    return Frame(roof, mirror, tail, bed, lines.axles, lines.wheel, lines.width - 0.05)
