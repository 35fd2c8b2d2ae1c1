"""Cars: proportions and plans of the five families of cars, model by model."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clipsenet.synthetic.bodies.plans import Plan
from clipsenet.synthetic.bodies.proportions import Line, Proportions
from clipsenet.synthetic.identity import Model


@dataclass(frozen=True)
class Sketch:
    """A car in a few numbers, in metres; what a model's random numbers move.

    Attributes:
        length, width, height, wheelbase, overhang, wheel, ground: as they say; the overhang is the front one.
        nose, cowl, belt, boot: heights of the bonnet's front edge, the windscreen's foot, the belt line, the boot or the rear window's foot.
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


def make_car(model: Model) -> tuple[Proportions, Plan]:
    """A model of one of CARS."""
    sketch = SKETCHES[model.family](model.rng(1))
    lines = draw_car(sketch)
    return lines, plan_car(model, sketch, lines)


def saloon(rng: np.random.Generator) -> Sketch:
    """Three boxes; from upright to fastback."""
    fast = float(rng.uniform(0, 1))
    length = float(rng.uniform(4.4, 4.98))
    return Sketch(
        length=length, width=1.72 + 0.3 * (length - 4.4), height=float(rng.uniform(1.41, 1.5)), wheelbase=0.585 * length,
        overhang=float(rng.uniform(0.82, 0.95)), wheel=0.325, ground=0.17, nose=float(rng.uniform(0.71, 0.82)),
        cowl=0.97, belt=float(rng.uniform(0.92, 0.98)), boot=float(rng.uniform(0.98, 1.08)), bonnet=1.42 - 0.12 * fast + 0.25 * (length - 4.4),
        screen=0.68 + 0.2 * fast, roof=1.22 - 0.3 * fast, window=0.55 + 0.4 * fast, drop=0.05 + 0.06 * fast,
        lean=float(rng.uniform(0.08, 0.2)), square=float(rng.uniform(0, 0.8)),
    )  # fmt: skip


def hatchback(rng: np.random.Generator) -> Sketch:
    """Two boxes, short."""
    length = float(rng.uniform(3.6, 4.3))
    tall = float(rng.uniform(0, 0.1))
    return Sketch(
        length=length, width=1.64 + 0.2 * (length - 3.6), height=1.46 + tall, wheelbase=0.61 * length,
        overhang=float(rng.uniform(0.72, 0.82)), wheel=0.305, ground=0.16, nose=float(rng.uniform(0.74, 0.84)) + 0.4 * tall,
        cowl=0.98 + 0.5 * tall, belt=0.93 + 0.5 * tall, boot=float(rng.uniform(0.98, 1.08)), bonnet=1.02 + 0.35 * (length - 3.6),
        screen=0.64, roof=0.36 * length + 0.06, window=float(rng.uniform(0.2, 0.48)), drop=float(rng.uniform(0.05, 0.12)),
        lean=float(rng.uniform(0.08, 0.2)), square=float(rng.uniform(0, 0.8)),
    )  # fmt: skip


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
        length=length, width=1.83 + 0.16 * (length - 4.15), height=1.66 + 0.22 * box, wheelbase=0.6 * length,
        overhang=float(rng.uniform(0.78, 0.86)), wheel=0.375 + 0.02 * box, ground=0.25 + 0.05 * box, nose=0.93 + 0.13 * box,
        cowl=1.14 + 0.08 * box, belt=1.1 + 0.08 * box, boot=1.17, bonnet=bonnet,
        screen=screen, roof=length - bonnet - screen - window - 0.1, window=window, drop=0.09 - 0.07 * box,
        lean=0.1 - 0.06 * box, square=0.3 + 0.7 * box,
    )  # fmt: skip


def mpv(rng: np.random.Generator) -> Sketch:
    """One box: a short, steep bonnet in line with the windscreen."""
    length = float(rng.uniform(4.3, 5.1))
    window = float(rng.uniform(0.18, 0.34))
    bonnet, screen = 0.9, 0.98
    return Sketch(
        length=length, width=1.8 + 0.12 * (length - 4.3), height=float(rng.uniform(1.64, 1.8)), wheelbase=0.62 * length,
        overhang=float(rng.uniform(0.82, 0.92)), wheel=0.325, ground=0.17, nose=float(rng.uniform(0.78, 0.86)),
        cowl=1.06, belt=1.0, boot=1.1, bonnet=bonnet,
        screen=screen, roof=length - bonnet - screen - window - 0.06, window=window, drop=float(rng.uniform(0.03, 0.09)),
        lean=float(rng.uniform(0.14, 0.24)), square=float(rng.uniform(0, 0.7)),
    )  # fmt: skip


SKETCHES: dict[str, Callable[[np.random.Generator], Sketch]] = {
    "saloon": saloon,
    "hatchback": hatchback,
    "estate": estate,
    "suv": suv,
    "mpv": mpv,
}


def draw_car(car: Sketch) -> Proportions:
    """The lines of a car."""
    front, rear = car.length / 2, -car.length / 2
    front_axle = front - car.overhang
    cowl = front - car.bonnet
    head = cowl - car.screen
    roof_end = head - car.roof
    foot = max(roof_end - car.window, rear + 0.06)
    level = car.belt - 0.06
    slope = (head - cowl) / (car.height - 0.05 - car.cowl)
    rear_head = car.height - car.drop - 0.03
    rear_slope = (roof_end - foot) / (rear_head - car.boot)
    deck: Line = (
        (rear, car.boot - 0.03), (foot, car.boot), (min(foot + 0.6, roof_end + 0.3), car.belt), (head, car.belt), (cowl, car.cowl),
        (front - 0.55, car.nose + 0.6 * (car.cowl - car.nose)), (front - 0.12, car.nose),
    )  # fmt: skip
    mid = 0.5 * (car.ground + car.nose) + 0.02
    return Proportions(
        length=car.length,
        width=car.width,
        height=car.height,
        ground=car.ground,
        axles=(front_axle, front_axle - car.wheelbase),
        wheel=car.wheel,
        arch=car.wheel + 0.055,
        deck=deck,
        nose=((car.ground, front - 0.09), (mid - 0.06, front), (mid + 0.06, front - 0.01), (car.nose, front - 0.2 * car.lean - 0.03), (car.nose + 0.2, front - car.lean - 0.1)),
        tail=((car.ground, rear + 0.13), (mid - 0.02, rear), (mid + 0.1, rear + 0.01), (mid + 0.16, rear + 0.05), (car.boot, rear + 0.08), (car.boot + 0.2, rear + 0.12)),
        section=((car.ground - 0.02, 0.915), (0.2 * car.belt + 0.8 * car.ground, 0.95), (0.58 * car.belt, 1.0), (0.9 * car.belt, 0.985), (car.belt + 0.1, 0.95)),
        roof=((roof_end - 0.3, car.height - car.drop - 0.05), (roof_end, car.height - car.drop), (0.45 * head + 0.55 * roof_end, car.height), (head, car.height - 0.035), (head + 0.3, car.height - 0.1)),
        screen=((level, cowl - slope * (car.cowl - level)), (car.cowl, cowl), (car.height - 0.05, head), (car.height + 0.2, head + 0.25 * slope)),
        window=((level, foot - rear_slope * (car.boot - level)), (car.boot, foot), (rear_head, roof_end), (car.height + 0.2, roof_end + 0.2 * rear_slope)),
        tumblehome=0.32 - 0.16 * (car.height - 1.45) / 0.35,
        corner=(0.38 - 0.16 * car.square, 0.3 - 0.14 * car.square),
        edge=(0.15 - 0.07 * car.square, 0.12 - 0.05 * car.square),
    )  # fmt: skip


def plan_car(model: Model, car: Sketch, lines: Proportions) -> Plan:
    """Where a car's windows, doors and lamps are."""
    rng = model.rng(2)
    front_axle, rear_axle = lines.axles
    high, edge = car.length / 2, front_axle - lines.arch - float(rng.uniform(0.1, 0.18))
    rear_pillar = {"saloon": (0.14, 0.34), "hatchback": (0.16, 0.42), "suv": (0.1, 0.3)}.get(model.family, (0.1, 0.2))
    pillar = float(rng.uniform(*rear_pillar))
    short = model.family == "hatchback" and rng.random() < 0.3
    first = edge - (1.28 if short else 1.06)
    second = max(first - 1.02, rear_axle + 0.08)
    glass_end = -high + car.length - car.bonnet - car.screen - car.roof - car.window + pillar
    posts = (first,) if short or second - glass_end < 0.3 else (first, second + 0.02)
    nose = car.nose - 0.02
    lamp_tall = float(rng.uniform(0.11, 0.19))
    tail_high = car.boot - float(rng.uniform(0.06, 0.12))
    tail_low = tail_high - float(rng.uniform(0.15, 0.26))
    bumper = car.ground + 0.36
    tall_rear = model.family in ("estate", "suv", "mpv", "hatchback")
    if tall_rear and rng.random() < 0.5:  # lamps beside the rear window
        tail_low, tail_high = tail_low - 0.05, tail_high + 0.28
    plate_on_lid = tail_low - bumper > 0.1 or rng.random() < 0.5
    return Plan(
        sill=car.belt + 0.03,
        rise=float(rng.uniform(0.0, 0.08)),
        drop=0.115,
        pillars=(0.17, pillar),
        glass_rear=None,
        posts=posts,
        doors=((first, edge),) if short else ((first, edge), (second, first)),
        right_doors=None,
        door_foot=car.ground + 0.12,
        screen=(car.cowl + 0.05, car.height - 0.1),
        window=(car.boot + 0.06, car.height - car.drop - 0.1),
        nose=nose,
        lamp=(nose - 0.06 - lamp_tall / 2, lamp_tall),
        tail_lamp=(tail_low, tail_high),
        bumper=(min(car.ground + 0.34, nose - 0.3), bumper),
        plate=(car.ground + 0.25, 0.5 * (bumper + car.boot) - 0.02 if plate_on_lid else bumper - 0.1),
        style="rough" if model.family == "suv" else "car",
    )
