"""Fusion: several runs as one embedding, whose cosine is the weighted sum of theirs."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.features import Features


def fuse(features: Sequence[Features], weights: Sequence[float]) -> Features:
    """The unit vectors of several runs side by side, each times the root of its weight.

    Args:
        features: of the same pictures, row by row.
        weights: above 0, together 1.

    Raises:
        ClipsenetError: other pictures.
        UsageError: weights that are not above 0 or do not add up to 1.
    """
    if min(weights) <= 0 or abs(sum(weights) - 1) > 1e-6:
        raise UsageError(f"weights {', '.join(f'{w:g}' for w in weights)}: wanted numbers above 0 that add up to 1")
    first = features[0]
    for other in features[1:]:
        if other.sightings.files() != first.sightings.files():
            raise ClipsenetError("features of other pictures cannot be fused; extract them from the same list")
    beside = [np.float32(np.sqrt(w)) * one.embeddings for one, w in zip(features, weights, strict=True)]
    run_id = " + ".join(f"{w:g} {one.run_id}" for one, w in zip(features, weights, strict=True))
    return replace(
        first,
        embeddings=np.concatenate(beside, axis=1),
        run_id=run_id,
        labels_told=any(one.labels_told for one in features),
    )
