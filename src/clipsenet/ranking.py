"""rank(): who came first; junk is removed here and nowhere else."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from clipsenet.errors import ClipsenetError
from clipsenet.protocol import JunkRule
from clipsenet.reporting import Tick, unheard
from clipsenet.sightings import UNKNOWN, Sightings, same_file
from clipsenet.similarity import Block

SORTING = 100
"""To gather and sort one similarity takes about as long as to compare so many."""

SHARE = 32
"""Queries that a thread takes at once."""

PARTS = 4
"""Parts for each of the first rows that are kept, whose largest similarities bound them from below."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """For each query the first gallery rows, and the places of all its true matches.

    Attributes:
        top: ``(q, first)`` gallery rows, most alike first; -1 where fewer than ``first`` are left.
        top_similarity: ``(q, first)`` their similarities; -inf there.
        places: per query, ascending, the places (from 0, junk not counted) at which its matches stand.
        matched: per query, the gallery rows that stand at these places.
        candidates: ``(q,)`` gallery pictures left for each query after junk.
    """

    top: Int[np.ndarray, "q first"]
    top_similarity: Float[np.ndarray, "q first"]
    places: tuple[Int[np.ndarray, " _"], ...]
    matched: tuple[Int[np.ndarray, " _"], ...]
    candidates: Int[np.ndarray, " q"]

    @property
    def matches(self) -> Int[np.ndarray, " q"]:
        """``(q,)`` how many true matches each query has."""
        return np.array([len(places) for places in self.places], dtype=np.int64)


def rank(
    blocks: Iterable[Block], query: Sightings, gallery: Sightings, junk: JunkRule, first: int = 50, tick: Tick = unheard
) -> Ranking:
    """Rank the gallery for every query.

    Junk is removed first: the query's own file always (of a whole frame its own box, and its vehicle in that frame),
    under ``same-camera`` its vehicle's pictures of its own camera too, under ``all-same-camera`` all pictures of it.
    Among equal similarities a non-match stands before a match, so that a constant embedding earns nothing, and then the
    smaller row.

    Args:
        blocks: similarities, as a similarity yields them.
        query: ``q`` pictures that ask; rows of the same Sightings as ``gallery``, so that numbers agree.
        gallery: ``g`` pictures.
        junk: the rule.
        first: how many gallery rows are kept for each query.
        tick: told how many queries are ranked.

    Raises:
        ClipsenetError: a similarity is NaN.
    """
    return rank_by_each(blocks, query, gallery, (junk,), first, tick)[0]


def rank_by_each(
    blocks: Iterable[Block],
    query: Sightings,
    gallery: Sightings,
    rules: Sequence[JunkRule],
    first: int = 50,
    tick: Tick = unheard,
) -> tuple[Ranking, ...]:
    """``rank`` by several junk rules, with the similarities computed once.

    Raises:
        ClipsenetError: a similarity is NaN.
    """
    rankers = [_Ranker(query, gallery, junk, first) for junk in rules]
    with ThreadPoolExecutor(max_workers=torch.get_num_threads()) as pool:
        for part, block in blocks:
            for ranker in rankers:
                shares = range(part.start, part.stop, SHARE)
                list(
                    pool.map(ranker.rank_some, shares, (block[start : start + SHARE] for start in range(0, len(block), SHARE)))
                )
            tick(part.stop, len(query))
    return tuple(ranker.ranking for ranker in rankers)


class _Ranker:
    """Ranks query by query into arrays that are made once."""

    def __init__(self, query: Sightings, gallery: Sightings, junk: JunkRule, first: int) -> None:
        self.query, self.relevance = query, Relevance(query, gallery, junk)
        self.first = min(first, len(gallery))
        self.top = np.full((len(query), self.first), -1, dtype=np.int64)
        self.top_similarity = np.full((len(query), self.first), -np.inf, dtype=np.float32)
        self.places: list[Int[np.ndarray, " _"]] = [np.empty(0, dtype=np.int64)] * len(query)
        self.matched = list(self.places)
        self.candidates = np.full(len(query), len(gallery), dtype=np.int64)

    @property
    def ranking(self) -> Ranking:
        return Ranking(self.top, self.top_similarity, tuple(self.places), tuple(self.matched), self.candidates)

    def rank_some(self, first_row: int, block: Float[np.ndarray, "rows g"]) -> None:
        """Rank a few queries; the block is as it was afterwards."""
        for number, similarity in enumerate(block):
            self.rank_one(first_row + number, similarity)

    def rank_one(self, row: int, similarity: Float[np.ndarray, " g"]) -> None:
        """Rank one query; ``similarity`` is as it was afterwards."""
        if np.isnan(similarity.min(initial=np.inf)):
            raise ClipsenetError(f"similarities of {self.query.describe(row)} are NaN; the embeddings are broken")
        match, left_out = self.relevance.of(row)
        self.candidates[row] -= len(left_out)
        value, hidden = similarity[match], similarity[left_out]
        similarity[match] = similarity[left_out] = -np.inf  # the others remain
        order = np.argsort(-value, kind="stable")
        ranked, descending = match[order], value[order]
        if len(match):
            self.places[row], self.matched[row] = np.arange(len(match)) + _not_below(similarity, descending), ranked
        if self.first:
            other = np.flatnonzero(similarity >= _reached(similarity, self.first))
            other = other[similarity[other] > -np.inf]
            rows = np.concatenate([other, ranked])
            alike = np.concatenate([similarity[other], descending])
            is_match = np.arange(len(rows)) >= len(other)
            best = np.lexsort((rows, is_match, -alike))[: self.first]
            self.top[row, : len(best)], self.top_similarity[row, : len(best)] = rows[best], alike[best]
        similarity[match], similarity[left_out] = value, hidden


def _not_below(similarity: Float[np.ndarray, " g"], descending: Float[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
    """How many similarities are at least as large as each of a few values: so many stand before a match."""
    count = int(np.count_nonzero(similarity >= descending[-1]))
    if count * SORTING > len(descending) * len(similarity):
        return np.array([np.count_nonzero(similarity >= value) for value in descending], dtype=np.int64)
    ascending = np.sort(similarity[similarity >= descending[-1]])
    return len(ascending) - np.searchsorted(ascending, descending, side="left").astype(np.int64)


def _reached(similarity: Float[np.ndarray, " g"], number: int) -> float:
    """A value that at least ``number`` similarities reach, and few more: of many parts' largest the ``number``-th."""
    parts = PARTS * number
    if len(similarity) < 2 * parts:
        return float(np.partition(similarity, -number)[-number])
    width = len(similarity) // parts
    largest = similarity[: parts * width].reshape(parts, width).max(axis=1)
    return float(np.partition(largest, -number)[-number])


class Relevance:
    """Which gallery rows are a query's matches, and which are junk; both found through sorted columns.

    Args:
        query: pictures that ask; rows of the same Sightings as ``gallery``, so that numbers agree.
        gallery: pictures that are searched.
        junk: the rule.
    """

    def __init__(self, query: Sightings, gallery: Sightings, junk: JunkRule) -> None:
        assert query.vehicle.names == gallery.vehicle.names, "query and gallery must share their tables of names"
        self.query, self.gallery, self.junk = query, gallery, junk
        self.query_view, gallery_view = np.split(same_file(query, gallery), [len(query)])
        self.query_path, self.gallery_path = np.split(same_file(query, gallery, boxes=False), [len(query)])
        self.of_view = _lookup(gallery_view)
        self.of_vehicle = _lookup(gallery.vehicle.numbers)
        self.of_camera = _lookup(gallery.camera.numbers)

    def of(self, row: int) -> tuple[Int[np.ndarray, " matches"], Int[np.ndarray, " junk"]]:
        """Matches and junk of a query, both ascending."""
        vehicle, camera = int(self.query.vehicle.numbers[row]), int(self.query.camera.numbers[row])
        own = self.of_vehicle(vehicle) if vehicle != UNKNOWN else np.empty(0, dtype=np.int64)
        same_shot = self.gallery_path[own] == self.query_path[row]
        if self.junk != "same-file" and camera != UNKNOWN:
            same_shot |= self.gallery.camera.numbers[own] == camera
        left_out = np.concatenate([own[same_shot], self.of_view(int(self.query_view[row]))])
        if self.junk == "all-same-camera" and camera != UNKNOWN:
            left_out = np.concatenate([left_out, self.of_camera(camera)])
        left_out = np.unique(left_out)
        return np.setdiff1d(own, left_out, assume_unique=True), left_out


def _lookup(numbers: Int[np.ndarray, " g"]) -> Callable[[int], Int[np.ndarray, " rows"]]:
    """From a number to the rows that have it, ascending."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]

    def rows(number: int) -> Int[np.ndarray, " rows"]:
        start, stop = np.searchsorted(ordered, [number, number + 1])
        found: Int[np.ndarray, " rows"] = order[start:stop]
        return found

    return rows
