"""What all figures share: colours that colour-blind readers tell apart, and how matplotlib draws here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from clipsenet.files import write_whole

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#808080")
"""Okabe and Ito 2008 with grey for black, which a dark page would swallow; marks and lines differ as well."""

MARKS = ("o", "s", "^", "D", "v", "P", "X")

LINES = ("-", "--", ":", "-.")

PAPER, INK = (255, 255, 255), (40, 40, 44)

RIGHT, WRONG, ASKED = (0, 158, 115), (213, 94, 0), (120, 120, 126)
"""Frames of a true match, of another vehicle, and of the query; a tick or a cross says the same without colour."""


SHARED: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.linewidth": 0.6,
    "grid.alpha": 0.5,
    "text.parse_math": False,  # names are names, with a dollar in them, too
}

DARK: dict[Any, Any] = {
    "figure.facecolor": "#16181c",
    "axes.facecolor": "#16181c",
    "savefig.facecolor": "#16181c",
    "text.color": "#e6e6e6",
    "axes.labelcolor": "#e6e6e6",
    "axes.titlecolor": "#e6e6e6",
    "axes.edgecolor": "#8a8f98",
    "xtick.color": "#c9ccd1",
    "ytick.color": "#c9ccd1",
    "grid.color": "#3a3e45",
    "legend.facecolor": "#16181c",
}
"""Matplotlib's settings of a figure for a dark page."""


@contextmanager
def on_dark_paper() -> Iterator[None]:
    """Figures that are drawn within are for a dark page."""
    with mpl.rc_context(DARK):
        yield


@contextmanager
def drawing(width: float, height: float, path: Path) -> Iterator[Figure]:
    """A figure of so many inches, written as PNG when the block ends.

    Raises:
        ClipsenetError: the file cannot be written.
    """
    with mpl.rc_context(SHARED):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        write_whole(path, lambda partial: figure.savefig(partial, format="png", dpi=140))
