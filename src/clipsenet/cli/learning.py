"""Commands that learn, and that say what can be learned: train, describe, list, toy."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clipsenet.cli.opening import open_benchmark, print_json, use_threads
from clipsenet.cli.options import AsJson, Data, Device, RecipeName, Set, SkipBroken, Threads

if TYPE_CHECKING:
    from clipsenet.broken import Part
    from clipsenet.recipe import Recipe


def train(
    recipe: RecipeName,
    data: Data,
    run: Annotated[Path | None, typer.Option("--run", metavar="DIR", help="The run folder; none: runs/NAME.")] = None,
    set_: Set = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last state saved in --run.")] = False,
    skip_broken: SkipBroken = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train a recipe's network; the result is a run folder."""
    from clipsenet.console import TrainingConsole, out
    from clipsenet.recipe import load_recipe
    from clipsenet.training import train as train_

    use_threads(threads)
    loaded = load_recipe(recipe, set_ or ())
    folder = run or Path("runs") / loaded.name
    benchmark = open_benchmark(loaded.data, data, _parts(loaded), skip_broken)
    console = TrainingConsole()
    try:
        trained = train_(loaded, benchmark, folder, device=device, resume=resume, reporter=console)
    finally:
        console.close()
    kept = "last and best" if (folder / "best.safetensors").is_file() else "last"
    out.print(f"saved in {folder} ({kept}); run id {trained.id[:16]}", markup=False)
    out.print(f"next: clipsenet evaluate {folder} --data {data}", markup=False)


def describe(
    recipe: RecipeName,
    set_: Set = None,
    vehicles: Annotated[int | None, typer.Option(min=2, help="Training vehicles: the classifier is then counted, too.")] = None,
    json_: AsJson = False,
) -> None:
    """A recipe's network: parts, parameters, multiply-adds for one picture."""
    from dataclasses import asdict

    from clipsenet.console import out, print_rows
    from clipsenet.describing import describe as describe_
    from clipsenet.recipe import load_recipe

    loaded = load_recipe(recipe, set_ or ())
    parts = describe_(loaded, vehicles)
    parameters, multiply_adds = sum(part.parameters for part in parts), sum(part.multiply_adds for part in parts)
    if json_:
        print_json(
            {
                "recipe": loaded.name,
                "image_size": list(loaded.images.size),
                "parts": [asdict(part) for part in parts],
                "parameters": parameters,
                "multiply_adds": multiply_adds,
            }
        )
        return
    height, width = loaded.images.size
    out.print(f"{loaded.name}: 3 x {height} x {width} pictures", markup=False)
    rows = [(part.name, part.what, f"{part.parameters:,}", f"{part.multiply_adds:,}") for part in parts]
    print_rows(("part", "what", "parameters", "multiply-adds"), [*rows, ("all", "", f"{parameters:,}", f"{multiply_adds:,}")])
    if vehicles is None:
        out.print("the classifier needs the number of training vehicles: pass --vehicles", markup=False)


def list_(
    what: Annotated[Literal["recipes", "trunks", "benchmarks", "losses"], typer.Argument(help="What to list.")],
    json_: AsJson = False,
) -> None:
    """The names that recipes and commands take."""
    names = _names(what)
    if json_:
        print_json(names)
    else:
        width = max(map(len, names), default=0)
        typer.echo("\n".join(f"{name:<{width}}  {text}".rstrip() for name, text in names.items()))


def toy(
    out_: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")],
    shapes: Annotated[int, typer.Option(help="Identities.")] = 40,
    cameras: Annotated[int, typer.Option(help="Cameras.")] = 4,
    pictures: Annotated[int, typer.Option(help="Pictures of each identity in each camera.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Decides everything.")] = 0,
) -> None:
    """Draw a toy benchmark of coloured shapes: not vehicles, but enough to see everything work."""
    from clipsenet.datasets.toy import NOTE, draw

    drawn = draw(out_, shapes, cameras, pictures, seed)
    typer.echo(f"{drawn} pictures of {shapes} shapes in {out_} ({NOTE})")


def _parts(recipe: "Recipe") -> tuple["Part", ...]:
    """The parts of a benchmark whose pictures a training opens."""
    return ("train", "validation", "test") if recipe.training.test_curve else ("train", "validation")


def _names(what: str) -> dict[str, str]:
    if what == "recipes":
        from clipsenet.recipe import own_recipes

        return {name: path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ") for name, path in own_recipes().items()}
    if what == "trunks":
        from clipsenet.models.backbones import list_trunks

        return dict.fromkeys(list_trunks(), "")
    if what == "benchmarks":
        from clipsenet.datasets import DATASETS, summary

        return {name: summary(name) for name in DATASETS}
    from clipsenet.losses import LOSSES, metric_learning_losses

    ours = {kind: (cls.__doc__ or "").splitlines()[0] for kind, cls in LOSSES.items()}
    return ours | dict.fromkeys(metric_learning_losses(), "kind: metric-learning, name: this")
