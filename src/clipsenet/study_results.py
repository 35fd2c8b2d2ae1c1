"""What a study found: mean and deviation over the seeds, plain and re-ranked, beside the paper's numbers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from clipsenet.ablation import Ablation, scored
from clipsenet.scorecard import Card
from clipsenet.studies import Row

SCORES = ("mAP", "R1", "R5")


@dataclass(frozen=True)
class Result:
    """One row of a study by one similarity, after one epoch.

    Attributes:
        row: which network.
        checkpoint: ``last``, or ``epoch-N``.
        similarity: ``plain``, or the chain in a few words.
        of_seed: seed to its scores, 0 to 1.
    """

    row: Row
    checkpoint: str
    similarity: str
    of_seed: Mapping[int, Mapping[str, float]]

    def mean(self, score: str) -> float:
        """Over the seeds."""
        return fmean(scores[score] for scores in self.of_seed.values())

    def deviation(self, score: str) -> float:
        """The standard deviation over the seeds, divided by n - 1; NaN for one seed."""
        values = [scores[score] for scores in self.of_seed.values()]
        return stdev(values) if len(values) > 1 else math.nan


@dataclass(frozen=True)
class Findings:
    """All results of a study so far.

    Attributes:
        ablation: the study.
        results: in the order of rows, checkpoints and similarities.
        cards: the protocol card of each scored cell; all say the same of the benchmark.
    """

    ablation: Ablation
    results: tuple[Result, ...]
    cards: tuple[Card, ...]

    @property
    def over_epochs(self) -> bool:
        """Whether it tells of several moments of a training; a base that ends before the study's first tells of its last."""
        return any(one.checkpoint != "last" for one in self.results)

    @property
    def complete(self) -> bool:
        """Whether every cell is scored."""
        return self.done == len(self.ablation.cells())

    @property
    def done(self) -> int:
        """How many cells are scored."""
        return sum(cell.done for cell in self.ablation.cells())


def collect(ablation: Ablation) -> Findings:
    """Read every scorecard that is there."""
    found: dict[tuple[str, str, str], dict[int, Mapping[str, float]]] = {}
    cards = []
    rows = {row.name: row for row in ablation.rows}
    for cell, checkpoint, scorecard in scored(ablation):
        cards.append(scorecard.card)
        own = scorecard.sections[0].lines[0].junk
        for line in scorecard.sections[0].lines:
            if line.junk == own:
                found.setdefault((cell.row.name, checkpoint, line.label), {})[cell.seed] = line.scores
    order = [row.name for row in ablation.rows]
    keys = sorted(found, key=lambda key: (order.index(key[0]), _epoch(key[1])))
    results = tuple(Result(rows[key[0]], key[1], key[2], found[key]) for key in keys)
    return Findings(ablation, results, tuple(cards))


def as_values(findings: Findings) -> dict[str, Any]:
    """For ``--json``: every figure, 0 to 1; the paper's in per cent, as printed."""
    return {
        "study": findings.ablation.study.name,
        "base": findings.ablation.base.name,
        "seeds": list(findings.ablation.seeds),
        "complete": findings.complete,
        "benchmark": findings.cards[0].protocol() if findings.cards else None,
        "results": [
            {
                "row": one.row.name,
                "title": one.row.title,
                "checkpoint": one.checkpoint,
                "similarity": one.similarity,
                "seeds": {str(seed): {score: _json(scores[score]) for score in SCORES} for seed, scores in one.of_seed.items()},
                "mean": {score: _json(one.mean(score)) for score in SCORES},
                "deviation": {score: _json(one.deviation(score)) for score in SCORES},
                "paper": None if one.row.paper is None else [_json(value) for value in one.row.paper],
            }
            for one in findings.results
        ],
    }


def titles(findings: Findings) -> tuple[str, ...]:
    """The columns of the table."""
    epochs = ("after",) if findings.over_epochs else ()
    return ("network", *epochs, "similarity", "seeds", *SCORES, "the paper's (VeRi-776, re-ranked)")


def texts(findings: Findings) -> list[tuple[str, ...]]:
    """A row for each network, checkpoint and similarity, in per cent: mean and deviation over the seeds."""
    rows: list[tuple[str, ...]] = []
    for one in findings.results:
        epochs = (one.checkpoint,) if findings.over_epochs else ()
        figures = [_with_deviation(one.mean(score), one.deviation(score)) for score in SCORES]
        paper = "" if one.row.paper is None or one.similarity == "plain" else _paper(one.row.paper)
        rows.append((one.row.title, *epochs, one.similarity, str(len(one.of_seed)), *figures, paper))
    return rows


def page(findings: Findings, command: str, picture: str) -> str:
    """The study as a page of Markdown.

    Args:
        findings: what was found.
        command: that made it.
        picture: the file's name of the figure beside it.
    """
    study, base = findings.ablation.study, findings.ablation.base
    lines = [f"# {study.title}", "", f"Made by `{command}`; not to be edited by hand.", ""]
    if not findings.complete:
        lines += [f"**Not complete**: {findings.done} of {len(findings.ablation.cells())} trainings are scored.", ""]
    lines += [f"* Base: recipe `{base.name}`, {base.schedule.epochs} epochs, seeds {_listed(findings.ablation.seeds)}."]
    lines += [f"* {study.note}"] if study.note else []
    if findings.cards:
        card = findings.cards[0]
        lines += [
            f"* Test: {card.benchmark} ({card.copy}), fingerprint `{card.fingerprint}`: {card.queries} queries; junk: "
            f"{card.junk}; AP: {card.average_precision}; pictures {card.image_size}.",
            f"* Labels told at test: {'; '.join(sorted({one.labels_at_test for one in findings.cards}))}.",
            "* Figures in per cent: mean over the seeds, +- their standard deviation (divided by n - 1). The paper's are for "
            "VeRi-776, re-ranked by parameters that it does not name.",
        ]
    head = titles(findings)
    table = [head, ("---",) * len(head), *texts(findings)]
    lines += ["", *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table), ""]
    return "\n".join([*lines, f"![{study.title}]({picture})", ""])


def _with_deviation(mean: float, deviation: float) -> str:
    text = f"{100 * mean:.1f}"
    return text if math.isnan(deviation) else f"{text} +- {100 * deviation:.1f}"


def _paper(values: tuple[float, float, float]) -> str:
    return " / ".join("-" if math.isnan(value) else f"{value:.1f}" for value in values)


def _json(value: float) -> float | None:
    return None if math.isnan(value) else value


def _epoch(checkpoint: str) -> int:
    return int(checkpoint.removeprefix("epoch-")) if checkpoint != "last" else 0


def _listed(seeds: tuple[int, ...]) -> str:
    return ", ".join(map(str, seeds))
