"""The vehicles that are most often taken for each other, as a matrix of first answers."""

from collections import Counter
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.patches import Rectangle

from clipsenet.confusion import Confusion
from clipsenet.errors import ClipsenetError
from clipsenet.figures.style import COLOURS, drawing


def choose_confused(confusion: Confusion, most: int = 16) -> list[str]:
    """The vehicles of the most frequent wrong answers, look-alikes beside each other.

    Args:
        confusion: what was counted.
        most: how many vehicles at most; a pair that has no room is left out.
    """
    chosen: list[str] = []
    for asked, answered, _ in confusion.pairs():
        new = [one for one in (asked, answered) if one not in chosen]
        if len(chosen) + len(new) <= most:
            chosen += new
    ordered: list[str] = []
    for one in chosen:
        for member in (one, *sorted(confusion.alike.get(one, ()))):
            if member in chosen and member not in ordered:
                ordered.append(member)
    return ordered


def draw_confusion(confusion: Confusion, path: Path, most: int = 16, caption: str = "") -> None:
    """Rows: the vehicle asked for; columns: the vehicle answered first; numbers: queries; a frame: known look-alikes.

    Args:
        confusion: what was counted.
        path: of the PNG.
        most: vehicles at most, those that are confused most often.
        caption: by what protocol.

    Raises:
        ClipsenetError: no query was answered with another vehicle; the file cannot be written.
    """
    chosen = choose_confused(confusion, most)
    if not chosen:
        raise ClipsenetError(
            f"no confusion to show: all {confusion.queries} queries were answered with their own vehicle first"
        )
    count = confusion.matrix(chosen)
    share = count / np.maximum(1, [confusion.answers.get(asked, Counter()).total() for asked in chosen])[:, None]
    side = 1.9 + 0.34 * len(chosen)
    with drawing(side + 0.4, side, path) as figure:
        axes = figure.add_subplot()
        axes.imshow(share, cmap=mpl.colormaps["Blues"], vmin=0, vmax=1)
        for row, column in np.argwhere(count > 0):
            ink = "white" if share[row, column] > 0.55 else "black"
            axes.text(column, row, str(count[row, column]), ha="center", va="center", fontsize=8, color=ink)
        for row, asked in enumerate(chosen):
            for column, other in enumerate(chosen):
                if other in confusion.alike.get(asked, ()):
                    axes.add_patch(
                        Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fill=False, edgecolor=COLOURS[1], linewidth=1.6)
                    )
        axes.set_xticks(range(len(chosen)), chosen, rotation=90)
        axes.set_yticks(range(len(chosen)), chosen)
        axes.set(xlabel="answered first", ylabel="asked for")
        axes.tick_params(length=0, labelsize=8)
        figure.suptitle(caption, fontsize=7, wrap=True)
