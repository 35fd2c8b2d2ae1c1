"""Where a training step's time goes: train() against the bare step on tensors in memory, and variants, in turn."""

import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from clipsenet.benchmarking.bare_step import make_bare_step
from clipsenet.benchmarking.first_batches import fill_cache, load
from clipsenet.benchmarking.peaks import peak_memory
from clipsenet.devices import make_fabric
from clipsenet.errors import UsageError
from clipsenet.loading import Batch
from clipsenet.models import resolved
from clipsenet.protocol import Benchmark
from clipsenet.recipe import Recipe
from clipsenet.reporting import Reporter
from clipsenet.training import train

WARM_UP = 3
"""Steps that are not counted: the workers start, memory is taken."""


AS_IT_IS = "as it is"


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


def measure(
    recipe: Recipe,
    benchmark: Benchmark,
    *,
    device: str = "auto",
    steps: int = 10,
    rounds: int = 3,
    variants: Mapping[str, Recipe] | None = None,
) -> dict[str, Any]:
    """Measure a recipe's training.

    Rounds of bare steps (forward, backward, update on one batch in memory), of the real ``train`` and of each variant's
    take turns, so that a drift of the machine meets all; who begins changes from round to round. ``ratio`` is train's step
    over (bare step + loading's CPU seconds / cores): 1 means that nothing is lost beside what loading must cost. A
    variant's ``ratio_to_recipe`` is its train step over that of the recipe as it is in the same round: below 1 it is
    faster. Where a recipe has a cache of pictures, it is filled first: later epochs are measured, not the first one.

    Args:
        recipe: what to train.
        benchmark: its training pictures.
        device: as for ``train``.
        steps: steps of each kind in a round, after ``WARM_UP`` that are not counted.
        rounds: how many rounds; the figures are medians over them.
        variants: other recipes for the same pictures, by the words that tell them apart.

    Raises:
        UsageError: a variant has other ``data`` settings, and so perhaps other pictures.
        ClipsenetError: as ``train``.
    """
    recipes = {AS_IT_IS: recipe, **(variants or {})}
    for name, one in recipes.items():
        if one.data != recipe.data:
            raise UsageError(f"the variant '{name}' changes data: a variant trains on the same pictures, so bench it apart")
    recipes = {name: _endless(one, benchmark) for name, one in recipes.items()}
    endless = recipes[AS_IT_IS]
    cached = {
        name: share for name, one in recipes.items() if (share := fill_cache(one, benchmark, WARM_UP + steps)) is not None
    }
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    bare, loading = [], []
    took: dict[str, list[float]] = {name: [] for name in recipes}
    parts: dict[str, list[float]] = {}
    per_step = _pictures_per_step(recipe)
    for number in range(rounds):
        batches, cpu_seconds = load(endless, benchmark, steps)
        loading.append(cpu_seconds / steps)
        bare.append(_bare_step(endless, benchmark, batches[0], device, steps))
        for name in _rotated(list(recipes), number):
            watch = _watch_training(recipes[name], benchmark, device, steps)
            took[name].append(watch.took / steps)
            if name == AS_IT_IS:
                for part, seconds in watch.parts.items():
                    parts.setdefault(part, []).append(statistics.fmean(seconds))
    whole = took[AS_IT_IS]
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
        "cached": cached.get(AS_IT_IS),
        "variants": [
            _variant_line(name, _pictures_per_step(recipes[name]), took[name], whole, cached.get(name))
            for name in recipes
            if name != AS_IT_IS
        ],
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
    if result["cached"] is not None:
        rows.append(("pictures of these steps in the cache before the first", f"{result['cached']:.0%}"))
    return [*rows, ("peak memory of this process", f"{result['peak_memory_gb']:.2f} GB")]


def variant_rows_of(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """The recipe as it is and its variants as a table for people."""
    rows = [_row(AS_IT_IS, result, "1", result["cached"])]
    for line in result["variants"]:
        ratios = line["ratios"]
        ratio = f"{line['ratio_to_recipe']:.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        rows.append(_row(line["variant"], line, ratio, line["cached"]))
    return rows


def _row(name: str, line: dict[str, Any], ratio: str, cached: float | None) -> tuple[str, ...]:
    warm = "no cache" if cached is None else f"{cached:.0%} in it"
    return name, str(line["pictures_per_step"]), f"{line['train_step_seconds']:.3f} s", ratio, warm


def _variant_line(name: str, per_step: int, took: list[float], as_it_is: list[float], cached: float | None) -> dict[str, Any]:
    ratios = [one / other for one, other in zip(took, as_it_is, strict=True)]  # of the same round each
    seconds = statistics.median(took)
    return {
        "variant": name,
        "pictures_per_step": per_step,
        "train_step_seconds": seconds,
        "train_pictures_per_second": per_step / seconds,
        "ratio_to_recipe": statistics.median(ratios),
        "ratios": ratios,
        "cached": cached,
    }


def _endless(recipe: Recipe, benchmark: Benchmark) -> Recipe:
    """The recipe with more epochs than are waited for."""
    return recipe.model_copy(
        update={
            "schedule": recipe.schedule.model_copy(update={"epochs": 10_000}),
            "model": resolved(recipe.model, benchmark.train),
            "training": recipe.training.model_copy(update={"validate_every": 10_000}),
        }
    )


def _pictures_per_step(recipe: Recipe) -> int:
    return recipe.sampler.vehicles * recipe.sampler.pictures


def _rotated(names: list[str], by: int) -> list[str]:
    start = by % len(names)
    return names[start:] + names[:start]


def _watch_training(recipe: Recipe, benchmark: Benchmark, device: str, steps: int) -> _Watch:
    watch = _Watch(steps)
    with tempfile.TemporaryDirectory() as folder:
        try:
            train(recipe, benchmark, Path(folder) / "run", device=device, reporter=watch)
        except _Enough:
            return watch
    raise UsageError("the training ended before it could be measured; it has too few steps")


def _bare_step(recipe: Recipe, benchmark: Benchmark, batch: Batch, device: str, steps: int) -> float:
    """Seconds of a forward, backward and update on a batch in memory; the mean over the steps."""
    fabric = make_fabric(device, recipe.training.precision)
    step = make_bare_step(recipe, benchmark, batch, fabric)
    for _ in range(WARM_UP):
        step()
    _wait(fabric.device)
    started = time.perf_counter()
    for _ in range(steps):
        step()
    _wait(fabric.device)
    return (time.perf_counter() - started) / steps


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
