"""Benchmarks, by the name of their reader."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import Field

from clipsenet.datasets import drawn, manifest, toy, vehicleid, veri776, veriwild
from clipsenet.datasets.holding_out import HoldOutSettings
from clipsenet.datasets.manifest import ManifestSettings
from clipsenet.datasets.unread import refuse_unread
from clipsenet.datasets.vehicleid import DrawSettings
from clipsenet.protocol import Benchmark

S = TypeVar("S", bound=str)


class DataSettings(ManifestSettings, DrawSettings):
    """Which benchmark, how its lists are read, and what is held out."""

    benchmark: str = Field(default="manifest", description="The reader; see: clipsenet list benchmarks.")


Reader = Callable[[Path, DataSettings], Benchmark]


def _reader(name: str, load: Reader, read: type[HoldOutSettings]) -> Reader:
    """A reader that refuses the settings that it does not read."""

    def checked(root: Path, settings: DataSettings) -> Benchmark:
        refuse_unread(settings, read, name)
        return load(root, settings)

    checked.__doc__ = load.__doc__
    return checked


def _sizes(
    name: str, load: Callable[[Path, DataSettings, S], Benchmark], sizes: dict[S, int], read: type[HoldOutSettings]
) -> dict[str, Reader]:
    """A reader for each size of a data set's test."""

    def sized(size: S) -> Reader:
        def of_size(root: Path, settings: DataSettings) -> Benchmark:
            return load(root, settings, size)

        of_size.__doc__ = f"{(load.__doc__ or '').splitlines()[0].rstrip('.')}: here {sizes[size]:,}."
        return _reader(f"{name}:{size}", of_size, read)

    return {f"{name}:{size}": sized(size) for size in sizes}


DATASETS: dict[str, Reader] = {
    "manifest": _reader("manifest", manifest.benchmark, ManifestSettings),
    "drawn": _reader("drawn", drawn.load, ManifestSettings),
    "toy": _reader("toy", toy.load, ManifestSettings),
    "veri776": _reader("veri776", veri776.load, HoldOutSettings),
    **_sizes("vehicleid", vehicleid.load, vehicleid.SIZES, DrawSettings),
    **_sizes("veriwild", veriwild.load, veriwild.SIZES, HoldOutSettings),
}
"""A reader's name to the function that makes a Benchmark of a folder or file."""


def summary(name: str) -> str:
    """The first line of what a reader says of itself."""
    return (DATASETS[name].__doc__ or "").strip().splitlines()[0]
