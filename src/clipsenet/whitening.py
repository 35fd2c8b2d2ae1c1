"""Whitening: the directions in which all pictures differ alike lose their weight (Jegou and Chum, ECCV 2012)."""

from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from clipsenet.errors import ClipsenetError
from clipsenet.features import Features

ROWS = 4096
"""Pictures in double precision at once."""

NEGLIGIBLE = 1e-7
"""Directions with less of the largest variance are rounding errors of float32, and are left out."""


def whiten(
    query: Features, gallery: Features, dim: int | None = None, fit: Literal["gallery", "both"] = "gallery"
) -> tuple[Features, Features]:
    """Both sides minus the mean, turned to the principal directions, each divided by its deviation, brought to length 1.

    Args:
        query: that ask.
        gallery: that are searched.
        dim: how many directions are kept, those of largest variance first; none: all that are not negligible.
        fit: whose mean and covariance: the gallery's, or the queries' too (transductive).

    Raises:
        ClipsenetError: the pictures do not differ, or one lies at the mean.
    """
    parts = [gallery.embeddings] if fit == "gallery" else [gallery.embeddings, query.embeddings]
    count = sum(map(len, parts))
    mean = sum(part.sum(axis=0, dtype=np.float64) for part in parts) / count
    scatter = -np.outer(mean, mean)
    for part in parts:
        for start in range(0, len(part), ROWS):
            piece = part[start : start + ROWS].astype(np.float64)
            scatter += piece.T @ piece / count
    variance, direction = np.linalg.eigh(scatter)
    kept = np.flatnonzero(variance > NEGLIGIBLE * max(variance[-1], 1e-12))[::-1][:dim]
    if len(kept) == 0:
        raise ClipsenetError(f"whitening: the {count} pictures it is fitted on are all alike; leave it out")
    turn = (direction[:, kept] / np.sqrt(variance[kept])).astype(np.float32)
    shift = (mean @ turn).astype(np.float32)

    def turned(features: Features) -> Float[np.ndarray, "n kept"]:
        new = features.embeddings @ turn - shift
        length = np.linalg.norm(new, axis=1, keepdims=True)
        at_mean = np.flatnonzero(length[:, 0] < NEGLIGIBLE)
        if len(at_mean):
            where = features.sightings.describe(int(at_mean[0]))
            raise ClipsenetError(f"whitening: {where} lies at the mean of all pictures and has no direction; leave it out")
        return np.asarray(new / length, dtype=np.float32)

    return replace(query, embeddings=turned(query)), replace(gallery, embeddings=turned(gallery))
