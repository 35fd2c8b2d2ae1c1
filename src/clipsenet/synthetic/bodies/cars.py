"""Cars: lines and plans of the five families of cars, model by model."""

from clipsenet.synthetic.bodies.plans import Plan
from clipsenet.synthetic.bodies.proportions import Line, Proportions
from clipsenet.synthetic.bodies.sketches import SKETCHES, Sketch
from clipsenet.synthetic.identity import Model


def make_car(model: Model) -> tuple[Proportions, Plan]:
    """A model of one of CARS."""
    sketch = SKETCHES[model.family](model.rng(1))
    lines = draw_car(sketch)
    return lines, plan_car(model, sketch, lines)


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
        (rear, car.boot - 0.03),
        (foot, car.boot),
        (min(foot + 0.6, roof_end + 0.3), car.belt),
        (head, car.belt),
        (cowl, car.cowl),
        (front - 0.55, car.nose + 0.6 * (car.cowl - car.nose)),
        (front - 0.12, car.nose),
    )
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
        nose=(
            (car.ground, front - 0.09),
            (mid - 0.06, front),
            (mid + 0.06, front - 0.01),
            (car.nose, front - 0.2 * car.lean - 0.03),
            (car.nose + 0.2, front - car.lean - 0.1),
        ),
        tail=(
            (car.ground, rear + 0.13),
            (mid - 0.02, rear),
            (mid + 0.1, rear + 0.01),
            (mid + 0.16, rear + 0.05),
            (car.boot, rear + 0.08),
            (car.boot + 0.2, rear + 0.12),
        ),
        section=(
            (car.ground - 0.02, 0.915),
            (0.2 * car.belt + 0.8 * car.ground, 0.95),
            (0.58 * car.belt, 1.0),
            (0.9 * car.belt, 0.985),
            (car.belt + 0.1, 0.95),
        ),
        roof=(
            (roof_end - 0.3, car.height - car.drop - 0.05),
            (roof_end, car.height - car.drop),
            (0.45 * head + 0.55 * roof_end, car.height),
            (head, car.height - 0.035),
            (head + 0.3, car.height - 0.1),
        ),
        screen=(
            (level, cowl - slope * (car.cowl - level)),
            (car.cowl, cowl),
            (car.height - 0.05, head),
            (car.height + 0.2, head + 0.25 * slope),
        ),
        window=(
            (level, foot - rear_slope * (car.boot - level)),
            (car.boot, foot),
            (rear_head, roof_end),
            (car.height + 0.2, roof_end + 0.2 * rear_slope),
        ),
        tumblehome=0.32 - 0.16 * (car.height - 1.45) / 0.35,
        corner=(0.38 - 0.16 * car.square, 0.3 - 0.14 * car.square),
        edge=(0.15 - 0.07 * car.square, 0.12 - 0.05 * car.square),
    )


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
        pillars=(0.23, pillar),
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
