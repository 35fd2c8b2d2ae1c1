"""Exact search: blocks of rows become float32 and are multiplied, thread by thread; what may be among the best is rescored.

Which call multiplies was measured (a million rows of 512 halves in a map, one thread of a busy machine, best of six, taken
to a million from 200,000 rows): blocks of 512 rows turned to float32 in the cache and multiplied by torch, 0.12 s for one
query and 0.94 s for 64; of 4,096 rows 0.11 and 1.08 s; torch's half products on two threads 0.19 and 5.9 s, and its half
product with one vector, which is as fast, rounds similarities to halves; FAISS's halves on two threads 0.05 and 3.1 s;
numpy's conversion alone 0.9 s; the bare product of float32, which needs twice the memory, 0.27 and 1.6 s. Small blocks in
threads of their own win for both, and need no second copy.

A similarity is the product of the query with the stored vector in float64, rounded once: neither block, thread nor filter
changes it, and equal vectors are equal. The fast products only choose which rows are worth that, with the bound of their
rounding to spare.
"""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipsenet.gallery.snapshot import Snapshot

BLOCK = 512
"""Rows that become float32 at once: 1 MB of 512 numbers stays in a core's cache."""

CHUNK = 16_384
"""Rows whose similarities are looked at together."""

MANY = 4
"""A chunk that holds so many times what is asked for is thinned by itself."""

RESCORED = 4096
"""Rows whose products are taken in float64 at once."""

MOST_SHARED = 16_384
"""Rows that several queries have rescored together."""

Rows = Int[np.ndarray, " _"]
Best = tuple[Int[np.ndarray, " _"], Float[np.ndarray, " _"]]
"""Rows and similarities, best first."""


def rounding(dim: int) -> float:
    """By how much a product of two unit vectors in float32 may miss, in any order of summation."""
    return 1.01 * (dim + 4) * 2.0**-24


def best_rows(snapshot: Snapshot, query: Float[np.ndarray, "q dim"], rows: Rows | None, top: int) -> list[Best]:
    """The most alike rows of each query; equal similarities in the order of their ids.

    Args:
        snapshot: what is searched.
        query: unit vectors.
        rows: ascending, those that are meant; none: all.
        top: how many, at most.
    """
    slack = rounding(query.shape[1])
    kept = [_Kept(top, 2 * slack) for _ in range(len(query))]
    lock = threading.Lock()

    def look(chunk: Rows, similarity: Tensor) -> None:
        largest, table = similarity.amax(dim=1).numpy(), similarity.numpy()
        for number, keep in enumerate(kept):
            if largest[number] < keep.floor:  # another thread may raise it meanwhile: then a few more are kept
                continue
            places = np.flatnonzero(table[number] >= np.float32(keep.floor))
            values = table[number][places]
            if len(values) > MANY * top:
                above = values >= np.partition(values, -top)[-top] - np.float32(2 * slack)
                places, values = places[above], values[above]
            with lock:
                keep.add(chunk[places], values)

    each_chunk(snapshot, query, rows, look)
    return rescored_each(snapshot, query, [one.rows() for one in kept], top)


def rescored_each(snapshot: Snapshot, query: Float[np.ndarray, "q dim"], rows: Sequence[Rows], top: int) -> list[Best]:
    """``rescored`` for several queries; rows that several share are read once, unless there are too many for that."""
    if sum(map(len, rows)) > MOST_SHARED:
        return [rescored(snapshot, one, some, top) for one, some in zip(query, rows, strict=True)]
    together = np.unique(np.concatenate(rows))
    vectors, ids = snapshot.vectors(together), snapshot.columns["id"]
    found = []
    for one, some in zip(query, rows, strict=True):
        values = products(one, vectors[np.searchsorted(together, some)]).astype(np.float32)
        order = np.lexsort((ids[some], -values))[:top]
        found.append((some[order], values[order]))
    return found


def rescored(snapshot: Snapshot, query: Float[np.ndarray, " dim"], rows: Rows, top: int) -> Best:
    """The best of a few rows by their exact similarities; equal ones in the order of their ids."""
    ids = snapshot.columns["id"]
    best_row, best = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    for start in range(0, len(rows), RESCORED):
        some = rows[start : start + RESCORED]
        best_row = np.concatenate([best_row, some])
        best = np.concatenate([best, products(query, snapshot.vectors(some)).astype(np.float32)])
        order = np.lexsort((ids[best_row], -best))[:top]
        best_row, best = best_row[order], best[order]
    return best_row, best


def merged(snapshot: Snapshot, found: list[Best], top: int) -> Best:
    """The best of several answers to one query; equal ones in the order of their ids."""
    rows = np.concatenate([one[0] for one in found])
    values = np.concatenate([one[1] for one in found])
    order = np.lexsort((snapshot.columns["id"][rows], -values))[:top]
    return rows[order], values[order]


def products(query: Float[np.ndarray, " dim"], vectors: Float[np.ndarray, "m dim"]) -> Float[np.ndarray, " m"]:
    """Products in float64, each summed in the same order wherever its row stands; -1 to 1."""
    sums: Float[np.ndarray, " m"] = (vectors * query.astype(np.float64)).sum(axis=1)
    clipped: Float[np.ndarray, " m"] = np.clip(sums, -1, 1)
    return clipped


def each_chunk(
    snapshot: Snapshot,
    query: Float[np.ndarray, "q dim"],
    rows: Rows | None,
    look: Callable[[Rows, Tensor], None],
) -> None:
    """Multiply rows with all queries, chunk by chunk, in as many threads as torch has.

    Args:
        snapshot: what is searched.
        query: unit vectors.
        rows: ascending; none: all.
        look: given a chunk's rows and their similarities ``(q, rows)``, from several threads at once; they last as long
            as it looks.
    """
    turned = torch.from_numpy(query.astype(np.float32).T.copy())
    n = len(snapshot) if rows is None else len(rows)
    threads = torch.get_num_threads()
    chunk = min(CHUNK, max(BLOCK, -(-n // threads)))
    buffers = threading.local()

    def work(begin: int) -> None:
        if not hasattr(buffers, "block"):
            buffers.block = torch.empty(BLOCK, turned.shape[0])
            buffers.product = torch.empty(BLOCK, turned.shape[1])
            buffers.found = torch.empty(turned.shape[1], chunk)
        some = np.arange(begin, min(begin + chunk, n)) if rows is None else rows[begin : begin + chunk]
        for start in range(0, len(some), BLOCK):
            part = some[start : start + BLOCK]
            block, end = buffers.block[: len(part)], start + len(part)
            _fill(snapshot, part, block)
            if turned.shape[1] == 1:
                torch.mv(block, turned[:, 0], out=buffers.found[0, start:end])
            else:
                buffers.found[:, start:end] = torch.mm(block, turned, out=buffers.product[: len(part)]).T
        look(some, buffers.found[:, : len(some)])

    begins = range(0, n, chunk)
    if threads == 1:
        for begin in begins:
            work(begin)
    else:
        list(_workers(threads, os.getpid()).map(work, begins))


@cache
def _workers(count: int, process: int) -> ThreadPoolExecutor:
    """Threads that compute with one thread each, for the whole life of a process.

    Torch's number of threads belongs to the thread that sets it, but new threads begin with the number that was set last.
    """
    former, started = torch.get_num_threads(), threading.Barrier(count)

    def begin() -> None:
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(max_workers=count, thread_name_prefix="gallery", initializer=begin)
    list(pool.map(lambda _: None, range(count)))
    torch.set_num_threads(former)
    return pool


def _fill(snapshot: Snapshot, rows: Rows, block: Tensor) -> None:
    """Vectors of ascending rows, as float32."""
    begin, number = 0, int(np.searchsorted(snapshot.start, rows[0], side="right")) - 1
    while begin < len(rows):
        first, end = snapshot.start[number], snapshot.start[number + 1]
        stop = len(rows) if rows[-1] < end else int(np.searchsorted(rows, end))
        if stop > begin:
            some, vectors = rows[begin:stop], snapshot.segments[number].vectors
            if some[-1] - some[0] == len(some) - 1:
                block[begin:stop] = vectors[some[0] - first : some[-1] - first + 1]
            else:
                block[begin:stop] = vectors.index_select(0, torch.from_numpy(some - first))
        begin, number = stop, number + 1


class _Kept:
    """What may be among a query's best so far, and the floor below which nothing can be."""

    def __init__(self, top: int, slack: float) -> None:
        self.top, self.slack, self.floor = top, slack, -np.inf
        self._rows, self._values = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.float32)]
        self._count = 0

    def add(self, rows: Rows, values: Float[np.ndarray, " m"]) -> None:
        self._rows.append(rows)
        self._values.append(values)
        self._count += len(rows)
        if self._count >= self.top:
            self._settle()

    def _settle(self) -> None:
        rows, values = np.concatenate(self._rows), np.concatenate(self._values)
        self.floor = float(np.partition(values, -self.top)[-self.top]) - self.slack
        above = values >= np.float32(self.floor)
        self._rows, self._values = [rows[above]], [values[above]]
        self._count = int(above.sum())

    def rows(self) -> Rows:
        return np.concatenate(self._rows)
