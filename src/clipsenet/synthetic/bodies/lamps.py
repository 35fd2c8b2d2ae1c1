"""Lamps: head and tail lamps, by model; those that reach around a corner are level there."""

from clipsenet.synthetic.bodies.atlas import Atlas
from clipsenet.synthetic.bodies.grilles import grown
from clipsenet.synthetic.bodies.looks import AMBER, BLACK, CHROME, LAMP_RED, PALE_GLASS, mixed
from clipsenet.synthetic.bodies.plans import Plan
from clipsenet.synthetic.identity import Vehicle


def lamp_edge(vehicle: Vehicle, plan: Plan) -> tuple[float, float]:
    """Least and greatest z of a head lamp where it reaches the corner; of a round lamp, which does not, twice the same."""
    kind = int(vehicle.model.rng(12).integers(5))
    middle, tall = plan.lamp
    if plan.style in ("bus", "cab"):
        kind = kind % 3
    low, high = ((0.0, 0.0), (-0.5, 0.5), (-0.35, 0.55), (-0.2, 0.6), (-0.55, 0.5))[kind]
    return middle + low * tall, middle + high * tall


def paint_head_lamps(atlas: Atlas, vehicle: Vehicle, half: float, plan: Plan) -> None:
    """Both head lamps, seen from ahead; a dead one is dull."""
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
        atlas.polygon([grown(p, centre, 0.02) for p in mirrored], BLACK, 120, 0.04)
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


def is_round_behind(vehicle: Vehicle, plan: Plan) -> bool:
    """Whether the tail lamps are round and do not reach around the corner."""
    return _tail_kind(vehicle, plan) == 1


def _tail_kind(vehicle: Vehicle, plan: Plan) -> int:
    kind = int(vehicle.model.rng(14).integers(5))
    return 0 if plan.style in ("bus", "cab") or (kind == 1 and plan.style == "van") else kind


def paint_tail_lamps(atlas: Atlas, vehicle: Vehicle, half: float, plan: Plan) -> None:
    """Both tail lamps, seen from behind; a dead one is dull."""
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
