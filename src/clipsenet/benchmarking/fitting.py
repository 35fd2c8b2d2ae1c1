"""A dry run: does a recipe's step fit into this device's memory, and how long does it take?"""

import time
from dataclasses import dataclass
from typing import Any

import psutil
import torch

from clipsenet.benchmarking.bare_step import make_bare_step
from clipsenet.benchmarking.first_batches import load
from clipsenet.benchmarking.peaks import peak_memory
from clipsenet.caching import CacheSettings
from clipsenet.devices import make_fabric
from clipsenet.loading import Batch
from clipsenet.models import resolved
from clipsenet.models.wanted import fetch_wanted
from clipsenet.protocol import Benchmark
from clipsenet.recipe import Recipe
from clipsenet.sampling import IdentitySampler

GB = 1e9

COUNTS = ("pictures_per_step", "steps_per_epoch", "epochs")


@dataclass(frozen=True)
class Tried:
    """One size of pieces that was tried.

    Attributes:
        micro_batch: pictures that went through the trunks at once.
        fits: whether memory sufficed.
        seconds: of a step, where it did.
        peak_gb: memory that the step took at its peak, with weights and optimiser: of the GPU; on a CPU of this process.
    """

    micro_batch: int
    fits: bool
    seconds: float | None
    peak_gb: float | None


def dry_run(recipe: Recipe, benchmark: Benchmark, device: str = "auto") -> dict[str, Any]:
    """Do two steps (the first warms up) on real pictures and measure the second.

    Nothing is written, to no run folder and no picture cache; published weights that are missing are fetched, as they would
    be by the training.

    On a GPU, a step that does not fit is tried again with half as many pictures through the trunks at once, down to 2. On a
    CPU memory is everybody's: what the step took, and what is free now, is all that can be said.

    Args:
        recipe: as for ``train``.
        benchmark: its training pictures.
        device: as for ``train``.

    Raises:
        ClipsenetError: as ``train``.
    """
    fetch_wanted(recipe.model)
    training = recipe.training.model_copy(update={"cache": CacheSettings()})
    recipe = recipe.model_copy(update={"model": resolved(recipe.model, benchmark.train), "training": training})
    fabric = make_fabric(device, recipe.training.precision)
    on_gpu = fabric.device.type == "cuda"
    pictures = recipe.sampler.vehicles * recipe.sampler.pictures
    size = min(recipe.training.micro_batch or pictures, pictures)
    (batch, *_), _ = load(recipe, benchmark, 1)
    tried: list[Tried] = []
    while True:
        try:
            tried.append(_try(recipe, benchmark, batch, device, size))
        except torch.OutOfMemoryError:
            tried.append(Tried(size, fits=False, seconds=None, peak_gb=None))
        if tried[-1].fits or size <= 2:
            break
        # not before here: inside the except block the error still holds what the failed step had made
        torch.cuda.empty_cache()
        size = max(2, size // 2)
    steps = len(IdentitySampler(benchmark.train.vehicle.numbers, recipe.sampler, recipe.seed).batches(0))
    last = tried[-1]
    total = torch.cuda.get_device_properties(fabric.device).total_memory / GB if on_gpu else None
    return {
        "recipe": recipe.name,
        "device": torch.cuda.get_device_name(fabric.device) if on_gpu else "cpu",
        "precision": recipe.training.precision,
        "pictures_per_step": pictures,
        "steps_per_epoch": steps,
        "epochs": recipe.schedule.epochs,
        "tried": [vars(one) for one in tried],
        "fits": last.fits if on_gpu else None,
        "gpu_memory_gb": total,
        "free_memory_gb": psutil.virtual_memory().available / GB,
        "hours_in_all": None if last.seconds is None else last.seconds * steps * recipe.schedule.epochs / 3600,
    }


def rows_of(result: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures as a table for people."""
    rows = [
        ("device, precision", f"{result['device']}, {result['precision']}"),
        (
            "pictures a step, steps an epoch, epochs",
            f"{result['pictures_per_step']}, {result['steps_per_epoch']}, {result['epochs']}",
        ),
    ]
    for one in result["tried"]:
        name = f"{one['micro_batch']} pictures through the trunks at once"
        found = f"{one['seconds']:.2f} s a step, {one['peak_gb']:.2f} GB at the peak" if one["fits"] else "does NOT fit"
        rows.append((name, found))
    size, total = result["tried"][-1]["micro_batch"], result["gpu_memory_gb"]
    if result["fits"] is None:
        answer = f"cannot be known on a CPU: {result['free_memory_gb']:.1f} GB are free now, for everybody"
    elif result["fits"]:
        how = "as it is" if len(result["tried"]) == 1 else f"--set training.micro_batch={size}"
        answer = f"yes, into {total:.1f} GB: {how}"
    else:
        answer = f"no, not even {size} pictures into {total:.1f} GB: --set training.checkpointing=true"
    rows.append(("fits?", answer))
    if result["hours_in_all"] is not None:
        rows.append(("without loading and validation", f"{result['hours_in_all']:.1f} hours = seconds x steps x epochs"))
    return rows


def _try(recipe: Recipe, benchmark: Benchmark, batch: Batch, device: str, micro_batch: int) -> Tried:
    fabric = make_fabric(device, recipe.training.precision)
    on_gpu = fabric.device.type == "cuda"
    training = recipe.training.model_copy(update={"micro_batch": micro_batch})
    step = make_bare_step(recipe.model_copy(update={"training": training}), benchmark, batch, fabric)
    step()  # warms up
    if on_gpu:
        torch.cuda.synchronize(fabric.device)
        torch.cuda.reset_peak_memory_stats(fabric.device)
    started = time.perf_counter()
    step()
    if on_gpu:
        torch.cuda.synchronize(fabric.device)
    seconds = time.perf_counter() - started
    peak = torch.cuda.max_memory_allocated(fabric.device) / GB if on_gpu else peak_memory()
    return Tried(micro_batch, fits=True, seconds=seconds, peak_gb=peak)
