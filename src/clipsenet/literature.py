"""The literature's scores as CLIP-SENet's paper prints them, beside what is known of them and a user's own."""

import csv
import importlib.resources
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from clipsenet.errors import ClipsenetError
from clipsenet.scorecard import CARD, Card, Line, Scorecard

SCORES = ("mAP", "R1", "R5")
"""What the paper's tables print, in their order; a benchmark may lack one."""

NOT_CHECKED = "as printed, not checked"
"""The note of a figure of which nothing is known but that it was printed."""

READING = """\
Printed are the figures of Tables I and III of CLIP-SENet's paper (arXiv:2502.16815), in percent; original is what a method's
own publication or code reports, plain by others what others measured without re-ranking. Compare plain with plain only, and
re-ranked with re-ranked (re-ranking alone took StrongBaseline's released weights from 78.7 to 87.1 mAP); "not known" stands
wherever the printed figures differ from the original's, or nobody compared the two."""
"""How to read the tables."""

MODE = "re-ranked?"
"""The head of the two columns that tell plain from re-ranked."""

OWN = "Your own scores, 0 to 1 elsewhere, stand in percent with one decimal."
"""How to read the user's own rows."""


@dataclass(frozen=True)
class Row:
    """One method on one benchmark, or a line of a user's run; all scores in percent, absent where nobody says.

    Attributes:
        method: its name.
        venue: where it was published.
        scores: as CLIP-SENet's paper prints them, or the run's own.
        reranked: whether ``scores`` are re-ranked; none: not known.
        original: what the method's own publication or code reports.
        original_reranked: whether that is re-ranked; none: not known.
        plain_by_others: measured without re-ranking by others.
        note: what else is known.
        own: it is a user's.
        comparable: whether it may stand beside the others; none: not known, which is all that is printed.
    """

    method: str
    venue: str
    scores: Mapping[str, float]
    reranked: bool | None
    original: Mapping[str, float]
    original_reranked: bool | None
    plain_by_others: Mapping[str, float]
    note: str
    own: bool = False
    comparable: bool | None = None


@dataclass(frozen=True)
class Comparison:
    """The rows of one benchmark.

    Attributes:
        benchmark: its name.
        scores: the names of the scores that the literature gives on it.
        rows: in the order of the paper's table, the user's own last.
    """

    benchmark: str
    scores: tuple[str, ...]
    rows: tuple[Row, ...]

    def title(self) -> tuple[str, ...]:
        """The head of the table."""
        names = " / ".join(self.scores)
        first = "printed, or yours" if any(row.own for row in self.rows) else "printed"
        return ("method", "venue", f"{first}: {names}", MODE, f"original: {names}", MODE, "plain by others", "note")

    def texts(self) -> list[tuple[str, ...]]:
        """Each row as it is shown."""
        return [
            (
                row.method,
                row.venue,
                self._figures(row.scores),
                _mode(row.reranked),
                self._figures(row.original),
                _mode(row.original_reranked) if row.original else "",
                self._figures(row.plain_by_others),
                row.note,
            )
            for row in self.rows
        ]

    def _figures(self, values: Mapping[str, float]) -> str:
        """``87.1 / 97.1 / -``; nothing where there is none."""
        shown = [str(values[name]) if name in values else "-" for name in self.scores]
        return " / ".join(shown) if set(shown) != {"-"} else ""


@cache
def comparisons() -> Mapping[str, Comparison]:
    """A benchmark's name to what the literature reports on it."""
    text = (importlib.resources.files("clipsenet") / "literature.csv").read_text(encoding="utf-8")
    lines: dict[str, dict[str, dict[str, dict[str, str]]]] = {}
    for line in csv.DictReader(text.splitlines()):
        lines.setdefault(line["benchmark"], {}).setdefault(line["method"], {})[line["score"]] = line
    result = {}
    for benchmark, methods in lines.items():
        names = tuple(name for name in SCORES if any(name in by_score for by_score in methods.values()))
        result[benchmark] = Comparison(benchmark, names, tuple(_row(method, by_score) for method, by_score in methods.items()))
    return result


def _row(method: str, by_score: Mapping[str, Mapping[str, str]]) -> Row:
    def figures(column: str) -> dict[str, float]:
        return {name: float(line[column]) for name, line in by_score.items() if line[column]}

    lines = list(by_score.values())
    said = {line["original_reranked"] for line in lines} - {""}
    (venue,) = {line["venue"] for line in lines}
    assert len(said) <= 1, f"{method}: both plain and re-ranked"
    printed, original = figures("printed"), figures("original")
    reranked = {"yes": True, "no": False}[said.pop()] if said else None
    same = bool(original) and all(round(value, 1) == printed[name] for name, value in original.items())
    return Row(
        method=method,
        venue=venue,
        scores=printed,
        reranked=reranked if same else None,  # what was copied is what the original is; all else is anybody's guess
        original=original,
        original_reranked=reranked,
        plain_by_others=figures("plain_by_others"),
        note=_note({name: line["note"] for name, line in by_score.items()}),
    )


def _note(notes: Mapping[str, str]) -> str:
    """The notes of a method's scores as one; what was not checked is named where the rest was."""
    unchecked = [name for name, note in notes.items() if note == NOT_CHECKED]
    known = list(dict.fromkeys(note for note in notes.values() if note != NOT_CHECKED))
    if unchecked:
        known.append(f"{', '.join(unchecked)} {NOT_CHECKED}" if known else NOT_CHECKED)
    return "; ".join(known)


def _mode(reranked: bool | None) -> str:
    return {None: "not known", True: "re-ranked", False: "plain"}[reranked]


def find_scorecards(run: Path) -> list[Scorecard]:
    """All scorecards of a run folder.

    Raises:
        ClipsenetError: it has none, or one that cannot be read.
    """
    found = [Scorecard.load(path) for path in sorted(run.glob(f"scorecards/*/{CARD}"))]
    if not found:
        raise ClipsenetError(
            f"{run} has no scorecard: found no {run}/scorecards/*/{CARD}; make one with: clipsenet evaluate {run} --data ..."
        )
    return found


def own_rows(name: str, card: Card, lines: Sequence[Line]) -> tuple[Row, ...]:
    """The rows of a user's run: those of the run itself, without references and differences.

    Args:
        name: of the run, as the user gave it.
        card: the protocol of its scores.
        lines: of all queries, the run's first.
    """
    known = [
        f"copy: {card.copy}",
        f"labels at test: {card.labels_at_test}",
        f"{card.average_precision} AP",
        f"checkpoint {card.checkpoint}",
        *([f"mean of {len(card.trials)} trials"] if len(card.trials) > 1 else []),
    ]
    return tuple(
        Row(
            method=f"{name}: {line.method}",
            venue="your run",
            scores={score: round(100 * value, 1) for score, value in line.scores.items() if not math.isnan(value)},
            reranked=line.reranked,
            original={},
            original_reranked=None,
            plain_by_others={},
            note="; ".join(
                [
                    *(f"NOT COMPARABLE: {reason}" for reason in _why_not_comparable(card, line)),
                    line.similarity,
                    f"junk: {line.junk or card.junk}",
                    *known,
                ]
            ),
            own=True,
            comparable=not _why_not_comparable(card, line),
        )
        for line in lines
        if line.method == lines[0].method
    )


USUAL = {"veri776": "same-camera", "vehicleid": "same-file", "veriwild": "same-camera"}
"""The junk rule by which a data set is reported."""

WARNINGS = ("TRAINED", "SWAPPED", "LEFT OUT", "NO CAMERA")
"""Words of a card's notes that a score may not stand beside others with."""


def _why_not_comparable(card: Card, line: Line) -> list[str]:
    """Other pictures than everybody's, another protocol, or pictures that were learned."""
    reasons = []
    if card.copy != "official" and not re.fullmatch(r"older release: [a-z, ]+", card.copy):
        reasons.append("not the official copy of the benchmark")
    usual = USUAL.get(card.benchmark.partition(":")[0])
    if usual is not None and line.junk and line.junk != usual:
        reasons.append(f"junk rule {line.junk}, usual is {usual}")
    if card.average_precision != "step":
        reasons.append(f"AP by the {card.average_precision} rule")
    if card.benchmark.startswith("vehicleid") and len(card.trials) != 10:
        reasons.append(f"{len(card.trials)} draws, usual are 10")
    return reasons + [note for note in card.notes if any(word in note for word in WARNINGS)]


def add_runs(found: Mapping[str, Comparison], own: Mapping[str, Mapping[str, Sequence[Row]]]) -> dict[str, Comparison]:
    """The benchmarks with the user's own rows as their last.

    Args:
        found: benchmark to its comparison.
        own: name of a run to benchmark to the rows of its scorecards.

    Raises:
        ClipsenetError: a run was not scored on any of these benchmarks.
    """
    result = dict(found)
    for name, by_benchmark in own.items():
        if not by_benchmark.keys() & found.keys():
            raise ClipsenetError(
                f"{name} has scorecards of {', '.join(sorted(by_benchmark))} only, wanted one of {', '.join(found)}; "
                f"make one with: clipsenet evaluate {name} --benchmark ... --data ..., or ask without --run"
            )
        for benchmark in by_benchmark.keys() & found.keys():
            rows = (*result[benchmark].rows, *by_benchmark[benchmark])
            result[benchmark] = replace(result[benchmark], rows=rows)
    return result


def page(found: Sequence[Comparison], command: str) -> str:
    """The comparisons as a page of Markdown.

    Args:
        found: in the order of the page.
        command: that made it.
    """
    parts = ["# The literature's scores", f"Made by `{command}`; not to be edited by hand.", f"{READING}\n{OWN}"]
    for one in found:
        parts += [f"## {one.benchmark}", _markdown(one.title(), one.texts())]
    return "\n\n".join(parts) + "\n"


def _markdown(title: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [title, ["---"] * len(title), *([_escaped(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _escaped(text: str) -> str:
    """Without what Markdown would take for a sign of its own."""
    return re.sub(r"([\\|*_`<\[\]])", r"\\\1", text)
