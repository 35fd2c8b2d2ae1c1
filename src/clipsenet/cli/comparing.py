"""The command that stands two runs beside each other: runs compare."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipsenet.cli.opening import print_json
from clipsenet.cli.options import AsJson
from clipsenet.errors import ClipsenetError

if TYPE_CHECKING:
    from clipsenet.comparing import Comparison, Turned
    from clipsenet.scorecard import Scorecard

Runs = Annotated[Path, typer.Argument(help="A run folder, or one of its scorecards.")]


def compare(
    a: Runs,
    b: Runs,
    draws: Annotated[int, typer.Option(min=100, help="Bootstrap draws.")] = 2000,
    show: Annotated[int, typer.Option(min=0, help="Rescued and broken queries that are named; --json has all.")] = 5,
    despite_protocol: Annotated[
        bool, typer.Option("--despite-protocol", help="Compare what was scored differently, too, and say in what.")
    ] = False,
    json_: AsJson = False,
) -> None:
    """Two runs on the same queries: b against a, with paired intervals, and the queries that each rescues or breaks."""
    from clipsenet.comparing import compare as compare_
    from clipsenet.console import out

    (name_a, card_a), (name_b, card_b) = _pair(a, b, despite_protocol)
    found = compare_(card_a, card_b, draws, despite_protocol)
    if json_:
        print_json({"a": name_a, "b": name_b, "comparisons": [asdict(one) for one in found]})
        return
    card = card_a.card
    for letter, name, shown in (("a", name_a, card), ("b", name_b, card_b.card)):
        run_id = shown.run_id if shown.altered else shown.run_id[:16]
        out.print(f"{letter}  {name}, run {run_id}, {shown.checkpoint}, {shown.embedding}", markup=False)
        for note in shown.notes:
            out.print(f"   {note}", markup=False)
    out.print(
        f"{card.benchmark} ({card.copy}), {card.fingerprint}; junk: {card.junk}; AP: {card.average_precision}", markup=False
    )
    for one in found:
        _print(one, show)


def _print(one: "Comparison", show: int) -> None:
    from clipsenet.console import out, print_rows

    for text in one.differs:
        out.print(f"DIFFERENT PROTOCOL: {text}", markup=False)
    rows = []
    for name, (of_a, of_b, difference) in one.scores.items():
        low, high = one.interval[name]
        rows.append((name, f"{of_a:.3f}", f"{of_b:.3f}", f"{difference:+.3f}", f"[{low:+.3f}, {high:+.3f}]"))
    title = f"{' against '.join(one.similarity)}; junk {' against '.join(one.junk)}"
    print_rows((title, "a", "b", "b - a", "95 %, paired, over vehicles"), rows)
    out.print(f"{one.queries} queries: average precision higher in b for {one.better}, lower for {one.worse}", markup=False)
    for name, turned in (("rescued by b", one.rescued), ("broken by b", one.broken)):
        out.print(f"first answer {name}: {len(turned)}", markup=False)
        for query in turned[:show]:
            out.print(f"  {_describe(query)}", markup=False)


def _describe(query: "Turned") -> str:
    camera = f", camera {query.camera}" if query.camera else ""
    return (
        f"{query.picture} (vehicle {query.vehicle}{camera}; {query.trial}): first match at place {query.places[0]} in a, "
        f"{query.places[1]} in b"
    )


def _pair(a: Path, b: Path, despite: bool) -> "tuple[tuple[str, Scorecard], tuple[str, Scorecard]]":
    """The scorecards that are meant: of two run folders the newest pair with the same protocol."""
    from clipsenet.comparing import differences
    from clipsenet.scorecard import CARD

    of_a, of_b = _scorecards(a), _scorecards(b)  # of run folders without fusions and runs without a branch
    if len(of_a) == len(of_b) == 1:
        return of_a[0], of_b[0]
    alike = [(one, other) for one in of_a for other in of_b if not differences(one[1], other[1])]
    protocols = {str(one[1].card.protocol()) for one, _ in alike}
    if len(protocols) == 1:
        return max(alike, key=lambda pair: sum((Path(name) / CARD).stat().st_mtime for name, _ in pair))  # the newest of each
    names = "; ".join(
        f"{folder}: {', '.join(Path(name).name for name, _ in found)}" for folder, found in ((a, of_a), (b, of_b))
    )
    how = f"they share {len(protocols)} protocols" if alike else "no pair of scorecards has the same protocol"
    extra = "" if alike or despite else ", with --despite-protocol"
    raise ClipsenetError(f"{how} ({names}); name two scorecards: RUN/scorecards/NAME{extra}")


def _scorecards(path: Path) -> "list[tuple[str, Scorecard]]":
    from clipsenet.scorecard import CARD, Scorecard

    if path.name == CARD and path.is_file():
        path = path.parent
    if (path / CARD).is_file():
        return [(str(path), Scorecard.load(path))]
    folder = path if path.name == "scorecards" else path / "scorecards"
    found = sorted(folder.glob(f"*/{CARD}"))
    loaded = [(str(one.parent), Scorecard.load(one.parent)) for one in found]
    whole = [one for one in loaded if not one[1].card.altered]
    if loaded and not whole:
        raise ClipsenetError(f"{path} has scorecards of fused runs or of a run without a branch only: name one of {folder}")
    if not found:
        raise ClipsenetError(f"{path} has no scorecard: clipsenet evaluate {path} --data ...")
    return whole
