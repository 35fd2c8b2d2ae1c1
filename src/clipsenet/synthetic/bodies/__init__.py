"""Bodies: every family of vehicles, made in code."""

from collections.abc import Callable
from dataclasses import replace

from clipsenet.synthetic.bodies.assembling import SKIN, find_lamps, find_plates, frame_of, make_shell, make_skin
from clipsenet.synthetic.bodies.buses import make_bus
from clipsenet.synthetic.bodies.cabs import make_lorry
from clipsenet.synthetic.bodies.cargo import cargo
from clipsenet.synthetic.bodies.cars import make_car
from clipsenet.synthetic.bodies.chassis import rear_plate, tail_lamps
from clipsenet.synthetic.bodies.fittings import fittings
from clipsenet.synthetic.bodies.pickups import make_pickup
from clipsenet.synthetic.bodies.plans import Plan
from clipsenet.synthetic.bodies.proportions import Proportions
from clipsenet.synthetic.bodies.vans import make_van
from clipsenet.synthetic.bodies.wheels import wheels
from clipsenet.synthetic.body import Body
from clipsenet.synthetic.identity import CARS, LORRIES, Model, Vehicle

MODELS: dict[str, Callable[[Model], tuple[Proportions, Plan]]] = {
    **dict.fromkeys(CARS, make_car),
    **dict.fromkeys(LORRIES, make_lorry),
    "van": make_van,
    "pickup": make_pickup,
    "bus": make_bus,
}
"""How the models of a family are made."""


def build(vehicle: Vehicle) -> Body:
    """The whole vehicle: the same one gives the same body, bit for bit; of one model all have the same shell.

    Args:
        vehicle: of a family of MODELS.
    """
    lines, plan = MODELS[vehicle.model.family](vehicle.model)
    atlas, skin = make_skin(vehicle, lines, plan)
    parts, skins = [make_shell(lines, atlas)], {SKIN: skin}
    large = vehicle.model.family in (*LORRIES, "bus")
    frame = frame_of(vehicle, lines, plan)
    added = [
        wheels(vehicle, lines.axles, frame.track, lines.wheel, 0.28 if large else 0.21),
        fittings(vehicle, frame),
    ]
    lamps, plates = find_lamps(vehicle, lines, plan), find_plates(lines, plan)
    if vehicle.model.family in LORRIES:  # what is behind the cab has tail lamps and rear plate of its own
        start, width, floor = -lines.length / 2, lines.width + 0.06, 2 * lines.wheel + 0.12
        added.append(cargo(vehicle, start, lines.rear - 0.1, width, floor))
        behind = dict(zip(("left", "right"), tail_lamps(start, width, floor), strict=True))
        lamps = tuple(replace(lamp, place=behind[lamp.side]) if lamp.kind == "tail" else lamp for lamp in lamps)
        plates["rear"] = rear_plate(start, floor)
    for more_parts, more_skins in added:
        parts += more_parts
        skins |= more_skins
    top = max(float(part.points[:, 2].max()) for part in parts)
    size = (lines.length, lines.width, top)
    return Body(tuple(parts), skins, lamps, plates, size)
