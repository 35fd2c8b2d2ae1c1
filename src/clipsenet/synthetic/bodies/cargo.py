"""Cargo: what stands behind a lorry's cab."""

from clipsenet.synthetic.bodies.boxes import closed_box
from clipsenet.synthetic.bodies.chassis import chassis
from clipsenet.synthetic.bodies.open_cargo import platform, tub
from clipsenet.synthetic.bodies.palette import palette
from clipsenet.synthetic.bodies.parts import merged
from clipsenet.synthetic.body import Part, Skin
from clipsenet.synthetic.identity import Vehicle

OPEN = {"flatbed": platform, "tipper": tub}


def cargo(vehicle: Vehicle, start: float, end: float, width: float, floor: float) -> tuple[list[Part], dict[str, Skin]]:
    """The cargo body of a lorry and the chassis below it; without cab, wheels and the guards about them.

    Args:
        vehicle: of a family of LORRIES.
        start: x of the cargo body's rear end, in metres.
        end: x of its front end.
        width: metres.
        floor: z of its floor.

    Returns:
        Parts with the skins ``palette`` and, of a box, ``cargo``; and those skins.
    """
    below = chassis(vehicle, start, end, width, floor)
    skins = {"palette": palette(vehicle)}
    if vehicle.model.family in OPEN:
        return merged([*below, *OPEN[vehicle.model.family](vehicle, start, end, width, floor)]), skins
    found, skins["cargo"] = closed_box(vehicle, start, end, width, floor)
    return merged([*below, *found]), skins
