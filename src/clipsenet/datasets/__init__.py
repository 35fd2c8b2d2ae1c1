"""Benchmarks, by the name of their reader."""

from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from clipsenet.datasets import manifest, toy
from clipsenet.datasets.manifest import ManifestSettings
from clipsenet.protocol import Benchmark


class DataSettings(ManifestSettings):
    """Which benchmark, how its lists are read, and what is held out."""

    benchmark: str = Field(default="manifest", description="The reader; see: clipsenet list benchmarks.")


DATASETS: dict[str, Callable[[Path, DataSettings], Benchmark]] = {"manifest": manifest.benchmark, "toy": toy.load}
"""A reader's name to the function that makes a Benchmark of a folder or file."""


def summary(name: str) -> str:
    """The first line of what a reader says of itself."""
    return (DATASETS[name].__doc__ or "").strip().splitlines()[0]
