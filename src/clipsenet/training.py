"""train(): the loop, top to bottom."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim import Optimizer

from clipsenet.assembling import assemble, freeze_for
from clipsenet.averaging import MovingAverage
from clipsenet.caching import make_cache
from clipsenet.devices import gathered, make_fabric
from clipsenet.errors import ClipsenetError, Interrupted
from clipsenet.finiteness import Moment, require_finite_gradients, require_finite_loss
from clipsenet.history import History
from clipsenet.interrupts import Interrupts
from clipsenet.launching import run_in_processes
from clipsenet.leftovers import remove_leftovers
from clipsenet.loading import Draw, SightingImages, make_loader
from clipsenet.models import Model, describe_settings, resolved, without_weights
from clipsenet.models.spreads import spreads
from clipsenet.models.wanted import fetch_wanted
from clipsenet.optimisers import set_rate
from clipsenet.preparing import deterministic, prepare_trunks
from clipsenet.protocol import Benchmark
from clipsenet.recipe import Recipe
from clipsenet.reporting import Reporter
from clipsenet.resuming import (
    Progress,
    as_begun,
    digest,
    forget_progress,
    load_progress,
    require_kept,
    require_same_recipe,
    save_progress,
)
from clipsenet.runs import RESUME, Run, save_checkpoint, start_folder, write_recipe
from clipsenet.sampling import IdentitySampler
from clipsenet.stepping import Parts, Stepper, same_buffers
from clipsenet.transforms import make_train_transform
from clipsenet.validation import check_before_training, require_places, require_share, validate, warn_of_frozen


def train(
    recipe: Recipe,
    benchmark: Benchmark,
    folder: Path,
    *,
    device: str = "auto",
    processes: int = 1,
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
        processes: how many share each batch, each on a device of its own (on a CPU they share the cores); losses and all
            behind the trunks see the whole batch. With several, ``reporter`` is pickled.
        resume: go on after the last state that was saved there.
        reporter: told about every step and epoch.

    Returns:
        The run, with the checkpoint that the recipe's evaluation asks for.

    Raises:
        ClipsenetError: no training pictures, a broken picture, published weights that cannot be fetched, a full disk, a
            loss that is NaN, another recipe or data than those to be resumed, a process that died.
        UsageError: a device that is not there, a batch that cannot be shared out.
        Interrupted: Ctrl-C or SIGTERM; the state is saved.
    """
    check_before_training(recipe, benchmark)
    require_share(recipe, processes)
    if not resume:
        fetch_wanted(recipe.model)
    # without a loss behind the BNNeck its weight gets no gradient
    some_unused = any(one.frozen_epochs for one in recipe.optimiser.branches.values())
    some_unused |= all(loss.on == "before" for loss in recipe.losses.values())
    fabric = make_fabric(device, recipe.training.precision, processes, some_unused=some_unused)
    arguments = (recipe, benchmark, folder, resume, reporter or Reporter())
    if processes == 1:
        _train(fabric, *arguments)
    else:
        run_in_processes(fabric, _train, *arguments, state=folder / RESUME)
    return Run.open(folder)


def _train(fabric: Fabric, recipe: Recipe, benchmark: Benchmark, folder: Path, resume: bool, report: Reporter) -> None:
    """The training, in one process or as one of several, deterministic from its first forward pass on where that is asked."""
    with deterministic(recipe.training.deterministic):
        _loop(fabric, recipe, benchmark, folder, resume, report)


def _loop(fabric: Fabric, recipe: Recipe, benchmark: Benchmark, folder: Path, resume: bool, report: Reporter) -> None:
    """What is prepared, then epoch by epoch; the first process writes and reports."""
    first, training = fabric.is_global_zero, recipe.training
    report = report if first else Reporter()
    pictures = benchmark.train
    torch.manual_seed(recipe.seed)
    names, vehicle = np.unique(pictures.vehicle.numbers, return_inverse=True)
    sampler = IdentitySampler(vehicle, recipe.sampler, recipe.seed)
    recipe = as_begun(recipe, folder) if resume else recipe
    recipe = recipe.model_copy(update={"model": resolved(recipe.model, pictures)})
    if recipe.model.places is not None:
        require_places(recipe.model.places, recipe.model.places.of(pictures))
    if not resume and first:
        warn_of_frozen(recipe)
    # what is resumed needs no pretrained file any more
    begun = recipe.model_copy(update={"model": without_weights(recipe.model)}) if resume else recipe
    objective, optimiser = assemble(begun, len(names))
    model = objective.model
    if training.channels_last:
        objective.to(memory_format=torch.channels_last)
    data = digest(pictures, model.place_rows(pictures))
    _require_same_everywhere(fabric, data)
    cache = make_cache(training.cache)
    average = None if training.ema is None else MovingAverage(model, training.ema)
    prepare_trunks(objective, training, fabric, recipe.images.size)
    wrapped, wrapped_optimiser = fabric.setup(objective, optimiser)
    if average is not None:
        average.module.to(fabric.device)
    if resume:  # only now: what an optimiser loads goes to the device on which its parameters are
        require_same_recipe(folder, recipe)
        progress = load_progress(folder, data, fabric.world_size, objective, optimiser, average)
        require_kept(folder, recipe, progress.epoch)
        if progress.scaler:  # of 16-mixed; a training that an older clipsenet began has none
            fabric.strategy.precision.load_state_dict(progress.scaler)
        if first:
            remove_leftovers(folder)
            write_recipe(folder, recipe)
    else:
        progress = Progress(data=data, processes=fabric.world_size)
        if first:
            start_folder(folder, recipe, pictures)
    stepper = Stepper(fabric, objective, wrapped, micro_batch=training.micro_batch, checkpointing=training.checkpointing)

    transform = make_train_transform(recipe.images, model.mean, model.std)
    images_of = SightingImages(pictures, transform, recipe.seed, cache=cache)
    batches = make_loader(
        images_of,
        (_share(batch, fabric) for batch in _batches_left(sampler, progress, recipe.schedule.epochs)),
        training.workers,
        pin=fabric.device.type == "cuda",
        yielding=fabric.device.type == "cpu",
    )
    labels, place = torch.from_numpy(vehicle), torch.from_numpy(model.place_rows(pictures))
    history = History(folder, progress.epoch) if first else None
    first_steps = len(sampler.batches(progress.epoch))
    wide: dict[str, float] = {}
    if ahead := next(batches, None):  # none is left where a training stopped after its last step
        with fabric.autocast():
            wide = spreads(model, ahead[0].to(fabric.device), place[ahead[1]].to(fabric.device))
        batches = itertools.chain([ahead], batches)
    text = _describe(recipe, benchmark, model, fabric, len(names), wide)
    report.begin(text, recipe.schedule.epochs, first_steps, progress.epoch)

    with Interrupts(patient=fabric.world_size > 1) as interrupts:
        for epoch in range(progress.epoch, recipe.schedule.epochs):
            rate = recipe.optimiser.rate * recipe.schedule.factor(epoch)
            set_rate(optimiser, rate)
            deal = sampler.batches(epoch)
            steps = len(deal)
            seen, started = 0, time.perf_counter()
            freeze_for(model, recipe, epoch)
            objective.train()
            for step in range(progress.step, steps):
                images, _ = next(batches)
                rows = torch.tensor([draw.row for draw in deal[step]])  # of the whole batch; images are this device's share
                report.mark("load")
                images = images.to(fabric.device, non_blocking=True)
                if training.channels_last:
                    images = images.contiguous(memory_format=torch.channels_last)
                places, labels_now = place[rows].to(fabric.device), labels[rows].to(fabric.device)
                report.mark("transfer")
                moment = Moment(epoch, step, rate, tuple(pictures.describe(int(row)) for row in rows))

                def look(values: Parts, moment: Moment = moment) -> None:
                    report.mark("forward")
                    require_finite_loss(values, moment, recipe, folder, lists=first)

                # what the network draws (dropout, drop path) depends on nothing but this, so that resuming repeats it
                values = stepper.gradients(images, places, labels_now, (recipe.seed, epoch, step), look)
                require_finite_gradients(objective, moment, recipe, folder, lists=first)
                if recipe.optimiser.clip is not None:
                    fabric.clip_gradients(wrapped, wrapped_optimiser, max_norm=recipe.optimiser.clip, error_if_nonfinite=False)
                report.mark("backward")
                wrapped_optimiser.step()
                wrapped_optimiser.zero_grad()
                if average is not None:
                    average.update(model)
                report.mark("update")
                seen += len(rows)
                for name, value in values.items():
                    progress.sums[name] = progress.sums.get(name, 0.0) + value
                report.step(epoch + 1, step + 1, steps, rate, len(rows), values)
                if _anyone(fabric, interrupts.asked):
                    progress.step = step + 1
                    if first:
                        _save(folder, progress, objective, optimiser, average, fabric)
                    fabric.barrier()  # whoever ends first ends all: not before it is saved
                    raise Interrupted(_how_to_go_on(folder, epoch, step, steps))

            row = {"epoch": float(epoch + 1), "step": float(steps), "rate": rate}
            row |= {f"loss.{name}": value / steps for name, value in progress.sums.items()}
            row["loss"] = sum(value for name, value in row.items() if name.startswith("loss."))
            row["pictures_per_second"] = seen / (time.perf_counter() - started)
            progress.epoch, progress.step, progress.sums = epoch + 1, 0, {}
            kept = model if average is None else average.module
            same_buffers(fabric, kept)
            if first:
                save_checkpoint(folder, "last", kept, epoch + 1)
                if epoch + 1 in training.keep_epochs:
                    save_checkpoint(folder, f"epoch-{epoch + 1}", kept, epoch + 1)
            is_last = epoch + 1 == recipe.schedule.epochs
            if is_last or (epoch + 1) % training.validate_every == 0:
                row |= validate(recipe, benchmark, kept, fabric, cache)
                if row.get("validation.mAP", -1.0) > progress.best:
                    progress.best = row["validation.mAP"]
                    if first:
                        save_checkpoint(folder, "best", kept, epoch + 1)
            if history is not None:
                history.add(row)
                _save(folder, progress, objective, optimiser, average, fabric)  # last: what it tells of is all there
            report.epoch(row)
            if _anyone(fabric, interrupts.asked) and not is_last:
                raise Interrupted(_how_to_go_on(folder, epoch, steps - 1, steps))
    if history is not None:
        history.close()
        forget_progress(folder)


def _batches_left(sampler: IdentitySampler, progress: Progress, epochs: int) -> Iterator[list[Draw]]:
    """The batches of all epochs in one stream: the workers go on at an epoch's end instead of being started anew."""
    skipped = progress.step
    for epoch in range(progress.epoch, epochs):
        yield from itertools.islice(sampler.batches(epoch), skipped, None)
        skipped = 0


def _share(batch: list[Draw], fabric: Fabric) -> list[Draw]:
    """The draws of a batch that this process opens; the vehicles are dealt in order."""
    size = len(batch) // fabric.world_size
    return batch[fabric.global_rank * size : (fabric.global_rank + 1) * size]


def _require_same_everywhere(fabric: Fabric, data: str) -> None:
    """Refuse processes that number vehicles, or order pictures, differently: they would mix up labels without a word.

    Raises:
        ClipsenetError: the digests differ.
    """
    if fabric.world_size == 1:
        return
    number = torch.tensor([int(data[i : i + 8], 16) for i in range(0, 64, 8)], device=fabric.device)
    if (gathered(fabric, number) != number).any():
        raise ClipsenetError(
            "the training processes read different lists of pictures, or number their vehicles differently; look that "
            "--data is the same, and unchanged, for all of them"
        )


def _anyone(fabric: Fabric, asked: bool) -> bool:
    """Whether any of the processes was asked to stop: they stop at the same step."""
    if fabric.world_size == 1:
        return asked
    return bool(gathered(fabric, torch.tensor(int(asked), device=fabric.device)).any())


def _save(
    folder: Path, progress: Progress, objective: nn.Module, optimiser: Optimizer, average: MovingAverage | None, fabric: Fabric
) -> None:
    scaler: dict[str, Any] = fabric.strategy.precision.state_dict()
    progress.scaler = dict(scaler)
    save_progress(folder, progress, objective, optimiser, average)


def _describe(recipe: Recipe, benchmark: Benchmark, model: Model, fabric: Fabric, vehicles: int, wide: dict[str, float]) -> str:
    spread = ", ".join(f"{name} {value:.3g}" for name, value in wide.items())
    several = f" in {fabric.world_size} processes" if fabric.world_size > 1 else ""
    return (
        f"{recipe.name}: {describe_settings(recipe.model)}, {sum(p.numel() for p in model.parameters()):,} parameters, on "
        f"{fabric.device}{several} in {recipe.training.precision}; {len(benchmark.train)} pictures of {vehicles} vehicles of "
        f"{benchmark.name}" + (f"; spreads over the first batch: {spread}" if wide else "")
    )


def _how_to_go_on(folder: Path, epoch: int, step: int, steps: int) -> str:
    return (
        f"stopped in epoch {epoch + 1} after step {step + 1} of {steps}, and saved; "
        f"go on with the same command and --run {folder} --resume"
    )
