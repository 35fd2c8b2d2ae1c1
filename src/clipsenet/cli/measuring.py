"""Commands that measure: bench."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipsenet.cli.opening import open_benchmark, print_json, use_threads
from clipsenet.cli.options import AsJson, Data, Device, LeaveOut, RecipeName, RunFolder, Set, Threads
from clipsenet.errors import UsageError

if TYPE_CHECKING:
    from clipsenet.sightings import Sightings


def bench_training(
    recipe: RecipeName,
    data: Data,
    steps: Annotated[int, typer.Option(min=2, help="Steps of each kind and round.")] = 10,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of bare steps and of train, in turn.")] = 3,
    set_: Set = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'KEY=VALUE ...'",
            help="The recipe with these settings is measured, too, in the same rounds; several stand in one word with "
            "spaces between them, such as 'training.workers=0 images.size=[64,64]'; may be repeated.",
        ),
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
    json_: AsJson = False,
) -> None:
    """Where a training step's time goes, train against the bare step on tensors in memory, and against variants."""
    from clipsenet.benchmarking.training import measure, rows_of, variant_rows_of
    from clipsenet.console import out, print_rows
    from clipsenet.recipe import load_recipe

    use_threads(threads)
    loaded = load_recipe(recipe, set_ or ())
    result = measure(
        loaded,
        open_benchmark(loaded.data, data, ("train",), skip_broken=False),
        device=device,
        steps=steps,
        rounds=rounds,
        variants={words: load_recipe(recipe, [*(set_ or ()), *assignments_of(words)]) for words in variant or ()},
    )
    if json_:
        print_json(result)
        return
    out.print(
        f"{loaded.name}, {result['pictures_per_step']} pictures a step, {result['steps']} steps of each kind", markup=False
    )
    print_rows(("figure", "value"), rows_of(result))
    if variant:
        titles = ("variant", "pictures a step", "train step", "ratio to the recipe as it is", "pictures in the cache")
        print_rows(titles, variant_rows_of(result))


def assignments_of(words: str) -> list[str]:
    """The assignments of one ``--variant``, split at spaces as a shell does; a value with a space stands in quotes.

    Raises:
        UsageError: a quote that is not closed, nothing inside, or a word that assigns nothing.
    """
    try:
        found = shlex.split(words)
    except ValueError as error:
        raise UsageError(f"--variant {words!r}: {error}; wanted 'KEY=VALUE ...'") from error
    without = [word for word in found if "=" not in word]
    if without or not found:
        raise UsageError(
            f"--variant {words!r}: {f'{without[0]!r} assigns nothing' if without else 'empty'}; wanted 'KEY=VALUE ...', for "
            "instance 'training.workers=0', and quotes around a value with a space in it"
        )
    return found


def bench_evaluation(
    scale: Annotated[str, typer.Option(help="Whose counts: veri776, veriwild-small, veriwild-large.")] = "veri776",
    dim: Annotated[int, typer.Option(min=2, help="The embeddings' length.")] = 512,
    similarity: Annotated[
        list[str] | None,
        typer.Option(metavar="CHAIN", help="Beside the plain cosine; may be repeated. None: 20/6/0.3 and 50/15/0.5."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often; figures are medians.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of the made-up features.")] = 0,
    threads: Threads = None,
    json_: AsJson = False,
) -> None:
    """Ranking and re-ranking of made-up features at a benchmark's true size, against bare products."""
    from clipsenet.benchmarking.evaluation import measure, rows_of
    from clipsenet.console import out, print_rows, watching

    use_threads(threads)
    published = ("k-reciprocal:k1=20,k2=6,original=0.3", "k-reciprocal:k1=50,k2=15,original=0.5")
    with watching() as watch:
        result = measure(scale, dim, similarity or published, rounds=rounds, seed=seed, watch=watch)
    if json_:
        print_json(result)
        return
    out.print(
        f"made-up features of {result['scale']}'s counts: {result['queries']} queries, {result['gallery']} pictures, "
        f"{result['vehicles']} vehicles, {result['cameras']} cameras, {result['dim']}-d ({result['features_gb']:.2f} GB); "
        f"{result['cores']} cores, {result['threads']} threads; medians of {result['rounds']}",
        markup=False,
    )
    titles = (
        "similarity",
        "time",
        "ratio to the bare product",
        "above the features",
        "estimated, at most",
        "mAP / R1, made up",
    )
    print_rows(titles, rows_of(result))


def bench_report(
    scale: Annotated[str, typer.Option(help="Whose counts: veri776, veriwild-small, veriwild-large.")] = "veri776",
    similarity: Annotated[
        list[str] | None, typer.Option(metavar="CHAIN", help="Beside the plain cosine; may be repeated. None: 20/6/0.3.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="Keep the report there; new. None: removed.")] = None,
    threads: Threads = None,
    json_: AsJson = False,
) -> None:
    """A report of made-up features and tiny pictures at a benchmark's true size: time, size, memory."""
    from clipsenet.benchmarking.reporting import measure
    from clipsenet.console import out, watching
    from clipsenet.files import require_new_folder

    use_threads(threads)
    if to is not None:
        require_new_folder(to)
    with watching() as watch:
        result = measure(scale, to, tuple(similarity or ("k-reciprocal:k1=20,k2=6,original=0.3",)), watch)
    if json_:
        print_json(result)
        return
    above = "" if result["above_gb"] is None else f", {result['above_gb']:.2f} GB of memory above the features"
    out.print(
        f"made-up features of {result['scale']}'s counts: {result['queries']} queries, {result['gallery']} pictures, by "
        f"{', '.join(result['similarities'])}: {result['seconds']:.0f} s, {result['megabytes']:.1f} MB in {result['files']} "
        f"files{above}",
        markup=False,
    )


def bench_gallery(
    rows: Annotated[int, typer.Option(min=1000, help="Made-up sightings.")] = 1_000_000,
    dim: Annotated[int, typer.Option(min=2, help="The embeddings' length.")] = 512,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the gallery here; none: a temporary folder, removed afterwards.")
    ] = None,
    float32: Annotated[bool, typer.Option("--float32", help="Stored numbers of 32 bits instead of 16.")] = False,
    rounds: Annotated[int, typer.Option(min=3, help="How often each search with one query is made.")] = 30,
    neighbours: Annotated[bool, typer.Option(help="Build and search the index of neighbours, too.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of the made-up sightings.")] = 0,
    threads: Threads = None,
    json_: AsJson = False,
) -> None:
    """A gallery of made-up sightings: filled, opened, searched, beside the bare product of the same vectors."""
    import tempfile

    from clipsenet.benchmarking.gallery import measure, rows_of
    from clipsenet.console import out, print_rows, watching

    use_threads(threads)
    with tempfile.TemporaryDirectory(prefix="clipsenet-gallery-") as temporary, watching() as watch:
        result = measure(
            rows,
            dim,
            to or Path(temporary) / "gallery",
            dtype="float32" if float32 else "float16",
            rounds=rounds,
            neighbours=neighbours,
            seed=seed,
            watch=watch,
        )
    if json_:
        print_json(result)
        return
    out.print(
        f"{result['rows']} made-up sightings of {result['vehicles']} vehicles of {result['models']} models, {result['dim']}-d, "
        f"{result['dtype']}; cosine of one vehicle's {result['same_vehicle_mean']:.2f} +- "
        f"{result['same_vehicle_deviation']:.2f}, strangers' 99.9th percentile {result['strangers_p999']:.2f}; "
        f"{result['cores']} cores, {result['threads']} threads; the first 20 answers",
        markup=False,
    )
    print_rows(("figure", "value"), rows_of(result))


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
