"""Chassis: what a lorry's cargo body stands on: beams, under-run guard, tail lamps, tank, boxes."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from clipsenet.synthetic.bodies.meshes import box, panel
from clipsenet.synthetic.bodies.parts import mirrored
from clipsenet.synthetic.bodies.rounds import tube
from clipsenet.synthetic.body import Part
from clipsenet.synthetic.identity import Vehicle


def chassis(vehicle: Vehicle, start: float, end: float, width: float, floor: float) -> list[Part]:
    """All below the floor but the wheels, in the skin ``palette``.

    Args:
        vehicle: its model decides which boxes hang where.
        start: x of the cargo body's rear end, in metres.
        end: x of its front end.
        width: of the cargo body.
        floor: z of its floor.
    """
    half = width / 2
    beam = box((start + 0.15, 0.34, floor - 0.4), (end + 0.9, 0.44, floor - 0.14), "frame")
    crossers = np.linspace(start + 0.3, end - 0.2, 6)
    found = [beam, mirrored(beam)]
    found += [
        box((x - 0.05, -half + 0.1, floor - 0.14), (x + 0.05, half - 0.1, floor - 0.02), "frame") for x in crossers.tolist()
    ]
    # the under-run guard with its lamps
    low = max(0.42, floor - 0.62)
    found.append(box((start + 0.06, -half + 0.12, low), (start + 0.14, half - 0.12, low + 0.12), "frame", bevel=0.02))
    for side in (-1, 1):
        found.append(
            box((start + 0.12, side * 0.45 - 0.04, low + 0.02), (start + 0.2, side * 0.45 + 0.04, floor - 0.2), "frame")
        )
    for x, y, z in tail_lamps(start, width, floor):
        out = 1 if y > 0 else -1
        found.append(box((x + 0.01, y - 0.24, z - 0.075), (x + 0.07, y + 0.24, z + 0.075), "plastic"))
        for colour, near, far in (("lamp-red", -0.02, 0.22), ("amber", -0.12, -0.03), ("lamp-white", -0.22, -0.13)):
            left, right = sorted((y + out * near, y + out * far), reverse=True)
            corners = [(x, left, z - 0.06), (x, right, z - 0.06), (x, right, z + 0.06), (x, left, z + 0.06)]
            found.append(panel(corners, colour))
        found.append(tube([(x + 0.05, y, z), (x + 0.05, y, floor - 0.02)], 0.03, "frame", sides=5))
    plate = rear_plate(start, floor)
    found.append(box((start + 0.025, -0.25, plate[0, 2] - 0.03), (start + 0.05, 0.25, plate[2, 2] + 0.03), "plastic"))
    found.append(panel(plate.tolist(), "yellow"))
    return [*found, *_hung(vehicle, end, half, floor)]


def tail_lamps(start: float, width: float, floor: float) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Where the left and the right tail lamp shine, in metres.

    Args:
        start: x of the cargo body's rear end.
        width: of the cargo body.
        floor: z of its floor.
    """
    across, up = width / 2 - 0.36, max(floor - 0.24, 0.6)
    return (start + 0.02, across, up), (start + 0.02, -across, up)


def rear_plate(start: float, floor: float) -> Float[np.ndarray, "4 3"]:
    """Corners of the rear number plate, ``(4, 3)`` metres: counter-clockwise from the lower left as seen from behind.

    Args:
        start: x of the cargo body's rear end.
        floor: z of its floor.
    """
    up = max(floor - 0.24, 0.6)
    return np.array(
        [(start + 0.02, y, z) for y, z in ((0.22, up - 0.07), (-0.22, up - 0.07), (-0.22, up + 0.07), (0.22, up + 0.07))]
    )


def _hung(vehicle: Vehicle, end: float, half: float, floor: float) -> Sequence[Part]:
    """A tank, a box of batteries or tools, the exhaust: behind the cab, below the floor."""
    rng = vehicle.model.rng(51)
    metal = ("steel", "chrome", "frame")[int(rng.integers(3))]
    long, radius = float(rng.uniform(0.8, 1.2)), 0.26
    z = max(floor - 0.16 - radius, 0.55)
    tank = tube([(end - 0.25 - long, half - 0.12 - radius, z), (end - 0.25, half - 0.12 - radius, z)], radius, metal, sides=14)
    tools = box((end - 0.95, -half + 0.12, z - 0.24), (end - 0.3, -half + 0.6, z + 0.24), "plastic", bevel=0.02)
    air = tube([(end - 1.6, -half + 0.3, z), (end - 1.05, -half + 0.3, z)], 0.13, "frame", sides=10)
    return [tank, tools, air] if rng.random() < 0.6 else [mirrored(tank), mirrored(tools), mirrored(air)]
