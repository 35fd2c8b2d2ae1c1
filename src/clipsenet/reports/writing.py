"""A report written: the folder with index.html, report.json, figures and pictures."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

from clipsenet.covering import plate_boxes
from clipsenet.files import require_new_folder, write_folder
from clipsenet.protocol import Benchmark
from clipsenet.reporting import SILENT, Watch
from clipsenet.reports.choices import Choices
from clipsenet.reports.drawings import draw_all
from clipsenet.reports.findings import find
from clipsenet.reports.numbers import gather
from clipsenet.reports.page import render
from clipsenet.reports.tiles import Tiles
from clipsenet.runs import Run


def write_report(
    named: Sequence[tuple[str, Run]],
    benchmark: Benchmark,
    to: Path,
    choices: Choices,
    features: Sequence[Path] | None = None,
    device: torch.device | str = "cpu",
    watch: Watch = SILENT,
) -> dict[str, Any]:
    """Evaluate one run or two, and write the page; the folder is there when it is whole.

    Args:
        named: the runs, each with a name of its own; the second is compared with the first.
        benchmark: whose test pictures they see.
        to: the folder; new.
        choices: what is shown.
        features: a features folder for each run: read where it is there, written where it is not; none: nothing is kept.
        device: where networks compute.
        watch: told how far it is.

    Returns:
        What report.json holds.

    Raises:
        ClipsenetError: the folder exists, nothing to test, a broken picture, runs that cannot be compared, a full disk.
    """
    require_new_folder(to)
    plate_boxes(benchmark.test)  # a cell that cannot be read is refused before hours are spent
    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="clipsenet-") as scratch:
        folders = list(features) if features else [Path(scratch) / str(number) for number in range(len(named))]
        found = find(named, benchmark, folders, choices, device, watch)
        if not features:
            watch.say("the features that were kept for the time being are gone; --features DIR keeps them")

    def write(folder: Path) -> None:
        tiles = Tiles(benchmark.test, folder, choices.blurred)
        report.update(gather(found, choices))
        watch.say("drawing")
        shown = [one["runs"][0] for one in report["queries"]]
        drawings = draw_all(found, folder, tiles, shown, choices)
        recipes = [yaml.safe_dump(one["recipe"], sort_keys=False, allow_unicode=True) for one in report["runs"]]
        page = render(report, drawings, tiles.file, recipes, choices)
        (folder / "index.html").write_text(page, encoding="utf-8")
        (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")

    write_folder(to, write)
    return report
