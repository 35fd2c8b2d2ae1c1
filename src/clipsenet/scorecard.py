"""Scorecard: scores with the protocol card that says what they mean."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from clipsenet.errors import ClipsenetError
from clipsenet.files import write_text

FORMAT = 1


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
        similarity: with all its parameters, plain or re-ranked.
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
    similarity: str
    labels_at_test: str
    checkpoint: str
    image_size: str
    embedding: str
    run_id: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """One method's scores on one set of queries.

    Attributes:
        method: the run, a reference, or a difference of the two.
        scores: name to value, the mean over the trials.
        deviation: standard deviation over the trials (divided by n - 1), where there are several.
        interval: name to the bounds of the 95 % bootstrap interval, where asked for.
    """

    method: str
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
    """What an evaluation found."""

    card: Card
    sections: tuple[Section, ...]

    @property
    def scores(self) -> dict[str, float]:
        """The run's scores over all queries."""
        return self.sections[0].lines[0].scores

    def short_digest(self) -> str:
        """Eight hex digits that tell scorecards of other data, rules, slices or methods apart, not other scores."""
        card = {name: value for name, value in asdict(self.card).items() if name not in ("run_id", "checkpoint")}
        asked = [card, [(one.queries_of, [line.method for line in one.lines]) for one in self.sections]]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:8]

    def to_json(self) -> str:
        """As JSON; a score that does not exist is null."""
        return json.dumps({"format": FORMAT, **_plain(asdict(self))}, indent=2) + "\n"

    def save(self, path: Path) -> None:
        """Write ``to_json``, whole or not at all.

        Raises:
            ClipsenetError: the disk is full, or the folder cannot be written.
        """
        write_text(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> "Scorecard":
        """Read what ``save`` wrote.

        Raises:
            ClipsenetError: not there, not a scorecard, or of a newer format.
        """
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if values["format"] > FORMAT:
                raise ClipsenetError(f"{path} has format {values['format']}, wanted at most {FORMAT}: update clipsenet")
            sections = tuple(
                Section(one["queries_of"], one["queries"], tuple(_line(line) for line in one["lines"]))
                for one in values["sections"]
            )
            facts: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values["card"].items()}
            card = Card(**facts)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ClipsenetError(f"{path} is not a scorecard ({type(error).__name__}: {error}); evaluate again") from error
        return cls(card, sections)


def _line(values: Mapping[str, Any]) -> Line:
    def numbers(one: Mapping[str, Any]) -> dict[str, Any]:
        return {name: math.nan if value is None else value for name, value in one.items()}

    interval = {name: (float(low), float(high)) for name, (low, high) in values["interval"].items() if low is not None}
    return Line(values["method"], numbers(values["scores"]), numbers(values["deviation"]), interval)


def _plain(value: Any) -> Any:
    """JSON has no NaN: a score without a query is null."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
