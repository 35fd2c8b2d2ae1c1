"""Scores of slices of the queries: where a run is weak."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipsenet.errors import ClipsenetError
from clipsenet.figures.style import COLOURS, MARKS, drawing

PAIRS = 10
"""Camera pairs that are shown: those with the lowest mAP."""


def choose_slices(slices: dict[str, Any], pairs: int = PAIRS) -> list[dict[str, Any]]:
    """The slices to be shown, of what ``auditing.slices`` found: all kinds, of camera pairs the weakest."""
    shown: list[dict[str, Any]] = slices["shown"]
    weakest = sorted((one for one in shown if one["kind"] == "camera pair"), key=lambda one: one["mAP"])[:pairs]
    return [*(one for one in shown if one["kind"] != "camera pair"), *weakest]


def draw_slices(runs: Sequence[tuple[str, dict[str, Any]]], path: Path, caption: str = "") -> None:
    """A line for each slice: the mAP of its queries with its 95 % interval; a mark for each run.

    Args:
        runs: their names, and what ``auditing.slices`` found for each on the same queries.
        path: of the PNG.
        caption: by what protocol.

    Raises:
        ClipsenetError: no slice has enough queries; the file cannot be written.
    """
    chosen = choose_slices(runs[0][1])
    if not chosen:
        fewest = runs[0][1]["fewest"]
        raise ClipsenetError(
            f"no slice to show: none of them has {fewest} queries; more queries, or columns such as type, would help"
        )
    names = [(str(one["kind"]), str(one["name"])) for one in chosen]
    with drawing(7.2, 1.3 + 0.23 * len(names) + 0.15 * (len(runs) - 1), path) as figure:
        axes = figure.add_subplot()
        for number, (run, found) in enumerate(runs):
            shift = 0.3 * (number - (len(runs) - 1) / 2)
            of_name = {(one["kind"], one["name"]): one for one in found["shown"]}
            label: str | None = run
            for line, name in enumerate(names):
                one = of_name[name]
                colour = COLOURS[number % len(COLOURS)]
                axes.hlines(line + shift, *(100 * bound for bound in one["intervals"]["mAP"]), color=colour, linewidth=1.4)
                mark = MARKS[number % len(MARKS)]
                axes.plot(100 * one["mAP"], line + shift, mark, color=colour, markersize=4.5, label=label)
                label = None
        labels = [f"{kind}: {name} ({one['queries']})" for (kind, name), one in zip(names, chosen, strict=True)]
        axes.set_yticks(range(len(names)), labels, fontsize=8)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlabel("mAP of the slice's queries, % (in brackets: how many)")
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        figure.suptitle(caption, fontsize=7, wrap=True)
        if len(runs) > 1:
            figure.legend(loc="outside lower center", ncols=2, frameon=False)
