"""Drawn vehicles: what ``clipsenet synthesize`` made, as a benchmark that says so on every card."""

import json
from dataclasses import replace
from pathlib import Path

from clipsenet.datasets.manifest import ManifestSettings, benchmark
from clipsenet.errors import ClipsenetError
from clipsenet.protocol import Benchmark

NOTE = "DRAWN vehicles: no picture shows a real one; scores compare methods with each other, and say nothing of a road"
HERE = "draw one with: clipsenet synthesize OUT"


def load(root: Path, settings: ManifestSettings) -> Benchmark:
    """Drawn vehicles: the folder that ``clipsenet synthesize`` made, or the pictures.csv in it.

    Args:
        root: that folder or file.
        settings: as for any manifest.

    Raises:
        ClipsenetError: nothing drawn there, or a drawing that was stopped before its lists were written.
    """
    folder = root if root.is_dir() else root.parent
    about, manifest = folder / "about.json", folder / "pictures.csv"
    if not about.is_file() or not manifest.is_file():
        begun = (folder / "plan.json").is_file()
        what = "the drawing there was stopped: go on with the command that began it" if begun else HERE
        raise ClipsenetError(f"no drawn vehicles at {root}: wanted about.json and pictures.csv; {what}")
    try:
        told = json.loads(about.read_text(encoding="utf-8"))
        drawn = f"format {told['format']}, seed {told['settings']['seed']}"
    except (ValueError, TypeError, KeyError) as error:
        raise ClipsenetError(f"{about} is not what a drawing left there ({error!r}); {HERE}") from error
    found = benchmark(manifest, settings)
    return replace(found, name="drawn", copy=f"drawn vehicles, {drawn}", notes=(NOTE, *found.notes))
