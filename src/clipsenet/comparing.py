"""Two runs on the same queries: how much better, how sure, and which queries each of them rescues or breaks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int

from clipsenet.errors import ClipsenetError
from clipsenet.intervals import Asked, Interval, bootstrap_queries, difference_intervals
from clipsenet.scorecard import Line, Scorecard
from clipsenet.scores import mean_counted

SEED = 0
"""Of the bootstrap."""


@dataclass(frozen=True)
class Turned:
    """A query whose first answer is right in one run and wrong in the other.

    Attributes:
        trial: in which trial it was asked.
        picture: its file with its folder.
        vehicle: whose picture it is.
        camera: that took it.
        places: of its first match in a and in b, from 1.
    """

    trial: str
    picture: str
    vehicle: str
    camera: str
    places: tuple[int, int]


@dataclass(frozen=True)
class Comparison:
    """Run b against run a by one similarity and junk rule.

    Attributes:
        similarity: the chain of a, and of b where it is another.
        junk: the rule, of b too where it is another.
        queries: that both were asked and have a match.
        scores: score name to those of a, of b, and their difference b - a.
        interval: score name to the 95 % interval of the difference, paired, over vehicles.
        rescued: queries whose first answer is right in b only, those first that a found last.
        broken: in a only.
        better: queries whose average precision is higher in b.
        worse: those whose is lower.
        differs: what the protocols do not share, where a comparison was asked for all the same.
    """

    similarity: tuple[str, ...]
    junk: tuple[str, ...]
    queries: int
    scores: dict[str, tuple[float, float, float]]
    interval: dict[str, Interval]
    rescued: tuple[Turned, ...]
    broken: tuple[Turned, ...]
    better: int
    worse: int
    differs: tuple[str, ...]


def compare(a: Scorecard, b: Scorecard, draws: int = 2000, despite_protocol: bool = False) -> list[Comparison]:
    """Compare two runs by every similarity and junk rule that both were scored by.

    Args:
        a: of the run that is the measure.
        b: of the run that is compared with it.
        draws: of the paired bootstrap.
        despite_protocol: compare what was scored differently, too: then the first similarity of each, on the queries that
            they share; ``Comparison.differs`` says in what they differ.

    Raises:
        ClipsenetError: other protocols, no similarity in common, no queries kept, none shared.
    """
    differs = differences(a, b)
    if differs and not despite_protocol:
        raise ClipsenetError(
            f"different protocols, so the scores mean different things: {'; '.join(differs)}. Evaluate both alike, or pass "
            "--despite-protocol to compare the queries that they share"
        )
    pairs = [(one, other) for one in _lines(a) for other in _lines(b) if _how(one) == _how(other)]
    if not pairs or differs:
        if not despite_protocol:
            of_a, of_b = (", ".join(line.similarity for line in _lines(card)) for card in (a, b))
            raise ClipsenetError(
                f"no similarity and junk rule in common: the first has {of_a}; the second {of_b}. Evaluate both by the same, "
                "or pass --despite-protocol"
            )
        pairs = [(_lines(a)[0], _lines(b)[0])]
    return [_compare(a, b, one, other, draws, tuple(differs), despite_protocol) for one, other in pairs]


def differences(a: Scorecard, b: Scorecard) -> list[str]:
    """In what two protocol cards differ, in words."""
    ours, theirs = a.card.protocol(), b.card.protocol()
    return [f"{name} {_short(ours[name])} against {_short(theirs[name])}" for name in ours if ours[name] != theirs[name]]


def _short(value: Any) -> str:
    text = str(value)
    return f"'{text}'" if len(text) < 120 else f"'{text[:117]}...'"


def _lines(scorecard: Scorecard) -> list[Line]:
    """The run's own lines: neither the reference nor the difference."""
    own = scorecard.sections[0].lines[0].method
    return [line for line in scorecard.sections[0].lines if line.method == own]


def _how(line: Line) -> tuple[str, str]:
    return line.similarity, line.junk


def _compare(
    a: Scorecard, b: Scorecard, one: Line, other: Line, draws: int, differs: tuple[str, ...], despite: bool
) -> Comparison:
    table_a, table_b = _queries(a, one), _queries(b, other)
    rows_a, rows_b = _shared(table_a, table_b)
    if len(rows_a) < max(len(table_a), len(table_b)) and not despite:
        raise ClipsenetError(
            f"the runs were not asked the same queries: {len(table_a)} and {len(table_b)}, {len(rows_a)} in common, though "
            "their protocol cards agree; evaluate both again"
        )
    if len(rows_a) == 0:
        raise ClipsenetError("the runs share no query: compare runs that were tested on the same pictures")
    table_a, table_b = table_a.take(rows_a), table_b.take(rows_b)
    labelled = [name for name in ("vehicle", "camera", "matches", "candidates") if not table_a[name].equals(table_b[name])]
    if labelled:
        text = f"the same pictures have another {' and another '.join(labelled)} in the two evaluations"
        if not despite:
            raise ClipsenetError(f"{text}: evaluate both with one list, or pass --despite-protocol")
        differs = (*differs, text)
    names = [name for name in one.scores if name in other.scores and name in table_a.column_names]
    asked_a, asked_b = _asked(table_a, names, table_a), _asked(table_b, names, table_a)
    means_a, means_b = _means(asked_a, names), _means(asked_b, names)
    sampled_a, sampled_b = bootstrap_queries([asked_a, asked_b], draws, SEED)
    precision_a, precision_b = _numbers(table_a, "mAP"), _numbers(table_b, "mAP")
    return Comparison(
        similarity=tuple(dict.fromkeys((one.similarity, other.similarity))),
        junk=tuple(dict.fromkeys((one.junk, other.junk))),
        queries=int((~np.isnan(precision_a)).sum()),
        scores={name: (means_a[name], means_b[name], means_b[name] - means_a[name]) for name in names},
        interval=difference_intervals(sampled_b, sampled_a),
        rescued=_turned(table_a, table_b, lambda in_a, in_b: (in_a > 0) & (in_b == 0)),
        broken=_turned(table_a, table_b, lambda in_a, in_b: (in_a == 0) & (in_b > 0)),
        better=int((precision_b > precision_a + 1e-9).sum()),
        worse=int((precision_b < precision_a - 1e-9).sum()),
        differs=differs,
    )


def _queries(scorecard: Scorecard, line: Line) -> pa.Table:
    if scorecard.queries is None:
        raise ClipsenetError(f"no queries.parquet beside the scorecard of run {scorecard.card.run_id[:16]}: evaluate it again")
    table = scorecard.queries
    for name in ("method", "similarity", "junk"):
        table = table.filter(pc.equal(table[name].cast(pa.string()), getattr(line, name)))
    return table


def _shared(a: pa.Table, b: pa.Table) -> tuple[Int[np.ndarray, " s"], Int[np.ndarray, " s"]]:
    """The rows of a and of b that ask the same picture in the same trial."""
    place = {key: row for row, key in enumerate(_keys(b))}
    if len(place) < len(b) or len(set(_keys(a))) < len(a):
        raise ClipsenetError("a picture stands twice among the queries of one trial: evaluate both runs again")
    pairs = [(row, place[key]) for row, key in enumerate(_keys(a)) if key in place]
    rows = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def _keys(table: pa.Table) -> list[tuple[str, str]]:
    return list(zip(table["trial"].cast(pa.string()).to_pylist(), table["picture"].to_pylist(), strict=True))


def _asked(table: pa.Table, names: list[str], labelled: pa.Table) -> list[Asked]:
    """The queries trial by trial, in the trials' order; trials and vehicles are those of ``labelled``."""
    trial = np.array(labelled["trial"].cast(pa.string()).to_pylist())
    vehicle = np.unique(np.array(labelled["vehicle"].to_pylist()), return_inverse=True)[1].astype(np.int64)
    values = {name: _numbers(table, name) for name in names}
    rows = [np.flatnonzero(trial == name) for name in dict.fromkeys(trial.tolist())]
    return [Asked(vehicle[of_trial], {name: one[of_trial] for name, one in values.items()}) for of_trial in rows]


def _means(asked: list[Asked], names: list[str]) -> dict[str, float]:
    """As on a scorecard: over a trial's queries, then over the trials."""
    of_trials = {name: np.array([mean_counted(one.per_query[name]) for one in asked]) for name in names}
    return {name: mean_counted(values) for name, values in of_trials.items()}


def _numbers(table: pa.Table, name: str) -> Float[np.ndarray, " q"]:
    numbers: Float[np.ndarray, " q"] = table[name].to_numpy().astype(np.float64)
    return numbers


def _turned(a: pa.Table, b: pa.Table, chosen: Any) -> tuple[Turned, ...]:
    place_a, place_b = _numbers(a, "first_place"), _numbers(b, "first_place")  # NaN without a match
    rows = np.flatnonzero(chosen(place_a, place_b))
    rows = rows[np.argsort(-np.abs(place_a - place_b)[rows], kind="stable")]
    facts: list[Mapping[str, Any]] = a.select(["trial", "picture", "vehicle", "camera"]).take(rows).to_pylist()
    return tuple(
        Turned(one["trial"], one["picture"], one["vehicle"], one["camera"], (int(place_a[row]) + 1, int(place_b[row]) + 1))
        for row, one in zip(rows, facts, strict=True)
    )
