"""Commands that draw figures of runs: figure ranks, maps, embedding, curves, history."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipsenet.cli.opening import open_benchmark, open_run, use_threads
from clipsenet.cli.options import CheckpointName, Device, Set, SkipBroken, Threads
from clipsenet.errors import UsageError

if TYPE_CHECKING:
    from clipsenet.figures.looking import Look

Runs = Annotated[list[Path], typer.Argument(metavar="RUN ...", help="Run folders, on the same test.")]
To = Annotated[Path, typer.Option("--to", metavar="FILE", help="A .png file (rank lists: .jpg, too).")]
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


def ranks(
    runs: Runs,
    data: TestData,
    to: To,
    queries: Queries = "worst",
    count: Annotated[int, typer.Option(min=1, help="Queries at most.")] = 6,
    first: Annotated[int, typer.Option(min=1, help="Pictures a row.")] = 10,
    side: Annotated[int, typer.Option(min=24, help="Of a picture, in pixels.")] = 112,
    seed: Annotated[int, typer.Option(min=0, help="Of random.")] = 0,
    similarity: Similarity = "cosine",
    features: FeaturesOf = None,
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
    from clipsenet.figures.looking import with_own_names
    from clipsenet.figures.rank_lists import choose_queries, draw_rank_lists
    from clipsenet.sheet import save_picture

    use_threads(threads)
    looks = _look(runs, data, similarity, features, checkpoint, set_, skip_broken, device)
    chosen = choose_queries(looks[0].found, queries, count, seed)
    image = draw_rank_lists([(name, one.found) for name, one in with_own_names(looks)], chosen, first, side, looks[0].protocol)
    save_picture(image, to)
    out.print(f"{len(chosen)} queries in {to}; {looks[0].protocol}", markup=False)


def maps(
    runs: Runs,
    data: TestData,
    to: To,
    queries: Queries = "random",
    pairs: Annotated[bool, typer.Option("--pairs", help="Each query and its first match: what makes the two alike.")] = False,
    count: Annotated[int, typer.Option(min=1, help="Queries at most.")] = 5,
    side: Annotated[int, typer.Option(min=24, help="Of a picture, in pixels.")] = 128,
    seed: Annotated[int, typer.Option(min=0, help="Of random.")] = 0,
    features: FeaturesOf = None,
    checkpoint: CheckpointName = None,
    set_: Set = None,
    skip_broken: SkipBroken = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Activation maps: which places of a picture make its embedding, by the CNN branch and by TinyCLIP's."""
    from clipsenet.console import out
    from clipsenet.figures.looking import with_own_names
    from clipsenet.figures.maps import Shown, draw_maps
    from clipsenet.figures.rank_lists import choose_queries
    from clipsenet.sheet import save_picture

    use_threads(threads)
    looks = _look(runs, data, "cosine", features, checkpoint, set_, skip_broken, device)
    shown = []
    for one in choose_queries(looks[0].found, queries, count, seed):
        result = looks[0].found.results[one.trial]
        asked = int(result.trial.query[one.number])
        match = int(result.trial.gallery[result.ranking.matched[one.number][0]])
        shown.append(Shown((asked, match) if pairs else (asked,)))
    for one_look in looks:
        one_look.run.model.to("cpu")  # a few pictures
    save_picture(draw_maps(with_own_names(looks), shown, side), to)
    out.print(f"{len(shown)} {'pairs' if pairs else 'pictures'}, in {to}", markup=False)


def embedding(
    runs: Runs,
    data: TestData,
    to: To,
    vehicles: Annotated[int, typer.Option(min=2, help="Tested vehicles, the same for every run.")] = 14,
    columns: Annotated[int, typer.Option(min=1, help="Panels side by side.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of the vehicles, and of t-SNE.")] = 0,
    features: FeaturesOf = None,
    checkpoint: CheckpointName = None,
    set_: Set = None,
    skip_broken: SkipBroken = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """t-SNE of the same vehicles by each run: a colour for each vehicle, a mark for each camera."""
    from clipsenet.console import out
    from clipsenet.figures.embedding import choose_rows, draw_embedding
    from clipsenet.figures.looking import with_own_names

    use_threads(threads)
    looks = _look(runs, data, "cosine", features, checkpoint, set_, skip_broken, device)
    rows = choose_rows(looks[0].found.test, vehicles, seed)
    draw_embedding(with_own_names(looks), rows, to, columns, seed)
    out.print(f"{len(looks)} runs, {len(rows)} pictures, in {to}; {looks[0].protocol}", markup=False)


def curves(
    runs: Runs,
    data: TestData,
    to: To,
    similarity: Similarity = "cosine",
    features: FeaturesOf = None,
    checkpoint: CheckpointName = None,
    set_: Set = None,
    skip_broken: SkipBroken = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """CMC, precision against recall, and cosines of same and different vehicles, a colour for each run."""
    from clipsenet.console import out
    from clipsenet.figures.curves import draw_curves, spread
    from clipsenet.figures.looking import with_own_names

    use_threads(threads)
    looks = _look(runs, data, similarity, features, checkpoint, set_, skip_broken, device)
    draw_curves(
        [(name, one.found, spread(one.features, one.found, one.junk)) for name, one in with_own_names(looks)],
        to,
        looks[0].protocol,
    )
    out.print(f"{len(looks)} runs in {to}; {looks[0].protocol}", markup=False)


def history(runs: Runs, to: To) -> None:
    """Losses and validation scores over the epochs, a colour for each run."""
    from clipsenet.console import out
    from clipsenet.errors import ClipsenetError
    from clipsenet.figures.history import draw_history
    from clipsenet.history import read_history
    from clipsenet.runs import read_recipe

    names = [read_recipe(folder).name for folder in runs]
    titles = names if len(set(names)) == len(names) else [folder.name for folder in runs]
    for folder in runs:
        if not read_history(folder):
            raise ClipsenetError(f"{folder} has no history: no epoch was finished")
    draw_history(dict(zip(titles, runs, strict=True)), to)
    out.print(f"{len(runs)} runs, in {to}", markup=False)


def _look(
    runs: list[Path],
    data: Path,
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
    from clipsenet.recipe import Recipe
    from clipsenet.runs import read_recipe
    from clipsenet.settings import override

    if features and len(features) != len(runs):
        raise UsageError(f"{len(features)} features folders for {len(runs)} runs: give one for each, in order, or none")
    for text in set_ or ():
        if not text.startswith("data."):
            raise UsageError(f"--set {text}: a figure takes data.* only; the networks are the runs'")
    settings = Recipe.from_values(override(read_recipe(runs[0]).to_values(), set_ or ()), f"{runs[0]}/recipe.yaml").data
    benchmark = open_benchmark(settings, data, ("test",), skip_broken)
    with watching() as watch:
        return [
            look(
                open_run(folder, checkpoint),
                benchmark,
                chain=Chain.parse(similarity),
                features=None if features is None else features[number],
                device=find_device(device),
                watch=watch,
            )
            for number, folder in enumerate(runs)
        ]
