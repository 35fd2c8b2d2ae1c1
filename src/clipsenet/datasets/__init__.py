"""Benchmarks, by the name of their reader."""

from collections.abc import Callable
from pathlib import Path

from clipsenet.datasets import manifest, toy
from clipsenet.datasets.manifest import ManifestSettings
from clipsenet.protocol import Benchmark

DATASETS: dict[str, Callable[[Path, ManifestSettings], Benchmark]] = {"manifest": manifest.benchmark, "toy": toy.load}
"""A reader's name to the function that makes a Benchmark of a folder or file."""


def summary(name: str) -> str:
    """The first line of what a reader says of itself."""
    return (DATASETS[name].__doc__ or "").strip().splitlines()[0]
