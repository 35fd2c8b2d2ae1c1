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
