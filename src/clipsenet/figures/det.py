"""DET: at each threshold, how many absent vehicles are 'found', and how many present ones are missed."""

from pathlib import Path

import numpy as np

from clipsenet.calibrating.judging import CALIBRATED, PLAIN, Judged
from clipsenet.calibrating.prior import weigh
from clipsenet.calibrating.verdicts import curves
from clipsenet.figures.style import COLOURS, LINES, MARKS, drawing

LEAST = 1e-3
"""The left end of the axis of false alarms."""


def draw_det(judged: Judged, absent_share: float, path: Path) -> None:
    """False-negative over false-positive identification rate for both ways of judging, their thresholds marked.

    Args:
        judged: searches of known vehicles.
        absent_share: with which they are weighed.
        path: of the PNG.

    Raises:
        ClipsenetError: the file cannot be written.
    """
    examples = judged.examples
    weight = weigh(examples.present, examples.size, absent_share)
    with drawing(4.6, 4.2, path) as figure:
        axes = figure.subplots()
        for number, (name, one) in enumerate(((CALIBRATED, judged.calibrated), (PLAIN, judged.plain))):
            at = curves(one.p, examples.right, examples.present, weight)
            colour = COLOURS[number]
            axes.plot(np.maximum(100 * at.false_alarms, 100 * LEAST), 100 * at.misses, LINES[number], color=colour, label=name)
            absent, present = ~examples.present, examples.present
            alarms = weight[absent & one.accepted].sum() / max(weight[absent].sum(), 1e-12)
            missed = 1 - weight[examples.right & one.accepted].sum() / max(weight[present].sum(), 1e-12)
            axes.plot(max(100 * alarms, 100 * LEAST), 100 * missed, MARKS[number], color=colour)
        axes.set(xlabel="absent, but accepted, %", ylabel="present, but refused or wrong, %", xscale="log", ylim=(0, 101))
        axes.set_xlim(100 * LEAST, 100)
        axes.grid(color="#dddddd", linewidth=0.6)
        axes.legend(frameon=False)
