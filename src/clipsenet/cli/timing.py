"""Commands that measure speed and memory, with the reference in the same run: bench training, evaluation, report, gallery."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from clipsenet.cli.opening import open_benchmark, print_json, use_threads
from clipsenet.cli.options import AsJson, Data, Device, RecipeName, Set, Threads
from clipsenet.errors import UsageError


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
        Path | None,
        typer.Option(
            metavar="DIR", help="Keep here what is left of the gallery; none: a temporary folder, removed afterwards."
        ),
    ] = None,
    float32: Annotated[bool, typer.Option("--float32", help="Stored numbers of 32 bits instead of 16.")] = False,
    rounds: Annotated[int, typer.Option(min=3, help="How often each search with one query is made.")] = 30,
    neighbours: Annotated[bool, typer.Option(help="Build and search the index of neighbours, too.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of the made-up sightings.")] = 0,
    threads: Threads = None,
    json_: AsJson = False,
) -> None:
    """A gallery of made-up sightings: filled, opened, searched beside the bare product, and partly forgotten."""
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
