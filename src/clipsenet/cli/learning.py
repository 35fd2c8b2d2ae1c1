"""Commands that learn, and that say what can be learned: train, describe, list, toy."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clipsenet.cli.opening import open_benchmark, print_json, use_threads
from clipsenet.cli.options import AsJson, Data, Device, Processes, RecipeName, Set, SkipBroken, Threads
from clipsenet.errors import UsageError

if TYPE_CHECKING:
    from clipsenet.broken import Part
    from clipsenet.protocol import Benchmark
    from clipsenet.recipe import Recipe


def train(
    recipe: RecipeName,
    data: Data,
    run: Annotated[Path | None, typer.Option("--run", metavar="DIR", help="The run folder; none: runs/NAME.")] = None,
    set_: Set = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last state saved in --run.")] = False,
    skip_broken: SkipBroken = False,
    device: Device = "auto",
    processes: Processes = 1,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Measure one step on this device, say what fits, and write nothing (missing weights are fetched)."
        ),
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the dry run as JSON.")] = False,
    threads: Threads = None,
) -> None:
    """Train a recipe's network; the result is a run folder."""
    from clipsenet.console import TrainingConsole, out, watching
    from clipsenet.models.wanted import fetch_wanted
    from clipsenet.recipe import load_recipe
    from clipsenet.training import train as train_

    if json_ and not dry_run:
        raise UsageError("--json is for --dry-run; a training's figures are in its history.csv")
    if dry_run and (processes > 1 or resume):
        raise UsageError("--dry-run measures one process from the start; leave out --processes and --resume")
    use_threads(threads)
    loaded = load_recipe(recipe, set_ or ())
    folder = run or Path("runs") / loaded.name
    benchmark = open_benchmark(loaded.data, data, _parts(loaded), skip_broken)
    if not resume:
        with watching() as watch:  # with a bar; whoever trains from Python fetches without
            fetch_wanted(loaded.model, watch)
    if dry_run:
        _print_dry_run(loaded, benchmark, device, json_)
        return
    console = TrainingConsole()
    try:
        trained = train_(loaded, benchmark, folder, device=device, processes=processes, resume=resume, reporter=console)
    finally:
        console.close()
    kept = "last and best" if (folder / "best.safetensors").is_file() else "last"
    out.print(f"saved in {folder} ({kept}); run id {trained.id[:16]}", markup=False)
    out.print(f"next: clipsenet evaluate {folder} --data {data}", markup=False)


def _print_dry_run(recipe: "Recipe", benchmark: "Benchmark", device: str, json_: bool) -> None:
    from clipsenet.benchmarking.fitting import dry_run, rows_of
    from clipsenet.console import print_rows

    result = dry_run(recipe, benchmark, device)
    if json_:
        print_json(result)
    else:
        print_rows(("a dry run: nothing was written", ""), rows_of(result))


def describe(
    recipe: RecipeName,
    set_: Set = None,
    vehicles: Annotated[int | None, typer.Option(min=2, help="Training vehicles: the classifier is then counted, too.")] = None,
    cameras: Annotated[int | None, typer.Option(min=1, help="Training cameras: their rows are then counted.")] = None,
    views: Annotated[int | None, typer.Option(min=1, help="Training views: their rows are then counted.")] = None,
    svg: Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Write the drawing there, too.")] = None,
    json_: AsJson = False,
) -> None:
    """A recipe's network, drawn: parts, parameters, multiply-adds for one picture."""
    from dataclasses import asdict

    from clipsenet.console import out, print_rows
    from clipsenet.describing import Counts
    from clipsenet.describing import describe as describe_
    from clipsenet.drawing import draw_svg, draw_text
    from clipsenet.files import write_text
    from clipsenet.recipe import load_recipe

    loaded = load_recipe(recipe, set_ or ())
    parts = describe_(loaded, Counts(vehicles, cameras, views))
    picture = f"3 x {loaded.images.size[0]} x {loaded.images.size[1]}"
    if svg is not None:
        write_text(svg, draw_svg(parts, picture, f"{loaded.name}, as its code runs"))
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
    typer.echo(f"{loaded.name}, as its code runs\n\n{draw_text(parts, picture)}\n")
    rows = []
    for part in parts:
        of_parameters, of_adds = part.parameters / parameters, part.multiply_adds / multiply_adds
        rows.append((part.name, f"{part.parameters:,}", f"{of_parameters:.1%}", f"{part.multiply_adds:,}", f"{of_adds:.1%}"))
    total = ("all", f"{parameters:,}", "", f"{multiply_adds:,}", "")
    print_rows(("part", "parameters", "share", "multiply-adds", "share"), [*rows, total])
    for part, row in zip(parts, rows, strict=True):
        if part.name == "afem":
            out.print(f"AFEM holds {row[2]} of the parameters and takes {row[4]} of the multiply-adds", markup=False)
    if vehicles is None:
        out.print("the classifier needs the number of training vehicles: pass --vehicles", markup=False)
    places = loaded.model.places
    if places is not None and places.rows == 0 and not any(part.name == "places" and part.parameters for part in parts):
        out.print("the rows of camera and view need their numbers: pass --cameras, --views", markup=False)
    if svg is not None:
        out.print(f"drawn in {svg}", markup=False)


def list_(
    what: Annotated[
        Literal["recipes", "trunks", "benchmarks", "losses", "similarities", "studies"], typer.Argument(help="What to list.")
    ],
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
    if what == "similarities":
        from clipsenet.chain import summaries

        return summaries()
    if what == "studies":
        from clipsenet.studies import STUDIES

        return {name: f"{one.title}: {', '.join(row.name for row in one.rows)}" for name, one in STUDIES.items()}
    if what == "trunks":
        from clipsenet.models.backbones import list_trunks

        return dict.fromkeys(list_trunks(), "")
    if what == "benchmarks":
        from clipsenet.datasets import DATASETS, summary

        return {name: summary(name) for name in DATASETS}
    from clipsenet.losses import LOSSES, metric_learning_losses

    ours = {kind: (cls.__doc__ or "").splitlines()[0] for kind, cls in LOSSES.items()}
    return ours | dict.fromkeys(metric_learning_losses(), "kind: metric-learning, name: this")
