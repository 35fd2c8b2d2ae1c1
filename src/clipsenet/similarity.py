"""Similarities: from a query and a gallery to blocks of rows, larger is more alike; never the whole matrix."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float

from clipsenet.errors import ClipsenetError
from clipsenet.features import Features

Block = tuple[slice, Float[np.ndarray, "rows gallery"]]

BLOCK_BYTES = 64 * 2**20
"""The size of a block: large enough for a fast product, small beside the features."""


def cosine(query: Features, gallery: Features) -> Iterator[Block]:
    """The cosines of every query with every gallery picture.

    Yields:
        The rows of the query, and ``(rows, gallery)`` float32, -1 to 1.

    Raises:
        ClipsenetError: embeddings of two runs.
    """
    if query.run_id != gallery.run_id:
        raise ClipsenetError(
            f"embeddings of two runs cannot be compared: {query.run_id[:12]} and {gallery.run_id[:12]}; "
            "extract both with one run"
        )
    rows = max(1, BLOCK_BYTES // (4 * max(1, len(gallery))))
    columns = torch.from_numpy(gallery.embeddings).T
    for start in range(0, len(query), rows):
        part = slice(start, min(start + rows, len(query)))
        yield part, (torch.from_numpy(query.embeddings[part]) @ columns).numpy()
