"""Embedding what goes into a gallery: vectors and qualities batch by batch; a broken picture is told, not raised."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from clipsenet.addresses import Addresses
from clipsenet.errors import ClipsenetError
from clipsenet.features import Features, no_places
from clipsenet.gallery.encoding import is_utf8
from clipsenet.gallery.interface import Embedding, Gallery
from clipsenet.gallery.local import LocalGallery
from clipsenet.images import PictureError, open_sighting
from clipsenet.loading import begin_worker
from clipsenet.quality import quality_of
from clipsenet.runs import Run
from clipsenet.sightings import Sightings
from clipsenet.transforms import Transform

QUERIES = 64
"""Queries that are searched at once."""


@dataclass(frozen=True, eq=False)
class Embedded:
    """A batch of pictures.

    Attributes:
        rows: ``(n,)`` those that could be used.
        vectors: ``(n, dim)`` float32.
        quality: ``(n,)`` above 0 to 1.
        broken: the other rows, with what is wrong.
    """

    rows: Int[np.ndarray, " n"]
    vectors: Float[np.ndarray, "n dim"]
    quality: Float[np.ndarray, " n"]
    broken: list[tuple[int, str]]


def embedding_of(run: Run) -> Embedding:
    """What a gallery of this run's embeddings holds.

    Its network is told neither camera nor view: of a query picture nobody need know them, and embeddings with and without
    are not alike.
    """
    images = run.recipe.images
    size = " x ".join(map(str, images.size))
    mean, std = (" ".join(f"{value:g}" for value in values) for values in images.statistics or (run.model.mean, run.model.std))
    return Embedding(run.id, run.dim, f"RGB, {size} {images.interpolation}, mean {mean}, deviation {std}")


def notes_of(run: Run) -> dict[str, str]:
    """What a gallery remembers of its run, so that a search need not name it; no folder whose name it cannot keep."""
    folder = str(run.folder.resolve())
    return {"run": folder if is_utf8(folder) else "", "checkpoint": run.checkpoint}


def note_run(gallery: LocalGallery, run: Run) -> None:
    """Let the gallery remember where its run lies."""
    for key, text in notes_of(run).items():
        gallery.remember(key, text)


def require_run(gallery: Gallery, run: Run) -> None:
    """Refuse a run whose embeddings mean something else than the gallery's.

    Raises:
        ClipsenetError: with what to do.
    """
    if run.id != gallery.embedding.run_id:
        raise ClipsenetError(
            f"{run.folder}, checkpoint {run.checkpoint}, is run {run.id[:16]}; the gallery holds embeddings of run "
            f"{gallery.embedding.run_id[:16]}, and similarities between two runs mean nothing. Give that run with --run or "
            "--checkpoint, or bring the gallery over: clipsenet gallery re-embed"
        )


def embed(
    run: Run, sightings: Sightings, batches: Iterable[list[int]], *, workers: int = 0, device: torch.device | str = "cpu"
) -> Iterator[Embedded]:
    """The embeddings of pictures, without labels told.

    Args:
        run: whose network embeds.
        sightings: the pictures.
        batches: rows; asked for while earlier ones are worked on.
        workers: processes that open pictures (0: this one).
        device: where the network computes.

    Yields:
        Each batch, in their order.
    """
    loader: DataLoader[Any] = DataLoader(
        _Pictures(sightings, run.test_transform),
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=list,
        worker_init_fn=begin_worker,
        generator=torch.Generator(),
    )
    run.model.eval().to(device)
    for items in loader:
        good = [item for item in items if item.image is not None]
        vectors = np.empty((0, run.dim), dtype=np.float32)
        if good:
            with torch.inference_mode():
                images = torch.stack([item.image for item in good]).to(device).contiguous(memory_format=torch.channels_last)
                vectors = run.model(images, no_places(len(good), images.device)).float().cpu().numpy()
        yield Embedded(
            np.array([item.row for item in good], dtype=np.int64),
            vectors,
            np.array([item.quality for item in good], dtype=np.float32),
            [(item.row, item.broken) for item in items if item.image is None],
        )


def embed_queries(run: Run, queries: Sightings, *, workers: int = 0, device: torch.device | str = "cpu") -> Iterator[Features]:
    """The features of queries, ``QUERIES`` at once.

    Raises:
        PictureError: a picture that cannot be used.
    """
    batches = [list(range(start, min(start + QUERIES, len(queries)))) for start in range(0, len(queries), QUERIES)]
    for one in embed(run, queries, batches, workers=workers, device=device):
        if one.broken:
            raise PictureError(one.broken[0][1])
        yield Features(queries[one.rows], one.vectors, run.id)


class _Picture(NamedTuple):
    row: int
    image: Tensor | None
    quality: float
    broken: str


class _Pictures(Dataset[_Picture]):
    def __init__(self, sightings: Sightings, transform: Transform) -> None:
        self.addresses, self.transform = Addresses.of(sightings), transform

    def __len__(self) -> int:
        return len(self.addresses)

    def __getitem__(self, row: int) -> _Picture:
        try:
            picture = open_sighting(self.addresses, row)
        except PictureError as error:
            return _Picture(row, None, 0.0, str(error))
        image = self.transform.finish(self.transform.prepare(picture))
        return _Picture(row, image, quality_of(picture), "")
