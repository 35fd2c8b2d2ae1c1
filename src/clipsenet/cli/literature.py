"""A command that stands a run beside the literature: runs literature."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipsenet.cli.opening import print_json
from clipsenet.cli.options import AsJson

if TYPE_CHECKING:
    from clipsenet.literature import Comparison, Row


def literature(
    benchmark: Annotated[
        str | None, typer.Argument(metavar="BENCHMARK", help="veri776, vehicleid:small, veriwild:large, ...; none: all.")
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option("--run", metavar="RUN", help="A run folder, whose scores stand beside the others; may be repeated."),
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Write a page of Markdown there.")] = None,
    json_: AsJson = False,
) -> None:
    """What the literature reports on a benchmark, plain and re-ranked told apart, and your own runs beside it."""
    from clipsenet.console import out
    from clipsenet.files import write_text
    from clipsenet.literature import OWN, READING, add_runs, comparisons, page
    from clipsenet.settings import choose

    known = comparisons()
    chosen = known if benchmark is None else {benchmark: choose("benchmark", benchmark, known)}
    found = list(add_runs(chosen, {str(folder): _rows(folder) for folder in run or ()}).values())
    if to is not None:
        write_text(to, page(found, _command(benchmark, run or (), to)))
    if json_:
        print_json([asdict(one) for one in found])
    elif to is not None:
        out.print(f"saved in {to}", markup=False)
    else:
        for one in found:
            _print(one)
        out.print(f"{READING} {OWN}".replace("\n", " "), markup=False, soft_wrap=False)


def _rows(folder: Path) -> dict[str, list["Row"]]:
    """A run's own rows, by the benchmark of their scorecard."""
    from clipsenet.literature import find_scorecards, own_rows

    rows: dict[str, list[Row]] = {}
    for scorecard in find_scorecards(folder):
        lines = own_rows(str(folder), scorecard.card, scorecard.sections[0].lines)
        rows.setdefault(scorecard.card.benchmark, []).extend(lines)
    return rows


def _command(benchmark: str | None, runs: Sequence[Path], to: Path) -> str:
    """The words that make the same page again."""
    words = [*([benchmark] if benchmark else []), *(word for run in runs for word in ("--run", str(run))), "--to", str(to)]
    return shlex.join(["clipsenet", "runs", "literature", *words])


def _print(one: "Comparison") -> None:
    """A table; the user's own rows stand below a line."""
    from rich.markup import escape
    from rich.table import Table

    from clipsenet.console import out

    table = Table(title=one.benchmark, title_justify="left")
    for name in one.title():
        table.add_column(name.replace(": ", ":\n"), overflow="fold", no_wrap=" / " in name)
    for row, after, texts in zip(one.rows, (*one.rows[1:], None), one.texts(), strict=True):
        last_of_theirs = not row.own and after is not None and after.own
        table.add_row(*map(escape, texts), end_section=last_of_theirs)
    out.print(table)
