"""Reliability diagram: how often answers of a confidence are right."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clipsenet.calibrating.judging import Bin
from clipsenet.figures.style import COLOURS, drawing


def draw_reliability(bins: Sequence[Bin], path: Path) -> None:
    """The share of right answers over the mean confidence of each bin, with 95 % intervals; below, how many there are.

    Args:
        bins: as ``judging.reliability`` has them.
        path: of the PNG.

    Raises:
        ClipsenetError: the file cannot be written.
    """
    p, right = np.array([one.p for one in bins]), np.array([one.right for one in bins])
    low, high = np.array([one.interval for one in bins]).reshape(-1, 2).T
    with drawing(4.2, 4.6, path) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        upper.plot([0, 1], [0, 1], ":", color="#888888", label="as sure as it should be")
        bars = np.nan_to_num(np.clip([right - low, high - right], 0, None))
        upper.errorbar(p, right, yerr=bars, fmt="o-", color=COLOURS[0], capsize=2, label="measured, 95 % interval")
        upper.set(ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
        upper.legend(frameon=False, loc="upper left")
        lower.bar(p, [one.share for one in bins], width=0.04, color=COLOURS[0])
        lower.set(xlabel="confidence", ylabel="of searches")
