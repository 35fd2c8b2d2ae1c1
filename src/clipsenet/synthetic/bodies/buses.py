"""Buses: city buses and coaches."""

from clipsenet.synthetic.bodies.plans import Plan
from clipsenet.synthetic.bodies.proportions import Line, Proportions
from clipsenet.synthetic.identity import Model


def make_bus(model: Model) -> tuple[Proportions, Plan]:
    """A city bus or a coach."""
    rng = model.rng(1)
    length, height = float(rng.uniform(8.5, 12.2)), float(rng.uniform(2.9, 3.35))
    width, wheel, ground = 2.5, 0.48, 0.3
    front, rear = length / 2, -length / 2
    lean = float(rng.uniform(0.05, 0.4))
    belt = 1.15 + 0.6 * (height - 2.9)
    roof: Line = ((rear, height - 0.04), (0.7 * rear, height), (0.7 * front, height), (front - lean, height - 0.05))
    lines = Proportions(
        length=length,
        width=width,
        height=height,
        ground=ground,
        axles=(front - 2.5, rear + 0.28 * length),
        wheel=wheel,
        arch=wheel + 0.09,
        deck=((rear, belt), (front, belt)),
        nose=((ground, front - 0.05), (0.6, front), (belt, front - 0.02), (belt + 0.4, front - 0.04)),
        tail=((ground, rear + 0.08), (0.6, rear), (belt + 0.4, rear + 0.01)),
        section=((0.28, 0.985), (0.6, 1.0), (belt + 0.3, 1.0)),
        roof=roof,
        screen=(
            (belt - 0.3, front - 0.01),
            (belt, front - 0.02),
            (height, front - lean - 0.02),
            (height + 0.2, front - lean - 0.1),
        ),
        window=((belt - 0.3, rear), (belt + 0.5, rear + 0.01), (height, rear + 0.1)),
        waist=1.0,
        tumblehome=0.02,
        bow=(0.24, 0.12, 0.24),
        corner=(0.34, 0.3),
        edge=(0.1, 0.1),
        roof_edge=0.26,
    )
    first = front - 0.62
    middle = rear + 0.5 * length
    posts = tuple(float(first - 1.5 - k * 1.42) for k in range(int((length - 2.4) / 1.42)))
    doors = ((first - 1.1, first), (middle - 1.2, middle)) if rng.random() < 0.6 else ((first - 1.1, first),)
    plan = Plan(
        sill=belt + 0.02,
        rise=0.0,
        drop=0.42,
        pillars=(0.5, 0.3),
        glass_rear=None,
        posts=posts,
        doors=(),
        right_doors=doors,
        door_foot=ground + 0.1,
        screen=(belt - 0.06, height - 0.16),
        window=(belt + 0.55, height - 0.34),
        nose=belt - 0.1,
        lamp=(0.72, float(rng.uniform(0.16, 0.24))),
        tail_lamp=(0.8, 1.25),
        bumper=(0.52, 0.52),
        plate=(0.42, 0.62),
        style="bus",
    )
    return lines, plan
