"""Commands that measure: bench."""

from typing import Annotated

import typer

from clipsenet.cli.opening import open_benchmark, print_json, use_threads
from clipsenet.cli.options import AsJson, Data, Device, RecipeName, Set, Threads


def bench_training(
    recipe: RecipeName,
    data: Data,
    steps: Annotated[int, typer.Option(min=2, help="Steps of each kind and round.")] = 10,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of bare steps and of train, in turn.")] = 3,
    set_: Set = None,
    device: Device = "auto",
    threads: Threads = None,
    json_: AsJson = False,
) -> None:
    """Where a training step's time goes, and train against the bare step on tensors in memory."""
    from clipsenet.benchmarking.training import measure, rows_of
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
    )
    if json_:
        print_json(result)
        return
    out.print(
        f"{loaded.name}, {result['pictures_per_step']} pictures a step, {result['steps']} steps of each kind", markup=False
    )
    print_rows(("figure", "value"), rows_of(result))


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
