"""inspect(): the figures of a benchmark's lists, and what in them will bite; before anything is trained."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from clipsenet.datasets.copies import PRINTED, REMARKS, Counts
from clipsenet.datasets.veri776 import other_sizes
from clipsenet.images import missing_files
from clipsenet.matches import count_matches
from clipsenet.protocol import Benchmark, JunkRule
from clipsenet.sightings import Labels, Sightings, Trial, same_file

TYPES, COLOURS = ("type", "model"), ("colour", "color")
"""The extra columns that count as a type and as a colour; the first that is there."""


@dataclass(frozen=True)
class Spread:
    """How many pictures the vehicles, or the cameras, of a part have."""

    least: int
    median: float
    most: int


@dataclass(frozen=True)
class PartFigures:
    """One part of a benchmark.

    Attributes:
        part: train, validation, query or gallery; the last two are those of the first trial.
        pictures: rows of it.
        vehicles: how many different ones.
        cameras: how many different ones.
        without_camera: pictures whose camera is unknown.
        per_vehicle: pictures of each vehicle; none without vehicles.
        per_camera: pictures of each camera; none without cameras.
        single: vehicles with one picture.
        missing: pictures whose file is not there.
    """

    part: str
    pictures: int
    vehicles: int
    cameras: int
    without_camera: int
    per_vehicle: Spread | None
    per_camera: Spread | None
    single: int
    missing: int


@dataclass(frozen=True)
class TrialFigures:
    """One trial: queries, gallery, and the queries that have no match under the benchmark's junk rule."""

    trial: str
    queries: int
    gallery: int
    without_match: int


@dataclass(frozen=True)
class LabelFigures:
    """One label: how many different values it has, and how many pictures of each part have one."""

    label: str
    values: int
    train: int
    validation: int
    test: int


@dataclass(frozen=True)
class Inspection:
    """What the lists of a benchmark hold.

    Attributes:
        benchmark: its name.
        copy: official, older, modified, or your own pictures.
        fingerprint: of the test.
        notes: what a reader of a score must know.
        junk: its junk rule.
        printed: the whole data set as Table II of the paper has it; none where it is not in that table.
        remarks: why ``found`` may be different.
        found: what the lists hold, each file once.
        parts: train, validation, query, gallery.
        labels: those that any picture has.
        trials: all of them.
        pictures: the K that a batch takes of each vehicle.
        few: training vehicles with fewer than K pictures.
        missing: files that are not there, each once.
        first_missing: the first of them, or empty.
        other_sizes: queries whose file in ``image_query`` is not as long as the copy in ``image_test``.
    """

    benchmark: str
    copy: str
    fingerprint: str
    notes: tuple[str, ...]
    junk: JunkRule
    printed: Counts | None
    remarks: tuple[str, ...]
    found: Counts
    parts: tuple[PartFigures, ...]
    labels: tuple[LabelFigures, ...]
    trials: tuple[TrialFigures, ...]
    pictures: int
    few: int
    missing: int
    first_missing: str
    other_sizes: tuple[str, ...]


def inspect(benchmark: Benchmark, pictures: int = 8) -> Inspection:
    """Count what a benchmark's lists hold; no picture is opened, and none need be there.

    Args:
        benchmark: any.
        pictures: the K that a batch takes of each vehicle.
    """
    everything = (benchmark.train, benchmark.validation, benchmark.test)
    absent = [_absent(part) for part in everything]
    parts = [
        _figures(name, part, missing)
        for name, part, missing in zip(("train", "validation"), everything[:2], absent[:2], strict=True)
    ]
    for name, rows in _rows_of_first(benchmark.trials):
        parts.append(_figures(name, benchmark.test[rows], absent[2][rows]))
    of_vehicle = _counts(benchmark.train.vehicle)
    queries = [trial.query for trial in benchmark.trials]
    dataset = benchmark.name.partition(":")[0]
    missing = [part[rows] for part, rows in zip(everything, absent, strict=True)]
    return Inspection(
        benchmark=benchmark.name,
        copy=benchmark.copy,
        fingerprint=benchmark.fingerprint,
        notes=benchmark.notes,
        junk=benchmark.protocol.junk,
        printed=PRINTED.get(dataset),
        remarks=REMARKS.get(dataset, ()),
        found=_count_all(everything),
        parts=tuple(parts),
        labels=_labels(everything),
        trials=_trials(benchmark),
        pictures=pictures,
        few=int((of_vehicle < pictures).sum()),
        missing=_count_files(missing),
        first_missing=next((part.file(0) for part in missing if len(part)), ""),
        other_sizes=tuple(other_sizes(benchmark.test, np.unique(np.concatenate(queries)))) if queries else (),
    )


def _rows_of_first(trials: tuple[Trial, ...]) -> list[tuple[str, Int[np.ndarray, " _"]]]:
    """Queries and gallery of the first trial, which the names say where there are several."""
    if not trials:
        return []
    first = ", trial 1" if len(trials) > 1 else ""
    return [(f"query{first}", trials[0].query), (f"gallery{first}", trials[0].gallery)]


def _trials(benchmark: Benchmark) -> tuple[TrialFigures, ...]:
    without = [int((count_matches(benchmark.test, one, benchmark.protocol.junk) == 0).sum()) for one in benchmark.trials]
    return tuple(
        TrialFigures(one.name, len(one.query), len(one.gallery), number)
        for one, number in zip(benchmark.trials, without, strict=True)
    )


def _absent(part: Sightings) -> Bool[np.ndarray, " n"]:
    absent = np.zeros(len(part), dtype=bool)
    absent[missing_files(part)] = True
    return absent


def _figures(name: str, part: Sightings, missing: Bool[np.ndarray, " n"]) -> PartFigures:
    of_vehicle, of_camera = _counts(part.vehicle), _counts(part.camera)
    return PartFigures(
        part=name,
        pictures=len(part),
        vehicles=len(of_vehicle),
        cameras=len(of_camera),
        without_camera=int((~part.camera.known).sum()),
        per_vehicle=_spread(of_vehicle),
        per_camera=_spread(of_camera),
        single=int((of_vehicle == 1).sum()),
        missing=int(missing.sum()),
    )


def _counts(labels: Labels) -> Int[np.ndarray, " present"]:
    """How many pictures each vehicle or camera has that occurs."""
    counts: Int[np.ndarray, " present"] = np.unique(labels.numbers[labels.known], return_counts=True)[1]
    return counts


def _spread(counts: Int[np.ndarray, " present"]) -> Spread | None:
    return Spread(int(counts.min()), float(np.median(counts)), int(counts.max())) if len(counts) else None


def _count_all(parts: tuple[Sightings, ...]) -> Counts:
    """Over all parts, each file once."""
    return Counts(
        pictures=_count_files(parts),
        vehicles=_values([part.vehicle for part in parts]),
        cameras=_values([part.camera for part in parts]) or None,
        types=_values(_first_column(parts, TYPES)) or None,
        colours=_values(_first_column(parts, COLOURS)) or None,
    )


def _count_files(parts: Sequence[Sightings]) -> int:
    """How many different files all parts have."""
    return len(np.unique(same_file(*parts, boxes=False)))


def _values(labels: list[Labels]) -> int:
    """How many different names really occur in any part."""
    return len({one.names[number] for one in labels for number in np.unique(one.numbers[one.known])})


def _first_column(parts: tuple[Sightings, ...], names: tuple[str, ...]) -> list[Labels]:
    for name in names:
        found = [part.extra[name] for part in parts if name in part.extra]
        if found:
            return found
    return []


def _labels(parts: tuple[Sightings, ...]) -> tuple[LabelFigures, ...]:
    columns: dict[str, list[Labels]] = {name: [getattr(part, name) for part in parts] for name in ("camera", "view", "track")}
    extra = dict.fromkeys(name for part in parts for name in part.extra if name != "split")  # that one made the parts
    columns |= {name: [part.extra.get(name, Labels.unknown(0)) for part in parts] for name in extra}
    figures = (
        LabelFigures(name, _values(labels), *(int(one.known.sum()) for one in labels)) for name, labels in columns.items()
    )
    return tuple(one for one in figures if one.values)
