"""The command that writes a report."""

from pathlib import Path
from typing import Annotated

import typer

from clipsenet.cli.figuring import FeaturesOf, TestData, open_all
from clipsenet.cli.opening import print_json, use_threads
from clipsenet.cli.options import AsJson, BenchmarkName, CheckpointName, Device, Set, SkipBroken, Threads
from clipsenet.errors import UsageError


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN [RUN2]", help="A run folder, or two to be compared.")],
    data: TestData,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The report's folder; new.")],
    similarity: Annotated[
        list[str] | None,
        typer.Option(metavar="CHAIN", help="Scored beside the plain cosine; may be repeated. None: as the recipe has it."),
    ] = None,
    worst: Annotated[int, typer.Option(min=1, help="Worst queries that are shown.")] = 12,
    best: Annotated[int, typer.Option(min=0, help="Best queries that are shown.")] = 3,
    random: Annotated[int, typer.Option(min=0, help="Queries shown that are drawn by chance.")] = 3,
    first: Annotated[int, typer.Option(min=1, max=50, help="Answers shown for each.")] = 10,
    maps: Annotated[int, typer.Option(min=0, help="Pictures whose activation maps are shown.")] = 6,
    vehicles: Annotated[int, typer.Option(min=2, help="On the embedding map.")] = 14,
    blur: Annotated[bool, typer.Option(help="Blur the lower middle of pictures, where a number plate often is.")] = True,
    plates: Annotated[bool, typer.Option(help="Audit number plates where their place is known: two more extractions.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn by chance.")] = 0,
    features: FeaturesOf = None,
    benchmark: BenchmarkName = None,
    checkpoint: CheckpointName = None,
    set_: Set = None,
    skip_broken: SkipBroken = False,
    json_: AsJson = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """A folder with a page to be read and handed on: scores with their card, figures, the worst queries and why."""
    from clipsenet.chain import Chain
    from clipsenet.console import out, watching
    from clipsenet.devices import find_device
    from clipsenet.figures.looking import own_names
    from clipsenet.files import require_new_folder
    from clipsenet.reports.choices import Choices
    from clipsenet.reports.writing import write_report

    use_threads(threads)
    if len(runs) > 2:
        raise UsageError(f"{len(runs)} runs: a report is of one run, or compares two")
    if features and len(features) != len(runs):
        raise UsageError(f"{len(features)} features folders for {len(runs)} runs: give one for each, in order, or none")
    for text in similarity or ():
        Chain.parse(text)
    require_new_folder(to)
    opened, tested = open_all(runs, data, benchmark, checkpoint, set_, skip_broken)
    choices = Choices(
        similarities=None if similarity is None else tuple(similarity),
        worst=worst,
        best=best,
        random=random,
        first=first,
        maps=maps,
        vehicles=vehicles,
        blurred=blur,
        plates=plates,
        seed=seed,
    )
    named = list(zip(own_names([run.recipe.name for run in opened], runs), opened, strict=True))
    with watching() as watch:
        found = write_report(named, tested, to, choices, features, find_device(device), watch)
    if json_:
        print_json(found)
    else:
        out.print(f"{to}/index.html: {found['protocol']}", markup=False)
