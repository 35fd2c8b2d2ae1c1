"""train(): the loop, top to bottom."""

import itertools
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipsenet.devices import make_fabric
from clipsenet.errors import ClipsenetError
from clipsenet.features import extract, no_places
from clipsenet.files import write_text
from clipsenet.history import History
from clipsenet.interrupts import Interrupts
from clipsenet.loading import Draw, SightingImages, make_loader
from clipsenet.losses import Losses
from clipsenet.models import Model, make_model
from clipsenet.objective import Objective
from clipsenet.optimisers import make_optimiser, set_rate
from clipsenet.protocol import Benchmark
from clipsenet.recipe import Recipe
from clipsenet.reporting import Reporter
from clipsenet.resuming import Progress, forget_progress, load_progress, save_progress
from clipsenet.runs import Run, pixel_statistics, save_checkpoint, start_folder
from clipsenet.sampling import IdentitySampler
from clipsenet.sightings import Sightings, Trial
from clipsenet.transforms import make_test_transform, make_train_transform
from clipsenet.trials import all_against_all, require_matches, search

log = logging.getLogger("clipsenet")


class Interrupted(ClipsenetError):  # noqa: N818 - the user's wish, no error
    """The user stopped the training; the message says how to go on. Exit code 130."""


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
    if len(pictures) == 0:
        raise ClipsenetError(f"{benchmark.name} has no training pictures; give some in the split column as 'train'")
    if len(benchmark.validation):
        require_matches(benchmark.validation, all_against_all(benchmark.validation), benchmark.protocol.junk)
    elif recipe.evaluation.checkpoint == "best":
        raise ClipsenetError(
            f"evaluation.checkpoint=best needs validation vehicles, and {benchmark.name} has none: hold some out with --set "
            "data.validation_vehicles=N, or set evaluation.checkpoint=last"
        )
    _warn_of_few(pictures, recipe.sampler.pictures)
    fabric = make_fabric(device, recipe.training.precision)
    torch.manual_seed(recipe.seed)
    names, vehicle = np.unique(pictures.vehicle.numbers, return_inverse=True)
    model = make_model(recipe.model, recipe.images.size)
    objective = Objective(model, Losses(recipe.losses, model.dim, len(names)))
    if recipe.training.channels_last:
        objective.to(memory_format=torch.channels_last)
    optimiser = make_optimiser(recipe.optimiser, [objective])
    data = benchmark.train_fingerprint
    if resume:
        progress = load_progress(folder, objective, optimiser)
        _require_same(progress.data, data, folder)
    else:
        progress = Progress(data=data)
        start_folder(folder, recipe)
    wrapped, optimiser = fabric.setup(objective, optimiser)

    sampler = IdentitySampler(vehicle, recipe.sampler, recipe.seed)
    transform = make_train_transform(recipe.images, *pixel_statistics(recipe, model))
    batches = make_loader(
        SightingImages(pictures, transform, recipe.seed),
        _batches_left(sampler, progress, recipe.schedule.epochs),
        recipe.training.workers,
        fabric.device,
    )
    labels = torch.from_numpy(vehicle)
    history = History(folder, progress.epoch)
    first_steps = len(sampler.batches(progress.epoch))
    text = _describe(recipe, benchmark, model, fabric.device, len(names))
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
                places, labels_now = no_places(len(rows), fabric.device), labels[rows].to(fabric.device)
                report.mark("transfer")
                parts: dict[str, Float[Tensor, ""]] = wrapped(images, places, labels_now)
                loss = torch.stack(list(parts.values())).sum()
                values = {name: float(value.detach()) for name, value in parts.items()}
                report.mark("forward")
                if not np.isfinite(list(values.values())).all():
                    raise _not_finite(folder, recipe, pictures, rows, values, epoch, step, rate)
                fabric.backward(loss)
                report.mark("backward")
                optimiser.step()
                optimiser.zero_grad()
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
            is_last = epoch + 1 == recipe.schedule.epochs
            if is_last or (epoch + 1) % recipe.training.validate_every == 0:
                row |= _validate(recipe, benchmark, model, fabric.device)
                if row.get("validation.mAP", -1.0) > progress.best:
                    progress.best = row["validation.mAP"]
                    save_checkpoint(folder, "best", model, epoch + 1, data)
            save_checkpoint(folder, "last", model, epoch + 1, data)
            save_progress(folder, progress, objective, optimiser)
            history.add(row)
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


def _validate(recipe: Recipe, benchmark: Benchmark, model: Model, device: torch.device) -> dict[str, float]:
    """Scores on the validation vehicles; on the test part too, for a curve, where the recipe asks for it."""
    parts: list[tuple[str, Sightings, tuple[Trial, ...]]] = []
    if len(benchmark.validation):
        parts.append(("validation", benchmark.validation, all_against_all(benchmark.validation)))
    if recipe.training.test_curve and benchmark.trials:
        parts.append(("test", benchmark.test, benchmark.trials))
    row: dict[str, float] = {}
    transform = make_test_transform(recipe.images, *pixel_statistics(recipe, model))
    for name, sightings, trials in parts:
        features = extract(
            model,
            sightings,
            transform,
            run_id="in training",
            dim=model.dim,
            batch=recipe.evaluation.batch,
            workers=recipe.training.workers,
            device=device,
        )
        scores = search(features, trials, benchmark.protocol.junk).scores()
        row |= {f"{name}.mAP": scores["mAP"], f"{name}.R1": scores["R1"]}
    return row


def _warn_of_few(pictures: Sightings, wanted: int) -> None:
    """Vehicles that the sampler has to fill up by repeating their pictures."""
    _, counts = np.unique(pictures.vehicle.numbers, return_counts=True)
    if (counts == 1).any():
        log.warning(
            "%d of %d training vehicles have one picture only: it is its own positive, repeated %d times in a batch",
            (counts == 1).sum(),
            len(counts),
            wanted,
        )


def _describe(recipe: Recipe, benchmark: Benchmark, model: Model, device: torch.device, vehicles: int) -> str:
    return (
        f"{recipe.name}: {recipe.model.trunk}, {sum(p.numel() for p in model.parameters()):,} parameters, on {device} in "
        f"{recipe.training.precision}; {len(benchmark.train)} pictures of {vehicles} vehicles of {benchmark.name}"
    )


def _require_same(saved: str, found: str, folder: Path) -> None:
    if saved != found:
        raise ClipsenetError(
            f"{folder} was trained on other pictures (fingerprint {saved}, found {found}); resume with the same --data"
        )


def _how_to_go_on(folder: Path, epoch: int, step: int, steps: int) -> str:
    return (
        f"stopped in epoch {epoch + 1} after step {step + 1} of {steps}, and saved; "
        f"go on with the same command and --run {folder} --resume"
    )


def _not_finite(
    folder: Path,
    recipe: Recipe,
    pictures: Sightings,
    rows: Int[Tensor, " batch"],
    values: dict[str, float],
    epoch: int,
    step: int,
    rate: float,
) -> ClipsenetError:
    """The error of a loss that is NaN or infinite; the batch's files are written beside the run."""
    path = folder / "not-finite.txt"
    write_text(path, "\n".join(pictures.describe(int(row)) for row in rows) + "\n")
    parts = ", ".join(f"{name} {value:g}" for name, value in values.items())
    wanted = "" if recipe.training.precision == "32-true" else ", --set training.precision=32-true"
    return ClipsenetError(
        f"the loss is not finite in epoch {epoch + 1}, step {step + 1}: {parts}, at rate {rate:g}; the weights are those of "
        f"the step before, the batch's {len(rows)} files are listed in {path}. Try a lower rate (--set optimiser.rate="
        f"{recipe.optimiser.rate / 10:g}), a warm-up (--set schedule.warmup_epochs=5){wanted}; if it comes back with the same "
        "files, look at those pictures"
    )
