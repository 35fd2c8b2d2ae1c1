"""A training's step without loading: gradients and update on one batch in memory."""

from collections.abc import Callable

import numpy as np
import torch
from lightning_fabric import Fabric

from clipsenet.assembling import assemble, freeze_for
from clipsenet.averaging import MovingAverage
from clipsenet.loading import Batch
from clipsenet.preparing import prepare_trunks
from clipsenet.protocol import Benchmark
from clipsenet.recipe import Recipe
from clipsenet.stepping import Stepper


def make_bare_step(recipe: Recipe, benchmark: Benchmark, batch: Batch, fabric: Fabric) -> Callable[[], None]:
    """What does one step after another on the same batch, with all that the recipe asks of a step of its last epoch.

    Branches that are frozen at first learn: that is what most steps cost, and the most that one costs.

    Args:
        recipe: with a resolved model.
        benchmark: its training part, whose rows the batch has.
        batch: pictures and their rows.
        fabric: the device.

    Raises:
        UsageError, ClipsenetError: as ``assemble`` and ``prepare_trunks``.
    """
    training = recipe.training
    names, vehicle = np.unique(benchmark.train.vehicle.numbers, return_inverse=True)
    torch.manual_seed(recipe.seed)
    objective, plain_optimiser = assemble(recipe, len(names))
    images, rows = batch
    images = images.to(fabric.device)
    if training.channels_last:
        objective.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    average = None if training.ema is None else MovingAverage(objective.model, training.ema)
    prepare_trunks(objective, training, fabric, recipe.images.size)
    wrapped, optimiser = fabric.setup(objective, plain_optimiser)
    if average is not None:
        average.module.to(fabric.device)
    stepper = Stepper(fabric, objective, wrapped, micro_batch=training.micro_batch, checkpointing=training.checkpointing)
    places = torch.from_numpy(objective.model.place_rows(benchmark.train))[rows].to(fabric.device)
    labels = torch.from_numpy(vehicle)[rows].to(fabric.device)
    freeze_for(objective.model, recipe, recipe.schedule.epochs - 1)
    objective.train()

    def step() -> None:
        stepper.gradients(images, places, labels, (recipe.seed,), lambda values: None)
        if recipe.optimiser.clip is not None:
            fabric.clip_gradients(wrapped, optimiser, max_norm=recipe.optimiser.clip, error_if_nonfinite=False)
        optimiser.step()
        optimiser.zero_grad()
        if average is not None:
            average.update(objective.model)

    return step
