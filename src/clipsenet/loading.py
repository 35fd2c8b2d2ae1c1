"""SightingImages: the torch data set; the same draw gives the same tensor in whichever worker it is made."""

import contextlib
import os
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from clipsenet.addresses import Addresses
from clipsenet.caching import PictureCache
from clipsenet.images import open_sighting
from clipsenet.sightings import Sightings
from clipsenet.transforms import Transform, seeded

Paint = Callable[[Image.Image, int], Image.Image]
"""A picture and its row to the picture that is used instead; it goes to other processes."""


class Draw(NamedTuple):
    """One picture at one place of one epoch: all that its random draws depend on, beside the seed."""

    row: int
    epoch: int = 0
    place: int = 0


class SightingImages(Dataset[tuple[Float[Tensor, "3 height width"], int]]):
    """The pictures of sightings, transformed.

    Args:
        sightings: what to open.
        transform: picture to tensor.
        seed: with epoch and place it decides every random draw.
        cache: keeps what the transform's first part makes; the tensors are the same with it and without.
        paint: what is done first to a row's picture, such as covering a part of it; it goes without a cache.
    """

    def __init__(
        self,
        sightings: Sightings,
        transform: Transform,
        seed: int = 0,
        cache: PictureCache | None = None,
        paint: Paint | None = None,
    ) -> None:
        assert cache is None or paint is None, "a cache knows pictures by their files"
        self.addresses = Addresses.of(sightings)  # all that a worker needs of them
        self.transform = transform
        self.seed = seed
        self.cache = cache
        self.paint = paint

    def __len__(self) -> int:
        return len(self.addresses)

    def __getitem__(self, draw: Draw | int) -> tuple[Float[Tensor, "3 height width"], int]:
        """The tensor and its row.

        Raises:
            PictureError: the picture cannot be used.
        """
        row, epoch, place = draw if isinstance(draw, Draw) else Draw(int(draw))
        image = self._prepared(row)
        with seeded(self.seed, epoch, place):
            return self.transform.finish(image), row

    def is_cached(self, row: int) -> bool:
        """Whether the cache has the picture of this row as its file is now."""
        where = self.addresses.file(row), self.addresses.box_of(row), self.transform.prepared
        return self.cache is not None and self.cache.find(*where) is not None

    def _prepared(self, row: int) -> Image.Image:
        def make() -> Image.Image:
            picture = open_sighting(self.addresses, row)
            return self.transform.prepare(picture if self.paint is None else self.paint(picture, row))

        if self.cache is None:
            return make()
        return self.cache.fetch(self.addresses.file(row), self.addresses.box_of(row), self.transform.prepared, make)


Batch = tuple[Float[Tensor, "batch 3 height width"], Int[Tensor, " batch"]]


class _Guarded(Dataset[Any]):
    """Hands an error over as a value: raised inside a worker its message would drown in a traceback."""

    def __init__(self, images: SightingImages) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, draw: Draw | int) -> tuple[Float[Tensor, "3 height width"], int] | Exception:
        try:
            return self.images[draw]
        except Exception as error:
            error.add_note(traceback.format_exc())  # lost between processes; shown with --debug
            return error


def make_loader(
    images: SightingImages, batches: Iterable[list[Draw]], workers: int, *, pin: bool = False, yielding: bool = False
) -> Iterator[Batch]:
    """The batches in their order, made in ``workers`` processes (0: in this one).

    Args:
        images: what to open.
        batches: the draws of each batch.
        workers: how many processes.
        pin: page-locked memory, for a GPU.
        yielding: the workers leave the cores to the threads that compute on them.

    Yields:
        Images ``(batch, 3, height, width)`` and their rows ``(batch,)``.

    Raises:
        PictureError: a picture cannot be used.
    """
    loader: DataLoader[Any] = DataLoader(
        _Guarded(images),
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=_begin_yielding_worker if yielding else begin_worker,
        generator=torch.Generator(),  # its own: torch's global one decides what the network draws
        pin_memory=pin,
    )
    for batch in loader:
        if isinstance(batch, Exception):
            raise batch
        yield batch


def in_order(n: int, size: int) -> list[list[Draw]]:
    """All of ``n`` rows in order, in batches of ``size``."""
    return [[Draw(row) for row in range(start, min(start + size, n))] for start in range(0, n, size)]


def _collate(items: list[tuple[Float[Tensor, "3 height width"], int] | Exception]) -> Batch | Exception:
    pairs = []
    for item in items:
        if isinstance(item, Exception):
            return item
        pairs.append(item)
    images = torch.stack([image for image, _ in pairs])
    return images, torch.from_numpy(np.array([row for _, row in pairs], dtype=np.int64))


def begin_worker(_: int) -> None:
    """Leave Ctrl-C, and a polite kill of the whole group, to the process that can save: its workers end with it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _begin_yielding_worker(number: int) -> None:
    """Leave the cores to the threads that compute.

    A worker that takes a core from a parallel region makes all of its threads wait. With a low priority it runs in the
    gaps, and on all cores while the next batch is waited for.
    """
    begin_worker(number)
    with contextlib.suppress(OSError, AttributeError):  # a sandbox may forbid it, a system may not have it
        os.nice(19)
