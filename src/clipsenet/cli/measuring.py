"""Commands that measure what pictures and runs are worth: bench colours, transfer, deletion."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipsenet.cli.opening import print_json, use_threads
from clipsenet.cli.options import AsJson, Data, Device, LeaveOut, RecipeName, RunFolder, Set, Threads
from clipsenet.errors import UsageError

if TYPE_CHECKING:
    from clipsenet.sightings import Sightings


def bench_colours(
    pictures: Annotated[
        list[Path], typer.Argument(metavar="LIST ...", help="Lists with vehicle and camera; the first is the measure.")
    ],
    leave_out: LeaveOut = None,
    json_: AsJson = False,
) -> None:
    """How much the colours of one vehicle vary from camera to camera: a set beside another, such as photographs."""
    from clipsenet.benchmarking.colours import measure, rows_of
    from clipsenet.console import print_rows

    found = {str(one): measure(read_without(one, leave_out)) for one in pictures}
    if json_:
        print_json(found)
        return
    titles = ("list", "pairs of", "brightness, median and 90 %", "chroma, median and 90 %", "histograms' cosine, mean")
    print_rows(titles, rows_of(found))


def bench_transfer(
    recipe: RecipeName,
    data: Data,
    pretrained: Annotated[Path, typer.Option(metavar="RUN", help="The run whose trunk the second kind begins with.")],
    to: Annotated[Path, typer.Option(metavar="DIR", help="Where the runs are kept; the same command goes on there.")],
    folds: Annotated[int, typer.Option(min=2, help="Parts of the vehicles; each is the test once.")] = 3,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each kind and fold: seeds 0, 1, ...")] = 2,
    train_vehicles: Annotated[int | None, typer.Option(min=2, help="Training vehicles a fold; none: all.")] = None,
    leave_out: LeaveOut = None,
    set_: Set = None,
    device: Device = "auto",
    threads: Threads = None,
    json_: AsJson = False,
) -> None:
    """Does pretraining help? The same trainings from random weights and from a run's, on folds of a list."""
    from clipsenet.benchmarking.transfer import Study, measure, rows_of
    from clipsenet.cli.opening import open_run
    from clipsenet.console import TrainingConsole, err, out, print_rows
    from clipsenet.protocol import Protocol
    from clipsenet.recipe import load_recipe

    use_threads(threads)
    loaded = load_recipe(recipe, set_ or ())
    pictures = read_without(data, leave_out)
    consoles: list[TrainingConsole] = []

    def console(name: str) -> TrainingConsole:
        for one in consoles:
            one.close()
        err.print(f"training {name}", markup=False)
        consoles.append(TrainingConsole(err))
        return consoles[-1]

    study = Study(loaded, open_run(pretrained, None), folds, range(seeds), train_vehicles, to)
    try:
        result = measure(study, pictures, loaded.data.protocol(Protocol()), device, console)
    finally:
        for one in consoles:
            one.close()
    if json_:
        print_json(result)
        return
    out.print(
        f"{result['vehicles']} vehicles, {result['pictures']} pictures (fingerprint {result['fingerprint']}) in {folds} folds, "
        f"each the test once, all against all; junk: {result['junk']}; plain cosine; {result['recipe']}, "
        f"{result['epochs']} epochs, {seeds} seeds (scores are their means); checkpoint last; intervals: 95 %, paired, "
        f"over vehicles; "
        f"pretrained: run {result['pretrained'][:16]}",
        markup=False,
    )
    print_rows(("method", "R1", "mAP"), rows_of(result))


def bench_deletion(
    run: RunFolder,
    data: Annotated[Path, typer.Option("--data", help="A list with vehicles, such as a benchmark's pictures.csv.")],
    count: Annotated[int, typer.Option(min=2, help="Pictures, and pairs of one vehicle.")] = 50,
    share: Annotated[float, typer.Option(min=0.01, max=0.9, help="Of the pixels that is covered.")] = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="Of the pictures, and of the covers moved by chance.")] = 0,
    leave_out: LeaveOut = None,
    threads: Threads = None,
    json_: AsJson = False,
) -> None:
    """Do activation maps mark what matters? Covering it must lower the likeness more than covering as much elsewhere."""
    from clipsenet.benchmarking.deletion import measure, rows_of
    from clipsenet.cli.opening import open_run
    from clipsenet.console import out, print_rows, watching

    use_threads(threads)
    pictures = read_without(data, leave_out)
    with watching() as watch:
        result = measure(open_run(run, None), pictures, count, share, seed=seed, tick=watch.stage("covering pictures"))
    if json_:
        print_json(result)
        return
    out.print(
        f"{result['pictures']} pictures and {result['pairs']} pairs of one vehicle; {share:.0%} of the pixels covered by the "
        f"mean colour, as the map says, and as the same shape elsewhere ({result['draws']} times each); fall of the cosine, "
        "with 95 % bootstrap intervals over pictures",
        markup=False,
    )
    print_rows(("branch", "by the map", "elsewhere", "difference"), rows_of(result))


def read_without(data: Path, leave_out: Sequence[str] | None) -> "Sightings":
    """A list without the pictures of some COLUMN=VALUE."""
    from clipsenet.datasets.manifest import ManifestSettings, read

    pictures = read(data, ManifestSettings())
    for text in leave_out or ():
        column, equals, value = text.partition("=")
        if not equals or column not in pictures.extra:
            raise UsageError(f"--leave-out {text}: wanted COLUMN=VALUE; this list has the columns {', '.join(pictures.extra)}")
        kept = pictures.extra[column].texts() != value
        if kept.all():
            raise UsageError(f"--leave-out {text}: no picture has it; found {', '.join(pictures.extra[column].names[:12])}")
        pictures = pictures[kept]
    return pictures
