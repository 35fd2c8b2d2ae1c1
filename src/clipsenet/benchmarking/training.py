"""Where a training step's time goes: train() against the bare step on tensors in memory, in turn."""

import os
import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clipsenet.assembling import assemble, model_of
from clipsenet.benchmarking.peaks import peak_memory
from clipsenet.devices import make_fabric
from clipsenet.errors import UsageError
from clipsenet.loading import Batch, SightingImages, make_loader
from clipsenet.models import resolved
from clipsenet.protocol import Benchmark
from clipsenet.recipe import Recipe
from clipsenet.reporting import Reporter
from clipsenet.sampling import IdentitySampler
from clipsenet.training import train
from clipsenet.transforms import make_train_transform

WARM_UP = 3
"""Steps that are not counted: the workers start, memory is taken."""


class _Enough(Exception):  # noqa: N818 - no error
    """Ends a training after the steps that were asked for."""


class _Watch(Reporter):
    """Takes the time of every step of train(), and of its parts."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.seen = 0
        self.parts: dict[str, list[float]] = {}
        self.last = self.first = time.perf_counter()
        self.took = 0.0

    def mark(self, name: str) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = time.perf_counter()
        if self.seen >= WARM_UP:
            self.parts.setdefault(name, []).append(now - self.last)
        self.last = now

    def step(self, epoch: int, step: int, steps: int, rate: float, pictures: int, parts: dict[str, float]) -> None:
        self.seen += 1
        if self.seen == WARM_UP:
            self.first = time.perf_counter()
        if self.seen == WARM_UP + self.steps:
            self.took = time.perf_counter() - self.first
            raise _Enough
        self.mark("report")


def measure(recipe: Recipe, benchmark: Benchmark, *, device: str = "auto", steps: int = 10, rounds: int = 3) -> dict[str, Any]:
    """Measure a recipe's training.

    Rounds of bare steps (forward, backward, update on one batch in memory) and of the real ``train`` take turns, so that
    a drift of the machine meets both. ``ratio`` is train's step over (bare step + loading's CPU seconds / cores): 1
    means that nothing is lost beside what loading must cost.

    Args:
        recipe: what to train.
        benchmark: its training pictures.
        device: as for ``train``.
        steps: steps of each kind in a round, after ``WARM_UP`` that are not counted.
        rounds: how many rounds; the figures are medians over them.

    Raises:
        ClipsenetError: as ``train``.
    """
    endless = recipe.model_copy(
        update={
            "schedule": recipe.schedule.model_copy(update={"epochs": 10_000}),
            "model": resolved(recipe.model, benchmark.train),
            "training": recipe.training.model_copy(update={"validate_every": 10_000}),
        }
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    bare, whole, loading = [], [], []
    parts: dict[str, list[float]] = {}
    per_step = recipe.sampler.vehicles * recipe.sampler.pictures
    for _ in range(rounds):
        batches, cpu_seconds = _load(endless, benchmark, steps)
        loading.append(cpu_seconds / steps)
        bare.append(_bare_step(endless, benchmark, batches[0], device, steps))
        watch = _Watch(steps)
        with tempfile.TemporaryDirectory() as folder:
            try:
                train(endless, benchmark, Path(folder) / "run", device=device, reporter=watch)
            except _Enough:
                pass
            else:
                raise UsageError("the training ended before it could be measured; it has too few steps")
        whole.append(watch.took / steps)
        for name, seconds in watch.parts.items():
            parts.setdefault(name, []).append(statistics.fmean(seconds))
    reference = statistics.median(bare) + statistics.median(loading) / cores
    return {
        "pictures_per_step": per_step,
        "steps": steps * rounds,
        "cores": cores,
        "threads": torch.get_num_threads(),
        "workers": recipe.training.workers,
        "precision": recipe.training.precision,
        "channels_last": recipe.training.channels_last,
        "bare_step_seconds": statistics.median(bare),
        "bare_pictures_per_second": per_step / statistics.median(bare),
        "loading_cpu_seconds_per_step": statistics.median(loading),
        "train_step_seconds": statistics.median(whole),
        "train_pictures_per_second": per_step / statistics.median(whole),
        "reference_seconds": reference,
        "ratio": statistics.median(whole) / reference,
        "parts_of_train_step": {name: statistics.median(values) for name, values in parts.items()},
        "peak_memory_gb": peak_memory(),
    }


def rows_of(result: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures as a table for people."""
    rows = [
        ("cores, threads, workers", f"{result['cores']}, {result['threads']}, {result['workers']}"),
        ("precision, channels last", f"{result['precision']}, {result['channels_last']}"),
        ("bare step (forward, backward, update in memory)", f"{result['bare_step_seconds']:.3f} s"),
        ("bare pictures a second", f"{result['bare_pictures_per_second']:.1f}"),
        ("loading, CPU seconds a step", f"{result['loading_cpu_seconds_per_step']:.3f} s"),
        ("train step", f"{result['train_step_seconds']:.3f} s"),
        ("train pictures a second", f"{result['train_pictures_per_second']:.1f}"),
        ("reference: bare step + loading / cores", f"{result['reference_seconds']:.3f} s"),
        ("ratio: train step / reference", f"{result['ratio']:.3f}"),
    ]
    rows += [(f"of a train step: {name}", f"{value:.3f} s") for name, value in result["parts_of_train_step"].items()]
    return [*rows, ("peak memory of this process", f"{result['peak_memory_gb']:.2f} GB")]


def _load(recipe: Recipe, benchmark: Benchmark, steps: int) -> tuple[list[Batch], float]:
    """Real batches, and the CPU seconds that all of them took in one thread."""
    model = model_of(recipe)
    transform = make_train_transform(recipe.images, model.mean, model.std)
    sampler = IdentitySampler(benchmark.train.vehicle.numbers, recipe.sampler, recipe.seed)
    images = SightingImages(benchmark.train, transform, recipe.seed)
    batches = [batch for epoch in range(1 + steps // max(1, len(sampler.batches(0)))) for batch in sampler.batches(epoch)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a worker
    try:
        loader = make_loader(images, batches[: steps + 1], workers=0)
        next(loader)
        started = time.process_time()
        loaded = list(islice(loader, steps))
        return loaded, (time.process_time() - started) * steps / len(loaded)
    finally:
        torch.set_num_threads(threads)


def _bare_step(recipe: Recipe, benchmark: Benchmark, batch: Batch, device: str, steps: int) -> float:
    """Seconds of a forward, backward and update on a batch in memory; the mean over the steps."""
    fabric = make_fabric(device, recipe.training.precision)
    names, vehicles = np.unique(benchmark.train.vehicle.numbers, return_inverse=True)
    objective, plain_optimiser = assemble(recipe, len(names))
    place = torch.from_numpy(objective.model.place_rows(benchmark.train))
    images, rows = batch
    images = images.to(fabric.device)
    if recipe.training.channels_last:
        objective.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    wrapped, optimiser = fabric.setup(objective, plain_optimiser)
    places, labels = place[rows].to(fabric.device), torch.from_numpy(vehicles)[rows].to(fabric.device)
    objective.train()
    started = 0.0
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            _wait(fabric.device)
            started = time.perf_counter()
        parts = wrapped(images, places, labels)
        fabric.backward(torch.stack(list(parts.values())).sum())
        optimiser.step()
        optimiser.zero_grad()
    _wait(fabric.device)
    return (time.perf_counter() - started) / steps


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
