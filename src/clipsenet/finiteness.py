"""A loss or a gradient that is NaN or infinite stops the training before it reaches the weights."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from clipsenet.errors import ClipsenetError
from clipsenet.files import write_text
from clipsenet.recipe import Recipe


@dataclass(frozen=True)
class Moment:
    """Where a training is.

    Attributes:
        epoch: counted from 0.
        step: of this epoch, counted from 0.
        rate: the learning rate.
        files: the batch's pictures, with file and line of their list.
    """

    epoch: int
    step: int
    rate: float
    files: tuple[str, ...]


def require_finite_loss(parts: dict[str, float], moment: Moment, recipe: Recipe, folder: Path, *, lists: bool = True) -> None:
    """Refuse a loss that is not finite.

    Args:
        parts: of the loss.
        moment: where the training is.
        recipe: its recipe.
        folder: the run folder.
        lists: whether this process writes the list of the batch's files; of several that share a batch one does.

    Raises:
        ClipsenetError: with step, parts and what to try; the batch's files are listed in the run folder.
    """
    if not np.isfinite(list(parts.values())).all():
        raise _stop(", ".join(f"{name} {value:g}" for name, value in parts.items()), moment, recipe, folder, lists)


def require_finite_gradients(objective: nn.Module, moment: Moment, recipe: Recipe, folder: Path, *, lists: bool = True) -> None:
    """Refuse gradients that are not finite (with ``16-mixed`` the gradient scaler itself skips such a step).

    Raises:
        ClipsenetError: as ``require_finite_loss``; the first tensors are named.
    """
    if recipe.training.precision == "16-mixed":
        return
    named = [(name, p.grad) for name, p in objective.named_parameters() if p.grad is not None]
    norms = torch.stack([gradient.norm() for _, gradient in named])
    if not norms.isfinite().all():
        bad = [name for (name, _), finite in zip(named, norms.isfinite().tolist(), strict=True) if not finite]
        what = f"the gradient of {', '.join(bad[:3])}{' ...' if len(bad) > 3 else ''}"
        raise _stop(what, moment, recipe, folder, lists)


def _stop(what: str, moment: Moment, recipe: Recipe, folder: Path, lists: bool) -> ClipsenetError:
    path = folder / "not-finite.txt"
    if lists:
        write_text(path, "\n".join(moment.files) + "\n")
    precise = "" if recipe.training.precision == "32-true" else ", --set training.precision=32-true"
    lower = f"--set optimiser.rate={recipe.optimiser.rate / 10:g}"
    return ClipsenetError(
        f"the loss or its gradient is not finite in epoch {moment.epoch + 1}, step {moment.step + 1}: {what}, at rate "
        f"{moment.rate:g}; the batch's {len(moment.files)} files are listed in {path}, what was saved before is untouched. "
        f"Start again in another --run with a lower rate ({lower}) or a warm-up (--set schedule.warmup_epochs=5){precise}; "
        "if it comes back with the same files, look at those pictures"
    )
