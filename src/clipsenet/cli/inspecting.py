"""A command that looks at a benchmark's lists: inspect."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipsenet.cli.opening import print_json
from clipsenet.cli.options import AsJson, Set
from clipsenet.errors import UsageError

if TYPE_CHECKING:
    from clipsenet.datasets.copies import Counts
    from clipsenet.inspecting import Inspection, PartFigures, Spread, TrialFigures


def inspect(
    benchmark: Annotated[str, typer.Argument(metavar="BENCHMARK", help="The reader. See: clipsenet list benchmarks.")],
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="The data set's folder, or your own list.")],
    pictures: Annotated[int, typer.Option("--pictures", metavar="K", min=1, help="Pictures of each vehicle in a batch.")] = 8,
    set_: Set = None,
    json_: AsJson = False,
) -> None:
    """What a benchmark's lists hold, and what in them will bite; the pictures need not be there."""
    from dataclasses import asdict

    from clipsenet.datasets import DATASETS, DataSettings
    from clipsenet.inspecting import inspect as inspect_
    from clipsenet.settings import choose, override

    read = choose("benchmark", benchmark, DATASETS)
    given = override({"data": {}}, set_ or ())
    if given.keys() != {"data"} or "benchmark" in given["data"]:
        raise UsageError(f"--set {' '.join(set_ or ())}: inspect takes data.* only, and its first word is the benchmark")
    settings = DataSettings.from_values({**given["data"], "benchmark": benchmark}, "--set data")
    found = inspect_(read(root, settings), pictures)
    if json_:
        print_json(asdict(found))
    else:
        _print(found)


def _print(found: "Inspection") -> None:
    from clipsenet.console import out, print_rows
    from clipsenet.protocol import JUNK

    lines = {
        "benchmark": f"{found.benchmark} ({found.copy})",
        "fingerprint": found.fingerprint,
        "junk": f"{found.junk}: {JUNK[found.junk]}",
        **{f"note {number}": note for number, note in enumerate(found.notes, 1)},
    }
    width = max(map(len, lines))
    for name, text in lines.items():
        out.print(f"{name:<{width}}  {text}", markup=False)
    out.print()
    rows = [("these lists, each file once", *_counts(found.found))]
    if found.printed is not None:
        rows.insert(0, ("Table II of the paper", *_counts(found.printed)))
    print_rows(("", "pictures", "vehicles", "cameras", "types", "colours"), rows)
    if found.printed is not None:
        for remark in found.remarks:
            out.print(f"  {remark}", markup=False)
    print_rows(
        ("part", "pictures", "missing", "vehicles", "of one picture", "pictures per vehicle", "cameras", "pictures per camera"),
        [_part(one) for one in found.parts],
    )
    out.print("  per vehicle and per camera: least / median / most", markup=False)
    if found.labels:
        print_rows(
            ("label", "values", "known in train", "validation", "test"),
            [(one.label, *(f"{n:,}" for n in (one.values, one.train, one.validation, one.test))) for one in found.labels],
        )
    if found.trials:
        print_rows(
            ("trial", "queries", "gallery", "queries without a match"),
            _trials(found.trials),
        )
    out.print("what will bite:", markup=False)
    for text in _bites(found) or ["nothing of what was looked for"]:
        out.print(f"  {text}", markup=False)


def _trials(trials: Sequence["TrialFigures"]) -> list[tuple[str, ...]]:
    """A row for each trial, or one for all where they differ in nothing but their pictures."""
    rows = [(one.trial, *(f"{n:,}" for n in (one.queries, one.gallery, one.without_match))) for one in trials]
    return [(f"each of {len(rows)}", *rows[0][1:])] if len(rows) > 1 and len({row[1:] for row in rows}) == 1 else rows


def _part(one: "PartFigures") -> tuple[str, ...]:
    cameras = f"{one.cameras:,}" if one.cameras else "unknown" if one.pictures else "0"
    if one.cameras and one.without_camera:
        cameras += f" ({one.without_camera:,} unknown)"
    return (
        one.part,
        f"{one.pictures:,}",
        f"{one.missing:,}",
        f"{one.vehicles:,}",
        f"{one.single:,}",
        _spread(one.per_vehicle),
        cameras,
        _spread(one.per_camera),
    )


def _spread(spread: "Spread | None") -> str:
    return "" if spread is None else f"{spread.least:,} / {spread.median:,g} / {spread.most:,}"


def _counts(counts: "Counts") -> tuple[str, ...]:
    numbers = (counts.pictures, counts.vehicles, counts.cameras, counts.types, counts.colours)
    return tuple("unknown" if number is None else f"{number:,}" for number in numbers)


def _bites(found: "Inspection") -> list[str]:
    """What a training or an evaluation will stumble over, each with what happens then."""
    train = found.parts[0]
    texts = []
    if found.few:
        texts.append(
            f"training vehicles with fewer than {found.pictures} pictures: {found.few:,} of {train.vehicles:,}; a batch shows "
            "some of their pictures more than once (sampler.pictures)"
        )
    without = [one.without_match for one in found.trials]
    if any(without):
        numbers = f"{max(without):,}" if min(without) == max(without) else f"{min(without):,} to {max(without):,}"
        texts.append(f"queries without a match under the junk rule: {numbers} in a trial; they are left out of the means")
    if not found.trials:
        texts.append("no query or no gallery: nothing can be evaluated")
    if found.missing:
        texts.append(
            f"missing files: {found.missing:,}, the first {found.first_missing}; training and evaluation refuse that, or go on "
            "without them with --skip-broken"
        )
    if found.other_sizes:
        texts.append(
            f"queries whose file in image_query is not as long as that in image_test, which is read: "
            f"{len(found.other_sizes):,}, such as {found.other_sizes[0]}"
        )
    return texts
