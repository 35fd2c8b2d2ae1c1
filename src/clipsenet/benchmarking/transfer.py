"""Does pretraining help? The same training from random weights and from a run's, on folds of one list of pictures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from clipsenet.continuing import train_or_go_on
from clipsenet.errors import ClipsenetError
from clipsenet.features import Features, extract
from clipsenet.histogram import extract_histograms
from clipsenet.intervals import Asked, bootstrap_queries, difference_intervals, intervals
from clipsenet.protocol import Benchmark, Protocol, fingerprint
from clipsenet.recipe import Recipe
from clipsenet.reporting import Reporter
from clipsenet.runs import Run
from clipsenet.scores import mean_counted
from clipsenet.settings import override
from clipsenet.sightings import UNKNOWN, Sightings, Trial
from clipsenet.trials import search

DRAWS = 2000
SEED = 0
"""Of the folds and of the bootstrap."""

SCORES = ("R1", "mAP")


@dataclass(frozen=True)
class Study:
    """What is asked.

    Attributes:
        recipe: what every training does.
        pretrained: the run whose trunk the second kind of trainings begins with; it is also scored as it is.
        folds: how many parts the vehicles are dealt to; each is the test once.
        seeds: of the trainings.
        train_vehicles: how many of a fold's training vehicles are used; none: all.
        folder: where the runs are kept; those that are whole there are not trained again.
    """

    recipe: Recipe
    pretrained: Run
    folds: int
    seeds: Sequence[int]
    train_vehicles: int | None
    folder: Path


def measure(
    study: Study, sightings: Sightings, protocol: Protocol, device: str, reporter: Callable[[str], Reporter]
) -> dict[str, Any]:
    """Train and score all folds; every vehicle is tested once, by trainings that did not see it.

    Args:
        study: what is asked.
        sightings: the pictures; each is searched for among all others of its fold.
        protocol: its junk rule says which of those do not count.
        device: as for a training.
        reporter: who watches a training, given its name.

    Returns:
        ``scores``: method to score to mean and 95 % interval; ``gains``: pairs of methods to the same of the difference,
        paired over the queries, vehicles drawn whole; and what was asked.

    Raises:
        ClipsenetError: fewer vehicles than two a fold, and as ``train``.
    """
    fold = _deal(sightings, study.folds)
    asked: dict[str, list[Asked]] = {}
    for number in range(study.folds):
        test = sightings[fold == number]
        by_method = _score_fold(study, sightings, fold, number, test, protocol, device, reporter)
        for method, features in by_method.items():
            asked.setdefault(method, []).append(_ask(features, test, protocol))
    means = {method: {score: _mean(of_folds, score) for score in SCORES} for method, of_folds in asked.items()}
    draws = dict(zip(asked, bootstrap_queries(list(asked.values()), DRAWS, SEED), strict=True))
    gains = {}
    for better, worse in (
        ("from drawn", "from random"),
        ("drawn only", "colour histogram"),
        ("from random", "colour histogram"),
    ):
        apart = difference_intervals(draws[better], draws[worse])
        gains[f"{better} minus {worse}"] = {
            score: {"mean": means[better][score] - means[worse][score], "interval": list(apart[score])} for score in SCORES
        }
    return {
        "recipe": study.recipe.name,
        "pretrained": study.pretrained.id,
        "pictures": len(sightings),
        "vehicles": sightings.vehicle.count(),
        "fingerprint": fingerprint(sightings),
        "folds": study.folds,
        "seeds": list(study.seeds),
        "train_vehicles": study.train_vehicles,
        "epochs": study.recipe.schedule.epochs,
        "junk": protocol.junk,
        "scores": {
            method: {
                score: {"mean": means[method][score], "interval": list(intervals(draws[method])[score])} for score in SCORES
            }
            for method in asked
        },
        "gains": gains,
    }


def rows_of(result: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row a method, and a row a gain."""
    rows = []
    for kind, sign in (("scores", ""), ("gains", "+")):
        for name, scores in result[kind].items():
            cells = [
                f"{scores[score]['mean']:{sign}.3f} [{scores[score]['interval'][0]:{sign}.3f}, "
                f"{scores[score]['interval'][1]:{sign}.3f}]"
                for score in SCORES
            ]
            rows.append((name, *cells))
    return rows


def _score_fold(
    study: Study,
    sightings: Sightings,
    fold: Int[np.ndarray, " n"],
    number: int,
    test: Sightings,
    protocol: Protocol,
    device: str,
    reporter: Callable[[str], Reporter],
) -> dict[str, list[Features]]:
    """Method to the features of the fold's test pictures, one for each seed."""
    found = {
        "colour histogram": [extract_histograms(test)],
        "drawn only": [_embed(study.pretrained, test)],
    }
    learned = _limit(sightings[fold != number], study.train_vehicles)
    nobody = test[np.zeros(len(test), dtype=bool)]
    benchmark = Benchmark("fold", learned, nobody, test, (_trial(test),), protocol, fingerprint(test), "a fold", ())
    checkpoint = study.pretrained.folder / f"{study.pretrained.checkpoint}.safetensors"
    for method, weights in (("from random", None), ("from drawn", str(checkpoint))):
        for seed in study.seeds:
            values = override(study.recipe.to_values(), [f"seed={seed}"])
            values["model"]["weights"] = weights
            recipe = Recipe.from_values(values, f"{study.recipe.name} for a fold")
            size = "" if study.train_vehicles is None else f"-{study.train_vehicles}"
            first = f"drawn-{study.pretrained.id[:8]}" if weights else "random"
            name = f"from-{first}-fold{number}-seed{seed}{size}"
            run = train_or_go_on(recipe, benchmark, study.folder / name, device, partial(reporter, name))
            found.setdefault(method, []).append(_embed(run, test))
    return found


def _embed(run: Run, pictures: Sightings) -> Features:
    rows = np.full(len(pictures), UNKNOWN, dtype=np.int64)
    return extract(
        run.model,
        pictures,
        run.test_transform,
        run.id,
        dim=run.dim,
        places=rows,
        batch=run.recipe.evaluation.batch,
        workers=0,
        device=torch.device("cpu"),
    )


def _deal(sightings: Sightings, folds: int) -> Int[np.ndarray, " n"]:
    """The fold of each picture; whole vehicles are dealt."""
    vehicles = np.unique(sightings.vehicle.numbers[sightings.vehicle.known])
    if len(vehicles) < 2 * folds:
        raise ClipsenetError(f"{len(vehicles)} vehicles for {folds} folds: wanted at least two a fold; ask for fewer folds")
    order = np.random.default_rng(SEED).permutation(len(vehicles))
    of_vehicle = np.empty(len(vehicles), dtype=np.int64)
    of_vehicle[order] = np.arange(len(vehicles)) % folds
    dealt: Int[np.ndarray, " n"] = of_vehicle[np.searchsorted(vehicles, sightings.vehicle.numbers)]
    return dealt


def _limit(learned: Sightings, vehicles: int | None) -> Sightings:
    """The pictures of so many vehicles."""
    if vehicles is None:
        return learned
    present = np.unique(learned.vehicle.numbers)
    if vehicles > len(present):
        raise ClipsenetError(f"{vehicles} training vehicles of {len(present)} a fold: ask for fewer")
    chosen = np.random.default_rng(SEED).permutation(present)[:vehicles]
    return learned[np.isin(learned.vehicle.numbers, chosen)]


def _trial(test: Sightings) -> Trial:
    rows = np.arange(len(test))
    return Trial(rows, rows, "all against all")


def _ask(features: Sequence[Features], test: Sightings, protocol: Protocol) -> Asked:
    """What each query earned, the mean of the seeds."""
    per_seed = [search(one, (_trial(test),), protocol)[protocol.junk].results[0].per_query for one in features]
    mean = {score: np.mean([values[score] for values in per_seed], axis=0) for score in SCORES}
    return Asked(test.vehicle.numbers, mean)


def _mean(asked: Sequence[Asked], score: str) -> float:
    """Over the folds, as the bootstrap takes it."""
    return float(np.mean([mean_counted(one.per_query[score]) for one in asked]))
