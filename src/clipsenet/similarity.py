"""Similarities: from a query and a gallery to blocks of rows, larger is more alike; never the whole matrix."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float

from clipsenet.errors import ClipsenetError
from clipsenet.features import Features

Block = tuple[slice, Float[np.ndarray, "rows gallery"]]

BLOCK_BYTES = 64 * 2**20
"""The size of a block: small beside the features."""

FULL_SPEED, LARGEST = 512, 4
"""Rows below which a product with a large gallery is slow; for them a block may be so many times as large."""


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
    rows = block_rows(len(gallery))
    columns = torch.from_numpy(gallery.embeddings).T
    for start in range(0, len(query), rows):
        part = slice(start, min(start + rows, len(query)))
        yield part, (torch.from_numpy(query.embeddings[part]) @ columns).numpy()


def block_rows(gallery: int) -> int:
    """How many queries' similarities with so many pictures make a block."""
    of_size = BLOCK_BYTES // (4 * max(1, gallery))
    return max(1, of_size, min(FULL_SPEED, LARGEST * of_size))
