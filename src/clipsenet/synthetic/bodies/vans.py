"""Vans: panel vans and minibuses."""

from clipsenet.synthetic.bodies.plans import Plan
from clipsenet.synthetic.bodies.proportions import Proportions
from clipsenet.synthetic.identity import Model


def make_van(model: Model) -> tuple[Proportions, Plan]:
    """A panel van or a minibus: one box with a short nose."""
    rng = model.rng(1)
    length, height = float(rng.uniform(4.7, 5.9)), float(rng.uniform(1.95, 2.55))
    width, belt, wheel = 1.96, 1.12 + 0.08 * (height - 1.95), 0.335
    front, rear = length / 2, -length / 2
    bonnet = float(rng.uniform(0.5, 0.95))
    nose, cowl = belt - 0.16, belt + 0.08
    foot = front - bonnet
    head = foot - 0.62 * (height - cowl)
    slope = (head - foot) / (height - 0.1 - cowl)
    front_axle = front - 0.92
    lines = Proportions(
        length=length,
        width=width,
        height=height,
        ground=0.2,
        axles=(front_axle, front_axle - 0.58 * length),
        wheel=wheel,
        arch=wheel + 0.05,
        deck=((rear, belt), (head, belt), (foot, cowl), (front - 0.15, nose)),
        nose=((0.2, front - 0.06), (0.5, front), (0.62, front - 0.01), (nose, front - 0.07), (nose + 0.25, front - 0.2)),
        tail=((0.2, rear + 0.06), (0.5, rear), (0.58, rear + 0.05), (height, rear + 0.1)),
        section=((0.18, 0.94), (0.5, 0.985), (0.8, 1.0), (belt + 0.1, 0.985)),
        roof=((rear, height - 0.03), (0.3 * rear, height), (head, height - 0.04), (head + 0.4, height - 0.16)),
        screen=(
            (belt - 0.06, foot - slope * (cowl - belt + 0.06)),
            (cowl, foot),
            (height - 0.1, head),
            (height + 0.2, head + 0.3 * slope),
        ),
        window=((belt - 0.06, rear + 0.06), (belt + 0.3, rear + 0.065), (height, rear + 0.12)),
        waist=0.985,
        tumblehome=0.09,
        bow=(0.2, 0.05, 0.2),
        corner=(0.4, 0.16),
        edge=(0.14, 0.08),
        roof_edge=0.16,
    )
    minibus, rear_glass = rng.random() < 0.4, rng.random() < 0.7
    edge = front_axle - lines.arch + 0.12
    first = edge - 1.05
    second = first - 1.15
    lamp = float(rng.uniform(0.2, 0.3))
    plan = Plan(
        sill=belt + 0.06,
        rise=0.0,
        drop=0.24 + 0.4 * (height - 1.95),
        pillars=(0.24, 0.26),
        glass_rear=None if minibus else first + 0.06,
        posts=(first, second, max(second - 1.15, rear + 0.8)) if minibus else (),
        doors=((first, edge),),
        right_doors=((first, edge), (second, first)),
        door_foot=0.32,
        screen=(cowl + 0.06, height - 0.2 - 0.25 * (height - 1.95)),
        window=(belt + 0.1, height - 0.26 - 0.4 * (height - 1.95)) if rear_glass or minibus else None,
        nose=nose,
        lamp=(nose - 0.04 - lamp / 2, lamp),
        tail_lamp=(0.66, belt + 0.02),
        bumper=(0.56, 0.54),
        plate=(0.42, 0.9),
        style="van",
    )
    return lines, plan
