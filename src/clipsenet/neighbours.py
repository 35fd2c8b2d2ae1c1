"""Neighbours: the k most alike of every picture, from one pass over all products; never the whole matrix."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt64

from clipsenet.reporting import Tick, unheard

BLOCK = 4096
"""Rows and columns of a product: 64 MiB of float32, large enough to run at full speed."""

TILE = 512
"""Rows whose best are kept together, one task for a thread."""

VALUE_BITS = 32


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The most alike pictures of each picture.

    Attributes:
        row: ``(n, k)`` int32, nearest first; among equal similarities the smaller row first.
        similarity: ``(n, k)`` float32, their cosines.
        least: ``(n,)`` float32, the smallest cosine of each picture with any.
    """

    row: Int[np.ndarray, "n k"]
    similarity: Float[np.ndarray, "n k"]
    least: Float[np.ndarray, " n"]

    def rows(self, part: slice) -> "Neighbours":
        """Those of some pictures."""
        return Neighbours(self.row[part], self.similarity[part], self.least[part])


def nearest_among(parts: Sequence[Float[np.ndarray, "_ dim"]], k: int, tick: Tick = unheard) -> Neighbours:
    """The neighbours of every picture among all, itself first with a similarity of 1.

    Each pair is multiplied once: a block of the upper triangle serves its rows and its columns, which halves the
    products. Memory: one block, and a few hundred bytes for each picture.

    Args:
        parts: unit vectors; one above the other they are the pictures, without being copied together.
        k: how many, itself included; at most as many as there are.
        tick: told after each block.
    """
    blocks = list(_blocks(parts))
    total = sum(len(block) for _, block in blocks)
    best = [_tiles(len(block), min(k, total), total) for _, block in blocks]
    buffer = torch.empty(BLOCK * BLOCK)
    done = 0
    with ThreadPoolExecutor(max_workers=torch.get_num_threads()) as pool:
        for i, (row_start, rows) in enumerate(blocks):
            for j in range(i, len(blocks)):
                column_start, columns = blocks[j]
                block = _product(rows, columns, buffer)
                if i == j:
                    np.fill_diagonal(block, np.inf)  # itself first, whatever else is equal to it
                tasks = [pool.submit(tile.add, block[part], column_start) for part, tile in best[i]]
                if i != j:
                    tasks += [pool.submit(tile.add, block[:, part].T, row_start) for part, tile in best[j]]
                _wait(tasks)
                done += 1
                tick(done, len(blocks) * (len(blocks) + 1) // 2)
        tiles = [tile for of_block in best for _, tile in of_block]
        found = Neighbours(*(np.concatenate(column) for column in zip(*pool.map(_Best.result, tiles), strict=True)))
    found.similarity[:, 0] = 1
    return found


def nearest(
    queries: Float[np.ndarray, "q dim"],
    parts: Sequence[Float[np.ndarray, "_ dim"]],
    k: int,
    own: int | None = None,
    tick: Tick = unheard,
) -> Neighbours:
    """The neighbours of every query among other pictures.

    Args:
        queries: unit vectors.
        parts: unit vectors; one above the other they are the pictures that are searched.
        k: how many; at most as many as there are.
        own: the row at which the queries begin among the pictures; each is then first in its list. None: they are not there.
        tick: told after each block.
    """
    blocks = list(_blocks(parts))
    total = sum(len(block) for _, block in blocks)
    asking = list(_blocks([queries]))
    buffer = torch.empty(BLOCK * BLOCK)
    results = []
    with ThreadPoolExecutor(max_workers=torch.get_num_threads()) as pool:
        for number, (start, rows) in enumerate(asking):
            best = _tiles(len(rows), min(k, total), total)
            for i, (column_start, columns) in enumerate(blocks):
                block = _product(rows, columns, buffer)
                if own is not None:
                    itself = np.arange(len(rows)) + (start + own - column_start)
                    inside = np.flatnonzero((itself >= 0) & (itself < len(columns)))
                    block[inside, itself[inside]] = np.inf
                _wait([pool.submit(tile.add, block[part], column_start) for part, tile in best])
                tick(number * len(blocks) + i + 1, len(asking) * len(blocks))
            results += list(pool.map(_Best.result, [tile for _, tile in best]))
    found = Neighbours(*(np.concatenate(column) for column in zip(*results, strict=True)))
    if own is not None:
        found.similarity[:, 0] = 1
    return found


def take(parts: Sequence[Float[np.ndarray, "_ dim"]], rows: Int[np.ndarray, " r"]) -> Float[np.ndarray, "r dim"]:
    """Rows of parts that stand one above the other."""
    vectors = np.empty((len(rows), parts[0].shape[1]), dtype=np.float32)
    offset = 0
    for part in parts:
        inside = (rows >= offset) & (rows < offset + len(part))
        vectors[inside] = part[rows[inside] - offset]
        offset += len(part)
    return vectors


class _Best:
    """The k best columns of a few rows, fed block by block in the order of the columns.

    A candidate is one number of 64 bits, made of its row, its similarity upside down, and its column, from the highest
    bits to the lowest: sorting the numbers sorts each row's candidates, larger similarities first, smaller columns first.
    """

    def __init__(self, rows: int, k: int, columns: int) -> None:
        self.k = k
        self.column_bits = max(1, (columns - 1).bit_length())
        assert rows.bit_length() + VALUE_BITS + self.column_bits <= 64
        row_part = np.arange(rows, dtype=np.uint64) << np.uint64(VALUE_BITS + self.column_bits)
        nothing = np.uint64((1 << (VALUE_BITS + self.column_bits)) - 1)  # worse than any candidate
        self.kept = np.repeat((row_part | nothing)[:, None], k, axis=1)
        self.threshold = np.full(rows, -np.inf, dtype=np.float32)
        self.least = np.full(rows, np.inf, dtype=np.float32)
        self.waiting: list[UInt64[np.ndarray, " _"]] = []

    def add(self, block: Float[np.ndarray, "rows columns"], first_column: int) -> None:
        """Look at the similarities of further columns; only what beats a row's k-th best so far is kept."""
        self.least = np.minimum(self.least, block.min(axis=1))
        if self.threshold[0] == -np.inf and block.shape[1] > self.k:
            lowest = np.partition(block, block.shape[1] - self.k, axis=1)[:, block.shape[1] - self.k]
            better: Bool[np.ndarray, "rows columns"] = block >= lowest[:, None]
        else:
            # an equal one stands in a later column: it does not beat what is there
            better = block > self.threshold[:, None]
        if block.flags.c_contiguous or block.strides[0] > block.strides[1]:
            row, column = np.nonzero(better)
        else:  # a transposed block is walked as it lies in memory
            column, row = np.nonzero(better.T)
        if len(row):
            self.waiting.append(_key(row, block[row, column], column + first_column, self.column_bits))
        if sum(map(len, self.waiting)) > self.kept.size // 2:
            self._merge()

    def _merge(self) -> None:
        keys = np.sort(np.concatenate([self.kept.ravel(), *self.waiting]))
        rows = len(self.kept)
        start = np.searchsorted(keys, np.arange(rows, dtype=np.uint64) << np.uint64(VALUE_BITS + self.column_bits))
        self.kept = keys[start[:, None] + np.arange(self.k)]
        self.threshold = _similarity(self.kept[:, -1], self.column_bits)
        self.waiting = []

    def result(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Columns, similarities, and the smallest similarity of each row."""
        self._merge()
        column = self.kept & np.uint64((1 << self.column_bits) - 1)
        return column.astype(np.int32), _similarity(self.kept, self.column_bits), self.least


def _key(
    row: Int[np.ndarray, " c"], similarity: Float[np.ndarray, " c"], column: Int[np.ndarray, " c"], column_bits: int
) -> UInt64[np.ndarray, " c"]:
    bits = np.ascontiguousarray(similarity).view(np.uint32)
    # of IEEE numbers: negative ones upside down, positive ones above them; then all upside down, larger first
    ascending = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    above = (row.astype(np.uint64) << np.uint64(VALUE_BITS)) | (~ascending).astype(np.uint64)
    key: UInt64[np.ndarray, " c"] = (above << np.uint64(column_bits)) | column.astype(np.uint64)
    return key


def _similarity(key: UInt64[np.ndarray, " *shape"], column_bits: int) -> Float[np.ndarray, " *shape"]:
    ascending = ~((key >> np.uint64(column_bits)).astype(np.uint32))
    bits = np.where(ascending >> 31, ascending & np.uint32((1 << 31) - 1), ~ascending)
    similarity = bits.astype(np.uint32).view(np.float32)
    # the number that stands for "nothing yet" is read as NaN
    result: Float[np.ndarray, " *shape"] = np.where(np.isnan(similarity), np.float32(-np.inf), similarity)
    return result


def _blocks(parts: Sequence[Float[np.ndarray, "_ dim"]]) -> Iterator[tuple[int, Float[np.ndarray, "_ dim"]]]:
    """Blocks of rows with the number of their first; none reaches from one part into the next."""
    offset = 0
    for part in parts:
        for start in range(0, len(part), BLOCK):
            yield offset + start, part[start : start + BLOCK]
        offset += len(part)


def _tiles(rows: int, k: int, columns: int) -> list[tuple[slice, _Best]]:
    parts = [slice(start, min(start + TILE, rows)) for start in range(0, rows, TILE)]
    return [(part, _Best(part.stop - part.start, k, columns)) for part in parts]


def _product(
    rows: Float[np.ndarray, "r dim"], columns: Float[np.ndarray, "c dim"], buffer: torch.Tensor
) -> Float[np.ndarray, "r c"]:
    out = buffer[: len(rows) * len(columns)].view(len(rows), len(columns))
    torch.mm(torch.from_numpy(rows), torch.from_numpy(columns).T, out=out)
    block: Float[np.ndarray, "r c"] = out.numpy()
    return block


def _wait(tasks: list[Future[None]]) -> None:
    for task in tasks:
        task.result()
