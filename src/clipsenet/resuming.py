"""Resuming: all that a training needs to go on, in one file that is whole or not there."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from clipsenet.errors import ClipsenetError
from clipsenet.runs import read_facts, save_tensors
from clipsenet.weights import load_state, read_state

NAME = "resume.safetensors"


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        epoch: epochs finished.
        step: steps of the next epoch that are done, too.
        best: the best validation mAP so far; -1 before any.
        data: the fingerprint of the training pictures.
        sums: each loss part, summed over those steps.
    """

    epoch: int = 0
    step: int = 0
    best: float = -1.0
    data: str = ""
    sums: dict[str, float] = field(default_factory=dict)


def save_progress(folder: Path, progress: Progress, objective: nn.Module, optimiser: Optimizer) -> None:
    """Save network, losses, optimiser, random state and progress.

    Raises:
        ClipsenetError: the disk is full; the former state is untouched.
    """
    tensors = {f"objective.{name}": tensor for name, tensor in objective.state_dict().items()}
    for number, values in optimiser.state_dict()["state"].items():
        for name, value in values.items():
            # an optimiser that has nothing to say (SGD before its first step) says None
            if value is not None:
                tensors[f"optimiser.{number}.{name}"] = value if isinstance(value, Tensor) else torch.tensor(value)
    tensors["random"] = torch.get_rng_state()
    save_tensors(folder / NAME, tensors, asdict(progress))


def load_progress(folder: Path, objective: nn.Module, optimiser: Optimizer) -> Progress:
    """Put the saved state into objective, optimiser and torch's generator.

    Raises:
        ClipsenetError: nothing saved there, broken, or of another network.
    """
    path = folder / NAME
    if not path.is_file() and (folder / "last.safetensors").is_file():
        raise ClipsenetError(f"the training in {folder} is finished: there is nothing left to resume")
    if not path.is_file():
        raise ClipsenetError(f"nothing to resume in {folder}: found no {NAME}; start again without --resume, in another --run")
    facts = read_facts(path)
    tensors = read_state(path)
    load_state(
        objective,
        {name.removeprefix("objective."): value for name, value in tensors.items() if name.startswith("objective.")},
        str(path),
    )
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser."):
            _, number, name_of_value = name.split(".", 2)
            state.setdefault(int(number), {})[name_of_value] = _laid_out_like(parameters[int(number)], value)
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    torch.set_rng_state(tensors["random"])
    return Progress(int(facts["epoch"]), int(facts["step"]), float(facts["best"]), str(facts["data"]), facts["sums"])


def forget_progress(folder: Path) -> None:
    """A finished training needs no state to go on from."""
    (folder / NAME).unlink(missing_ok=True)


def _laid_out_like(parameter: Tensor, value: Tensor) -> Tensor:
    """In the parameter's memory layout: a fused optimiser walks both as they lie in memory."""
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value) if value.shape == parameter.shape else value
