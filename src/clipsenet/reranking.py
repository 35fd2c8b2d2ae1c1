"""Exact k-reciprocal re-ranking (Zhong et al., CVPR 2017) without a matrix of all pairs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float

from clipsenet.features import Features
from clipsenet.neighbours import nearest_among
from clipsenet.reciprocal import Reciprocal
from clipsenet.reporting import SILENT, Tick, Watch
from clipsenet.similarity import Block, cosine

ROWS = 2048
"""Pictures encoded at once: some ten MB of sparse products."""


def k_reciprocal(
    query: Features, gallery: Features, k1: int = 20, k2: int = 6, original: float = 0.3, watch: Watch = SILENT
) -> Iterator[Block]:
    """Similarities by k-reciprocal re-ranking; queries and gallery are neighbours of each other (transductive).

    The similarity is 1 - d with ``d = (1 - original) J + original D``, the Jaccard distance ``J = 1 - m / (2 - m)``,
    ``m = sum over columns of min(V(i), V(j))``, and D and V as in ``clipsenet.reciprocal``.

    Args:
        query: that ask.
        gallery: that are searched.
        k1: how many neighbours may be mutual.
        k2: over how many neighbours an encoding is averaged.
        original: the weight of the original distance, the publication's lambda, 0 to 1.
        watch: told what is being done, and how far it is.

    Yields:
        The rows of the query, and ``(rows, gallery)`` float32, 0 to 1, larger is more alike.

    Raises:
        ClipsenetError: embeddings of two runs.
    """
    plain = cosine(query, gallery)  # refuses two runs before minutes of work
    parts = [query.embeddings, gallery.embeddings]
    total = len(query) + len(gallery)
    neighbours = nearest_among(parts, max(k1 + 1, k2), watch.stage("neighbours of all pictures"))
    encoding = Reciprocal(neighbours, parts, k1, k2)
    chunks = [np.arange(start, min(start + ROWS, total)) for start in range(0, total, ROWS)]
    tick = watch.stage("encoding")
    with ThreadPoolExecutor(max_workers=torch.get_num_threads()) as pool:
        raw = _stacked(pool.map(encoding.raw, chunks), len(chunks), lambda done, total: tick(done, 2 * total))
        of_query = encoding.encode(np.arange(len(query)), raw)
        of_gallery = [chunk[chunk >= len(query)] for chunk in chunks]
        encoded = pool.map(lambda rows: encoding.encode(rows, raw), of_gallery)
        inverted = _stacked(encoded, len(chunks), lambda done, total: tick(total + done, 2 * total)).tocsc()
        largest = encoding.largest
        del raw, encoding, neighbours
        for rows, block in plain:

            def mix(row: int, rows: slice = rows, block: Float[np.ndarray, "r g"] = block) -> None:
                line = block[row - rows.start]
                np.multiply(line, 2 / largest[row], out=line)
                line += 1 - 2 / largest[row]  # 1 - D
                line *= original
                jaccard = overlap(of_query[[row]], inverted)
                line += (1 - original) * jaccard

            list(pool.map(mix, range(rows.start, rows.stop)))
            yield rows, block


def _stacked(parts: Iterator[sp.csr_array], number: int, tick: Tick) -> sp.csr_array:
    """The parts one below the other."""
    kept = []
    for part in parts:
        kept.append(part)
        tick(len(kept), number)
    return sp.vstack(kept, format="csr")


def overlap(one: sp.csr_array, inverted: sp.csc_array) -> Float[np.ndarray, " g"]:
    """``(g,)`` 1 - J of one encoding with each of those in ``inverted``: m / (2 - m), 0 where nothing is shared."""
    start = inverted.indptr[one.indices].astype(np.int64)
    count = inverted.indptr[one.indices + 1] - start
    before = np.cumsum(count) - count
    entry = np.arange(count.sum()) + np.repeat(start - before, count)
    shared = np.minimum(inverted.data[entry], np.repeat(one.data, count))
    m = np.bincount(inverted.indices[entry], shared, minlength=inverted.shape[0])
    result: Float[np.ndarray, " g"] = (m / (2 - m)).astype(np.float32)
    return result
