"""Loads: what lies on an open bed: boxes, pipes, sand, timber, a tarpaulin."""

from collections.abc import Callable

import numpy as np

from clipsenet.synthetic.bodies.frame import Bed
from clipsenet.synthetic.bodies.meshes import box
from clipsenet.synthetic.bodies.parts import grid_faces, merged, moved, part, turned
from clipsenet.synthetic.bodies.rounds import tube
from clipsenet.synthetic.body import Part
from clipsenet.synthetic.identity import Vehicle


def load(vehicle: Vehicle, bed: Bed) -> list[Part]:
    """What lies on the bed by ``details.load``; seeded by the vehicle, in the skin ``palette``.

    Args:
        vehicle: whose load it is.
        bed: where it lies.
    """
    if vehicle.details.load == "none":
        return []
    return merged(LOADS[vehicle.details.load](bed, np.random.default_rng((vehicle.number, 42))))


def _boxes(bed: Bed, rng: np.random.Generator) -> list[Part]:
    """Boxes of cardboard, plastic and the load's colour, some of them on others."""
    found: list[Part] = []
    colours = ("card", "card-dark", "load", "card", "white", "blue")
    length, wide = bed.front - bed.rear, 2 * bed.half_width
    columns, rows = max(2, round(length / 0.75)), max(2, round(wide / 0.7))
    cell_x, cell_y = length / columns, wide / rows
    tall = max(0.4, bed.rail - bed.floor)
    for column in range(columns):
        for row in range(rows):
            if rng.random() < 0.18:
                continue
            x, y = bed.rear + (column + 0.5) * cell_x, -bed.half_width + (row + 0.5) * cell_y
            height = bed.floor
            for _ in range(1 + int(rng.random() < 0.3)):
                size = np.array(
                    [cell_x * rng.uniform(0.7, 0.95), cell_y * rng.uniform(0.7, 0.95), tall * rng.uniform(0.6, 1.25)]
                )
                colour = colours[int(rng.integers(len(colours)))]
                shape = box((-size[0] / 2, -size[1] / 2, 0), (size[0] / 2, size[1] / 2, size[2]), colour)
                found.append(moved(turned(shape, 2, float(rng.uniform(-4, 4))), (x, y, height)))
                height += size[2]
    return found


def _pipes(bed: Bed, rng: np.random.Generator) -> list[Part]:
    """A bundle of pipes or rods along the bed that may reach beyond its rear."""
    found = []
    radius = float(rng.uniform(0.035, 0.08))
    colour = ("steel", "pipe", "copper", "white", "load")[int(rng.integers(5))]
    count = min(9, max(3, int(1.6 * bed.half_width / (2.1 * radius))))
    over = _overhang(bed, rng)
    for layer in range(min(3, count - 1)):
        for place in range(count - layer):
            y, z = (place - (count - layer - 1) / 2) * 2.05 * radius, bed.floor + radius + layer * 1.78 * radius
            shift = float(rng.uniform(-0.08, 0.02))
            found.append(tube([(bed.rear - over + shift, y, z), (bed.front - 0.06 + shift, y, z)], radius, colour, sides=8))
    return [*found, *_straps(bed, bed.floor + 2.1 * radius * min(3, count - 1), count * 1.05 * radius)]


def _sand(bed: Bed, rng: np.random.Generator) -> list[Part]:
    """A heap that fills the bed, rough and higher than its rails in one or two places."""
    columns, rows = 22, 14
    x, y = np.meshgrid(np.linspace(bed.rear, bed.front, columns), np.linspace(-bed.half_width, bed.half_width, rows))
    deep = bed.rail - bed.floor
    height = np.zeros_like(x)
    for _ in range(int(rng.integers(1, 3))):
        middle = rng.uniform(0.35, 0.65) * (bed.front - bed.rear) + bed.rear
        spread = (bed.front - bed.rear) * rng.uniform(0.24, 0.38), bed.half_width * rng.uniform(0.5, 0.75)
        heap = np.exp(-(((x - middle) / spread[0]) ** 2) - (y / spread[1]) ** 2)
        height = np.maximum(height, heap * rng.uniform(0.5, 0.8) * max(0.35, deep * 0.7))
    height += bed.floor + 0.62 * deep + rng.normal(0, 0.018, x.shape)
    down_y, down_x = np.gradient(height, y[:, 0], x[0])
    normals = np.stack([-down_x, -down_y, np.ones_like(x)], axis=2).reshape(-1, 3)
    points = np.stack([x, y, height], axis=2).reshape(-1, 3)
    return [part(points, normals, grid_faces(rows, columns), "sand" if rng.random() < 0.65 else "gravel")]


def _timber(bed: Bed, rng: np.random.Generator) -> list[Part]:
    """Planks in layers, each of its own shade."""
    found = []
    wide, thick = 0.16, 0.05
    across = max(3, int(1.7 * bed.half_width / (wide + 0.015)))
    over, layers = _overhang(bed, rng), int(rng.integers(3, 7))
    for layer in range(layers):
        for place in range(across):
            if layer == layers - 1 and rng.random() < 0.4:
                continue
            y, z = (place - (across - 1) / 2) * (wide + 0.015), bed.floor + 0.06 + layer * (thick + 0.012)
            end = float(rng.uniform(-0.1, 0.1))
            colour = ("wood", "wood-dark", "wood-pale")[int(rng.integers(3))]
            found.append(
                box((bed.rear - over + end, y - wide / 2, z), (bed.front - 0.08 + end, y + wide / 2, z + thick), colour)
            )
    return [*found, *_straps(bed, bed.floor + 0.06 + layers * (thick + 0.012), across * (wide + 0.015) / 2)]


def _tarpaulin(bed: Bed, rng: np.random.Generator) -> list[Part]:
    """A cloth in the load's colour over something, tied down at the rails; it sags between what lies below."""
    columns, rows = 26, 16
    along, across = np.meshgrid(np.linspace(0, 1, columns), np.linspace(-1, 1, rows))
    x, y = bed.rear + along * (bed.front - bed.rear), across * (bed.half_width + 0.02)
    high = max(0.25, 0.6 * (bed.rail - bed.floor)) * float(rng.uniform(0.7, 1.3))
    humps = np.abs(np.sin(np.pi * along * float(rng.integers(2, 4)) + float(rng.uniform(0, 3))))
    edge = np.minimum(1, 3.2 * np.minimum(1 - np.abs(across), 2 * np.minimum(along, 1 - along)))
    height = bed.rail + 0.03 + high * np.sqrt(edge) * (0.72 + 0.28 * humps)
    height += 0.014 * np.sin(along * 41 + across * 5) * (1 - edge) + 0.008 * rng.normal(size=x.shape) * edge
    down_y, down_x = np.gradient(height, y[:, 0], x[0])
    normals = np.stack([-down_x, -down_y, np.ones_like(x)], axis=2).reshape(-1, 3)
    return [part(np.stack([x, y, height], axis=2).reshape(-1, 3), normals, grid_faces(rows, columns), "load")]


def _overhang(bed: Bed, rng: np.random.Generator) -> float:
    """How far a long load reaches beyond the rear, in metres; not through a high tail gate."""
    beyond = float(rng.uniform(0.0, 0.4))
    return beyond if bed.rail - bed.floor < 0.2 else -0.06


def _straps(bed: Bed, top: float, half_width: float) -> list[Part]:
    """Two straps over a bundle."""
    half = min(half_width + 0.02, bed.half_width - 0.01)
    found = []
    for share in (0.25, 0.75):
        x = bed.rear + share * (bed.front - bed.rear)
        path = [(x, -half, bed.floor + 0.01), (x, -half, top), (x, half, top), (x, half, bed.floor + 0.01)]
        found.append(tube(path, 0.022, "cloth-dark", sides=4))
    return found


LOADS: dict[str, Callable[[Bed, np.random.Generator], list[Part]]] = {
    "boxes": _boxes,
    "pipes": _pipes,
    "sand": _sand,
    "timber": _timber,
    "tarpaulin": _tarpaulin,
}
"""By ``details.load``."""
