"""Large vehicles: proportions and plans of vans, pickups, buses and the lorries' cabs."""

from clipsenet.synthetic.bodies.plans import Plan
from clipsenet.synthetic.bodies.proportions import Line, Proportions
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
        length=length, width=width, height=height, ground=0.2, axles=(front_axle, front_axle - 0.58 * length), wheel=wheel, arch=wheel + 0.05,
        deck=((rear, belt), (head, belt), (foot, cowl), (front - 0.15, nose)),
        nose=((0.2, front - 0.06), (0.5, front), (0.62, front - 0.01), (nose, front - 0.07), (nose + 0.25, front - 0.2)),
        tail=((0.2, rear + 0.06), (0.5, rear), (0.58, rear + 0.05), (height, rear + 0.1)),
        section=((0.18, 0.94), (0.5, 0.985), (0.8, 1.0), (belt + 0.1, 0.985)),
        roof=((rear, height - 0.03), (0.3 * rear, height), (head, height - 0.04), (head + 0.4, height - 0.16)),
        screen=((belt - 0.06, foot - slope * (cowl - belt + 0.06)), (cowl, foot), (height - 0.1, head), (height + 0.2, head + 0.3 * slope)),
        window=((belt - 0.06, rear + 0.06), (belt + 0.3, rear + 0.065), (height, rear + 0.12)),
        waist=0.985, tumblehome=0.09, bow=(0.2, 0.05, 0.2), corner=(0.4, 0.16), edge=(0.14, 0.08), roof_edge=0.16, flare=0.0,
    )  # fmt: skip
    minibus, rear_glass = rng.random() < 0.4, rng.random() < 0.7
    edge = front_axle - lines.arch + 0.12
    first = edge - 1.05
    second = first - 1.15
    lamp = float(rng.uniform(0.2, 0.3))
    plan = Plan(
        sill=belt + 0.06, rise=0.0, drop=0.24 + 0.4 * (height - 1.95), pillars=(0.24, 0.26), glass_rear=None if minibus else first + 0.06,
        posts=(first, second, max(second - 1.15, rear + 0.8)) if minibus else (), doors=((first, edge),), right_doors=((first, edge), (second, first)),
        door_foot=0.32, screen=(cowl + 0.06, height - 0.2 - 0.25 * (height - 1.95)),
        window=(belt + 0.1, height - 0.26 - 0.4 * (height - 1.95)) if rear_glass or minibus else None,
        nose=nose, lamp=(nose - 0.04 - lamp / 2, lamp), tail_lamp=(0.72, 1.3), bumper=(0.56, 0.54), plate=(0.42, 0.9), style="van",
    )  # fmt: skip
    return lines, plan


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
        length=length, width=width, height=height, ground=0.27, axles=(front_axle, front_axle - 0.6 * length), wheel=wheel, arch=wheel + 0.07,
        deck=((rear, belt), (foot - 0.3, belt), (foot, cowl), (front - 0.6, nose + 0.05), (front - 0.12, nose)),
        nose=((0.27, front - 0.06), (0.55, front), (0.68, front), (0.74, front - 0.04), (nose, front - 0.07), (nose + 0.2, front - 0.16)),
        tail=((0.27, rear + 0.1), (0.5, rear), (0.6, rear), (0.66, rear + 0.08), (1.3, rear + 0.09)),
        section=((0.25, 0.93), (0.5, 0.97), (0.75, 1.0), (belt, 0.975), (belt + 0.1, 0.96)),
        roof=((wall - 0.2, height - 0.05), (wall, height - 0.03), (0.5 * (wall + head), height), (head, height - 0.035), (head + 0.3, height - 0.1)),
        screen=((belt - 0.06, foot - slope * (cowl - belt + 0.06)), (cowl, foot), (height - 0.05, head), (height + 0.2, head + 0.25 * slope)),
        window=((belt - 0.06, wall - 0.1), (belt + 0.1, wall - 0.08), (height, wall + 0.06)),
        waist=0.92, tumblehome=0.2, bow=(0.14, 0.02, 0.1), corner=(0.28, 0.1), edge=(0.14, 0.05), bed=(rear + 0.18, bed_front, 0.72),
    )  # fmt: skip
    edge = front_axle - lines.arch - 0.1
    first = edge - 1.06
    plan = Plan(
        sill=belt + 0.04, rise=0.0, drop=0.12, pillars=(0.17, 0.2), glass_rear=None, posts=(first,) if double else (),
        doors=((first, edge), (first - 0.9, first)) if double else ((first, edge),), right_doors=None, door_foot=0.42,
        screen=(cowl + 0.06, height - 0.12), window=(belt + 0.12, height - 0.14), nose=nose - 0.02,
        lamp=(nose - 0.16, float(rng.uniform(0.16, 0.24))), tail_lamp=(0.76, 1.04), bumper=(0.6, 0.62), plate=(0.46, 0.53), style="rough",
    )  # fmt: skip
    return lines, plan


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
        length=length, width=width, height=height, ground=ground, axles=(front - 2.5, rear + 0.28 * length), wheel=wheel, arch=wheel + 0.09,
        deck=((rear, belt), (front, belt)),
        nose=((ground, front - 0.05), (0.6, front), (belt, front - 0.02), (belt + 0.4, front - 0.04)),
        tail=((ground, rear + 0.08), (0.6, rear), (belt + 0.4, rear + 0.01)),
        section=((0.28, 0.985), (0.6, 1.0), (belt + 0.3, 1.0)),
        roof=roof,
        screen=((belt - 0.3, front - 0.01), (belt, front - 0.02), (height, front - lean - 0.02), (height + 0.2, front - lean - 0.1)),
        window=((belt - 0.3, rear), (belt + 0.5, rear + 0.01), (height, rear + 0.1)),
        waist=1.0, tumblehome=0.02, bow=(0.24, 0.12, 0.24), corner=(0.34, 0.3), edge=(0.1, 0.1), roof_edge=0.26, flare=0.0,
    )  # fmt: skip
    first = front - 0.62
    middle = rear + 0.5 * length
    posts = tuple(float(first - 1.5 - k * 1.42) for k in range(int((length - 2.4) / 1.42)))
    doors = ((first - 1.1, first), (middle - 1.2, middle)) if rng.random() < 0.6 else ((first - 1.1, first),)
    plan = Plan(
        sill=belt + 0.02, rise=0.0, drop=0.42, pillars=(0.5, 0.3), glass_rear=None, posts=posts, doors=(), right_doors=doors, door_foot=ground + 0.1,
        screen=(belt - 0.06, height - 0.16), window=(belt + 0.55, height - 0.34), nose=belt - 0.1,
        lamp=(0.72, float(rng.uniform(0.16, 0.24))), tail_lamp=(0.8, 1.25), bumper=(0.52, 0.52), plate=(0.42, 0.62), style="bus",
    )  # fmt: skip
    return lines, plan


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
        length=length, width=width, height=height, ground=ground,
        axles=(front_axle, -length / 2 + 2.5, -length / 2 + 1.25) if heavy and length > 8.2 else (front_axle, -length / 2 + 0.26 * length),
        wheel=wheel, arch=wheel + 0.07,
        deck=((wall, belt), (front, belt)),
        nose=((ground, front - 0.06), (0.6, front), (0.75, front), (0.8, front - 0.03), (belt, front - 0.05), (belt + 0.4, front - 0.1)),
        tail=((ground, wall), (belt + 0.4, wall)),
        section=((ground - 0.02, 0.97), (0.7, 1.0), (belt + 0.3, 0.99)),
        roof=((wall, height), (0.5 * (wall + front), height), (front - lean - 0.1, height - 0.06)),
        screen=((belt - 0.3, front - 0.02), (belt, front - 0.06), (height, front - lean - 0.06), (height + 0.2, front - lean - 0.12)),
        window=((belt - 0.3, wall), (height, wall + 0.03)),
        waist=0.985, tumblehome=0.05, bow=(0.16, 0.02, 0.18), corner=(0.3, 0.1), edge=(0.08, 0.06), roof_edge=0.16, flare=0.0,
    )  # fmt: skip
    edge = front - 0.34
    plan = Plan(
        sill=belt + 0.04, rise=0.0, drop=0.32 if heavy else 0.2, pillars=(0.28, 0.3), glass_rear=max(wall + 0.3, edge - 1.2), posts=(),
        doors=((max(wall + 0.2, edge - 1.25), edge),), right_doors=None, door_foot=lines.wheel + lines.arch - 0.1,
        screen=(belt + 0.02, height - 0.26), window=(belt + 0.2, height - 0.4), nose=belt - 0.06,
        lamp=(0.66 if heavy else 0.62, 0.18), tail_lamp=(0.5, 0.6), bumper=(0.8, 0.5), plate=(0.5, 0.6), style="cab",
    )  # fmt: skip
    return lines, plan
