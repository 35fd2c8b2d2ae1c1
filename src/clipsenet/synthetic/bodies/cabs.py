"""Cabs: the cabs of lorries; what is behind them is cargo."""

from clipsenet.synthetic.bodies.plans import Plan
from clipsenet.synthetic.bodies.proportions import Proportions
from clipsenet.synthetic.identity import Model


def make_lorry(model: Model) -> tuple[Proportions, Plan]:
    """A lorry's cab, in the place where it stands on the whole lorry: its x counts from the lorry's middle."""
    rng = model.rng(1)
    heavy = model.family == "tipper" or rng.random() < 0.4
    length = float(rng.uniform(7.6, 9.2)) if heavy else float(rng.uniform(5.6, 7.2))
    height = float(rng.uniform(2.7, 3.1)) if heavy else float(rng.uniform(2.15, 2.45))
    width, wheel, ground = (2.46, 0.5, 0.36) if heavy else (2.04, 0.39, 0.3)
    front = length / 2
    wall = front - (float(rng.uniform(1.75, 2.3)) if heavy else float(rng.uniform(1.6, 1.85)))
    belt = 1.52 if heavy else 1.22
    lean = float(rng.uniform(0.1, 0.34)) if heavy else float(rng.uniform(0.3, 0.5))
    front_axle = front - (1.36 if heavy else 1.08)
    lines = Proportions(
        length=length,
        width=width,
        height=height,
        ground=ground,
        axles=(front_axle, -length / 2 + 2.5, -length / 2 + 1.25)
        if heavy and length > 8.2
        else (front_axle, -length / 2 + 0.26 * length),
        wheel=wheel,
        arch=wheel + 0.07,
        deck=((wall, belt), (front, belt)),
        nose=(
            (ground, front - 0.06),
            (0.6, front),
            (0.75, front),
            (0.8, front - 0.03),
            (belt, front - 0.05),
            (belt + 0.4, front - 0.1),
        ),
        tail=((ground, wall), (belt + 0.4, wall)),
        section=((ground - 0.02, 0.97), (0.7, 1.0), (belt + 0.3, 0.99)),
        roof=((wall, height), (0.5 * (wall + front), height), (front - lean - 0.1, height - 0.06)),
        screen=(
            (belt - 0.3, front - 0.02),
            (belt, front - 0.06),
            (height, front - lean - 0.06),
            (height + 0.2, front - lean - 0.12),
        ),
        window=((belt - 0.3, wall), (height, wall + 0.03)),
        waist=0.985,
        tumblehome=0.05,
        bow=(0.16, 0.02, 0.18),
        corner=(0.3, 0.1),
        edge=(0.08, 0.06),
        roof_edge=0.16,
    )
    edge = front - 0.34
    plan = Plan(
        sill=belt + 0.04,
        rise=0.0,
        drop=0.32 if heavy else 0.2,
        pillars=(0.37, 0.3),
        glass_rear=max(wall + 0.3, edge - 1.2),
        posts=(),
        doors=((max(wall + 0.2, edge - 1.25), edge),),
        right_doors=None,
        door_foot=lines.wheel + lines.arch - 0.1,
        screen=(belt + 0.02, height - 0.26),
        window=(belt + 0.2, height - 0.4),
        nose=belt - 0.06,
        lamp=(0.66 if heavy else 0.62, 0.18),
        tail_lamp=(0.5, 0.6),
        bumper=(0.8, 0.5),
        plate=(0.5, 0.6),
        style="cab",
    )
    return lines, plan
