"""A toy benchmark drawn with numpy: coloured shapes with marks, seen by several cameras. Not vehicles."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image

from clipsenet.datasets.manifest import ManifestSettings, benchmark
from clipsenet.errors import ClipsenetError
from clipsenet.files import write_folder
from clipsenet.protocol import Benchmark

NOTE = "a TOY: drawn shapes, not vehicles; its scores say that the machinery works, nothing else"
SIDE = 48
SPLITS = {"train": 0.6, "validation": 0.15}
"""Shares of the shapes; the rest is the test, whose first picture a camera is a query."""


def load(root: Path, settings: ManifestSettings) -> Benchmark:
    """The benchmark that ``draw`` wrote.

    Args:
        root: its folder, or the ``pictures.csv`` in it.
        settings: as for any manifest.

    Raises:
        ClipsenetError: nothing drawn there.
    """
    manifest = root / "pictures.csv" if root.is_dir() else root
    if not manifest.is_file():
        raise ClipsenetError(f"no toy benchmark at {root}: draw one with: clipsenet toy {root}")
    found = benchmark(manifest, settings)
    return replace(found, name="toy", copy="drawn", notes=(NOTE, *found.notes))


def draw(folder: Path, shapes: int = 40, cameras: int = 4, pictures: int = 2, seed: int = 0) -> int:
    """Draw ``shapes`` identities before ``cameras`` cameras, ``pictures`` each, with a manifest ``pictures.csv``.

    An identity is a body colour, an outline and two marks; a camera is a colour cast, a brightness and a noise; a
    picture adds place, size and a mirror image.

    Args:
        folder: new or empty.
        shapes: identities, at least 8.
        cameras: at least 2.
        pictures: of each identity in each camera.
        seed: decides everything.

    Returns:
        How many pictures were drawn.

    Raises:
        ClipsenetError: too few, or a folder that holds something.
    """
    if shapes < 8 or cameras < 2 or pictures < 1:
        raise ClipsenetError(f"{shapes} shapes, {cameras} cameras, {pictures} pictures: wanted at least 8, 2 and 1")
    rng = np.random.default_rng(seed)
    casts = rng.uniform(0.7, 1.0, (cameras, 3)) * rng.uniform(0.7, 1.1, (cameras, 1))
    noises = rng.uniform(2, 12, cameras)
    bounds = np.cumsum([int(shapes * share) for share in SPLITS.values()])
    rows: list[tuple[str, str, str, str, str]] = []

    def write(partial: Path) -> None:
        for shape in range(shapes):
            body = _Shape(np.random.default_rng((seed, shape)))
            part = ["train", "validation", "test"][int(np.searchsorted(bounds, shape, side="right"))]
            for camera in range(cameras):
                for number in range(pictures):
                    view = np.random.default_rng((seed, shape, camera, number))
                    shot = body.drawn(view) * casts[camera] + view.normal(0, noises[camera], (SIDE, SIDE, 3))
                    name = f"shape{shape:03d}_c{camera + 1}_{number}.png"
                    Image.fromarray(np.clip(shot, 0, 255).astype(np.uint8)).save(partial / name)
                    split = part if part != "test" else "query" if number == 0 else "gallery"
                    rows.append((name, f"shape{shape:03d}", str(camera + 1), split, body.outline))
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([("path", "vehicle", "camera", "split", "type"), *rows])
        (partial / "pictures.csv").write_text(text.getvalue(), encoding="utf-8")

    write_folder(folder, write)
    return len(rows)


class _Shape:
    """One identity: what all its pictures share."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.colour = rng.uniform(40, 255, 3)
        self.outline = ("disc", "block", "wedge")[int(rng.integers(3))]
        self.stretch = rng.uniform(0.5, 0.9)
        self.marks = [(rng.uniform(-0.5, 0.5, 2), rng.uniform(0.1, 0.25), rng.uniform(0, 255, 3)) for _ in range(2)]

    def drawn(self, view: np.random.Generator) -> Float[np.ndarray, "height width 3"]:
        """``(48, 48, 3)`` in 0 to 255, before the camera."""
        y, x = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE * 2 - 1
        centre, size = view.uniform(-0.15, 0.15, 2), view.uniform(0.65, 0.9)
        u = (x - centre[0]) / size * (1 if view.random() < 0.5 else -1)
        v = (y - centre[1]) / size
        inside = {
            "disc": u**2 + (v / self.stretch) ** 2 < 1,
            "block": (abs(u) < 0.9) & (abs(v) < self.stretch),
            "wedge": (abs(u) < 0.9) & (v > -self.stretch * (u + 1.2) / 2) & (v < self.stretch),
        }[self.outline]
        picture = np.full((SIDE, SIDE, 3), view.uniform(60, 160))
        picture[inside] = self.colour
        for place, radius, colour in self.marks:
            mark = inside & ((u - place[0]) ** 2 + (v - place[1] * self.stretch) ** 2 < radius**2)
            picture[mark] = colour
        return picture
