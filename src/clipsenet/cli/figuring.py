"""Commands that draw figures of runs: figure ranks, maps, embedding, curves, slices, confusion, groups, history."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipsenet.cli.opening import data_settings, open_benchmark, open_run, use_threads
from clipsenet.cli.options import BenchmarkName, CheckpointName, Device, RunFolder, Set, SkipBroken, Threads
from clipsenet.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

    from clipsenet.figures.looking import Look
    from clipsenet.protocol import Benchmark
    from clipsenet.runs import Run

Runs = Annotated[list[Path], typer.Argument(metavar="RUN ...", help="Run folders, on the same test.")]


def _ends_in(*endings: str) -> Callable[[Path], Path]:
    """Refuses a file that would be of another kind than its name says, before anything is computed."""

    def checked(path: Path) -> Path:
        if path.suffix.lower() not in endings:
            raise UsageError(f"--to {path}: found the ending '{path.suffix}', wanted {' or '.join(endings)}")
        return path

    return checked


To = Annotated[Path, typer.Option("--to", metavar="FILE", help="A .png file.", callback=_ends_in(".png"))]
ToPicture = Annotated[
    Path, typer.Option("--to", metavar="FILE", help="A .png or .jpg file.", callback=_ends_in(".png", ".jpg", ".jpeg"))
]
Blur = Annotated[
    bool, typer.Option("--blur", help="Blur the lower middle of pictures, where a number plate often is, and known plates.")
]
TestData = Annotated[Path, typer.Option("--data", help="The benchmark, as for evaluate.")]
Queries = Annotated[
    str, typer.Option(help="worst or best by average precision, random, or files of queries, separated by commas.")
]
Similarity = Annotated[
    str, typer.Option(metavar="CHAIN", help="By what is ranked, such as 'k-reciprocal:k1=20,k2=6,original=0.3'.")
]
FeaturesOf = Annotated[
    list[Path] | None,
    typer.Option(
        "--features", metavar="DIR", help="A features folder for each run, in order: read where it is there, written where not."
    ),
]


SHARP = "; pictures are shown as they are, number plates and faces too (--blur)"


def ranks(
    runs: Runs,
    data: TestData,
    to: ToPicture,
    queries: Queries = "worst",
    count: Annotated[int, typer.Option(min=1, help="Queries at most.")] = 6,
    first: Annotated[int, typer.Option(min=1, help="Pictures a row.")] = 10,
    side: Annotated[int, typer.Option(min=24, help="Of a picture, in pixels.")] = 112,
    seed: Annotated[int, typer.Option(min=0, help="Of random.")] = 0,
    similarity: Similarity = "cosine",
    blur: Blur = False,
    features: FeaturesOf = None,
    benchmark: BenchmarkName = None,
    checkpoint: CheckpointName = None,
    set_: Set = None,
    skip_broken: SkipBroken = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Rank lists: each query and the pictures that came first, right and wrong marked; several runs above each other.

    Queries are chosen by the first run.
    """
    from clipsenet.console import out
    from clipsenet.figures.looking import caption, with_own_names
    from clipsenet.figures.rank_lists import choose_queries, draw_rank_lists
    from clipsenet.sheet import save_picture

    use_threads(threads)
    looks = _look(runs, data, benchmark, similarity, features, checkpoint, set_, skip_broken, device)
    chosen = choose_queries(looks[0].found, queries, count, seed)
    named = with_own_names(looks)
    found = [(name, one.found) for name, one in named]
    save_picture(draw_rank_lists(found, chosen, first, side, caption(named), _show(looks[0], side, blur)), to)
    out.print(f"{len(chosen)} queries in {to}; {caption(named)}{'' if blur else SHARP}", markup=False)


def maps(
    runs: Runs,
    data: TestData,
    to: ToPicture,
    queries: Queries = "random",
    pairs: Annotated[bool, typer.Option("--pairs", help="Each query and its first match: what makes the two alike.")] = False,
    count: Annotated[int, typer.Option(min=1, help="Queries at most.")] = 5,
    side: Annotated[int, typer.Option(min=24, help="Of a picture, in pixels.")] = 128,
    seed: Annotated[int, typer.Option(min=0, help="Of random.")] = 0,
    blur: Blur = False,
    features: FeaturesOf = None,
    benchmark: BenchmarkName = None,
    checkpoint: CheckpointName = None,
    set_: Set = None,
    skip_broken: SkipBroken = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Activation maps: which places of a picture make its embedding, by the CNN branch and by TinyCLIP's."""
    from clipsenet.console import out
    from clipsenet.figures.looking import caption, with_own_names
    from clipsenet.figures.maps import Shown, draw_maps
    from clipsenet.figures.rank_lists import choose_queries
    from clipsenet.sheet import save_picture

    use_threads(threads)
    looks = _look(runs, data, benchmark, "cosine", features, checkpoint, set_, skip_broken, device)
    shown = []
    for one in choose_queries(looks[0].found, queries, count, seed):
        result = looks[0].found.results[one.trial]
        asked = int(result.trial.query[one.number])
        match = int(result.trial.gallery[result.ranking.matched[one.number][0]])
        shown.append(Shown((asked, match) if pairs else (asked,)))
    for one_look in looks:
        one_look.run.model.to("cpu")  # a few pictures
    named = with_own_names(looks)
    save_picture(draw_maps(named, shown, side, _show(looks[0], side, blur), caption(named)), to)
    what = "pairs" if pairs else "pictures"
    out.print(f"{len(shown)} {what} in {to}; {caption(named)}{'' if blur else SHARP}", markup=False)


def embedding(
    runs: Runs,
    data: TestData,
    to: To,
    vehicles: Annotated[int, typer.Option(min=2, help="Tested vehicles, the same for every run.")] = 14,
    columns: Annotated[int, typer.Option(min=1, help="Panels side by side.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of the vehicles, and of t-SNE.")] = 0,
    features: FeaturesOf = None,
    benchmark: BenchmarkName = None,
    checkpoint: CheckpointName = None,
    set_: Set = None,
    skip_broken: SkipBroken = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """t-SNE of the same vehicles by each run: a colour for each vehicle, a mark for each camera."""
    from clipsenet.console import out
    from clipsenet.figures.embedding import choose_rows, draw_embedding
    from clipsenet.figures.looking import caption, with_own_names

    use_threads(threads)
    looks = _look(runs, data, benchmark, "cosine", features, checkpoint, set_, skip_broken, device)
    rows = choose_rows(looks[0].found.test, vehicles, seed)
    named = with_own_names(looks)
    draw_embedding(named, rows, to, columns, seed, caption(named))
    shown = looks[0].found.test[rows].vehicle.count()
    out.print(f"{len(looks)} runs, {len(rows)} pictures of {shown} vehicles in {to}; {caption(named)}", markup=False)


def curves(
    runs: Runs,
    data: TestData,
    to: To,
    similarity: Similarity = "cosine",
    features: FeaturesOf = None,
    benchmark: BenchmarkName = None,
    checkpoint: CheckpointName = None,
    set_: Set = None,
    skip_broken: SkipBroken = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """CMC, precision against recall, and cosines of same and different vehicles, a colour for each run."""
    from clipsenet.console import out
    from clipsenet.figures.curves import draw_curves, spread
    from clipsenet.figures.looking import caption, with_own_names

    use_threads(threads)
    looks = _look(runs, data, benchmark, similarity, features, checkpoint, set_, skip_broken, device)
    named = with_own_names(looks)
    found = [(name, one.found, spread(one.features, one.found, one.scored_by.junk)) for name, one in named]
    draw_curves(found, to, caption(named))
    out.print(f"{len(looks)} runs in {to}; {caption(named)}", markup=False)


def slices(
    runs: Runs,
    data: TestData,
    to: To,
    similarity: Similarity = "cosine",
    features: FeaturesOf = None,
    benchmark: BenchmarkName = None,
    checkpoint: CheckpointName = None,
    set_: Set = None,
    skip_broken: SkipBroken = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """MAP of slices of the queries with intervals: by camera pair, type, colour, view, brightness, size."""
    from clipsenet.auditing import slices as slices_
    from clipsenet.console import out
    from clipsenet.figures.looking import caption, with_own_names
    from clipsenet.figures.slices import choose_slices, draw_slices

    use_threads(threads)
    looks = _look(runs, data, benchmark, similarity, features, checkpoint, set_, skip_broken, device)
    named = with_own_names(looks)
    found = [(name, slices_(one.found, one.scored_by)) for name, one in named]
    draw_slices(found, to, caption(named))
    out.print(f"{len(choose_slices(found[0][1]))} slices in {to}; {caption(named)}", markup=False)


def confusion(
    run: RunFolder,
    data: TestData,
    to: To,
    vehicles: Annotated[int, typer.Option(min=2, help="Vehicles at most: those confused most often.")] = 16,
    similarity: Similarity = "cosine",
    features: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A features folder: read where it is there, written where it is not.")
    ] = None,
    benchmark: BenchmarkName = None,
    checkpoint: CheckpointName = None,
    set_: Set = None,
    skip_broken: SkipBroken = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Which vehicles are taken for which: first answers as a matrix, known look-alikes framed."""
    from clipsenet.confusion import confuse
    from clipsenet.console import out
    from clipsenet.figures.confusion import draw_confusion
    from clipsenet.figures.looking import caption

    use_threads(threads)
    kept = None if features is None else [features]
    seen = _look([run], data, benchmark, similarity, kept, checkpoint, set_, skip_broken, device)[0]
    found = confuse(seen.found)
    how = caption([(seen.name, seen)])
    draw_confusion(found, to, vehicles, how)
    alike = "" if found.lookalikes is None else f", {found.lookalikes} with a known look-alike"
    counts = f"{found.wrong} of {found.queries} queries answered with another vehicle first{alike}"
    out.print(f"{counts}; in {to}; {how}", markup=False)


def groups(
    runs: Runs,
    data: TestData,
    to: To,
    pictures: Annotated[int, typer.Option(min=1, help="Test pictures at most, drawn by --seed.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of the pictures.")] = 0,
    benchmark: BenchmarkName = None,
    checkpoint: CheckpointName = None,
    set_: Set = None,
    skip_broken: SkipBroken = False,
    threads: Threads = None,
) -> None:
    """AFEM after training: the weight of each group, and its share on test pictures."""
    import numpy as np

    from clipsenet.console import out
    from clipsenet.figures.groups import draw_groups, measure_groups
    from clipsenet.figures.looking import own_names
    from clipsenet.models.group_shares import afem_of

    use_threads(threads)
    opened, tested = open_all(runs, data, benchmark, checkpoint, set_, skip_broken)
    for run in opened:
        afem_of(run.model)
    rows = np.sort(np.random.default_rng(seed).permutation(len(tested.test))[:pictures])
    names = own_names([run.recipe.name for run in opened], runs)
    found = [(name, measure_groups(run, tested.test[rows])) for name, run in zip(names, opened, strict=True)]
    which = f"{len(rows)} test pictures of {tested.name} {tested.fingerprint}, drawn by seed {seed}"
    draw_groups(found, to, which)
    out.print(f"{len(found)} runs in {to}; {which}", markup=False)


def history(runs: Runs, to: To) -> None:
    """Losses and validation scores over the epochs, a colour for each run."""
    from clipsenet.console import out
    from clipsenet.errors import ClipsenetError
    from clipsenet.figures.history import draw_history
    from clipsenet.figures.looking import own_names
    from clipsenet.history import read_history
    from clipsenet.runs import read_recipe

    titles = own_names([read_recipe(folder).name for folder in runs], runs)
    for folder in runs:
        if not read_history(folder):
            raise ClipsenetError(f"{folder} has no history: no epoch was finished")
    draw_history(dict(zip(titles, runs, strict=True)), to)
    out.print(f"{len(runs)} runs, in {to}", markup=False)


def _show(seen: "Look", side: int, blur: bool) -> "Callable[[int], Image.Image] | None":
    """How a picture is shown where it is blurred; none: as it is."""
    from clipsenet.covering import plate_boxes
    from clipsenet.figures.small_pictures import small

    if not blur:
        return None
    test = seen.found.test
    plates = plate_boxes(test)
    return lambda row: small(test, row, side=side, blurred=True, plate=plates[row])


def _look(
    runs: list[Path],
    data: Path,
    benchmark: str | None,
    similarity: str,
    features: list[Path] | None,
    checkpoint: str | None,
    set_: list[str] | None,
    skip_broken: bool,
    device: str,
) -> "list[Look]":
    """Every run on the test of the first one's benchmark."""
    from clipsenet.chain import Chain
    from clipsenet.console import watching
    from clipsenet.devices import find_device
    from clipsenet.figures.looking import look

    if features and len(features) != len(runs):
        raise UsageError(f"{len(features)} features folders for {len(runs)} runs: give one for each, in order, or none")
    opened, tested = open_all(runs, data, benchmark, checkpoint, set_, skip_broken)
    with watching() as watch:
        return [
            look(
                run,
                tested,
                chain=Chain.parse(similarity),
                features=None if features is None else features[number],
                device=find_device(device),
                watch=watch,
            )
            for number, run in enumerate(opened)
        ]


def open_all(
    runs: list[Path], data: Path, benchmark: str | None, checkpoint: str | None, set_: list[str] | None, skip_broken: bool
) -> "tuple[list[Run], Benchmark]":
    """The runs, and the pictures as the first one's recipe reads them, or as ``benchmark`` says."""
    settings = data_settings(runs[0], benchmark, set_, "a figure")
    opened = [open_run(folder, checkpoint) for folder in runs]
    return opened, open_benchmark(settings, data, ("test",), skip_broken)
