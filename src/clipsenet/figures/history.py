"""The history of trainings: losses and validation scores over the epochs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from clipsenet.figures.style import COLOURS, LINES, drawing
from clipsenet.history import read_history


def draw_history(folders: Mapping[str, Path], path: Path) -> None:
    """Losses and validation scores over the epochs, a colour for each run.

    Raises:
        ClipsenetError: the file cannot be written.
    """
    with drawing(8.0, 3.2, path) as figure:
        losses, scores = figure.subplots(1, 2)
        for number, (name, folder) in enumerate(folders.items()):
            rows = read_history(folder)
            colour = COLOURS[number % len(COLOURS)]
            parts = sorted({key for row in rows for key in row if key.startswith("loss.")})
            for place, key in enumerate(parts):
                _line(losses, rows, key, colour, LINES[place % len(LINES)], f"{name}, {key.removeprefix('loss.')}")
            for style, key in zip(LINES, ("validation.mAP", "validation.R1", "test.mAP", "test.R1"), strict=True):
                _line(scores, rows, key, colour, style, f"{name}, {key.replace('.', ' ')}")
        losses.set(xlabel="epoch", ylabel="loss, weighted")
        scores.set(xlabel="epoch", ylabel="%")
        for axes in (losses, scores):
            axes.grid()
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            if axes.get_legend_handles_labels()[0]:
                axes.legend(fontsize=8, framealpha=0.8, edgecolor="none")


def _line(axes: Axes, rows: Sequence[Mapping[str, float]], key: str, colour: str, style: str, label: str) -> None:
    points = [(row["epoch"], row[key]) for row in rows if key in row]
    if points:
        factor = 1 if key.startswith("loss") else 100
        axes.plot([x for x, _ in points], [factor * y for _, y in points], style, marker=".", color=colour, label=label)
