"""Commands that use a run: evaluate, embed, compare."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipsenet.cli.opening import list_left_out, open_benchmark, open_run, print_json, usable_calibration, use_threads
from clipsenet.cli.options import AsJson, CheckpointName, Data, Device, ExpectAbsent, RunFolder, Set, SkipBroken, Threads
from clipsenet.errors import UsageError
from clipsenet.files import write_text
from clipsenet.sightings import UNKNOWN

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Int

    from clipsenet.runs import Run

NO_VERDICT = "no verdict: what similarity means 'the same vehicle' is not calibrated for this run"


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
    similarity: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHAIN",
            help="Scored beside the plain cosine, such as 'expansion:k=5 + k-reciprocal:k1=50,k2=15,original=0.5'; may be "
            "repeated; 'cosine' alone: nothing beside. None: as the benchmark has it.",
        ),
    ] = None,
    fuse: Annotated[
        list[str] | None, typer.Option(metavar="RUN2=WEIGHT", help="Add another run's cosine with this weight, such as 0.3.")
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A features folder: read where it is there, written where it is not."),
    ] = None,
    reference: Annotated[str | None, typer.Option(help="none or histogram: what is scored beside the run.")] = None,
    slices: Annotated[
        list[str] | None, typer.Option("--slice", metavar="COLUMN=VALUE", help="Score these queries apart.")
    ] = None,
    intervals: Annotated[bool | None, typer.Option(help="95 % bootstrap intervals, paired against the reference.")] = None,
    same_camera: Annotated[
        str | None, typer.Option(metavar="kept", help="kept: score with the same camera's pictures kept, too, beside.")
    ] = None,
    audit: Annotated[
        bool | None, typer.Option("--audit", help="How well the camera is told from the embedding; scores of many slices.")
    ] = None,
    without: Annotated[
        str | None, typer.Option(help="appearance or semantics: score with that branch's part of the embedding removed.")
    ] = None,
    labels: Annotated[
        bool | None, typer.Option(help="Tell camera and view to a network that has rows for them, or score it without.")
    ] = None,
    set_: Set = None,
    skip_broken: SkipBroken = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Score a run on a benchmark's test part; every score stands under its protocol card."""
    from clipsenet.console import out, print_scorecard, watching
    from clipsenet.devices import find_device
    from clipsenet.evaluation import evaluate as evaluate_
    from clipsenet.recipe import Recipe
    from clipsenet.runs import read_recipe
    from clipsenet.settings import override

    use_threads(threads)
    for text in set_ or ():
        if not text.startswith(("data.", "evaluation.")):
            raise UsageError(f"--set {text}: evaluate takes data.* and evaluation.* only; the network is the run's")
    if same_camera not in (None, "kept"):
        raise UsageError(f"--same-camera {same_camera}: wanted kept; left out they are anyway")
    values = override(read_recipe(run).to_values(), set_ or ())
    asked = {
        ("data", "benchmark"): benchmark,
        ("evaluation", "reference"): reference,
        ("evaluation", "checkpoint"): checkpoint,
        ("evaluation", "similarities"): similarity,
        ("evaluation", "slices"): slices,
        ("evaluation", "same_camera_kept"): True if same_camera else None,
        ("evaluation", "audit"): audit,
        ("evaluation", "without"): without,
        ("evaluation", "labels"): labels,
        ("evaluation", "intervals"): None if intervals is None else _draws(values) if intervals else 0,
    }
    for (part, name), value in asked.items():
        if value is not None:
            values[part][name] = value
    recipe = Recipe.from_values(values, f"{run}/recipe.yaml with the options given")
    opened = open_run(run, recipe.evaluation.checkpoint)
    fused = [_fused(text, recipe.evaluation.checkpoint) for text in fuse or ()]
    found = open_benchmark(recipe.data, data, ("test",), skip_broken)
    with watching() as watch:
        scorecard = evaluate_(
            opened,
            found,
            recipe.evaluation,
            fused=fused,
            features=features,
            workers=recipe.training.workers,
            device=find_device(device),
            watch=watch,
        )
    kept = run / "scorecards" / f"{found.name.replace(':', '-')}-{opened.checkpoint}-{scorecard.short_digest()}"
    try:
        scorecard.save(kept)  # before printing, which ends where nobody reads on
        if json_ is not None and str(json_) != "-":
            write_text(json_, scorecard.to_json())
    finally:  # a score is shown even where it cannot be kept
        if str(json_) == "-":
            typer.echo(scorecard.to_json(), nl=False)
        else:
            print_scorecard(scorecard)
    if str(json_) != "-":
        out.print(f"saved in {kept} (scorecard.json, queries.parquet)", markup=False)


def _fused(text: str, checkpoint: str) -> "tuple[Run, float]":
    """A run and its weight from ``RUN2=0.3``."""
    folder, equals, weight = text.rpartition("=")
    try:
        number = float(weight)
    except ValueError:
        equals = ""
        number = 0.0
    if not equals or not 0 < number < 1:
        raise UsageError(f"--fuse {text}: wanted a run folder and its weight between 0 and 1, such as runs/other=0.3")
    return open_run(Path(folder), checkpoint), number


def _draws(values: dict[str, Any]) -> int:
    """How many bootstrap draws ``--intervals`` means: the recipe's, or 1,000."""
    return values["evaluation"]["intervals"] or 1000


def embed(
    run: RunFolder,
    pictures: Annotated[Path, typer.Argument(help="A manifest, a folder of pictures, or one picture.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The features folder; new.")],
    checkpoint: CheckpointName = None,
    labels: Annotated[
        bool, typer.Option(help="Tell camera and view of the list to a network that has rows for them, or embed without.")
    ] = True,
    set_: Set = None,
    skip_broken: SkipBroken = False,
    json_: AsJson = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Embeddings of pictures, as a features folder."""
    from clipsenet.broken import leave_out_broken
    from clipsenet.console import out, watching
    from clipsenet.datasets.manifest import ManifestSettings, read
    from clipsenet.devices import find_device
    from clipsenet.features import extract
    from clipsenet.files import require_new_folder
    from clipsenet.images import require_files
    from clipsenet.settings import override
    from clipsenet.sightings import Sightings

    use_threads(threads)
    require_new_folder(to)
    opened = open_run(run, checkpoint)
    if pictures.is_file() and pictures.suffix.lower() not in (".csv", ".parquet", ".pq"):
        sightings = Sightings.of([str(pictures)])
    else:
        # a pattern or column of the training's list need not hold here; what does hold is said with --set data.NAME
        given = override({"data": {}}, set_ or ())
        if given.keys() != {"data"}:
            raise UsageError(f"--set {' '.join(set_ or ())}: embed takes data.* only; the network is the run's")
        sightings = read(pictures, ManifestSettings.from_values(given["data"], "--set data"))
    left_out: list[str] = []
    if skip_broken:
        sightings, left_out = leave_out_broken(sightings)
        list_left_out(left_out)
    else:
        require_files(sightings)
    places = opened.model.place_rows(sightings)
    if not labels:
        places.fill(UNKNOWN)
    with watching() as watch:
        features = extract(
            opened.model,
            sightings,
            opened.test_transform,
            opened.id,
            dim=opened.dim,
            places=places,
            batch=opened.recipe.evaluation.batch,
            workers=opened.recipe.training.workers,
            device=find_device(device),
            progress=watch.stage("extracting"),
        )
    features.save(to)
    if json_:
        figures = {"pictures": len(features), "left_out": len(left_out), "dim": features.dim, "run_id": features.run_id}
        print_json(figures | {"labels_told": int((places != UNKNOWN).sum())})
    else:
        _say_labels(opened, places)
        out.print(f"{len(features)} pictures, {features.dim}-d, run {features.run_id[:16]}, in {to}", markup=False)


def _say_labels(run: "Run", places: "Int[np.ndarray, ' n']") -> None:
    """Whether a network that was trained with camera and view was told them; nothing where it was not."""
    from clipsenet.console import out

    settings = run.recipe.model.places
    if settings is None:
        return
    known = int((places != UNKNOWN).sum())
    what = " and ".join(settings.labels.split("-"))
    rest = "" if known == len(places) else ", the others are embedded without"
    if not known:
        rest = ", so all are embedded without"
    out.print(f"{what} known to the network for {known} of {len(places)} pictures{rest}", markup=False)


def compare(
    run: RunFolder,
    a: Annotated[Path, typer.Argument(metavar="A.jpg")],
    b: Annotated[Path, typer.Argument(metavar="B.jpg")],
    checkpoint: CheckpointName = None,
    expect_absent: ExpectAbsent = None,
    json_: AsJson = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """The similarity of two pictures, and whether they show one vehicle, where that is calibrated."""
    import numpy as np

    from clipsenet.calibrating.deciding import Looked, Shown, decide
    from clipsenet.chain import PLAIN
    from clipsenet.console import out
    from clipsenet.devices import find_device
    from clipsenet.features import extract
    from clipsenet.sightings import Sightings

    use_threads(threads)
    opened = open_run(run, checkpoint)
    pair = Sightings.of([str(a), str(b)])
    features = extract(opened.model, pair, opened.test_transform, opened.id, dim=opened.dim, device=find_device(device))
    similarity = float(features.embeddings[0] @ features.embeddings[1])
    calibration, why_not = usable_calibration(run, opened.id, str(PLAIN), NO_VERDICT)
    verdict = None
    if calibration is not None:
        looked = Looked(np.array([similarity]), np.array([0]), 1, np.nan, tracks=True)
        _, verdict = decide(calibration, looked, [Shown(0, similarity, 0)], expect_absent)
    elif expect_absent is not None:
        raise UsageError(f"--expect-absent {expect_absent:g} restates a confidence, and there is none; {why_not}")
    if json_:
        told = None if verdict is None else asdict(verdict)
        reason = why_not if verdict is None else None
        facts = {"labels_told": 0, "run_id": opened.id, "checkpoint": opened.checkpoint}
        print_json({"cosine": similarity, "verdict": told, "no_verdict": reason, **facts})
        return
    _say_labels(opened, opened.model.place_rows(pair))
    out.print(f"cosine similarity {similarity:.4f} (run {opened.id[:16]}, checkpoint {opened.checkpoint})", markup=False)
    for warning in () if verdict is None else verdict.warnings:
        out.print(f"warning: {warning}", markup=False)
    if verdict is None:
        out.print(why_not, markup=False)
        return
    said = "the same vehicle" if verdict.seen else "not believed to be the same vehicle"
    if verdict.seen and verdict.confidence < 0.5:
        said = "accepted as the same vehicle, though less likely than not"
    out.print(f"verdict: {said}; {verdict.grounds}", markup=False)
