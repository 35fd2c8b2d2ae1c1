"""Every number of a report as plain values: what report.json holds, and the page shows."""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from clipsenet.comparing import compare, differences
from clipsenet.errors import ClipsenetError
from clipsenet.figures.confusion import choose_confused
from clipsenet.figures.curves import BINS, cmc, precision_recall
from clipsenet.figures.embedding import TooFewError, choose_rows, distance_ratio
from clipsenet.figures.looking import caption
from clipsenet.figures.rank_lists import choose_queries
from clipsenet.history import read_history
from clipsenet.reports.choices import Choices
from clipsenet.reports.facts import Facts
from clipsenet.reports.findings import Finding
from clipsenet.scorecard import to_plain

FORMAT = 1
PAIRS = 10
"""Vehicles taken for another that are named."""

Values = dict[str, Any]


def gather(found: Sequence[Finding], choices: Choices) -> Values:
    """Put together what the page and report.json tell.

    Args:
        found: the runs; the first chooses the queries.
        choices: how much is shown.

    Returns:
        Values that JSON can hold; a score that does not exist is null.

    Raises:
        ClipsenetError: the runs cannot be compared; a picture cannot be opened.
    """
    values: Values = {
        "format": FORMAT,
        "clipsenet": version("clipsenet"),
        "made": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "protocol": caption([(one.name, one.look) for one in found]),
        "blurred": choices.blurred,
        "runs": [_run(one, choices) for one in found],
        "queries": _queries(found, choices),
        "comparison": _comparison(found),
    }
    plain: Values = to_plain(values)
    return plain


def _run(one: Finding, choices: Choices) -> Values:
    look, run = one.look, one.look.run
    return {
        "name": one.name,
        "folder": run.folder.name,
        "id": run.id,
        "checkpoint": run.checkpoint,
        "epoch": run.epoch,
        "dim": run.dim,
        "scorecard": asdict(replace(one.scorecard, queries=None)),
        "absent_slices": list(one.absent),
        "cmc": cmc(look.found).tolist(),
        "precision_at_recall": precision_recall(look.found).tolist(),
        "cosines": {"bins": BINS.tolist(), "same": one.spread.same.tolist(), "different": one.spread.other.tolist()},
        "within_over_between": _distances(one, choices),
        "confusion": _confusion(one),
        "afem": None if one.groups is None else _groups(one),
        "plates": one.plates,
        "history": read_history(run.folder),
        "recipe": without_folders(run.recipe.to_values()),
        "environment": _environment(one),
    }


def _distances(one: Finding, choices: Choices) -> float | None:
    """Of the vehicles on the embedding map; none where there are too few."""
    test = one.look.found.test
    try:
        rows = choose_rows(test, choices.vehicles, choices.seed)
    except TooFewError:
        return None
    return distance_ratio(one.look.features.embeddings[rows], test.vehicle.numbers[rows])


def _confusion(one: Finding) -> Values:
    confusion = one.confusion
    pairs = [{"asked": a, "answered": b, "queries": n} for a, b, n in confusion.pairs()[:PAIRS]]
    shown = choose_confused(confusion)
    return {
        "shown": shown,
        "first_answers": confusion.matrix(shown).tolist(),
        "queries": confusion.queries,
        "wrong": confusion.wrong,
        "lookalikes": confusion.lookalikes,
        "lookalikes_by_chance": confusion.chance,
        "pairs": pairs,
    }


def _groups(one: Finding) -> Values:
    assert one.groups is not None
    low, high = one.groups.band
    return {
        "shares_low": low.tolist(),
        "shares_high": high.tolist(),
        "weights": one.groups.weights.tolist(),
        "mean_shares": one.groups.shares.mean(axis=0).tolist(),
        "pictures": len(one.groups.shares),
    }


def _queries(found: Sequence[Finding], choices: Choices) -> list[Values]:
    """The lists that are shown: why each was chosen, and its facts by every run."""
    told = [Facts(one.look) for one in found]
    lists, seen = [], set()
    for how, count in (("worst", choices.worst), ("best", choices.best), ("random", choices.random)):
        for query in choose_queries(found[0].look.found, how, count, choices.seed) if count else ():
            if query not in seen:
                seen.add(query)
                lists.append({"chosen": how, "runs": [facts.of(query, choices.first) for facts in told]})
    return lists


def _comparison(found: Sequence[Finding]) -> list[Values] | None:
    """The second run against the first."""
    if len(found) == 1:
        return None
    a, b = found[0].scorecard, found[1].scorecard
    # one benchmark, so that they can differ in the labels that were told alone: the page says so above the figures
    return [asdict(one) for one in compare(a, b, despite_protocol=bool(differences(a, b)))]


def without_folders(values: Any) -> Any:
    """Settings without the folders of weights' files: a report is handed on, and where files lay is nobody's business."""
    if not isinstance(values, dict):
        return values
    return {
        name: Path(value).name if name == "weights" and isinstance(value, str) else without_folders(value)
        for name, value in values.items()
    }


def _environment(one: Finding) -> Values | None:
    """What the training's machine was; none where the run folder does not tell."""
    path = one.look.run.folder / "environment.json"
    if not path.is_file():
        return None
    try:
        values: Values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ClipsenetError(f"{path} is not JSON ({error}); remove it: a report can do without") from error
    return values
