"""The first batches of a training: what loading them costs, and a cache that has their pictures."""

import time
from itertools import islice

import torch

from clipsenet.assembling import model_of
from clipsenet.caching import make_cache
from clipsenet.loading import Batch, Draw, SightingImages, in_order, make_loader
from clipsenet.protocol import Benchmark
from clipsenet.recipe import Recipe
from clipsenet.sampling import IdentitySampler
from clipsenet.transforms import make_train_transform

AHEAD = 2
"""Batches that each of torch's workers opens ahead of the one that is asked for."""


def fill_cache(recipe: Recipe, benchmark: Benchmark, count: int) -> float | None:
    """Open each picture of the first ``count`` batches once; the share that the cache has then, none without a cache."""
    images = _images(recipe, benchmark)
    if images.cache is None:
        return None
    batches = _batches(recipe, benchmark, count + AHEAD * max(1, recipe.training.workers) + 1)
    rows = sorted({draw.row for batch in batches for draw in batch})
    chosen = [[Draw(rows[place.row]) for place in batch] for batch in in_order(len(rows), 64)]
    for _ in make_loader(images, chosen, recipe.training.workers):
        pass
    return sum(images.is_cached(row) for row in rows) / len(rows)


def _images(recipe: Recipe, benchmark: Benchmark) -> SightingImages:
    model = model_of(recipe)
    transform = make_train_transform(recipe.images, model.mean, model.std)
    return SightingImages(benchmark.train, transform, recipe.seed, make_cache(recipe.training.cache))


def _batches(recipe: Recipe, benchmark: Benchmark, count: int) -> list[list[Draw]]:
    """The first batches of a training."""
    sampler = IdentitySampler(benchmark.train.vehicle.numbers, recipe.sampler, recipe.seed)
    epochs = range(1 + count // max(1, len(sampler.batches(0))))
    return [batch for epoch in epochs for batch in sampler.batches(epoch)][:count]


def load(recipe: Recipe, benchmark: Benchmark, steps: int) -> tuple[list[Batch], float]:
    """Real batches, and the CPU seconds that all of them took in one thread."""
    images, batches = _images(recipe, benchmark), _batches(recipe, benchmark, steps + 1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a worker
    try:
        loader = make_loader(images, batches, workers=0)
        next(loader)
        started = time.process_time()
        loaded = list(islice(loader, steps))
        return loaded, (time.process_time() - started) * steps / len(loaded)
    finally:
        torch.set_num_threads(threads)
