"""Copies of the published data sets: what is known of the official ones, and how another copy differs from them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from clipsenet.protocol import fingerprint_names


@dataclass(frozen=True)
class Split:
    """What is known of one split: its counts, and what its names amount to.

    Attributes:
        pictures: how many.
        vehicles: of how many vehicles.
        cameras: by how many cameras; none where nobody has said it.
        fingerprint: of its names, see ``fingerprint_names``.
        older: the fingerprint of an older release, or empty.
        difference: how that one differs.
    """

    pictures: int
    vehicles: int
    cameras: int | None
    fingerprint: str
    older: str = ""
    difference: str = ""


@dataclass(frozen=True)
class Copy:
    """What a copy is.

    Attributes:
        kind: official, older release or modified, with the splits that are.
        notes: one for each split that is not official.
    """

    kind: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Counts:
    """How much a data set holds; none: unknown."""

    pictures: int
    vehicles: int
    cameras: int | None
    types: int | None
    colours: int | None


KNOWN: dict[str, dict[str, Split]] = {
    "veri776": {
        "train": Split(
            37_778, 576, 20, "d248af0ce367757a", "efae10da5d5da1b1", "12 pictures bear vehicle 0040 instead of 0041 and 0044"
        ),
        "query": Split(1_678, 200, 19, "a1988dac9b1ba7a8"),
        "gallery": Split(11_579, 200, 19, "ca1453e2260b0940"),
    },
    "vehicleid": {
        "train": Split(113_346, 13_164, None, "885b7a00699d1283"),
        "small": Split(6_493, 800, None, "6d3833dc15d32681"),
        "medium": Split(13_377, 1_600, None, "0931f2ee02883151"),
        "large": Split(19_777, 2_400, None, "f101d81014d5dc70"),
    },
    "veriwild": {
        "train": Split(277_797, 30_671, None, "3c461a5ee3e2f2d0"),
        "small query": Split(3_000, 3_000, None, "1d2a381542869093"),
        "small gallery": Split(38_861, 3_000, None, "c9da6fa8c79c4cb2"),
        "medium query": Split(5_000, 5_000, None, "67012face8412a03"),
        "medium gallery": Split(64_389, 5_000, None, "b684006a60a6f9e0"),
        "large query": Split(10_000, 10_000, None, "2f745fc07f391e75"),
        "large gallery": Split(128_517, 10_000, None, "01d91c46e08cae80"),
    },
}
"""A data set's splits as they were counted in the official release."""

PRINTED: dict[str, Counts] = {
    "veri776": Counts(51_035, 776, 20, 9, 10),
    "vehicleid": Counts(221_763, 26_267, 1, 250, 7),
    "veriwild": Counts(416_314, 40_671, 174, 8, 11),
}
"""The data sets as Table II of the CLIP-SENet paper prints them."""

REMARKS: dict[str, tuple[str, ...]] = {
    "veri776": ("Table II counts the queries twice: each stands in the gallery, too",),
    "vehicleid": (
        "Table II counts all test lists, a benchmark has one of them",
        "Table II's one camera means that no camera is known; its types are the models",
    ),
    "veriwild": ("Table II counts the large test, which holds the small and the medium one",),
}
"""What explains a difference between ``PRINTED`` and what the lists hold."""


def measure(names: Collection[str], vehicles: Iterable[str], cameras: Iterable[str] = ()) -> Split:
    """What one split of a copy amounts to: its names, and the vehicle and camera of each."""
    return Split(len(names), len(set(vehicles)), len(set(cameras)) or None, fingerprint_names(names))


def compare(dataset: str, found: Mapping[str, Split]) -> Copy:
    """Compare the splits of a copy with what is known of the official ones.

    Args:
        dataset: a name of ``KNOWN``.
        found: split to what it amounts to here.
    """
    older, modified, notes = [], [], []
    for name, split in found.items():
        known = KNOWN[dataset][name]
        difference = _difference(split, known)
        if split.fingerprint == known.older:
            older.append(name)
            notes.append(f"{name}: the older release, {known.difference}")
        elif difference:
            modified.append(name)
            notes.append(f"{name}: {difference}")
    kind = f"modified: {', '.join(modified)}" if modified else f"older release: {', '.join(older)}" if older else "official"
    return Copy(kind, tuple(notes))


def _difference(copy: Split, official: Split) -> str:
    """Counts that differ, or names alone; empty where nothing does."""
    counts = {
        "pictures": (copy.pictures, official.pictures),
        "vehicles": (copy.vehicles, official.vehicles),
        "cameras": (copy.cameras, official.cameras),
    }
    differ = [name for name, (ours, theirs) in counts.items() if theirs not in (None, ours)]
    if differ:
        here, there = ([_count(counts[name][side]) for name in differ] for side in (0, 1))
        named = ", ".join(f"{number} {name}" for number, name in zip(here, differ, strict=True))
        return f"{named} (officially {' / '.join(there)})"
    return "official counts, but other names" if copy.fingerprint != official.fingerprint else ""


def _count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"
