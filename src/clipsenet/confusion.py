"""Who is taken for whom: first answers that show another vehicle, and how many of those are known look-alikes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from clipsenet.sightings import Sightings
from clipsenet.trials import Evaluation

COLUMN = "lookalikes"
"""Names of the vehicles that look alike, separated by blanks, as drawn vehicles have it."""


@dataclass(frozen=True)
class Confusion:
    """First answers of all queries that have a match, over all trials.

    Attributes:
        queries: how many.
        wrong: how many were answered with another vehicle.
        lookalikes: how many of these with a known look-alike; none where the list names no look-alikes.
        chance: what share of wrong answers would be look-alikes if each gallery picture of another vehicle were as likely
            (those of the query's camera, too, whatever the junk rule), over the queries that were answered wrong; none where
            ``lookalikes`` is.
        answers: vehicle asked to the vehicles answered first and how often, the right one too.
        alike: vehicle to its known look-alikes.
    """

    queries: int
    wrong: int
    lookalikes: int | None
    chance: float | None
    answers: dict[str, Counter[str]]
    alike: dict[str, frozenset[str]]

    def pairs(self) -> list[tuple[str, str, int]]:
        """Vehicle asked, another one answered, how often; the most frequent first, then by name."""
        every = [
            (asked, answered, times)
            for asked, found in self.answers.items()
            for answered, times in found.items()
            if answered != asked
        ]
        return sorted(every, key=lambda one: (-one[2], one[0], one[1]))

    def matrix(self, vehicles: Sequence[str]) -> Int[np.ndarray, "v v"]:
        """``(v, v)`` queries of the row's vehicle that were answered first with the column's."""
        counts = [[self.answers.get(asked, Counter())[other] for other in vehicles] for asked in vehicles]
        return np.array(counts, dtype=np.int64).reshape(len(vehicles), len(vehicles))


def confuse(found: Evaluation) -> Confusion:
    """Count the first answers.

    Args:
        found: the trials, searched.
    """
    test = found.test
    alike = known_lookalikes(test)
    names = test.vehicle.texts()
    answers: dict[str, Counter[str]] = {}
    queries, wrong, known, expected = 0, 0, 0, 0.0
    for result in found.results:
        gallery = Counter(names[result.trial.gallery].tolist())
        for query, first, places in zip(result.trial.query, result.ranking.top[:, 0], result.ranking.places, strict=True):
            if not len(places):
                continue
            queries += 1
            asked, answered = str(names[query]), str(names[result.trial.gallery[first]])
            answers.setdefault(asked, Counter())[answered] += 1
            if answered != asked:
                wrong += 1
                known += answered in alike.get(asked, ())
                others = sum(gallery.values()) - gallery[asked]
                expected += sum(gallery[other] for other in alike.get(asked, ())) / others
    told = bool(alike)
    return Confusion(queries, wrong, known if told else None, expected / wrong if told and wrong else None, answers, alike)


def known_lookalikes(sightings: Sightings) -> dict[str, frozenset[str]]:
    """Vehicle to the vehicles that the list names as its look-alikes; empty where it names none."""
    column = sightings.extra.get(COLUMN)
    if column is None:
        return {}
    found: dict[str, frozenset[str]] = {}
    pairs = zip(sightings.vehicle.texts().tolist(), column.texts().tolist(), strict=True)
    for vehicle, names in sorted(set(pairs)):
        if vehicle and names:
            found[vehicle] = found.get(vehicle, frozenset()) | frozenset(names.split())
    return found
