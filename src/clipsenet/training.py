"""train(): the loop, top to bottom."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from clipsenet.assembling import assemble
from clipsenet.devices import make_fabric
from clipsenet.errors import Interrupted
from clipsenet.finiteness import Moment, require_finite_gradients, require_finite_loss
from clipsenet.history import History
from clipsenet.interrupts import Interrupts
from clipsenet.loading import Draw, SightingImages, make_loader
from clipsenet.models import Model, describe_settings, resolved, without_weights
from clipsenet.models.spreads import spreads
from clipsenet.optimisers import set_rate
from clipsenet.protocol import Benchmark
from clipsenet.recipe import Recipe
from clipsenet.reporting import Reporter
from clipsenet.resuming import Progress, as_begun, digest, forget_progress, load_progress, require_same_recipe, save_progress
from clipsenet.runs import Run, save_checkpoint, start_folder, write_recipe
from clipsenet.sampling import IdentitySampler
from clipsenet.transforms import make_train_transform, seed_of
from clipsenet.validation import check_before_training, require_places, validate, warn_of_frozen


def train(
    recipe: Recipe,
    benchmark: Benchmark,
    folder: Path,
    *,
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> Run:
    """Train a recipe's model (algorithm 1 of the paper) into a run folder.

    Args:
        recipe: everything that decides the training.
        benchmark: trains on its ``train`` part; ``validation`` chooses the checkpoint ``best``; its test part is only
            looked at where ``training.test_curve`` asks for a curve, and chooses nothing.
        folder: the run folder, new or empty; with ``resume`` the one to go on with.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        resume: go on after the last state that was saved there.
        reporter: told about every step and epoch.

    Returns:
        The run, with the checkpoint that the recipe's evaluation asks for.

    Raises:
        ClipsenetError: no training pictures, a broken picture, a full disk, a loss that is NaN, another recipe or data
            than those to be resumed.
        Interrupted: Ctrl-C or SIGTERM; the state is saved.
    """
    report = reporter or Reporter()
    pictures = benchmark.train
    check_before_training(recipe, benchmark)
    fabric = make_fabric(device, recipe.training.precision)
    torch.manual_seed(recipe.seed)
    names, vehicle = np.unique(pictures.vehicle.numbers, return_inverse=True)
    sampler = IdentitySampler(vehicle, recipe.sampler, recipe.seed)
    recipe = as_begun(recipe, folder) if resume else recipe
    recipe = recipe.model_copy(update={"model": resolved(recipe.model, pictures)})
    if recipe.model.places is not None:
        require_places(recipe.model.places, recipe.model.places.of(pictures))
    if not resume:
        warn_of_frozen(recipe)
    # what is resumed needs no pretrained file any more
    begun = recipe.model_copy(update={"model": without_weights(recipe.model)}) if resume else recipe
    objective, optimiser = assemble(begun, len(names))
    model = objective.model
    if recipe.training.channels_last:
        objective.to(memory_format=torch.channels_last)
    wrapped, wrapped_optimiser = fabric.setup(objective, optimiser)
    data = digest(pictures, model.place_rows(pictures))
    if resume:
        require_same_recipe(folder, recipe)
        progress = load_progress(folder, data, objective, optimiser)
        write_recipe(folder, recipe)
    else:
        progress = Progress(data=data)
        start_folder(folder, recipe, pictures)

    transform = make_train_transform(recipe.images, model.mean, model.std)
    batches = make_loader(
        SightingImages(pictures, transform, recipe.seed),
        _batches_left(sampler, progress, recipe.schedule.epochs),
        recipe.training.workers,
        pin=fabric.device.type == "cuda",
        yielding=fabric.device.type == "cpu",
    )
    labels, place = torch.from_numpy(vehicle), torch.from_numpy(model.place_rows(pictures))
    history = History(folder, progress.epoch)
    first_steps = len(sampler.batches(progress.epoch))
    wide: dict[str, float] = {}
    if first := next(batches, None):  # none is left where a training stopped after its last step
        with fabric.autocast():
            wide = spreads(model, first[0].to(fabric.device), place[first[1]].to(fabric.device))
        batches = itertools.chain([first], batches)
    text = _describe(recipe, benchmark, model, fabric.device, len(names), wide)
    report.begin(text, recipe.schedule.epochs, first_steps, progress.epoch)

    with Interrupts() as interrupts:
        for epoch in range(progress.epoch, recipe.schedule.epochs):
            rate = recipe.optimiser.rate * recipe.schedule.factor(epoch)
            set_rate(optimiser, rate)
            steps = len(sampler.batches(epoch))
            seen, started = 0, time.perf_counter()
            objective.train()
            for step in range(progress.step, steps):
                images, rows = next(batches)
                report.mark("load")
                images = images.to(fabric.device, non_blocking=True)
                if recipe.training.channels_last:
                    images = images.contiguous(memory_format=torch.channels_last)
                places, labels_now = place[rows].to(fabric.device), labels[rows].to(fabric.device)
                report.mark("transfer")
                # what the network draws (dropout, drop path) depends on nothing but this, so that resuming repeats it
                torch.manual_seed(seed_of(recipe.seed, epoch, step))
                parts: dict[str, Float[Tensor, ""]] = wrapped(images, places, labels_now)
                loss = torch.stack(list(parts.values())).sum()
                values = {name: float(value.detach()) for name, value in parts.items()}
                report.mark("forward")
                moment = Moment(epoch, step, rate, tuple(pictures.describe(int(row)) for row in rows))
                require_finite_loss(values, moment, recipe, folder)
                fabric.backward(loss)
                require_finite_gradients(objective, moment, recipe, folder)
                report.mark("backward")
                wrapped_optimiser.step()
                wrapped_optimiser.zero_grad()
                report.mark("update")
                seen += len(rows)
                for name, value in values.items():
                    progress.sums[name] = progress.sums.get(name, 0.0) + value
                report.step(epoch + 1, step + 1, steps, rate, len(rows), values)
                if interrupts.asked:
                    progress.step = step + 1
                    save_progress(folder, progress, objective, optimiser)
                    raise Interrupted(_how_to_go_on(folder, epoch, step, steps))

            row = {"epoch": float(epoch + 1), "step": float(steps), "rate": rate}
            row |= {f"loss.{name}": value / steps for name, value in progress.sums.items()}
            row["loss"] = sum(value for name, value in row.items() if name.startswith("loss."))
            row["pictures_per_second"] = seen / (time.perf_counter() - started)
            progress.epoch, progress.step, progress.sums = epoch + 1, 0, {}
            save_checkpoint(folder, "last", model, epoch + 1)
            is_last = epoch + 1 == recipe.schedule.epochs
            if is_last or (epoch + 1) % recipe.training.validate_every == 0:
                row |= validate(recipe, benchmark, model, fabric.device)
                if row.get("validation.mAP", -1.0) > progress.best:
                    progress.best = row["validation.mAP"]
                    save_checkpoint(folder, "best", model, epoch + 1)
            history.add(row)
            save_progress(folder, progress, objective, optimiser)  # last: what it tells of is all there
            report.epoch(row)
            if interrupts.asked and not is_last:
                raise Interrupted(_how_to_go_on(folder, epoch, steps - 1, steps))
    history.close()
    forget_progress(folder)
    return Run.open(folder)


def _batches_left(sampler: IdentitySampler, progress: Progress, epochs: int) -> Iterator[list[Draw]]:
    """The batches of all epochs in one stream: the workers go on at an epoch's end instead of being started anew."""
    skipped = progress.step
    for epoch in range(progress.epoch, epochs):
        yield from itertools.islice(sampler.batches(epoch), skipped, None)
        skipped = 0


def _describe(
    recipe: Recipe, benchmark: Benchmark, model: Model, device: torch.device, vehicles: int, wide: dict[str, float]
) -> str:
    spread = ", ".join(f"{name} {value:.3g}" for name, value in wide.items())
    return (
        f"{recipe.name}: {describe_settings(recipe.model)}, {sum(p.numel() for p in model.parameters()):,} parameters, on "
        f"{device} in {recipe.training.precision}; {len(benchmark.train)} pictures of {vehicles} vehicles of {benchmark.name}"
        + (f"; spreads over the first batch: {spread}" if wide else "")
    )


def _how_to_go_on(folder: Path, epoch: int, step: int, steps: int) -> str:
    return (
        f"stopped in epoch {epoch + 1} after step {step + 1} of {steps}, and saved; "
        f"go on with the same command and --run {folder} --resume"
    )
