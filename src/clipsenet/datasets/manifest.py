"""Your own pictures as a benchmark: a CSV or Parquet manifest, or a folder."""

import csv
import io
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from clipsenet.datasets.folder import read_folder
from clipsenet.datasets.holding_out import HoldOutSettings, draw_vehicles
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.protocol import Benchmark, Protocol, fingerprint
from clipsenet.settings import closest
from clipsenet.sightings import TEXT, Sightings, Trial
from clipsenet.tables import BOX, LABELS, from_arrow, from_columns, refuse_duplicates

SPLITS = ("train", "validation", "query", "gallery")


class ManifestSettings(HoldOutSettings):
    """How a manifest or folder is read, and how it is split where it does not say so itself."""

    columns: dict[str, str] = Field(
        default={}, description="Our column name to the manifest's, where they differ, for instance vehicle: id."
    )
    pattern: str | None = Field(
        default=None,
        description="How the names in a folder are to be read, for instance '{vehicle}_cam{camera}.jpg'; {*} is skipped.",
    )
    test_vehicles: int = Field(
        default=0, ge=0, description="Vehicles held out for the test, where the manifest has no split column."
    )
    both_directions: bool = Field(
        default=False, description="Search the gallery for the queries and the queries for the gallery; average."
    )


def read(root: Path, settings: ManifestSettings) -> Sightings:
    """Sightings from a CSV file, a Parquet file, or a folder of pictures; paths become absolute.

    Raises:
        ClipsenetError: nothing there, no picture in it, a missing column, a bad cell, a duplicate row.
        UsageError: a pattern that cannot be read.
    """
    _check_columns(settings.columns)
    if root.is_dir():
        return with_absolute_paths(read_folder(root, settings.pattern), Path())
    if not root.exists():
        raise ClipsenetError(f"no such file or folder: {root}; give a manifest (.csv, .parquet) or a folder of pictures")
    kind = root.suffix.lower()
    if kind == ".csv":
        sightings = _read_csv(root, settings.columns)
    elif kind in (".parquet", ".pq"):
        try:
            table = pq.read_table(root)
        except (pa.ArrowException, OSError) as error:
            raise ClipsenetError(f"{root} is not a readable Parquet file: {error}; write it anew") from error
        sightings = from_arrow(table.rename_columns(_renamed(table.column_names, settings.columns, root)), str(root))
    else:
        raise ClipsenetError(f"{root}: found '{kind or 'no ending'}', wanted a folder or a file that ends in .csv or .parquet")
    if len(sightings) == 0:
        raise ClipsenetError(f"{root}: no rows; wanted one line a picture below the header")
    return with_absolute_paths(sightings, root.parent)


def with_absolute_paths(sightings: Sightings, folder: Path) -> Sightings:
    """The same with each path made absolute, from ``folder`` on, so that one file has one name.

    Raises:
        ClipsenetError: two rows are the same box of the same file.
    """
    paths = np.array([os.path.abspath(os.path.join(folder, str(path))) for path in sightings.path], dtype=TEXT)
    absolute = replace(sightings, path=paths)
    refuse_duplicates(absolute)
    return absolute


def benchmark(root: Path, settings: ManifestSettings) -> Benchmark:
    """A benchmark from your own pictures.

    A ``split`` column (train, validation, query, gallery) decides. Without one, ``test_vehicles`` vehicles are drawn
    for the test and the others train; with nothing held out, all pictures are both, and the notes say so. Validation and
    drawn test pictures are searched all against all, by the junk rule.

    Raises:
        ClipsenetError: no vehicle column, an unknown split, as many vehicles held out as there are, and as ``read``.
    """
    sightings = read(root, settings)
    if not sightings.vehicle.known.any():
        found = ["path", *(n for n in LABELS if getattr(sightings, n).known.any()), *sightings.extra]
        raise ClipsenetError(
            f"no vehicle column in {root} (line 1): found {', '.join(found)}; rename 'id' or the like to 'vehicle', "
            "pass --set data.columns.vehicle=NAME, or for a folder --set data.pattern='{vehicle}_{*}.jpg'"
        )
    rng = np.random.default_rng(settings.split_seed)
    notes: list[str] = []
    part = {name: np.zeros(len(sightings), dtype=bool) for name in SPLITS}
    if "split" in sightings.extra:
        _read_splits(sightings, part)
        if settings.test_vehicles:
            raise UsageError("data.test_vehicles is set, but the manifest has a split column: unset one of them")
        if settings.validation_vehicles and part["validation"].any():
            raise UsageError("data.validation_vehicles is set, but the manifest has a validation split: unset one of them")
    elif settings.test_vehicles:
        part["query"] = part["gallery"] = draw_vehicles(
            sightings, np.ones(len(sightings), bool), settings.test_vehicles, rng, "test"
        )
        part["train"] = ~part["query"]
        notes.append(f"test: {settings.test_vehicles} vehicles drawn with seed {settings.split_seed}, all against all")
    else:
        part["train"] = np.ones(len(sightings), dtype=bool)
        if not settings.validation_vehicles:
            part["query"] = part["gallery"] = part["train"]
            notes.append("no split column: all vehicles train, and all are searched for, all against all")
    if settings.validation_vehicles:
        part["validation"] = draw_vehicles(sightings, part["train"], settings.validation_vehicles, rng, "validation")
        part["train"] = part["train"] & ~part["validation"]

    tested = np.flatnonzero(part["query"] | part["gallery"])
    test = sightings[tested]
    query, gallery = np.flatnonzero(part["query"][tested]), np.flatnonzero(part["gallery"][tested])
    trials = [Trial(query, gallery, "query to gallery")] if len(query) and len(gallery) else []
    if settings.both_directions and trials:
        trials.append(Trial(gallery, query, "gallery to query"))
    return Benchmark(
        name=_name(root),
        train=sightings[part["train"]],
        validation=sightings[part["validation"]],
        test=test,
        trials=tuple(trials),
        protocol=settings.protocol(Protocol()),
        fingerprint=fingerprint(test),
        copy="your own pictures",
        notes=tuple(notes),
    )


def _name(root: Path) -> str:
    """The list's name, or its folder's where the list has a name that says nothing."""
    path = root.resolve()
    return path.name if path.is_dir() else path.parent.name if path.stem == "pictures" else path.stem


def _read_csv(path: Path, columns: Mapping[str, str]) -> Sightings:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ClipsenetError(f"cannot read {path}: {error}; wanted a CSV file in UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise ClipsenetError(
                    f"{path}, line {reader.line_num}: found {len(row)} cells, wanted {len(header)} "
                    f"({', '.join(header)}); a text with a comma in it needs quotes"
                )
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise ClipsenetError(f"{path}, line {reader.line_num}: {error}; wanted comma-separated values") from error
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        raise ClipsenetError(f"{path} (line 1): found one column {header[0]!r}; wanted columns separated by commas")
    table = dict(
        zip(_renamed(header, columns, path), map(list, zip(*rows, strict=True)) if rows else [[]] * len(header), strict=True)
    )
    table = {name: [text.strip() for text in texts] for name, texts in table.items()}
    return from_columns(table, str(path), np.asarray(lines, dtype=np.int64))


def _check_columns(columns: Mapping[str, str]) -> None:
    known = ("path", *LABELS, "time", *BOX, "split")
    for ours in columns:
        if ours not in known:
            raise UsageError(f"data.columns.{ours}: no column of ours; {closest(ours, known)}")
    if len(set(columns.values())) < len(columns):
        raise UsageError(f"data.columns: one column of the list is named for two of ours ({columns}); name each once")


def _renamed(found: list[str], columns: Mapping[str, str], path: Path) -> list[str]:
    """The manifest's column names, ours put for theirs."""
    twice = {name for name in found if found.count(name) > 1}
    if twice:
        raise ClipsenetError(f"{path} (line 1): column '{min(twice)}' stands twice; remove or rename one")
    for ours, theirs in columns.items():
        if theirs not in found:
            raise ClipsenetError(f"no column '{theirs}' in {path} (line 1), wanted as {ours}: found {', '.join(found)}")
    ours_for = {theirs: ours for ours, theirs in columns.items()}
    return [ours_for.get(name, f"{name} (unused)" if name in columns else name) for name in found]


def _read_splits(sightings: Sightings, part: dict[str, np.ndarray]) -> None:
    split = sightings.extra["split"].texts()
    unknown = np.flatnonzero(~np.isin(split, np.array([*SPLITS, ""], dtype=TEXT)))
    if len(unknown):
        row = int(unknown[0])
        raise ClipsenetError(
            f"{sightings.describe(row)}, column split: found '{split[row]}', wanted {', '.join(SPLITS)}, "
            "or empty for a picture that is not used"
        )
    for name in SPLITS:
        part[name] = split == name
