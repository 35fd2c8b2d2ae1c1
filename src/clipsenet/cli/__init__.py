"""The command line: one thin command per verb; exit codes and errors."""

import logging
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from clipsenet.cli.calibrating import calibrate
from clipsenet.cli.comparing import compare as compare_runs
from clipsenet.cli.figuring import confusion, curves, embedding, groups, history, maps, ranks, slices
from clipsenet.cli.gallery import index
from clipsenet.cli.inspecting import inspect
from clipsenet.cli.keeping import audit, count, forget, neighbours, re_embed, repair, verify
from clipsenet.cli.learning import describe, list_, toy, train
from clipsenet.cli.literature import literature
from clipsenet.cli.measuring import bench_colours, bench_deletion, bench_transfer
from clipsenet.cli.opening import complain
from clipsenet.cli.reporting import report
from clipsenet.cli.searching import search
from clipsenet.cli.showing import sheet
from clipsenet.cli.studying import ablate
from clipsenet.cli.synthesizing import synthesize
from clipsenet.cli.testing import compare, embed, evaluate
from clipsenet.cli.timing import bench_evaluation, bench_gallery, bench_report, bench_training
from clipsenet.cli.weights import check as check_weights
from clipsenet.cli.weights import fetch as fetch_weights
from clipsenet.cli.weights import list_ as list_weights
from clipsenet.errors import ClipsenetError, Interrupted, UsageError

app = typer.Typer(
    help="Vehicle re-identification: train, evaluate honestly, search.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _verb in (train, evaluate, embed, compare, inspect, describe, toy, synthesize, sheet, ablate, report, search, calibrate):
    app.command()(_verb)
app.command("list")(list_)
bench_app = typer.Typer(help="Measure: speed and memory, as ratios to a reference in the same run.", no_args_is_help=True)
bench_app.command("training")(bench_training)
bench_app.command("evaluation")(bench_evaluation)
bench_app.command("gallery")(bench_gallery)
bench_app.command("colours")(bench_colours)
bench_app.command("transfer")(bench_transfer)
bench_app.command("deletion")(bench_deletion)
bench_app.command("report")(bench_report)
app.add_typer(bench_app, name="bench")
gallery_app = typer.Typer(help="A gallery of sightings: fill it, keep it, forget.", no_args_is_help=True)
for _keep in (index, count, forget, neighbours, verify, repair, audit):
    gallery_app.command()(_keep)
gallery_app.command("re-embed")(re_embed)
app.add_typer(gallery_app, name="gallery")
figure_app = typer.Typer(help="Figures of runs.", no_args_is_help=True)
for _figure in (ranks, maps, embedding, curves, slices, confusion, groups, history):
    figure_app.command()(_figure)
app.add_typer(figure_app, name="figure")
runs_app = typer.Typer(help="Runs beside each other, and beside the literature.", no_args_is_help=True)
runs_app.command("compare")(compare_runs)
runs_app.command("literature")(literature)
app.add_typer(runs_app, name="runs")
weights_app = typer.Typer(help="Published weights: which there are, fetch one, look into a file.", no_args_is_help=True)
weights_app.command("list")(list_weights)
weights_app.command("fetch")(fetch_weights)
weights_app.command("check")(check_weights)
app.add_typer(weights_app, name="weights")


@app.callback()
def _all(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error. May stand anywhere.")] = False,
) -> None:
    """Options of every command."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line: exit 0, 1 for a failure, 2 for wrong use, 130 when interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    try:
        app([word for word in words if word != "--debug"], prog_name="clipsenet")
    except Exception as error:
        if debug:
            raise
        sys.exit(_explain(error))


def _explain(error: Exception) -> int:
    """Say what went wrong on stderr; the exit code."""
    if isinstance(error, ClipsenetError):
        complain(f"error: {error}")
        if isinstance(error, UsageError):
            return 2
        return 130 if isinstance(error, Interrupted) else 1
    if isinstance(error, OSError):
        complain(f"error: {error}; look at the file's folder, its rights, and the space left")
    elif isinstance(error, MemoryError) or "out of memory" in str(error):
        complain(f"error: out of memory ({error}); try a smaller batch: --set sampler.vehicles=N or evaluation.batch=N")
    else:
        first = (str(error).splitlines() or [""])[0]
        complain(f"error: unexpected {type(error).__name__}: {first}; run again with --debug for the traceback, and report it")
    return 1
