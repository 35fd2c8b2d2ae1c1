"""From a command's words to runs, benchmarks and devices; and what is said to the user beside tables."""

import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from clipsenet.errors import ClipsenetError, UsageError

if TYPE_CHECKING:
    from clipsenet.broken import Part
    from clipsenet.calibrating.calibration import Calibration
    from clipsenet.datasets import DataSettings
    from clipsenet.protocol import Benchmark
    from clipsenet.runs import Run


def use_threads(threads: int | None) -> None:
    """Set torch's threads, and keep Fabric from announcing what the recipe says anyway."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    for name in ("lightning.fabric", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


def open_run(folder: Path, checkpoint: str | None) -> "Run":
    """Open a run folder with the checkpoint of ``--checkpoint``."""
    from clipsenet.runs import Run

    if checkpoint is not None and re.fullmatch(r"last|best|epoch-\d+", checkpoint) is None:
        raise UsageError(f"--checkpoint {checkpoint}: choose from last, best, epoch-N")
    return Run.open(folder, checkpoint)


def data_settings(folder: Path, benchmark: str | None, set_: Sequence[str] | None, command: str) -> "DataSettings":
    """How a command reads ``--data``: as the recipe of a run says, but for ``--benchmark`` and ``--set data.*``.

    Raises:
        UsageError: a setting of something else than the data.
    """
    from clipsenet.recipe import Recipe
    from clipsenet.runs import read_recipe
    from clipsenet.settings import override

    for text in set_ or ():
        if not text.startswith("data."):
            raise UsageError(f"--set {text}: {command} takes data.* only; the network is the run's")
    values = override(read_recipe(folder).to_values(), set_ or ())
    if benchmark is not None:
        values["data"]["benchmark"] = benchmark
    return Recipe.from_values(values, f"{folder}/recipe.yaml with the options given").data


def open_benchmark(settings: "DataSettings", data: Path, parts: Sequence["Part"], skip_broken: bool) -> "Benchmark":
    """Read the benchmark at ``--data``, and look that its files are there, or leave out what is broken."""
    from clipsenet.broken import check_benchmark
    from clipsenet.datasets import DATASETS
    from clipsenet.settings import choose

    found, left_out = check_benchmark(choose("benchmark", settings.benchmark, DATASETS)(data, settings), parts, skip_broken)
    list_left_out(left_out)
    return found


def usable_calibration(folder: Path, run_id: str, similarity: str, none: str) -> "tuple[Calibration | None, str]":
    """The calibration of a run's folder, or none, and then why there is no verdict.

    Args:
        folder: of the run.
        run_id: of the embeddings.
        similarity: the chain that is searched by.
        none: what to say where there is none.
    """
    from clipsenet.calibrating.calibration import load_calibration, require_calibrated

    found = load_calibration(folder)
    if found is None:
        return None, none
    try:
        require_calibrated(found, run_id, similarity)
    except ClipsenetError as error:
        return None, f"no verdict: {error}"
    return found, ""


def list_left_out(reasons: Sequence[str]) -> None:
    """Name every picture that was left out."""
    for reason in reasons:
        complain(f"left out: {reason}")
    if reasons:
        complain(f"left out {len(reasons)} pictures in all")


def complain(text: str) -> None:
    """Say something on stderr."""
    typer.echo(text, err=True)


def print_json(value: Any) -> None:
    """Print figures for programs."""
    typer.echo(json.dumps(value, indent=2))
