"""Curves of an evaluation: CMC, precision against recall, and how far same and different vehicles lie apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes

from clipsenet.features import Features
from clipsenet.figures.style import COLOURS, LINES, drawing
from clipsenet.protocol import JunkRule
from clipsenet.ranking import Relevance
from clipsenet.similarity import cosine
from clipsenet.trials import Evaluation

RECALL = np.linspace(0, 1, 101)

BINS = np.linspace(-1, 1, 201)

FEW, WIDER = 5000, 5
"""Pairs of one vehicle below which so many bins are drawn as one: singly they would be noise."""


def cmc(found: Evaluation, ranks: int = 50) -> Float[np.ndarray, " ranks"]:
    """The share of queries whose first match stands among the first k, for k = 1 to ``ranks``; the mean over the trials."""
    of_trials = []
    for result in found.results:
        first = np.array([places[0] for places in result.ranking.places if len(places)])
        of_trials.append((first[:, None] <= np.arange(ranks)).mean(axis=0))
    mean: Float[np.ndarray, " ranks"] = np.mean(of_trials, axis=0)
    return mean


def precision_recall(found: Evaluation) -> Float[np.ndarray, " levels"]:
    """The mean over queries of the highest precision at a recall of at least 0, 0.01, ... 1; then over the trials."""
    of_trials = []
    for result in found.results:
        curves = [_precision(places) for places in result.ranking.places if len(places)]
        of_trials.append(np.mean(curves, axis=0))
    mean: Float[np.ndarray, " levels"] = np.mean(of_trials, axis=0)
    return mean


@dataclass(frozen=True, eq=False)
class Spread:
    """How many pairs of a query and a gallery picture have which cosine, in ``BINS``.

    Attributes:
        same: pairs of one vehicle; junk is left out.
        other: pairs of two vehicles.
    """

    same: Int[np.ndarray, " bins"]
    other: Int[np.ndarray, " bins"]


def spread(features: Features, found: Evaluation, junk: JunkRule) -> Spread:
    """Count the cosines of all pairs of all trials, block by block.

    Args:
        features: of the test pictures.
        found: tells the trials.
        junk: what it leaves out for a query is no pair.
    """
    same, other = np.zeros(len(BINS) - 1, dtype=np.int64), np.zeros(len(BINS) - 1, dtype=np.int64)
    for result in found.results:
        query, gallery = features[result.trial.query], features[result.trial.gallery]
        relevance = Relevance(query.sightings, gallery.sightings, junk)
        for part, block in cosine(query, gallery):
            for row, cosines in enumerate(np.clip(block, -1, 1), start=part.start):
                match, left_out = relevance.of(row)
                of_match = np.histogram(cosines[match], BINS)[0]
                same += of_match
                other += np.histogram(cosines, BINS)[0] - of_match - np.histogram(cosines[left_out], BINS)[0]
    return Spread(same, other)


def draw_curves(runs: Sequence[tuple[str, Evaluation, Spread]], path: Path, caption: str = "") -> None:
    """CMC, precision against recall, and similarities of same and different vehicles, side by side.

    Args:
        runs: their names, what each found, and how its cosines spread.
        path: of the PNG.
        caption: by what protocol.

    Raises:
        ClipsenetError: the file cannot be written.
    """
    with drawing(9.6, 3.4, path) as figure:
        left, middle, right = figure.subplots(1, 3)
        wider = WIDER if min(int(pairs.same.sum()) for _, _, pairs in runs) < FEW else 1
        for number, (name, found, pairs) in enumerate(runs):
            colour, line = COLOURS[number % len(COLOURS)], LINES[number % len(LINES)]
            shares = 100 * cmc(found)
            left.plot(np.arange(1, len(shares) + 1), shares, line, color=colour, label=f"{name}, R1 {shares[0]:.1f}")
            middle.plot(100 * RECALL, 100 * precision_recall(found), line, color=colour)
            _histograms(right, pairs, colour, line, wider)
        left.set(xlabel="rank k", ylabel="first match within k, %", xscale="log")
        left.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
        middle.set(xlabel="recall, %", ylabel="precision, %", ylim=(0, 102))
        right.set(xlabel="cosine", ylabel=f"share of pairs in {0.01 * wider:g}")
        for axes in (left, middle, right):
            axes.grid()
        figure.suptitle(caption, fontsize=7, wrap=True)
        figure.legend(loc="outside lower center", ncols=3, frameon=False)


def _precision(places: Int[np.ndarray, " matches"]) -> Float[np.ndarray, " levels"]:
    """Of one query: the k-th match at place p has precision k / (p + 1) at recall k / matches."""
    order = np.arange(1, len(places) + 1)
    highest = np.maximum.accumulate((order / (places + 1))[::-1])[::-1]  # at this recall or a higher one
    needed = np.maximum(1, np.ceil(RECALL * len(places) - 1e-9)).astype(int)
    found: Float[np.ndarray, " levels"] = highest[needed - 1]
    return found


def _histograms(axes: Axes, pairs: Spread, colour: str, line: str, wider: int) -> None:
    edges = BINS[::wider]
    middle = (edges[:-1] + edges[1:]) / 2
    for counts, filled in ((pairs.same, True), (pairs.other, False)):
        shares = counts.reshape(-1, wider).sum(axis=1) / max(1, counts.sum())
        axes.plot(middle, shares, line, color=colour, linewidth=1.4 if filled else 0.8)
        if filled:
            axes.fill_between(middle, shares, color=colour, alpha=0.18, linewidth=0)
