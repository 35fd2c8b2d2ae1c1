"""The command line: one thin command per verb."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from clipsenet.errors import ClipsenetError, UsageError

if TYPE_CHECKING:
    from clipsenet.protocol import Benchmark
    from clipsenet.recipe import DataSettings
    from clipsenet.runs import Run

app = typer.Typer(
    help="Vehicle re-identification: train, evaluate honestly, search.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
bench_app = typer.Typer(help="Measure: speed and memory, as ratios to a reference in the same run.", no_args_is_help=True)
app.add_typer(bench_app, name="bench")

Data = Annotated[Path, typer.Option("--data", help="A manifest (.csv, .parquet) or a folder of pictures.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; may be repeated.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads that compute; none: as the machine has.")]
SkipBroken = Annotated[bool, typer.Option("--skip-broken", help="Go on without pictures that cannot be used; list them.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder that train wrote.")]
RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or a name of: clipsenet list recipes.")]
CheckpointName = Annotated[str | None, typer.Option("--checkpoint", help="last or best; none: as the run's recipe says.")]


@app.callback()
def _all(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error. May stand anywhere.")] = False,
) -> None:
    """Options of every command."""


@app.command()
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
    from clipsenet.recipe import Recipe, load_recipe
    from clipsenet.settings import read_yaml
    from clipsenet.training import train as train_

    _use_threads(threads)
    loaded = load_recipe(recipe, set_ or ())
    folder = run or Path("runs") / loaded.name
    if resume and (folder / "recipe.yaml").is_file():
        former = Recipe.from_values(read_yaml(folder / "recipe.yaml"), str(folder / "recipe.yaml"))
        _require_same_recipe(former.to_values(), loaded.to_values(), folder)
    benchmark = _benchmark(loaded.data, data, skip_broken)
    console = TrainingConsole()
    try:
        trained = train_(loaded, benchmark, folder, device=device, resume=resume, reporter=console)
    finally:
        console.close()
    kept = "last and best" if (folder / "best.safetensors").is_file() else "last"
    out.print(f"saved in {folder} ({kept}); run id {trained.id[:16]}", markup=False)
    out.print(f"next: clipsenet evaluate {folder} --data {data}", markup=False)


@app.command()
def evaluate(
    run: RunFolder,
    data: Data,
    benchmark: Annotated[
        str | None, typer.Option(help="The reader; none: the recipe's. See: clipsenet list benchmarks.")
    ] = None,
    json_: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the scorecard there; '-': print it.")
    ] = None,
    checkpoint: CheckpointName = None,
    reference: Annotated[str | None, typer.Option(help="none or histogram: what is scored beside the run.")] = None,
    slices: Annotated[
        list[str] | None, typer.Option("--slice", metavar="COLUMN=VALUE", help="Score these queries apart.")
    ] = None,
    intervals: Annotated[bool | None, typer.Option(help="95 % bootstrap intervals, paired against the reference.")] = None,
    set_: Set = None,
    skip_broken: SkipBroken = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Score a run on a benchmark's test part; every score stands under its protocol card."""
    from clipsenet.console import counting, out, print_scorecard
    from clipsenet.evaluation import evaluate as evaluate_
    from clipsenet.recipe import Recipe
    from clipsenet.settings import override

    _use_threads(threads)
    opened = _open_run(run, checkpoint)
    asked = [f"{key}={value}" for key, value in (("data.benchmark", benchmark), ("evaluation.reference", reference)) if value]
    if slices is not None:
        asked.append("evaluation.slices=[" + ", ".join(f"'{text}'" for text in slices) + "]")
    if intervals is not None:
        asked.append(f"evaluation.intervals={(opened.recipe.evaluation.intervals or 1000) if intervals else 0}")
    for text in set_ or ():
        if not text.startswith(("data.", "evaluation.")):
            raise UsageError(f"--set {text}: evaluate takes data.* and evaluation.* only; the network is the run's")
    values = override(opened.recipe.to_values(), [*asked, *(set_ or ())])
    recipe = Recipe.from_values(values, f"{run}/recipe.yaml with {' '.join([*asked, *(set_ or ())])}")
    found = _benchmark(recipe.data, data, skip_broken)
    with counting("extracting") as counter:
        scorecard = evaluate_(
            opened,
            found,
            recipe.evaluation,
            workers=recipe.training.workers,
            device=_device(device),
            progress=counter,
        )
    kept = run / "scorecards" / f"{found.name}-{opened.checkpoint}.json"
    scorecard.save(kept)
    if json_ is not None and str(json_) == "-":
        typer.echo(scorecard.to_json(), nl=False)
        return
    if json_ is not None:
        scorecard.save(json_)
    print_scorecard(scorecard)
    out.print(f"saved in {kept}", markup=False)


@app.command()
def embed(
    run: RunFolder,
    pictures: Annotated[Path, typer.Argument(help="A manifest, a folder of pictures, or one picture.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The features folder; new.")],
    checkpoint: CheckpointName = None,
    set_: Set = None,
    skip_broken: SkipBroken = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the card as JSON.")] = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Embeddings of pictures, as a features folder."""
    from clipsenet.broken import leave_out_broken
    from clipsenet.console import counting, err, out
    from clipsenet.datasets.manifest import ManifestSettings, read
    from clipsenet.features import extract
    from clipsenet.images import require_files
    from clipsenet.settings import override
    from clipsenet.sightings import Sightings

    _use_threads(threads)
    opened = _open_run(run, checkpoint)
    if pictures.is_file() and pictures.suffix.lower() not in (".csv", ".parquet", ".pq"):
        sightings = Sightings.of([str(pictures)])
    else:
        # a pattern or column of the training's list need not hold here; what does hold is said with --set
        wanted = override({}, [text.removeprefix("data.") for text in set_ or ()])
        sightings = read(pictures, ManifestSettings.from_values(wanted, "--set"))
    left_out: list[str] = []
    if skip_broken:
        sightings, left_out = leave_out_broken(sightings)
        _list_left_out(left_out)
    else:
        require_files(sightings)
    with counting("extracting") as counter:
        features = extract(
            opened.model,
            sightings,
            opened.test_transform,
            opened.id,
            dim=opened.dim,
            batch=opened.recipe.evaluation.batch,
            workers=opened.recipe.training.workers,
            device=_device(device),
            progress=counter,
        )
    features.save(to)
    if json_:
        _print_json({"pictures": len(features), "left_out": len(left_out), "dim": features.dim, "run_id": features.run_id})
    else:
        out.print(f"{len(features)} pictures, {features.dim}-d, run {features.run_id[:16]}, in {to}", markup=False)
    err.file.flush()


@app.command()
def compare(
    run: RunFolder,
    a: Annotated[Path, typer.Argument(metavar="A.jpg")],
    b: Annotated[Path, typer.Argument(metavar="B.jpg")],
    checkpoint: CheckpointName = None,
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """The similarity of two pictures."""
    from clipsenet.console import out
    from clipsenet.features import extract
    from clipsenet.sightings import Sightings

    _use_threads(threads)
    opened = _open_run(run, checkpoint)
    pair = Sightings.of([str(a), str(b)])
    features = extract(opened.model, pair, opened.test_transform, opened.id, dim=opened.dim, device=_device(device))
    similarity = float(features.embeddings[0] @ features.embeddings[1])
    if json_:
        _print_json({"cosine": similarity, "verdict": None, "run_id": opened.id})
        return
    out.print(f"cosine similarity {similarity:.4f} (run {opened.id[:16]}, checkpoint {opened.checkpoint})", markup=False)
    out.print("no verdict: what similarity means 'the same vehicle' is not calibrated for this run", markup=False)


@app.command()
def describe(
    recipe: RecipeName,
    set_: Set = None,
    vehicles: Annotated[int | None, typer.Option(min=2, help="Training vehicles: the classifier is then counted, too.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
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
        _print_json(
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


@app.command("list")
def list_(
    what: Annotated[Literal["recipes", "trunks", "benchmarks", "losses"], typer.Argument(help="What to list.")],
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """The names that recipes and commands take."""
    names = _names(what)
    if json_:
        _print_json(names)
    else:
        width = max(map(len, names), default=0)
        typer.echo("\n".join(f"{name:<{width}}  {text}".rstrip() for name, text in names.items()))


@app.command()
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


@bench_app.command("training")
def bench_training(
    recipe: RecipeName,
    data: Data,
    steps: Annotated[int, typer.Option(min=2, help="Steps of each kind and round.")] = 10,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of bare steps and of train, in turn.")] = 3,
    set_: Set = None,
    device: Device = "auto",
    threads: Threads = None,
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Where a training step's time goes, and train against the bare step on tensors in memory."""
    from clipsenet.benchmarking.training import measure, rows_of
    from clipsenet.console import out, print_rows
    from clipsenet.recipe import load_recipe

    _use_threads(threads)
    loaded = load_recipe(recipe, set_ or ())
    result = measure(loaded, _benchmark(loaded.data, data, skip_broken=False), device=device, steps=steps, rounds=rounds)
    if json_:
        _print_json(result)
        return
    out.print(
        f"{loaded.name}, {result['pictures_per_step']} pictures a step, {result['steps']} steps of each kind", markup=False
    )
    print_rows(("figure", "value"), rows_of(result))


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
        _complain(f"error: {error}")
        if isinstance(error, UsageError):
            return 2
        return 130 if type(error).__name__ == "Interrupted" else 1
    if isinstance(error, OSError):
        _complain(f"error: {error}")
    elif isinstance(error, MemoryError) or "out of memory" in str(error):
        _complain(f"error: out of memory ({error}); try a smaller batch: --set sampler.vehicles=N or evaluation.batch=N")
    else:
        _complain(f"error: unexpected {type(error).__name__}: {error}; run again with --debug for the traceback, and report it")
    return 1


def _complain(text: str) -> None:
    typer.echo(text, err=True)


def _print_json(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, indent=2))


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


def _use_threads(threads: int | None) -> None:
    """Set torch's threads, and keep Fabric from announcing what the recipe says anyway."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    for name in ("lightning.fabric", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _device(name: str) -> Any:
    """A device by name; ``auto``: the first GPU, or the CPU."""
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"--device {name}: {reason}; choose from auto, cpu, cuda, cuda:N, mps") from error
    return device


def _open_run(folder: Path, checkpoint: str | None) -> "Run":
    from clipsenet.runs import Run

    if checkpoint not in (None, "last", "best"):
        raise UsageError(f"--checkpoint {checkpoint}: choose from last, best")
    return Run.open(folder, checkpoint)  # type: ignore[arg-type]


def _benchmark(settings: "DataSettings", data: Path, skip_broken: bool) -> "Benchmark":
    from clipsenet.broken import check_benchmark
    from clipsenet.datasets import DATASETS
    from clipsenet.settings import choose

    found, left_out = check_benchmark(choose("benchmark", settings.benchmark, DATASETS)(data, settings), skip_broken)
    _list_left_out(left_out)
    return found


def _list_left_out(reasons: Sequence[str]) -> None:
    for reason in reasons:
        _complain(f"left out: {reason}")
    if reasons:
        _complain(f"left out {len(reasons)} pictures in all")


def _require_same_recipe(former: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    different = sorted(_different(former, now, ""))
    if different:
        raise UsageError(f"{folder} was trained with another recipe; these settings differ: {', '.join(different)}")


def _different(a: Any, b: Any, name: str) -> list[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        return [one for key in a.keys() | b.keys() for one in _different(a.get(key), b.get(key), f"{name}.{key}".lstrip("."))]
    return [] if a == b else [name]


if __name__ == "__main__":
    main()
