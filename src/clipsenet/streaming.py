"""Streaming re-ranking: one query at a time against a fixed gallery whose neighbours are already known."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.neighbours import Neighbours, nearest_among
from clipsenet.reciprocal import Reciprocal
from clipsenet.reporting import SILENT, Watch
from clipsenet.reranking import overlap

CANDIDATES = 1000
"""How many of a gallery above the limit are re-ranked."""

LIMIT = 50_000
"""The largest gallery that is re-ranked whole: tenths of a second a query."""

BEHIND = -2.0
"""Added to the cosine of what was no candidate, so that it stands behind all that were."""


@dataclass(frozen=True, eq=False)
class Reranked:
    """The answer to one query.

    Attributes:
        similarity: ``(g,)`` float32; what was re-ranked has 0 to 1, the rest its cosine - 2 and stands behind.
        candidates: ``(c,)`` the gallery rows that were re-ranked, ascending.
        how: says which: the whole gallery, exact, or the first so many by cosine.
    """

    similarity: Float[np.ndarray, " g"]
    candidates: Int[np.ndarray, " c"]
    how: str

    @property
    def whole(self) -> bool:
        """Whether the whole gallery was re-ranked."""
        return len(self.candidates) == len(self.similarity)


@dataclass(frozen=True, eq=False)
class FixedGallery:
    """A gallery with its stored neighbour graph.

    Attributes:
        gallery: its features.
        neighbours: the first ``max(k1 + 1, k2)`` of each picture among the others, itself first; none above ``limit``.
        k1: how many neighbours may be mutual.
        k2: over how many an encoding is averaged.
        original: the weight of the original distance.
        limit: the largest gallery that is re-ranked whole.
    """

    gallery: Features
    neighbours: Neighbours | None
    k1: int
    k2: int
    original: float
    limit: int

    @classmethod
    def of(
        cls,
        gallery: Features,
        k1: int = 20,
        k2: int = 6,
        original: float = 0.3,
        limit: int = LIMIT,
        watch: Watch = SILENT,
    ) -> "FixedGallery":
        """Find the gallery's neighbours once."""
        neighbours = None
        if len(gallery) <= limit:
            neighbours = nearest_among([gallery.embeddings], max(k1 + 1, k2), watch.stage("neighbours of the gallery"))
        return cls(gallery, neighbours, k1, k2, original, limit)

    def rerank(self, query: Features) -> Reranked:
        """Re-rank the gallery for one query: equal to ``k_reciprocal`` with this query alone.

        (As far as sums agree: a cosine is added up in another order here, and pictures that are equal up to its last bit may
        change places.) Above ``limit`` the same is done among the first ``CANDIDATES`` by cosine, and ``how`` says so.

        Args:
            query: one picture, of the same run.

        Raises:
            ClipsenetError: more than one query, or embeddings of two runs.
        """
        if len(query) != 1 or query.run_id != self.gallery.run_id:
            raise ClipsenetError(
                f"{len(query)} pictures of run {query.run_id[:12]} asked of a gallery of run {self.gallery.run_id[:12]}: "
                "wanted one picture, of the same run"
            )
        cosine = self.gallery.embeddings @ query.embeddings[0]
        if self.neighbours is not None:
            similarity = self._whole(query.embeddings, cosine, self.gallery.embeddings, self.neighbours)
            rows = np.arange(len(self.gallery))
            return Reranked(similarity, rows, f"the whole gallery of {len(rows)}, exact")
        rows = np.sort(np.argsort(-cosine, kind="stable")[:CANDIDATES])
        vectors = self.gallery.embeddings[rows]
        neighbours = nearest_among([vectors], max(self.k1 + 1, self.k2))
        similarity = (cosine + np.float32(BEHIND)).astype(np.float32)
        similarity[rows] = self._whole(query.embeddings, cosine[rows], vectors, neighbours)
        return Reranked(
            similarity, rows, f"among the first {len(rows)} of {len(cosine)} by cosine (above the limit of {self.limit})"
        )

    def _whole(
        self,
        query: Float[np.ndarray, "1 dim"],
        cosine: Float[np.ndarray, " g"],
        vectors: Float[np.ndarray, "g dim"],
        neighbours: Neighbours,
    ) -> Float[np.ndarray, " g"]:
        joined = with_query(neighbours, cosine, max(self.k1 + 1, self.k2))
        encoding = Reciprocal(joined, [query, vectors], self.k1, self.k2)
        of_query = encoding.encode(np.zeros(1, dtype=np.int64))
        reached = encoding.reached(of_query.indices.astype(np.int64))
        reached = reached[reached > 0]
        shared = np.zeros(len(cosine), dtype=np.float32)
        shared[reached - 1] = overlap(of_query, encoding.encode(reached).tocsc())
        distance = (2 - 2 * cosine) / encoding.largest[0]
        similarity: Float[np.ndarray, " g"] = self.original * (1 - distance) + (1 - self.original) * shared
        return similarity.astype(np.float32)


def with_query(neighbours: Neighbours, cosine: Float[np.ndarray, " g"], k: int) -> Neighbours:
    """The neighbours of a gallery and one query, which becomes row 0: the lists that it enters lose their last.

    Args:
        neighbours: of the gallery alone, itself first.
        cosine: ``(g,)`` of the query with each.
        k: how long a list is, where there are so many.
    """
    g, stored = neighbours.row.shape
    length = min(k, g + 1)
    row = np.zeros((g + 1, length), dtype=np.int32)
    similarity = np.full((g + 1, length), -np.inf, dtype=np.float32)
    kept = min(stored, length)
    row[1:, :kept], similarity[1:, :kept] = neighbours.row[:, :kept] + 1, neighbours.similarity[:, :kept]
    # among equals the query stands first, since its row is the smallest; only the picture itself is before it
    entered: Bool[np.ndarray, " g"] = cosine >= similarity[1:, -1] if length > 1 else np.zeros(g, dtype=bool)
    changed = np.flatnonzero(entered) + 1
    place = 1 + (similarity[changed, 1:] > cosine[changed - 1, None]).sum(axis=1)
    column = np.arange(length)[None, :]
    source = np.where(column > place[:, None], column - 1, column)
    row[changed] = np.take_along_axis(row[changed], source, axis=1)
    similarity[changed] = np.take_along_axis(similarity[changed], source, axis=1)
    row[changed, place], similarity[changed, place] = 0, cosine[changed - 1]
    first = np.lexsort((np.arange(g), -cosine))[: length - 1]
    row[0], similarity[0] = np.concatenate([[0], first + 1]), np.concatenate([[1], cosine[first]])
    least = np.concatenate([[cosine.min()], np.minimum(neighbours.least, cosine)]).astype(np.float32)
    return Neighbours(row, similarity, least)
