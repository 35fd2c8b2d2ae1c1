"""What all figures share: colours that colour-blind readers tell apart, and how matplotlib draws here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from clipsenet.files import write_whole

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito 2008: told apart by colour-blind readers, too; marks and lines differ as well."""

MARKS = ("o", "s", "^", "D", "v", "P", "X")

LINES = ("-", "--", ":", "-.")

PAPER, INK = (255, 255, 255), (40, 40, 44)

RIGHT, WRONG, ASKED = (0, 158, 115), (213, 94, 0), (120, 120, 126)
"""Frames of a true match, of another vehicle, and of the query; a tick or a cross says the same without colour."""


@contextmanager
def drawing(width: float, height: float, path: Path) -> Iterator[Figure]:
    """A figure of so many inches, written as PNG when the block ends.

    Raises:
        ClipsenetError: the file cannot be written.
    """
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        write_whole(path, lambda partial: figure.savefig(partial, format="png", dpi=140))
