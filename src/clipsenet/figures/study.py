"""A study as a picture: a dot for each seed, a mark for the mean; or curves over the epochs."""

from pathlib import Path

from matplotlib.axes import Axes

from clipsenet.figures.style import COLOURS, LINES, MARKS, drawing
from clipsenet.study_results import Findings, Result


def draw_study(findings: Findings, path: Path) -> None:
    """Write a PNG of the mAP of all rows.

    Raises:
        ClipsenetError: the file cannot be written.
    """
    curves = findings.over_epochs
    height = 3.8 if curves else 1.4 + 0.42 * len(findings.ablation.rows)
    with drawing(7.2, height, path) as figure:
        axes = figure.add_subplot()
        (_curves if curves else _dots)(axes, findings)
        cells, seeds = len(findings.ablation.cells()), len(findings.ablation.seeds)
        how_many = f"{seeds} seed{'s' if seeds > 1 else ''}" if findings.complete else f"{findings.done} of {cells} trainings"
        axes.set_title(f"{findings.ablation.study.title}; {how_many}", loc="left", fontsize=9)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)


def _dots(axes: Axes, findings: Findings) -> None:
    """Rows from top to bottom, mAP to the right; a small dot for each seed, a large one for their mean."""
    names = [row.name for row in findings.ablation.rows]
    for number, similarity in enumerate(_similarities(findings)):
        colour, mark = COLOURS[number % len(COLOURS)], MARKS[number % len(MARKS)]
        shift = 0.16 * (number - (len(_similarities(findings)) - 1) / 2)
        label: str | None = similarity
        for one in _of(findings, similarity):
            y = names.index(one.row.name) + shift
            axes.scatter(
                [100 * scores["mAP"] for scores in one.of_seed.values()], [y] * len(one.of_seed), s=8, color=colour, alpha=0.6
            )
            axes.scatter([100 * one.mean("mAP")], [y], s=42, marker=mark, color=colour, label=label)
            label = None
    label = "the paper, VeRi-776, re-ranked"
    for row in findings.ablation.rows:
        if row.paper is not None and findings.cards and findings.cards[0].benchmark.startswith("veri776"):
            axes.scatter([row.paper[0]], [names.index(row.name)], s=60, marker="|", color="black", label=label)
            label = None
    axes.set_yticks(range(len(names)), [row.title for row in findings.ablation.rows])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel("mAP, %")
    axes.grid(axis="x")
    axes.set_axisbelow(True)


def _curves(axes: Axes, findings: Findings) -> None:
    """MAP over the epochs: a colour for each row, a line style for each similarity."""
    for number, row in enumerate(findings.ablation.rows):
        for place, similarity in enumerate(_similarities(findings)):
            points = [one for one in _of(findings, similarity) if one.row.name == row.name]
            if points:
                epochs = [int(one.checkpoint.removeprefix("epoch-")) for one in points]
                means = [100 * one.mean("mAP") for one in points]
                colour, mark = COLOURS[number % len(COLOURS)], MARKS[number % len(MARKS)]
                axes.plot(
                    epochs,
                    means,
                    LINES[place % len(LINES)],
                    marker=mark,
                    markersize=5,
                    color=colour,
                    label=f"{row.title}, {similarity}",
                )
    axes.set_xlabel("epoch")
    axes.set_ylabel("mAP, %")
    axes.grid()


def _similarities(findings: Findings) -> list[str]:
    return list(dict.fromkeys(one.similarity for one in findings.results))


def _of(findings: Findings, similarity: str) -> list[Result]:
    return [one for one in findings.results if one.similarity == similarity]
