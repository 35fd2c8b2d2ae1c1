"""Pickups: a cab of one or two rows before an open bed."""

from clipsenet.synthetic.bodies.plans import Plan
from clipsenet.synthetic.bodies.proportions import Proportions
from clipsenet.synthetic.identity import Model


def make_pickup(model: Model) -> tuple[Proportions, Plan]:
    """A cab of one or two rows before an open bed."""
    rng = model.rng(1)
    double = rng.random() < 0.6
    length, height = float(rng.uniform(5.0, 5.5)), float(rng.uniform(1.72, 1.86))
    width, wheel, belt = 1.86, 0.375, 1.13
    front, rear = length / 2, -length / 2
    nose, cowl = float(rng.uniform(0.98, 1.06)), belt + 0.06
    foot = front - 1.42
    head = foot - 0.6
    wall = head - (1.62 if double else 0.82)
    slope = (head - foot) / (height - 0.05 - cowl)
    front_axle = front - 0.9
    bed_front = wall - 0.16
    lines = Proportions(
        length=length,
        width=width,
        height=height,
        ground=0.27,
        axles=(front_axle, front_axle - 0.6 * length),
        wheel=wheel,
        arch=wheel + 0.07,
        deck=((rear, belt), (foot - 0.3, belt), (foot, cowl), (front - 0.6, nose + 0.05), (front - 0.12, nose)),
        nose=(
            (0.27, front - 0.06),
            (0.55, front),
            (0.68, front),
            (0.74, front - 0.04),
            (nose, front - 0.07),
            (nose + 0.2, front - 0.16),
        ),
        tail=((0.27, rear + 0.1), (0.5, rear), (0.6, rear), (0.66, rear + 0.08), (1.3, rear + 0.09)),
        section=((0.25, 0.93), (0.5, 0.97), (0.75, 1.0), (belt, 0.975), (belt + 0.1, 0.96)),
        roof=(
            (wall - 0.2, height - 0.05),
            (wall, height - 0.03),
            (0.5 * (wall + head), height),
            (head, height - 0.035),
            (head + 0.3, height - 0.1),
        ),
        screen=(
            (belt - 0.06, foot - slope * (cowl - belt + 0.06)),
            (cowl, foot),
            (height - 0.05, head),
            (height + 0.2, head + 0.25 * slope),
        ),
        window=((belt - 0.06, wall - 0.1), (belt + 0.1, wall - 0.08), (height, wall + 0.06)),
        waist=0.92,
        tumblehome=0.2,
        bow=(0.14, 0.02, 0.1),
        corner=(0.28, 0.1),
        edge=(0.14, 0.05),
        bed=(rear + 0.18, bed_front, 0.72),
    )
    edge = front_axle - lines.arch - 0.1
    first = edge - 1.06
    plan = Plan(
        sill=belt + 0.04,
        rise=0.0,
        drop=0.12,
        pillars=(0.17, 0.2),
        glass_rear=None,
        posts=(first,) if double else (),
        doors=((first, edge), (first - 0.9, first)) if double else ((first, edge),),
        right_doors=None,
        door_foot=0.42,
        screen=(cowl + 0.06, height - 0.12),
        window=(belt + 0.12, height - 0.14),
        nose=nose - 0.02,
        lamp=(nose - 0.16, float(rng.uniform(0.16, 0.24))),
        tail_lamp=(0.76, 1.04),
        bumper=(0.6, 0.62),
        plate=(0.46, 0.53),
        style="rough",
    )
    return lines, plan
