"""Optimisers and schedules: the rate of each epoch is a pure function of its number."""

import math
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, model_validator
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from clipsenet.settings import Settings


class OptimiserSettings(Settings):
    """Which optimiser, and its rate at the schedule's factor 1."""

    kind: Literal["adam", "adamw", "sgd"] = Field(default="adam", description="The optimiser.")
    rate: float = Field(default=5e-4, gt=0, description="Learning rate at the schedule's factor 1.")
    weight_decay: float = Field(default=5e-4, ge=0, description="Adam and SGD: an L2 term of the gradient; AdamW: decoupled.")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="SGD only.")
    decay_all: bool = Field(default=True, description="Decay norms and biases too; if false, only matrices and filters.")


class CosineSettings(Settings):
    """Cosine annealing per epoch to 0, with or without a linear warm-up before it."""

    kind: Literal["cosine"] = "cosine"
    epochs: int = Field(default=24, ge=1, description="Epochs in all.")
    warmup_epochs: int = Field(default=0, ge=0, description="Of them, linear warm-up.")
    warmup_factor: float = Field(default=0.01, gt=0, le=1, description="The factor of the first warm-up epoch.")

    @model_validator(mode="after")
    def _fits(self) -> "CosineSettings":
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"fewer warm-up epochs than epochs, found {self.warmup_epochs} of {self.epochs}")
        return self

    def factor(self, epoch: int) -> float:
        """What the rate is multiplied by in ``epoch``, counted from 0."""
        if epoch < self.warmup_epochs:
            return _warmup(epoch, self.warmup_epochs, self.warmup_factor)
        share = (epoch - self.warmup_epochs) / max(1, self.epochs - self.warmup_epochs)
        return 0.5 * (1 + math.cos(math.pi * share))


class MultistepSettings(Settings):
    """Linear warm-up, then the rate drops at milestones."""

    kind: Literal["multistep"] = "multistep"
    epochs: int = Field(default=120, ge=1, description="Epochs in all.")
    warmup_epochs: int = Field(default=10, ge=0, description="Of them, linear warm-up.")
    warmup_factor: float = Field(default=0.01, gt=0, le=1, description="The factor of the first warm-up epoch.")
    milestones: tuple[int, ...] = Field(default=(40, 70), description="Epochs from which the rate is lower.")
    gamma: float = Field(default=0.1, gt=0, le=1, description="What each milestone multiplies the rate by.")

    def factor(self, epoch: int) -> float:
        """What the rate is multiplied by in ``epoch``, counted from 0."""
        if epoch < self.warmup_epochs:
            return _warmup(epoch, self.warmup_epochs, self.warmup_factor)
        return float(self.gamma ** sum(epoch >= milestone for milestone in self.milestones))


ScheduleSettings = Annotated[CosineSettings | MultistepSettings, Field(discriminator="kind")]


def make_optimiser(settings: OptimiserSettings, modules: Iterable[nn.Module]) -> Optimizer:
    """The optimiser over every trainable tensor of ``modules``."""
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    decayed = [p for p in parameters if settings.decay_all or p.ndim > 1]
    spared = [p for p in parameters if not settings.decay_all and p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": spared, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    if settings.kind == "sgd":
        return SGD(groups, lr=settings.rate, momentum=settings.momentum, fused=True)
    return (Adam if settings.kind == "adam" else AdamW)(groups, lr=settings.rate, fused=True)


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Give every group this learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def _warmup(epoch: int, epochs: int, first: float) -> float:
    share = epoch / epochs
    return first * (1 - share) + share
