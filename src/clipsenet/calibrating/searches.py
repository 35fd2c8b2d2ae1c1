"""Searches: galleries of several sizes, drawn from labelled pictures, that do or do not hold the queried vehicle."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from clipsenet.calibrating.evidence import FEATURES, FIRST, evidence_of, track_numbers
from clipsenet.calibrating.examples import Examples, Lessons
from clipsenet.chain import Chain
from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.protocol import JunkRule
from clipsenet.ranking import Relevance
from clipsenet.reporting import Tick, unheard
from clipsenet.sightings import TEXT, UNKNOWN, Labels
from clipsenet.similarity import cosine
from clipsenet.streaming import CANDIDATES

_Row = tuple[Float[np.ndarray, " f"], bool, bool, str, int]

SMALLEST = 100
"""The smallest gallery, where there are pictures enough."""

STEP = 3.2
"""A gallery is at most so many times as large as the next smaller one."""

SHARES = (0.25, 0.5, 0.75)
"""Of the vehicles that are absent when they ask: each query asks one gallery of each size for each."""

LATER = 9
"""Answers after the first that are learned from, in each search."""

STRANGERS = 3
"""Pictures of others with which a query makes a pair, beside one of its own vehicle."""


def sizes_up_to(largest: int) -> list[int]:
    """Sizes from ``SMALLEST`` (or a quarter of what there is) to the largest, ascending in even ratios.

    Raises:
        ClipsenetError: fewer than two pictures.
    """
    if largest < 2:
        raise ClipsenetError(_too_few(largest))
    smallest = min(SMALLEST, max(2, largest // 4))
    steps = int(np.ceil(np.log(largest / smallest) / np.log(STEP) - 1e-9))
    return sorted(set(np.geomspace(smallest, largest, steps + 1).round().astype(int).tolist()))


def largest_size(query: Features, gallery: Features, junk: JunkRule) -> int:
    """The largest gallery that every query can be asked of, its own vehicle and junk taken out."""
    relevance = Relevance(query.sightings, gallery.sightings, junk)
    taken = [sum(map(len, relevance.of(row))) for row in range(len(query))]
    return len(gallery) - max(taken, default=0)


def search_drawn(
    query: Features,
    gallery: Features,
    quality: Float[np.ndarray, " q"],
    junk: JunkRule,
    chain: Chain,
    sizes: Sequence[int],
    *,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
    tick: Tick = unheard,
) -> Lessons:
    """Ask every query of a gallery of its own of each size, present and absent, and compare it with single pictures.

    A query's junk never counts as a candidate, and where its vehicle is absent none of its pictures is in the gallery that it
    is asked of; the others are drawn, exactly ``size`` of them, so that the number of candidates says nothing of who is
    present: one picture after another, or one vehicle with all its pictures after another, as a coin falls, so that there are
    galleries of many vehicles and of few. A vehicle that was left in may still have no picture among those drawn: then it is
    absent. A query whose vehicle nobody knows asks nothing. Among equal similarities a picture of another vehicle stands first.

    Args:
        query: pictures that ask; rows of the same Sightings as ``gallery``.
        gallery: pictures from which galleries are drawn.
        quality: of each query's picture.
        junk: what is left out for a query.
        chain: by what similarity; one query at a time, among the first ``CANDIDATES`` by cosine where it is not plain.
        sizes: of the galleries, from 2.
        shares: of the vehicles that are absent when they ask, 0 to 1.
        seed: of the draws.
        tick: told how many queries have asked.

    Raises:
        ClipsenetError: no query's vehicle is known, or a size that not every query can be asked of.
    """
    largest = largest_size(query, gallery, junk)
    if largest < 2:
        raise ClipsenetError(_too_few(largest))
    if wrong := [size for size in sizes if not 2 <= size <= largest]:
        raise ClipsenetError(
            f"galleries of {', '.join(map(str, wrong))}: every query can be asked of 2 to {largest} of these {len(gallery)} "
            "pictures, its junk and its own vehicle's left out: ask for such sizes, or give more pictures of more vehicles"
        )
    vehicles, vehicle = len(gallery.sightings.vehicle.names), query.sightings.vehicle.numbers
    absent = {share: np.random.default_rng((seed, number)) for number, share in enumerate(shares)}
    is_absent = {share: rng.permutation(vehicles) < round(share * vehicles) for share, rng in absent.items()}
    relevance = Relevance(query.sightings, gallery.sightings, junk)
    found = _Found(query, gallery, quality, chain.alone())
    for part, block in cosine(query, gallery):
        for row, cosines in enumerate(block, start=part.start):
            if vehicle[row] == UNKNOWN:
                continue
            match, left_out = relevance.of(row)
            is_match = np.zeros(len(gallery), dtype=bool)
            is_match[match] = True
            allowed = np.ones(len(gallery), dtype=bool)
            allowed[left_out] = False
            rng = np.random.default_rng((seed, len(shares), row))
            for size in sizes:
                for share in shares:
                    mine = allowed & ~is_match if is_absent[share][vehicle[row]] else allowed
                    order = _order(gallery.sightings.vehicle, rng)
                    found.search(row, cosines, order[mine[order]][:size], is_match)
            found.pair(row, cosines, np.flatnonzero(allowed & ~is_match), match, rng)
        tick(part.stop, len(query))
    return found.lessons()


class _Found:
    """What the searches gave, one after another."""

    def __init__(self, query: Features, gallery: Features, quality: Float[np.ndarray, " q"], chain: Chain) -> None:
        self.query, self.gallery, self.quality, self.chain = query, gallery, quality, chain
        self.names, self.track = query.sightings.vehicle.texts(), track_numbers(gallery.sightings)
        self.first: list[_Row] = []
        self.later: list[_Row] = []
        self.search_of_later: list[int] = []
        self.pairs: list[_Row] = []

    def search(
        self, row: int, cosines: Float[np.ndarray, " g"], some: Int[np.ndarray, " c"], is_match: Bool[np.ndarray, " g"]
    ) -> None:
        """One query in one gallery."""
        first, values = _first(some, cosines[some], is_match)
        if not self.chain.plain:
            near, _ = _first(some, cosines[some], is_match, CANDIDATES)
            first, values = _first(near, self._by_chain(row, near), is_match)
        track, there = self.track[first], bool(is_match[some].any())

        def add(rows: "list[_Row]", place: int) -> None:
            told = evidence_of(values, track, len(some), float(self.quality[row]), place)
            rows.append((told, bool(is_match[first[place]]), there, str(self.names[row]), len(some)))

        add(self.first, 0)
        for place in np.flatnonzero(track != track[0])[:LATER].tolist():
            add(self.later, place)
            self.search_of_later.append(len(self.first) - 1)

    def pair(
        self,
        row: int,
        cosines: Float[np.ndarray, " g"],
        others: Int[np.ndarray, " o"],
        match: Int[np.ndarray, " m"],
        rng: np.random.Generator,
    ) -> None:
        """A query with one picture of its own vehicle, where there is one, and with some of others."""
        own = rng.choice(match, min(1, len(match)), replace=False)
        for there, some in ((True, own), (False, rng.choice(others, min(STRANGERS, len(others)), replace=False))):
            for one in some:
                value = cosines[[one]] if self.chain.plain else self._by_chain(row, np.array([one]))
                told = evidence_of(value.astype(np.float64), self.track[[one]], 1, float(self.quality[row]))
                self.pairs.append((told, there, there, str(self.names[row]), 1))

    def lessons(self) -> Lessons:
        """All of it.

        Raises:
            ClipsenetError: nobody has asked.
        """
        if not self.first:
            raise ClipsenetError(
                f"nothing to ask: the vehicle of none of {len(self.query)} queries is known; name the vehicles"
            )
        search = np.array(self.search_of_later, dtype=np.int64)
        return Lessons(_examples(self.first), _examples(self.later), search, _examples(self.pairs))

    def _by_chain(self, row: int, near: Int[np.ndarray, " c"]) -> Float[np.ndarray, " c"]:
        ((_, block),) = self.chain.blocks(self.query[np.array([row])], self.gallery[near])
        values: Float[np.ndarray, " c"] = block[0]
        return values


def _too_few(largest: int) -> str:
    return f"a query finds {largest} pictures of other vehicles, wanted 2 or more: give more pictures of more vehicles"


def _order(vehicle: Labels, rng: np.random.Generator) -> Int[np.ndarray, " g"]:
    """In which order pictures come into a gallery: by themselves, or vehicle by vehicle (who is unknown by himself)."""
    n = len(vehicle.numbers)
    alone = rng.permutation(n)
    if rng.random() < 0.5:
        return alone
    turn = rng.permutation(n + len(vehicle.names))
    return np.lexsort((alone, np.where(vehicle.known, turn[n + vehicle.numbers], turn[:n])))


def _examples(rows: "list[_Row]") -> Examples:
    evidence = np.stack([row[0] for row in rows]) if rows else np.empty((0, len(FEATURES)))
    return Examples(
        evidence,
        np.array([row[1] for row in rows], dtype=bool),
        np.array([row[2] for row in rows], dtype=bool),
        np.array([row[3] for row in rows], dtype=TEXT),
        np.array([row[4] for row in rows], dtype=np.int64),
    )


def _first(
    rows: Int[np.ndarray, " c"], similarity: Float[np.ndarray, " c"], is_match: Bool[np.ndarray, " g"], count: int = FIRST
) -> tuple[Int[np.ndarray, " first"], Float[np.ndarray, " first"]]:
    """The most alike rows with their similarities, descending; of equal ones a match comes last, then the smaller row."""
    if len(rows) > 2 * count:
        above = similarity >= np.partition(similarity, -count)[-count]
        rows, similarity = rows[above], similarity[above]
    order = np.lexsort((rows, is_match[rows], -similarity))[:count]
    return rows[order], similarity[order].astype(np.float64)
