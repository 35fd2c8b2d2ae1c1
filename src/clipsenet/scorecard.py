"""Scorecard: scores with the protocol card that says what they mean."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clipsenet.errors import ClipsenetError
from clipsenet.files import write_text, write_whole

FORMAT = 2
"""2: several similarities and junk rules, which stand at each line; a folder with the queries beside."""

CARD, QUERIES = "scorecard.json", "queries.parquet"


@dataclass(frozen=True)
class Card:
    """The protocol card: all that a score depends on beside the network's quality.

    Attributes:
        benchmark: its name.
        fingerprint: of the test pictures' names.
        copy: what is known of this copy of the data: official, older, modified, or "your own pictures".
        queries: over all trials.
        gallery: pictures searched, of each trial.
        without_match: queries that no mean counts.
        junk: which gallery pictures are left out for a query.
        average_precision: the AP rule.
        trials: their names, or their number.
        similarity: each that was scored, with all its parameters, plain or re-ranked.
        labels_at_test: whether camera or view labels were told to the network.
        checkpoint: which weights: last, or best on validation vehicles; with the epoch.
        image_size: height x width, and how it is reached.
        embedding: before or after the BNNeck, and its length.
        run_id: ``Run.id``.
        notes: whatever else a reader must know.
    """

    benchmark: str
    fingerprint: str
    copy: str
    queries: int
    gallery: tuple[int, ...]
    without_match: int
    junk: str
    average_precision: str
    trials: tuple[str, ...]
    similarity: tuple[str, ...]
    labels_at_test: str
    checkpoint: str
    image_size: str
    embedding: str
    run_id: str
    notes: tuple[str, ...] = ()

    @property
    def altered(self) -> bool:
        """Whether not a run as it is was scored, but a fusion of runs, or a run without one of its branches."""
        return " + " in self.run_id or "WITHOUT" in self.embedding

    def protocol(self) -> dict[str, Any]:
        """What two scores must share to be comparable; it is the benchmark's part of the card."""
        data = ("benchmark", "fingerprint", "copy", "queries", "gallery", "trials")
        return {name: getattr(self, name) for name in (*data, "junk", "average_precision", "labels_at_test")}


@dataclass(frozen=True)
class Line:
    """One method's scores on one set of queries.

    Attributes:
        method: the run, a reference, or a difference of the two.
        similarity: the chain, as ``--similarity`` takes it.
        label: the chain in a few words, for a table.
        junk: the rule.
        queries: that have a match by this rule.
        reranked: whether more than the cosine of the embeddings decides: re-ranking, expansion, whitening.
        scores: name to value, the mean over the trials.
        deviation: standard deviation over the trials (divided by n - 1), where there are several.
        interval: name to the bounds of the 95 % bootstrap interval, where asked for.
    """

    method: str
    similarity: str
    label: str
    junk: str
    reranked: bool
    queries: int
    scores: dict[str, float]
    deviation: dict[str, float] = field(default_factory=dict)
    interval: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """The lines for one set of queries: all of them, or a slice."""

    queries_of: str
    queries: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Scorecard:
    """What an evaluation found.

    Attributes:
        card: what the scores depend on.
        sections: the scores, over all queries and slices of them.
        audit: what ``evaluate --audit`` found, as plain values; none where it was not asked for.
        queries: what each query earned, a row for each query, trial and line (``clipsenet.evaluation.query_table``).
    """

    card: Card
    sections: tuple[Section, ...]
    audit: dict[str, Any] | None = None
    queries: pa.Table | None = field(default=None, compare=False, repr=False)

    @property
    def scores(self) -> dict[str, float]:
        """The run's plain scores over all queries, by the benchmark's own junk rule."""
        return self.sections[0].lines[0].scores

    def short_digest(self) -> str:
        """Eight hex digits that tell scorecards of other data, rules, slices or methods apart, not other scores."""
        card = {name: value for name, value in asdict(self.card).items() if name not in ("run_id", "checkpoint")}
        asked = [
            card,
            [(one.queries_of, [(line.method, line.similarity, line.junk) for line in one.lines]) for one in self.sections],
        ]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:8]

    def to_json(self) -> str:
        """As JSON, without the queries; a score that does not exist is null."""
        return json.dumps({"format": FORMAT, **to_plain(asdict(dataclasses.replace(self, queries=None)))}, indent=2) + "\n"

    def save(self, folder: Path) -> None:
        """Write ``scorecard.json`` and ``queries.parquet`` into a folder, each whole or not at all.

        Raises:
            ClipsenetError: the disk is full, or the folder cannot be written.
        """
        queries = self.queries
        if queries is not None:
            write_whole(folder / QUERIES, lambda partial: pq.write_table(queries, partial))
        write_text(folder / CARD, self.to_json())

    @classmethod
    def load(cls, path: Path) -> "Scorecard":
        """Read a folder that ``save`` wrote, or a scorecard's JSON alone.

        Raises:
            ClipsenetError: not there, not a scorecard, or of a newer format.
        """
        beside = path / QUERIES if path.is_dir() else None
        path = path / CARD if path.is_dir() else path
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if values["format"] > FORMAT:
                raise ClipsenetError(f"{path} has format {values['format']}, wanted at most {FORMAT}: update clipsenet")
            sections = tuple(
                Section(one["queries_of"], one["queries"], tuple(_line(line) for line in one["lines"]))
                for one in values["sections"]
            )
            facts: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values["card"].items()}
            if values["format"] == 1:
                facts["similarity"] = (facts["similarity"],)
            card = Card(**facts)
            queries = pq.read_table(beside) if beside is not None and beside.is_file() else None
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise ClipsenetError(f"{path} is not a scorecard ({type(error).__name__}: {error}); evaluate again") from error
        return cls(card, sections, values.get("audit"), queries)


def _line(values: Mapping[str, Any]) -> Line:
    def numbers(one: Mapping[str, Any]) -> dict[str, Any]:
        return {name: math.nan if value is None else value for name, value in one.items()}

    interval = {name: (float(low), float(high)) for name, (low, high) in values["interval"].items() if low is not None}
    return Line(
        values["method"],
        values.get("similarity", "cosine"),  # format 1 knew nothing else
        values.get("label", "plain"),
        values.get("junk", ""),
        values.get("reranked", False),
        values.get("queries", 0),
        numbers(values["scores"]),
        numbers(values["deviation"]),
        interval,
    )


def to_plain(value: Any) -> Any:
    """The same value as JSON can hold it: it has no NaN, so that a score without a query is null, and no tuple."""
    if isinstance(value, dict):
        return {name: to_plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
