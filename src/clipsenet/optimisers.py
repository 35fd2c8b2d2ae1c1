"""Optimisers and schedules: the rate of each epoch is a pure function of its number."""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from clipsenet.settings import Settings


class BranchSettings(Settings):
    """How one branch of the network learns."""

    rate: float = Field(default=1.0, gt=0, description="Multiplies the learning rate of this branch.")
    frozen: bool = Field(default=False, description="Learn nothing: neither weights nor running statistics.")
    frozen_epochs: int = Field(default=0, ge=0, description="Learn nothing during the first so many epochs.")


class OptimiserSettings(Settings):
    """Which optimiser, and its rate at the schedule's factor 1."""

    kind: Literal["adam", "adamw", "sgd"] = Field(default="adam", description="The optimiser.")
    rate: float = Field(default=5e-4, gt=0, description="Learning rate at the schedule's factor 1.")
    weight_decay: float = Field(default=5e-4, ge=0, description="Adam and SGD: an L2 term of the gradient; AdamW: decoupled.")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="SGD only.")
    clip: float | None = Field(
        default=None, gt=0, description="Largest norm of all gradients together; larger ones are scaled down. None: any."
    )
    decay_all: bool = Field(default=True, description="Decay norms and biases too; if false, only matrices and filters.")
    branches: dict[Literal["appearance", "semantics"], BranchSettings] = Field(
        default={}, description="Branches that learn otherwise than the rest."
    )


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


def make_optimiser(
    settings: OptimiserSettings, module: nn.Module, branches: Mapping[str, nn.Module] | None = None
) -> Optimizer:
    """The optimiser over every trainable tensor of ``module``.

    Args:
        settings: which one, its rate, what is decayed.
        module: what learns.
        branches: those parts of it that ``settings.branches`` may name; each has its own multiple of the rate.
    """
    multiples: dict[nn.Parameter, float] = {}
    for name, branch in (branches or {}).items():
        if name in settings.branches:
            multiples |= dict.fromkeys(branch.parameters(), settings.branches[name].rate)
    spared = set() if settings.decay_all else _spared(module)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in module.parameters():
        if parameter.requires_grad:
            decay = 0.0 if parameter in spared else settings.weight_decay
            groups.setdefault((multiples.get(parameter, 1.0), decay), []).append(parameter)
    listed = [
        {"params": parameters, "weight_decay": decay, "multiple": multiple, "lr": settings.rate * multiple}
        for (multiple, decay), parameters in groups.items()
    ]
    if settings.kind == "sgd":
        # fused it refuses a group of which some have a momentum already and others, just thawed, have none
        thaws = any(one.frozen_epochs for one in settings.branches.values())
        return SGD(listed, lr=settings.rate, momentum=settings.momentum, fused=not (thaws and settings.momentum))
    return (Adam if settings.kind == "adam" else AdamW)(listed, lr=settings.rate, fused=True)


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Give every group this learning rate, times its branch's multiple."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["multiple"]


def _spared(module: nn.Module) -> set[nn.Parameter]:
    """Norms, biases, and what a part says is no matrix (timm's ``no_weight_decay``)."""
    spared = {parameter for parameter in module.parameters() if parameter.ndim <= 1}
    for part in module.modules():
        if callable(says := getattr(part, "no_weight_decay", None)):
            names = dict(part.named_parameters())
            spared |= {names[name] for name in says() if name in names}
    return spared


def _warmup(epoch: int, epochs: int, first: float) -> float:
    share = epoch / epochs
    return first * (1 - share) + share
