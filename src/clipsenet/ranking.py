"""rank(): who came first; junk is removed here and nowhere else."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from clipsenet.errors import ClipsenetError
from clipsenet.protocol import JunkRule
from clipsenet.sightings import UNKNOWN, Sightings, same_file
from clipsenet.similarity import Block


@dataclass(frozen=True, eq=False)
class Ranking:
    """For each query the first gallery rows, and the places of all its true matches.

    Attributes:
        top: ``(q, first)`` gallery rows, most alike first; -1 where fewer than ``first`` are left.
        top_similarity: ``(q, first)`` their similarities; -inf there.
        places: per query, ascending, the places (from 0, junk not counted) at which its matches stand.
        candidates: ``(q,)`` gallery pictures left for each query after junk.
    """

    top: Int[np.ndarray, "q first"]
    top_similarity: Float[np.ndarray, "q first"]
    places: tuple[Int[np.ndarray, " _"], ...]
    candidates: Int[np.ndarray, " q"]

    @property
    def matches(self) -> Int[np.ndarray, " q"]:
        """``(q,)`` how many true matches each query has."""
        return np.array([len(places) for places in self.places], dtype=np.int64)


def rank(blocks: Iterable[Block], query: Sightings, gallery: Sightings, junk: JunkRule, first: int = 50) -> Ranking:
    """Rank the gallery for every query.

    Junk is removed first: the query's own file always (of a whole frame its own box, and its vehicle in that frame), and
    under ``same-camera`` its vehicle's pictures of its own camera. Among equal similarities a non-match stands before a
    match, so that a constant embedding earns nothing.

    Args:
        blocks: similarities, as a similarity yields them.
        query: ``q`` pictures that ask; rows of the same Sightings as ``gallery``, so that numbers agree.
        gallery: ``g`` pictures.
        junk: the rule.
        first: how many gallery rows are kept for each query.

    Raises:
        ClipsenetError: a similarity is NaN.
    """
    assert query.vehicle.names == gallery.vehicle.names, "query and gallery must share their tables of names"
    query_view, gallery_view = np.split(same_file(query, gallery), [len(query)])
    query_path, gallery_path = np.split(same_file(query, gallery, boxes=False), [len(query)])
    first = min(first, len(gallery))
    top = np.full((len(query), first), -1, dtype=np.int64)
    top_similarity = np.full((len(query), first), -np.inf, dtype=np.float32)
    places: list[Int[np.ndarray, " _"]] = []
    candidates = np.zeros(len(query), dtype=np.int64)
    for part, block in blocks:
        for row, similarity in zip(range(part.start, part.stop), block, strict=True):
            vehicle, camera = query.vehicle.numbers[row], query.camera.numbers[row]
            same_vehicle = (gallery.vehicle.numbers == vehicle) & (vehicle != UNKNOWN)
            left_out = (gallery_view == query_view[row]) | (same_vehicle & (gallery_path == query_path[row]))
            if junk == "same-camera" and camera != UNKNOWN:
                left_out = left_out | (same_vehicle & (gallery.camera.numbers == camera))
            kept = np.flatnonzero(~left_out)
            if np.isnan(similarity).any():
                raise ClipsenetError(f"similarities of {query.describe(row)} are NaN; the embeddings are broken")
            candidates[row] = len(kept)
            order, match_places = _order(similarity[kept], same_vehicle[kept], first)
            top[row, : len(order)] = kept[order]
            top_similarity[row, : len(order)] = similarity[kept[order]]
            places.append(match_places)
    return Ranking(top, top_similarity, tuple(places), candidates)


def _order(
    similarity: Float[np.ndarray, " n"], is_match: Bool[np.ndarray, " n"], first: int
) -> tuple[Int[np.ndarray, " first"], Int[np.ndarray, " matches"]]:
    """The first rows in order, and the places of all matches, without sorting everything."""
    n = len(similarity)
    matched = similarity[is_match]
    if len(matched) == 0:
        places = np.empty(0, dtype=np.int64)
    else:
        descending = np.sort(matched)[::-1]
        others = similarity[~is_match]
        # only non-matches at least as alike as the last match can push one back
        ascending = np.sort(others[others >= descending[-1]])
        before = len(ascending) - np.searchsorted(ascending, descending, side="left")
        places = np.arange(len(matched)) + before
    if first < n:
        threshold = np.partition(similarity, n - first)[n - first]
        candidates = np.flatnonzero(similarity >= threshold)
    else:
        candidates = np.arange(n)
    order = candidates[np.lexsort((is_match[candidates], -similarity[candidates]))][:first]
    return order, places
