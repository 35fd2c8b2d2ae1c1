"""Query expansion and database augmentation (Chum et al., ICCV 2007): the mean of an embedding and its neighbours."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from clipsenet.features import Features
from clipsenet.neighbours import Neighbours, nearest, nearest_among, take
from clipsenet.reporting import SILENT, Tick, Watch

Sides = Literal["query", "gallery", "both"]

GATHERED = 2**23
"""Numbers gathered at once: 32 MB."""


def expand(
    query: Features,
    gallery: Features,
    k: int = 5,
    alpha: float = 0.0,
    sides: Sides = "query",
    together: bool = False,
    watch: Watch = SILENT,
) -> tuple[Features, Features]:
    """Each picture of the chosen sides becomes the mean of its first k neighbours, itself the first, brought to length 1.

    Args:
        query: that ask.
        gallery: that are searched, and where neighbours are sought.
        k: over how many the mean goes, the picture itself included.
        alpha: a neighbour's weight is its cosine to this power (Radenovic et al., TPAMI 2018), 0 where the cosine is not
            above 0; with a power of 0 all others weigh the same.
        sides: what is changed: the queries (query expansion), the gallery (database augmentation), or both.
        together: whether the queries may be neighbours, too. They are not known to each other when one is asked at a time:
            then a score is transductive.
        watch: told how far it is.

    Returns:
        The pair, with new embeddings where ``sides`` says so; neighbours are always those of the old ones.
    """
    if k == 1:
        return query, gallery
    tick = watch.stage("neighbours for expansion")
    q, parts = len(query), [query.embeddings, gallery.embeddings]
    expanded, augmented = query, gallery
    if together and sides != "query":
        found = nearest_among(parts, k, tick)
        augmented = replace(gallery, embeddings=_means(found.rows(slice(q, None)), parts, alpha))
        if sides == "both":
            expanded = replace(query, embeddings=_means(found.rows(slice(q)), parts, alpha))
        return expanded, augmented
    if sides != "gallery":
        found = nearest(query.embeddings, parts, k, own=0, tick=tick) if together else _itself_then_gallery(parts, k, tick)
        expanded = replace(query, embeddings=_means(found, parts, alpha))
    if sides != "query":
        own = [gallery.embeddings]
        augmented = replace(gallery, embeddings=_means(nearest_among(own, k, tick), own, alpha))
    return expanded, augmented


def _itself_then_gallery(parts: Sequence[Float[np.ndarray, "_ dim"]], k: int, tick: Tick) -> Neighbours:
    """Each query, then its first k - 1 of the gallery."""
    query, gallery = parts
    others = nearest(query, [gallery], k - 1, tick=tick)
    itself = np.arange(len(query), dtype=np.int32)[:, None]
    row = np.concatenate([itself, others.row + np.int32(len(query))], axis=1)
    return Neighbours(row, np.concatenate([np.ones_like(itself, dtype=np.float32), others.similarity], axis=1), others.least)


def _means(found: Neighbours, parts: Sequence[Float[np.ndarray, "_ dim"]], alpha: float) -> Float[np.ndarray, "n dim"]:
    weight = np.where(found.similarity > 0, np.maximum(found.similarity, 0) ** np.float32(alpha), 0)
    result = np.empty((len(found.row), parts[0].shape[1]), dtype=np.float32)
    step = max(1, GATHERED // (found.row.shape[1] * result.shape[1]))
    for start in range(0, len(result), step):
        part = slice(start, start + step)
        vectors = take(parts, found.row[part].reshape(-1)).reshape(*found.row[part].shape, -1)
        mean = np.einsum("nk,nkd->nd", weight[part], vectors)
        # the picture itself weighs 1, and nothing that weighs points away from it: never 0
        result[part] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return result
