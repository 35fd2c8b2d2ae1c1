"""A report at full scale: made-up features, tiny pictures, and a network that was never trained."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from clipsenet.benchmarking.made_up import SCALES, draw
from clipsenet.benchmarking.peaks import watching_memory
from clipsenet.models import make_model
from clipsenet.protocol import Benchmark, Protocol, fingerprint
from clipsenet.recipe import load_recipe
from clipsenet.reporting import SILENT, Watch
from clipsenet.reports.choices import Choices
from clipsenet.reports.writing import write_report
from clipsenet.runs import Run
from clipsenet.settings import choose
from clipsenet.sightings import TEXT, Labels, Sightings

TYPES = ("sedan", "van", "truck")
"""Of the made-up vehicles, so that the report has slices to show."""

SIZE = (24, 16)
"""Width and height of the pictures, in pixels."""


def measure(scale: str, to: Path | None = None, similarities: tuple[str, ...] = (), watch: Watch = SILENT) -> dict[str, Any]:
    """Write a report of a benchmark's true size, and say what it took.

    The features are ``made_up.draw``'s, 512-d; the pictures have one colour each; the network, of random weights, makes the
    activation maps alone. What the report says of quality means nothing.

    Args:
        scale: a name of ``SCALES``.
        to: where the report is kept; none: it is removed.
        similarities: chains beside the plain cosine.
        watch: told how far it is.

    Returns:
        ``queries``, ``gallery``, ``seconds``, ``megabytes`` and ``files`` of the folder, ``above_gb``: memory at the
        peak above what was taken before, none where the system does not tell it.

    Raises:
        UsageError: an unknown scale or similarity.
        ClipsenetError: the folder exists, or the disk is full.
    """
    counts = choose("scale", scale, SCALES)
    features, trial = draw(counts, 512)
    with tempfile.TemporaryDirectory(prefix="clipsenet-") as scratch:
        pictures = _pictures(features.sightings, Path(scratch))
        recipe = load_recipe("toy")
        torch.manual_seed(0)
        model = make_model(recipe.model, recipe.images.size, recipe.images.statistics).eval()
        run = Run(Path(scratch) / "run", recipe, "last", 0, model)
        replace(features, sightings=pictures, run_id=run.id).save(Path(scratch) / "features")
        nobody = pictures[np.zeros(0, dtype=np.int64)]
        note = "MADE UP: features drawn by chance, a network that was never trained; a measurement of time and size"
        name = f"made-up:{scale}"
        benchmark = Benchmark(name, nobody, nobody, pictures, (trial,), Protocol(), fingerprint(pictures), "made up", (note,))
        folder = Path(scratch) / "report" if to is None else to
        started = time.perf_counter()
        with watching_memory() as memory:
            choices = Choices(similarities=similarities)
            write_report([("made up", run)], benchmark, folder, choices, [Path(scratch) / "features"], watch=watch)
        seconds = time.perf_counter() - started
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return {
        "scale": scale,
        "queries": len(trial.query),
        "gallery": len(trial.gallery),
        "similarities": ["cosine", *similarities],
        "seconds": seconds,
        "megabytes": sum(sizes) / 1e6,
        "files": len(sizes),
        "above_gb": memory.above_gb,
    }


def _pictures(made_up: Sightings, folder: Path) -> Sightings:
    """The same sightings with a file each, and a type for each vehicle."""
    (folder / "pictures").mkdir()
    rng = np.random.default_rng(0)
    colours = rng.integers(40, 220, (len(made_up.vehicle.names), 3))
    names = [f"{row:06d}.jpg" for row in range(len(made_up))]
    for name, vehicle in zip(names, made_up.vehicle.numbers.tolist(), strict=True):
        red, green, blue = colours[vehicle].tolist()
        Image.new("RGB", SIZE, (red, green, blue)).save(folder / "pictures" / name)
    kinds = Labels(made_up.vehicle.numbers % len(TYPES), TYPES)
    return replace(made_up, path=np.array(names, dtype=TEXT), folder=str(folder / "pictures"), extra={"type": kinds})
