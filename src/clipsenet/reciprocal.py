"""The k-reciprocal encoding of Zhong et al. (CVPR 2017), exact and sparse: which pictures are mutual neighbours, and how near.

With ``D = 2 - 2 s`` (s: cosine), each row divided by its own largest entry, and every list nearest first and itself first:

* ``R(i, k)``: those among the first k + 1 of i that have i among their own first k + 1.
* ``R*(i)``: ``R(i, k1)``, and ``R(c, h)`` of each c in it of which more than two thirds lie in ``R(i, k1)``; h is k1 / 2,
  rounded half to even.
* ``V(i, j) = exp(-D(i, j))`` on ``R*(i)``, each row divided by its sum; then the mean of V over the first k2 of i.
"""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from clipsenet.neighbours import Neighbours, take

Rows = Int[np.ndarray, " r"]


class Reciprocal:
    """The encodings of a set of pictures, for the rows that are asked for.

    Args:
        neighbours: of every picture among all, itself first, at least ``max(k1 + 1, k2)`` of each (or all there are).
        parts: the unit vectors, one above the other.
        k1: how many neighbours may be mutual.
        k2: over how many the encoding is averaged; 1: not at all.
    """

    def __init__(self, neighbours: Neighbours, parts: Sequence[Float[np.ndarray, "_ dim"]], k1: int, k2: int) -> None:
        self.neighbours, self.parts, self.k2 = neighbours, parts, k2
        self.n = len(neighbours.row)
        self.mutual = _mutual(neighbours.row[:, : k1 + 1])
        self.half = _mutual(neighbours.row[:, : round(k1 / 2) + 1])  # Python rounds half to even
        largest = 2 - 2 * neighbours.least
        self.largest = np.where(largest > 0, largest, 1).astype(np.float32)
        """``(n,)`` the largest D of each row, which it is divided by; 1 where all pictures are equal."""

    def extended(self, rows: Rows) -> sp.csr_array:
        """``(r, n)``: R* of these rows; its entries are 1."""
        mutual = self.mutual[rows]
        overlap = mutual.multiply(mutual @ self.half).tocsr()  # the relation is symmetric: R(c, h) is row and column
        size = np.diff(self.half.indptr)[overlap.indices]
        joins = 3 * overlap.data > 2 * size
        joining = sp.csr_array((overlap.data[joins], (_owner(overlap)[joins], overlap.indices[joins])), shape=overlap.shape)
        extended = (mutual + joining @ self.half).tocsr()
        extended.sort_indices()
        extended.data = np.ones_like(extended.data)
        return extended

    def raw(self, rows: Rows) -> sp.csr_array:
        """``(r, n)`` float32: V of these rows before the mean over k2."""
        encoded = self.extended(rows)
        owner = _owner(encoded)
        distance = np.maximum(2 - 2 * self._similarities(rows, encoded), 0) / self.largest[rows[owner]]
        weight = np.exp(-distance)
        encoded.data = (weight / np.bincount(owner, weight, minlength=len(rows))[owner]).astype(np.float32)
        return encoded

    def encode(self, rows: Rows, raw: sp.csr_array | None = None) -> sp.csr_array:
        """``(r, n)`` float32: V of these rows.

        Args:
            rows: which pictures.
            raw: ``(n, n)`` the V before the mean of all pictures, if they are at hand; none: those that are needed are made.
        """
        if self.k2 <= 1:
            return self.raw(rows) if raw is None else raw[rows]
        first = self.neighbours.row[rows, : self.k2]
        column = first
        if raw is None:
            needed, column = np.unique(first, return_inverse=True)
            raw = self.raw(needed)
        weight = np.full(first.size, 1 / first.shape[1], dtype=np.float32)
        start = np.arange(len(rows) + 1) * first.shape[1]
        mean = sp.csr_array((weight, column.reshape(-1), start), shape=(len(rows), raw.shape[0]))
        return (mean @ raw).tocsr()

    def reached(self, columns: Int[np.ndarray, " c"]) -> Int[np.ndarray, " found"]:
        """Every picture whose V may have an entry in these columns: nothing else can overlap with them."""
        through_half = np.unique(np.concatenate([columns, self.half[columns].indices]))
        raw = np.zeros(self.n, dtype=bool)
        raw[self.mutual[through_half].indices] = True
        found: Int[np.ndarray, " found"] = np.flatnonzero(raw[self.neighbours.row[:, : max(1, self.k2)]].any(axis=1))
        return found

    def _similarities(self, rows: Rows, entries: sp.csr_array) -> Float[np.ndarray, " e"]:
        """The cosine of each entry's pair: from the lists where it stands there, multiplied again elsewhere."""
        owner, column = _owner(entries), entries.indices.astype(np.int64)
        listed = self.neighbours.row[rows].astype(np.int64)
        key = (np.arange(len(rows))[:, None] * self.n + listed).reshape(-1)
        order = np.argsort(key)
        wanted = owner * self.n + column
        place = np.minimum(np.searchsorted(key, wanted, sorter=order), len(key) - 1)
        result: Float[np.ndarray, " e"] = self.neighbours.similarity[rows].reshape(-1)[order[place]]
        absent = np.flatnonzero(key[order[place]] != wanted)
        step = max(1, 2**22 // self.parts[0].shape[1])  # 16 MB of vectors on either side
        for start in range(0, len(absent), step):
            part = absent[start : start + step]
            result[part] = np.einsum("pd,pd->p", take(self.parts, rows[owner[part]]), take(self.parts, column[part]))
        return result


def _mutual(lists: Int[np.ndarray, "n k"]) -> sp.csr_array:
    """``(n, n)`` with 1 where two pictures stand in each other's list."""
    n, k = lists.shape
    directed = sp.csr_array((np.ones(n * k, dtype=np.float32), lists.reshape(-1), np.arange(n + 1) * k), shape=(n, n))
    directed.sort_indices()
    return directed.multiply(directed.T.tocsr()).tocsr()


def _owner(matrix: sp.csr_array) -> Int[np.ndarray, " e"]:
    """``(e,)`` the row of each entry."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
