"""Search every trial of a benchmark, and score every query."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from clipsenet.chain import PLAIN, Chain
from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.matches import count_matches
from clipsenet.protocol import JunkRule, Protocol
from clipsenet.ranking import Ranking, rank_by_each
from clipsenet.reporting import SILENT, LateStage, Watch
from clipsenet.scores import mean_counted, score_queries
from clipsenet.sightings import Sightings, Trial


@dataclass(frozen=True, eq=False)
class TrialResult:
    """One trial, searched.

    Attributes:
        trial: the question.
        ranking: the answer.
        per_query: score name to ``(q,)`` summands, NaN for a query without a match.
    """

    trial: Trial
    ranking: Ranking
    per_query: dict[str, Float[np.ndarray, " q"]]

    @property
    def without_match(self) -> int:
        """Queries that no mean counts."""
        return int((self.ranking.matches == 0).sum())


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All trials of a benchmark, searched with one set of features.

    Attributes:
        test: the pictures that the trials index.
        results: one per trial.
    """

    test: Sightings
    results: tuple[TrialResult, ...]

    def scores(self, mask: Bool[np.ndarray, " n"] | None = None) -> dict[str, float]:
        """Each score: the mean over a trial's queries (of the rows in ``mask``), then over the trials that have one."""
        of_trials = self.trial_scores(mask)
        return {name: mean_counted(np.array([one[name] for one in of_trials])) for name in of_trials[0]}

    def trial_scores(self, mask: Bool[np.ndarray, " n"] | None = None) -> list[dict[str, float]]:
        """Each score of each trial; NaN where no query is left."""
        rows = []
        for result in self.results:
            chosen = slice(None) if mask is None else mask[result.trial.query]
            rows.append({name: mean_counted(values[chosen]) for name, values in result.per_query.items()})
        return rows


def search(
    features: Features,
    trials: tuple[Trial, ...],
    protocol: Protocol,
    chain: Chain = PLAIN,
    rules: Sequence[JunkRule] | None = None,
    map_at: tuple[int, ...] = (10,),
    watch: Watch = SILENT,
) -> dict[JunkRule, Evaluation]:
    """Search every trial and score every query, by each of several junk rules.

    Args:
        features: of the benchmark's test pictures.
        trials: which rows ask which.
        protocol: the junk rule, and how average precision is taken.
        chain: by what similarity.
        rules: the junk rules; none: the protocol's own.
        map_at: the k of mAP@k.
        watch: told how far it is.

    Returns:
        The evaluation by each rule, in their order.

    Raises:
        ClipsenetError: as ``require_matches``.
    """
    wanted = tuple(dict.fromkeys(rules or (protocol.junk,)))
    require_matches(features.sightings, trials, wanted[0])
    results: dict[JunkRule, list[TrialResult]] = {rule: [] for rule in wanted}
    for number, trial in enumerate(trials):
        query, gallery = features[trial.query], features[trial.gallery]
        blocks = chain.blocks(query, gallery, watch)
        title = f"ranking by {chain}" + (f", trial {number + 1} of {len(trials)}" if len(trials) > 1 else "")
        rankings = rank_by_each(blocks, query.sightings, gallery.sightings, wanted, tick=LateStage(watch, title))
        for rule, ranking in zip(wanted, rankings, strict=True):
            per_query = score_queries(ranking.places, map_at, protocol.ap).per_query()
            results[rule].append(TrialResult(trial, ranking, per_query))
    return {rule: Evaluation(features.sightings, tuple(of_rule)) for rule, of_rule in results.items()}


def require_matches(sightings: Sightings, trials: tuple[Trial, ...], junk: JunkRule) -> None:
    """Refuse trials that can score nothing; the lists tell it, before minutes are spent on embeddings.

    Raises:
        ClipsenetError: no trial, or a trial none of whose queries has a match; the message says why that is.
    """
    if not trials:
        raise ClipsenetError(
            "nothing to test: the list has no query and gallery pictures; give them in its split column, or hold vehicles "
            "out with --set data.test_vehicles=N"
        )
    for trial in trials:
        if not count_matches(sightings, trial, junk).any():
            raise ClipsenetError(_why_no_match(sightings, trial, junk))


def all_against_all(sightings: Sightings) -> tuple[Trial, ...]:
    """The trial of a validation part: every picture is searched for among all others; none if it is empty."""
    rows = np.arange(len(sightings))
    return (Trial(rows, rows, "all against all"),) if len(rows) else ()


def _why_no_match(sightings: Sightings, trial: Trial, junk: JunkRule) -> str:
    query, gallery = sightings[trial.query], sightings[trial.gallery]
    shared = np.intersect1d(query.vehicle.numbers[query.vehicle.known], gallery.vehicle.numbers)
    start = f"none of the {len(query)} queries has a match among {len(gallery)} gallery pictures: "
    if len(shared) == 0:
        return start + "no vehicle stands on both sides; look at the columns vehicle and split"
    same = set(query.files()) & set(gallery.files())
    cameras = sightings.camera
    if not cameras.known.any():
        if len(same):
            return start + (
                f"there is no camera column and {len(same)} of the same pictures stand on both sides, which are never a match; "
                "give each vehicle two pictures or more"
            )
        return start + "each vehicle's only picture is the query itself"
    if junk != "same-file":
        return start + (
            f"each vehicle was seen by one camera only ({cameras.count()} cameras), and the rule '{junk}' leaves those "
            "pictures out; if they may count, pass --set data.junk=same-file"
        )
    return start + "all pictures of a vehicle on the other side are the query's own file"
