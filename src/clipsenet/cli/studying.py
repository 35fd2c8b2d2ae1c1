"""The command that trains the paper's tables: ablate."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipsenet.cli.opening import open_benchmark, print_json, use_threads
from clipsenet.cli.options import AsJson, Data, Device, Set, Threads
from clipsenet.errors import ClipsenetError

if TYPE_CHECKING:
    from clipsenet.ablation import Ablation, Cell
    from clipsenet.console import TrainingConsole


def ablate(
    study: Annotated[
        str,
        typer.Argument(metavar="STUDY", help="components, groups, trunks, losses or readings; see: clipsenet list studies."),
    ],
    data: Data,
    base: Annotated[str, typer.Option(metavar="RECIPE", help="What the rows change: a whole CLIP-SENet.")] = "veri776",
    rows: Annotated[str | None, typer.Option(metavar="NAME,NAME", help="Only these rows; none: all.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each row, from the base's own seed on.")] = 1,
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the runs are kept; none: runs/STUDY.")] = None,
    only_print: Annotated[bool, typer.Option("--print", help="Train and write nothing; print what is there.")] = False,
    set_: Set = None,
    device: Device = "auto",
    threads: Threads = None,
    json_: AsJson = False,
) -> None:
    """Train a table of the paper, each cell a run; mean and deviation, plain and re-ranked, beside the paper's numbers.

    The same command goes on where it stopped; started on several machines with one folder, they share the cells.
    """
    from clipsenet.ablation import make_ablation, require_same_study, run_cells
    from clipsenet.console import TrainingConsole, err, out, print_rows, watching
    from clipsenet.recipe import load_recipe
    from clipsenet.studies import find_study
    from clipsenet.study_results import as_values, collect, texts, titles

    use_threads(threads)
    chosen = find_study(study)
    loaded = load_recipe(base, set_ or ())
    folder = to or Path("runs") / study
    ablation = make_ablation(chosen, loaded, tuple(rows.split(",")) if rows else (), seeds, folder)
    consoles: list[TrainingConsole] = []
    words = ["clipsenet", "ablate", study, "--data", str(data), "--base", base, "--seeds", str(seeds)]
    options = {"--rows": rows, "--to": to, "--device": device, "--threads": threads}
    words += [word for option, value in options.items() if value is not None for word in (option, str(value))]
    words += [word for one in set_ or () for word in ("--set", one)]
    command = shlex.join(words)

    def console(cell: "Cell") -> "TrainingConsole":
        for one in consoles:
            one.close()
        place = ablation.cells().index(cell) + 1
        err.print(f"cell {place} of {len(ablation.cells())}: {cell.row.title}, seed {cell.seed}", markup=False)
        consoles.append(TrainingConsole(err))
        return consoles[-1]

    busy: list[str] = []
    if only_print:
        require_same_study(ablation)
    else:
        benchmark = open_benchmark(loaded.data, data, ("train", "validation", "test"), skip_broken=False)
        try:
            with watching() as watch:
                busy = run_cells(
                    ablation, benchmark, device, console, watch=watch, finished=lambda cell: _write(ablation, command)
                )
        finally:
            for one in consoles:
                one.close()
    findings = collect(ablation)
    if not findings.results and not busy:
        raise ClipsenetError(f"{folder}: nothing of this study is scored yet; leave out --print to train it")
    if findings.results and not only_print:
        _write(ablation, command)
    if json_:
        print_json({**as_values(findings), "busy": busy})
        return
    if findings.results:
        print_rows(titles(findings), texts(findings))
        written = "" if only_print else f"; written to {folder / study}.md and .png"
        out.print(f"in per cent, +- deviation over the seeds{written}", markup=False)
    for text in busy:
        out.print(f"under way elsewhere: {text}; the same command prints the whole table when it is done", markup=False)


def _write(ablation: "Ablation", command: str) -> None:
    """The study so far as Markdown and PNG, in its folder."""
    from clipsenet.figures.study import draw_study
    from clipsenet.files import write_text
    from clipsenet.study_results import collect, page

    findings = collect(ablation)
    name = ablation.study.name
    draw_study(findings, ablation.folder / f"{name}.png")
    write_text(ablation.folder / f"{name}.md", page(findings, command, f"{name}.png"))
