"""Fittings: mirrors, racks, spoiler, tow bar, mud flaps, a pickup's load: what is fixed to a shell."""

import math

from clipsenet.synthetic.bodies.frame import Frame, Mirror, Tail
from clipsenet.synthetic.bodies.loads import load
from clipsenet.synthetic.bodies.meshes import box, panel, prism
from clipsenet.synthetic.bodies.palette import palette
from clipsenet.synthetic.bodies.parts import merged, mirrored, moved, turned
from clipsenet.synthetic.bodies.roofs import roof_load
from clipsenet.synthetic.bodies.rounds import ellipsoid, tube
from clipsenet.synthetic.body import Part, Skin
from clipsenet.synthetic.identity import LORRIES, Vehicle


def fittings(vehicle: Vehicle, frame: Frame) -> tuple[list[Part], dict[str, Skin]]:
    """What the vehicle's details fix to its shell.

    Args:
        vehicle: whose details count.
        frame: where things are fixed.

    Returns:
        Parts with the skin ``palette``, and that skin.
    """
    details, family = vehicle.details, vehicle.model.family
    found = [*mirrors(vehicle, frame.mirror), *roof_load(vehicle, frame.roof)]
    if details.spoiler:
        found += spoiler(vehicle, frame.tail)
    if details.tow_bar:
        found += tow_bar(frame.tail)
    if details.mud_flaps:
        found += mud_flaps(vehicle, frame)
    if frame.bed is not None:
        found += load(vehicle, frame.bed)
    if family in LORRIES:
        found += guards(frame)
    return merged(found), {"palette": palette(vehicle)}


def mirrors(vehicle: Vehicle, mirror: Mirror) -> list[Part]:
    """Two outside mirrors: shells on an arm; of vans upright, of lorries and buses large ones on brackets."""
    family = vehicle.model.family
    x, y, z = mirror.x, mirror.half_width, mirror.z
    if family in (*LORRIES, "bus"):
        reach = y + 0.2
        left = [
            tube(
                [(x, y - 0.03, z + 0.24), (x + 0.06, reach, z + 0.24), (x + 0.06, reach, z - 0.26), (x, y - 0.03, z - 0.26)],
                0.016,
            ),
            box((x + 0.0, reach - 0.1, z - 0.22), (x + 0.1, reach + 0.1, z + 0.22), "plastic", bevel=0.03),
            _glass(x - 0.004, reach - 0.08, reach + 0.08, z - 0.19, z + 0.19),
        ]
    else:
        upright = family in ("van", "pickup")
        wide, high = (0.095, 0.14) if upright else (0.115, 0.075)
        middle = y + 0.06 + wide
        colour = (
            "trim"
            if vehicle.details.trim == "chrome"
            else "plastic"
            if vehicle.details.trim == "black" or family == "van"
            else "body"
        )
        shell = box((x - 0.05, middle - wide, z - high), (x + 0.08, middle + wide, z + high), colour, bevel=0.045)
        ahead = (shell.points[:, 0] - x + 0.05) / 0.13  # rounded in front, flat where the glass is
        shell.points[:, 1] += (middle - shell.points[:, 1]) * 0.25 * ahead
        shell.points[:, 2] += (z - shell.points[:, 2]) * 0.25 * ahead
        left = [
            shell,
            box((x - 0.03, y - 0.05, z - 0.045), (x + 0.05, middle, z - 0.005), "plastic", bevel=0.015),
            _glass(x - 0.052, middle - wide + 0.025, middle + wide - 0.025, z - high + 0.02, z + high - 0.02),
        ]
    return [*left, *(mirrored(shape) for shape in left)]


def spoiler(vehicle: Vehicle, tail: Tail) -> list[Part]:
    """On a saloon's boot a wing on two feet, on other cars a lip that prolongs the roof."""
    x, z, half = tail.spoiler_x, tail.spoiler_z, tail.spoiler_half_width
    colour = "plastic" if vehicle.details.trim == "black" else "body"
    if vehicle.model.family == "saloon":
        wing = turned(box((-0.12, -half * 0.88, -0.014), (0.12, half * 0.88, 0.014), colour, bevel=0.012), 1, 8)
        feet = [
            box((x - 0.02, side * half * 0.6 - 0.02, z - 0.05), (x + 0.12, side * half * 0.6 + 0.02, z + 0.11), colour)
            for side in (-1, 1)
        ]
        return [moved(wing, (x + 0.05, 0, z + 0.12)), *feet]
    lip = [(x + 0.12, z + 0.012), (x - 0.17, z + 0.0), (x - 0.19, z - 0.025), (x - 0.16, z - 0.04), (x + 0.1, z - 0.05)]
    return [prism(lip, -half * 0.9, half * 0.9, colour)]


def tow_bar(tail: Tail) -> list[Part]:
    """A bent neck below the bumper with a ball on it."""
    x, z = tail.x, max(tail.bumper_z - 0.16, 0.28)
    neck = [(x + 0.2, 0, z - 0.02), (x - 0.04, 0, z - 0.04), (x - 0.12, 0, z - 0.02), (x - 0.13, 0, z + 0.07)]
    socket = box((x - 0.02, 0.09, z - 0.03), (x + 0.08, 0.19, z + 0.05), "plastic", bevel=0.01)
    return [tube(neck, 0.024, "frame"), ellipsoid((x - 0.13, 0, z + 0.1), (0.034, 0.034, 0.034), "chrome", 10, 6), socket]


def mud_flaps(vehicle: Vehicle, frame: Frame) -> list[Part]:
    """Flaps behind the wheels; some have a stripe of the load's colour."""
    large = vehicle.model.family in (*LORRIES, "bus")
    wide = 0.5 if large else 0.24
    found = []
    for x in frame.axles:
        back, top = x - frame.wheel_radius - (0.1 if large else 0.075), frame.wheel_radius * (1.15 if large else 0.95)
        outer = frame.track / 2 - 0.005
        left = [box((back - 0.012, outer - wide, 0.1), (back, outer, top), "rubber")]
        if vehicle.number % 3 == 0:
            left.append(box((back - 0.016, outer - wide + 0.02, 0.16), (back + 0.002, outer - 0.02, 0.2), "load"))
        found += [*left, *(mirrored(shape) for shape in left)]
    return found


def guards(frame: Frame) -> list[Part]:
    """Of a lorry: black half rounds over its rear wheels, and two rails a side between front and rear wheels."""
    radius, outer = frame.wheel_radius + 0.07, frame.track / 2
    rear = [axle for axle in frame.axles if axle < 0]
    found = []
    for x in rear:
        path = [_polar(x, frame.wheel_radius, radius, angle) for angle in range(165, 14, -25)]
        path += [_polar(x, frame.wheel_radius, radius + 0.02, angle) for angle in range(15, 166, 25)]
        found.append(prism(path, outer - 0.6, outer + 0.01, "plastic"))
    first, last = max(rear, default=0.0) + radius + 0.1, max(frame.axles) - radius - 0.75
    if last - first > 0.5:
        for z in (0.5, 0.74):
            found.append(box((first, outer - 0.07, z), (last, outer - 0.04, z + 0.1), "steel"))
    return [*found, *(mirrored(shape) for shape in found)]


def _polar(x: float, z: float, radius: float, degrees: int) -> tuple[float, float]:
    return x + radius * math.cos(math.radians(degrees)), z + radius * math.sin(math.radians(degrees))


def _glass(x: float, inner: float, outer: float, low: float, high: float) -> Part:
    """A mirror's glass, which looks backwards."""
    return panel([(x, outer, low), (x, inner, low), (x, inner, high), (x, outer, high)], "mirror")
