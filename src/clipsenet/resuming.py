"""Resuming: all that a training needs to go on, in one file that is whole or not there."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.optim import Optimizer

from clipsenet.averaging import MovingAverage
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.files import short_name
from clipsenet.models import without_weights
from clipsenet.models.clip_senet import ClipSenetSettings
from clipsenet.recipe import FORMAT, Recipe
from clipsenet.runs import RESUME, is_finished, read_facts, read_recipe, save_tensors
from clipsenet.sightings import UNKNOWN, Sightings
from clipsenet.weights import load_state, read_state

UNDECIDING = (
    "name",
    "evaluation",
    "training.workers",
    "training.cache",
    "training.validate_every",
    "training.keep_epochs",
    "training.test_curve",
)
"""Settings that no weight depends on once a training has begun; a resumed one may change them. So are all files of
pretrained weights."""


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        epoch: epochs finished.
        step: steps of the next epoch that are done, too.
        best: the best validation mAP so far; -1 before any.
        data: the digest of the training pictures.
        sums: each loss part, summed over those steps.
        averaged: steps that the moving average has taken in.
        scaler: the state of 16-mixed's gradient scaler.
        processes: how many share each batch, which decides what is drawn and what the trunks' norms see.
    """

    epoch: int = 0
    step: int = 0
    best: float = -1.0
    data: str = ""
    sums: dict[str, float] = field(default_factory=dict)
    averaged: int = 0
    scaler: dict[str, float] = field(default_factory=dict)
    processes: int = 1


def save_progress(
    folder: Path, progress: Progress, objective: nn.Module, optimiser: Optimizer, average: MovingAverage | None = None
) -> None:
    """Save network, losses, optimiser, moving average and progress; random draws depend on seed, epoch and step alone.

    Raises:
        ClipsenetError: the disk is full; the former state is untouched.
    """
    tensors = {f"objective.{name}": tensor for name, tensor in objective.state_dict().items()}
    if average is not None:
        tensors |= {f"average.{name}": tensor for name, tensor in average.module.state_dict().items()}
        progress.averaged = average.steps
    for number, values in optimiser.state_dict()["state"].items():
        for name, value in values.items():
            # an optimiser that has nothing to say (SGD before its first step) says None
            if value is not None:
                tensors[f"optimiser.{number}.{name}"] = value if isinstance(value, Tensor) else torch.tensor(value)
    save_tensors(folder / RESUME, tensors, asdict(progress))


def load_progress(
    folder: Path,
    data: str,
    processes: int,
    objective: nn.Module,
    optimiser: Optimizer,
    average: MovingAverage | None = None,
) -> Progress:
    """Put the saved state into objective, optimiser and moving average, on the devices where they are.

    Raises:
        ClipsenetError: nothing saved there, broken, of another network, or of a training on other pictures.
        UsageError: another number of processes.
    """
    path = folder / RESUME
    if not path.is_file():
        if is_finished(folder):
            raise ClipsenetError(f"the training in {folder} is finished: there is nothing left to resume")
        raise ClipsenetError(
            f"nothing to resume in {folder}: found no {RESUME}; no epoch was finished; start again without --resume"
        )
    facts = read_facts(path)
    if int(facts["format"]) < FORMAT:
        raise ClipsenetError(
            f"{path} has format {facts['format']}, wanted {FORMAT}: an older clipsenet began this training; finish it with "
            "that one, or start again in a new --run (what it saved can still be evaluated)"
        )
    if facts["data"] != data:
        raise ClipsenetError(
            f"{folder} was trained on other pictures, or on others in another order, with other vehicles, boxes, "
            "cameras or views; resume with the same --data, and the same data settings"
        )
    facts.setdefault("processes", processes)  # an older clipsenet did not say it
    if facts["processes"] != processes:
        raise UsageError(
            f"{folder} was begun with --processes {facts['processes']}, found --processes {processes}: what is drawn, and what "
            f"the trunks' norms see, depends on it; resume with --processes {facts['processes']}"
        )
    tensors = read_state(path)
    load_state(objective, _under("objective.", tensors), str(path))
    if average is not None:
        load_state(average.module, _under("average.", tensors), str(path))
        average.steps = int(facts["averaged"])
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser."):
            _, number, name_of_value = name.split(".", 2)
            state.setdefault(int(number), {})[name_of_value] = _laid_out_like(parameters[int(number)], value)
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return Progress(**{one.name: facts[one.name] for one in fields(Progress) if one.name in facts})


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def digest(pictures: Sightings, places: Int[np.ndarray, " n"]) -> str:
    """SHA-256 over path, vehicle number, box, and row of camera and view of the training pictures, in their order."""
    rows = zip(pictures.files(), pictures.vehicle.numbers.tolist(), strict=True)
    text = "\n".join(f"{short_name(path)} {vehicle}" for path, vehicle in rows)
    boxes = b"" if pictures.box is None else pictures.box.tobytes()
    rows_told = places.tobytes() if (places != UNKNOWN).any() else b""
    return hashlib.sha256(text.encode() + boxes + rows_told).hexdigest()


def as_begun(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with the sizes of an auto-pruned tower as the run folder has them: its file is needed no more.

    Raises:
        ClipsenetError: no run folder.
    """
    begun = read_recipe(folder).model
    ours, theirs = (one.semantics if isinstance(one, ClipSenetSettings) else None for one in (recipe.model, begun))
    if ours is None or theirs is None or ours.shape is not None or ours.tower != theirs.tower:
        return recipe
    semantics = ours.model_copy(update={"shape": theirs.shape})
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"semantics": semantics})})


def require_same_recipe(folder: Path, recipe: Recipe) -> None:
    """Refuse to go on with another recipe than the one that was begun.

    Raises:
        UsageError: the settings that differ.
        ClipsenetError: no run folder.
    """
    former = read_recipe(folder)
    if list(former.losses) != list(recipe.losses):
        raise UsageError(f"{folder} was trained with losses in the order {', '.join(former.losses)}; keep it")
    if different := differences(former, recipe):
        raise UsageError(f"{folder} was trained with another recipe; these settings differ: {', '.join(different)}")


def require_kept(folder: Path, recipe: Recipe, epoch: int) -> None:
    """Refuse to keep what is not there any more: the weights after an epoch that is over.

    Args:
        folder: the run folder.
        recipe: of the training that goes on.
        epoch: epochs that are finished.

    Raises:
        UsageError: the epochs.
    """
    late = [one for one in recipe.training.keep_epochs if one <= epoch and not (folder / f"epoch-{one}.safetensors").is_file()]
    if late:
        raise UsageError(
            f"training.keep_epochs names {', '.join(map(str, late))}, not kept in {folder}, which has finished {epoch} epochs; "
            "leave those out, or train anew into another --run"
        )


def differences(former: Recipe, now: Recipe) -> list[str]:
    """The settings in which two trainings differ, by name; those in ``UNDECIDING`` and files of weights do not count."""
    before, after = (_flat(_unloaded(one).to_values()) for one in (former, now))
    return sorted(
        name for name in before.keys() | after.keys() if before.get(name) != after.get(name) and not name.startswith(UNDECIDING)
    )


def _unloaded(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"model": without_weights(recipe.model)})


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in values.items():
        result |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return result


def forget_progress(folder: Path) -> None:
    """A finished training needs no state to go on from."""
    (folder / RESUME).unlink(missing_ok=True)


def _laid_out_like(parameter: Tensor, value: Tensor) -> Tensor:
    """In the parameter's memory layout: a fused optimiser walks both as they lie in memory."""
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value) if value.shape == parameter.shape else value
