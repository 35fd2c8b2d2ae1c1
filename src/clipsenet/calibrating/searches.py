"""Searches: galleries of several sizes, drawn from labelled pictures, that do or do not hold the queried vehicle."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from clipsenet.calibrating.evidence import FIRST, evidence_of, track_numbers
from clipsenet.calibrating.examples import Examples
from clipsenet.chain import Chain
from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.protocol import JunkRule
from clipsenet.ranking import Relevance
from clipsenet.reporting import Tick, unheard
from clipsenet.sightings import TEXT, UNKNOWN
from clipsenet.similarity import cosine
from clipsenet.streaming import CANDIDATES

SMALLEST = 100
"""The smallest gallery, where there are pictures enough."""

STEP = 3.2
"""A gallery is at most so many times as large as the next smaller one."""

SHARES = (0.25, 0.5, 0.75)
"""Of the vehicles that are taken out of a gallery: one gallery of each size for each."""


@dataclass(frozen=True, eq=False)
class _Draw:
    """One gallery: its size, the order in which pictures are taken, and who is absent."""

    size: int
    order: Int[np.ndarray, " g"]
    absent: Bool[np.ndarray, " vehicles"]


def sizes_up_to(largest: int) -> list[int]:
    """Sizes from ``SMALLEST`` (or a quarter of what there is) to the largest, ascending in even ratios.

    Raises:
        ClipsenetError: fewer than two pictures.
    """
    if largest < 2:
        raise ClipsenetError(
            f"a query finds {largest} pictures of other vehicles, wanted 2 or more: give more pictures of more vehicles"
        )
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
) -> Examples:
    """Ask every query of a gallery of each size and share of absent vehicles.

    A query's junk never counts as a candidate, and of an absent vehicle none of its pictures is in the gallery that it is
    asked of; the others are drawn without replacement, exactly ``size`` of them, so that the number of candidates says
    nothing of who is present. A vehicle that was left in may still have no picture among those drawn: then it is absent. A
    query whose vehicle nobody knows asks nothing. Among equal similarities a picture of another vehicle stands first.

    Args:
        query: pictures that ask; rows of the same Sightings as ``gallery``.
        gallery: pictures from which galleries are drawn.
        quality: of each query's picture.
        junk: what is left out for a query.
        chain: by what similarity; one query at a time, among the first ``CANDIDATES`` by cosine where it is not plain.
        sizes: of the galleries, from 1.
        shares: of the absent vehicles, 0 to 1.
        seed: of the draws.
        tick: told how many queries have asked.

    Raises:
        ClipsenetError: no query's vehicle is known, or no gallery is as small as what is left.
    """
    draws = list(_draws(gallery, sizes, shares, seed))
    relevance = Relevance(query.sightings, gallery.sightings, junk)
    track, alone = track_numbers(gallery.sightings), chain.alone()
    vehicle, names = query.sightings.vehicle.numbers, query.sightings.vehicle.texts()
    rows: list[tuple[Float[np.ndarray, " f"], bool, bool, str, int]] = []
    for part, block in cosine(query, gallery):
        for row, cosines in enumerate(block, start=part.start):
            if vehicle[row] == UNKNOWN:
                continue
            match, left_out = relevance.of(row)
            is_match = np.zeros(len(gallery), dtype=bool)
            is_match[match] = True
            allowed = np.ones(len(gallery), dtype=bool)
            allowed[left_out] = False
            for draw in draws:
                mine = allowed & ~is_match if draw.absent[vehicle[row]] else allowed
                some = draw.order[mine[draw.order]][: draw.size]
                if len(some) < draw.size:
                    continue
                first, values = _first(some, cosines[some], is_match)
                if not alone.plain:
                    near, _ = _first(some, cosines[some], is_match, CANDIDATES)
                    ((_, again),) = alone.blocks(query[np.array([row])], gallery[near])
                    first, values = _first(near, again[0], is_match)
                told = evidence_of(values, track[first], len(some), float(quality[row]))
                rows.append((told, bool(is_match[first[0]]), bool(is_match[some].any()), str(names[row]), draw.size))
        tick(part.stop, len(query))
    if not rows:
        raise ClipsenetError(
            f"nothing to ask: {len(query)} queries of known vehicles and galleries of {', '.join(map(str, sizes))} from "
            f"{len(gallery)} pictures; name the vehicles, or ask for smaller sizes"
        )
    evidence, right, present, asked, size = zip(*rows, strict=True)
    return Examples(
        np.stack(evidence), np.array(right), np.array(present), np.array(asked, dtype=TEXT), np.array(size, dtype=np.int64)
    )


def _draws(gallery: Features, sizes: Sequence[int], shares: Sequence[float], seed: int) -> Iterator[_Draw]:
    vehicles = len(gallery.sightings.vehicle.names)
    for number, size in enumerate(sizes):
        for other, share in enumerate(shares):
            rng = np.random.default_rng((seed, number, other))
            absent = rng.permutation(vehicles) < round(share * vehicles)
            yield _Draw(size, rng.permutation(len(gallery)), absent)


def _first(
    rows: Int[np.ndarray, " c"], similarity: Float[np.ndarray, " c"], is_match: Bool[np.ndarray, " g"], count: int = FIRST
) -> tuple[Int[np.ndarray, " first"], Float[np.ndarray, " first"]]:
    """The most alike rows with their similarities, descending; of equal ones a match comes last, then the smaller row."""
    if len(rows) > 2 * count:
        above = similarity >= np.partition(similarity, -count)[-count]
        rows, similarity = rows[above], similarity[above]
    order = np.lexsort((rows, is_match[rows], -similarity))[:count]
    return rows[order], similarity[order].astype(np.float64)
