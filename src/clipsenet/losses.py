"""Losses: smoothed cross-entropy and metric losses, each part weighted and named, all in float32."""

import inspect
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.settings import Settings, closest


class _LossSettings(Settings):
    weight: float = Field(default=1.0, ge=0, description="Factor of this part in the sum.")
    on: Literal["before", "after"] = Field(default="before", description="The embedding before or after the BNNeck.")


class CrossEntropySettings(_LossSettings):
    """Identity classification on the classifier's output, equation 6."""

    kind: Literal["cross-entropy"] = "cross-entropy"
    on: Literal["before", "after"] = Field(default="after", description="The embedding before or after the BNNeck.")
    smoothing: float = Field(default=0.1, ge=0, lt=1, description="Label smoothing, epsilon in equation 6.")


class SupConSettings(_LossSettings):
    """Supervised contrastive loss, equation 7."""

    kind: Literal["supcon"] = "supcon"
    temperature: float = Field(default=0.07, gt=0, description="Divides the cosines.")
    denominator: Literal["others", "negatives"] = Field(
        default="others", description="Summed over all other pictures, as in equation 7, or over those of other vehicles."
    )


class TripletSettings(_LossSettings):
    """Batch-hard triplet loss on Euclidean distances."""

    kind: Literal["triplet"] = "triplet"
    margin: float = Field(default=0.3, ge=0, description="How much farther the nearest other vehicle is to be.")


class MetricLearningSettings(_LossSettings):
    """Any loss of pytorch-metric-learning."""

    kind: Literal["metric-learning"] = "metric-learning"
    name: str = Field(description="The class, for instance ProxyAnchorLoss or MultiSimilarityLoss.")
    options: dict[str, float | int | bool | str] = Field(default={}, description="Its constructor's arguments.")


LossSettings = Annotated[
    CrossEntropySettings | SupConSettings | TripletSettings | MetricLearningSettings, Field(discriminator="kind")
]

Embeddings = Float[Tensor, "batch dim"]
Vehicles = Int[Tensor, " batch"]


class CrossEntropyLoss(nn.Module):
    """A linear classifier without bias (std 0.001) under label-smoothed cross-entropy, equation 6."""

    def __init__(self, settings: CrossEntropySettings, dim: int, vehicles: int) -> None:
        super().__init__()
        self.smoothing = settings.smoothing
        self.classifier = nn.Linear(dim, vehicles, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, embeddings: Embeddings, vehicles: Vehicles) -> Float[Tensor, ""]:
        return F.cross_entropy(self.classifier(embeddings), vehicles, label_smoothing=self.smoothing)


class SupConLoss(nn.Module):
    """Supervised contrastive loss on L2-normalised embeddings, equation 7.

    The mean runs over all anchors; one without another picture of its vehicle counts 0 (as in the authors' code,
    Khosla et al. 2020, without its base-temperature factor).
    """

    def __init__(self, settings: SupConSettings, dim: int, vehicles: int) -> None:
        super().__init__()
        self.temperature, self.denominator = settings.temperature, settings.denominator

    def forward(self, embeddings: Embeddings, vehicles: Vehicles) -> Float[Tensor, ""]:
        unit = F.normalize(embeddings)
        logits = unit @ unit.T / self.temperature
        itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
        positive = (vehicles[:, None] == vehicles[None, :]) & ~itself
        left_out = itself if self.denominator == "others" else itself | positive
        if (
            self.denominator == "negatives" and left_out.all(dim=1).any()
        ):  # no other vehicle in the batch: an empty sum has no logarithm
            raise ClipsenetError(
                "SupCon with denominator=negatives: a batch of one vehicle has none; set sampler.vehicles >= 2"
            )
        log_share = logits - logits.masked_fill(left_out, float("-inf")).logsumexp(dim=1, keepdim=True)
        of_positives = log_share.masked_fill(~positive, 0.0).sum(dim=1) / positive.sum(dim=1).clamp(min=1)
        return -of_positives.mean()


class TripletLoss(nn.Module):
    """Batch-hard triplet loss: each anchor against its farthest positive and its nearest negative.

    Euclidean, not normalised (Hermans et al. 2017). An anchor without a positive, or without a negative, is left out
    of the mean; with no anchor left the loss is 0.
    """

    def __init__(self, settings: TripletSettings, dim: int, vehicles: int) -> None:
        super().__init__()
        self.margin = settings.margin

    def forward(self, embeddings: Embeddings, vehicles: Vehicles) -> Float[Tensor, ""]:
        squared = (embeddings[:, None] - embeddings[None]).square().sum(dim=2)
        distance = squared.clamp(min=1e-12).sqrt()  # the root's slope at 0 is infinite
        same = vehicles[:, None] == vehicles[None, :]
        itself = torch.eye(len(vehicles), dtype=torch.bool, device=vehicles.device)
        usable = (same & ~itself).any(dim=1) & (~same).any(dim=1)
        if not usable.any():
            return embeddings.sum() * 0.0
        farthest = distance.masked_fill(~same | itself, 0.0).amax(dim=1)
        nearest = distance.masked_fill(same, float("inf")).amin(dim=1)
        return F.relu(farthest - nearest + self.margin)[usable].mean()


class MetricLearningLoss(nn.Module):
    """A loss of pytorch-metric-learning by its class name; its own weights are trained along.

    Raises:
        UsageError: no such loss, or an option that it does not take.
    """

    def __init__(self, settings: MetricLearningSettings, dim: int, vehicles: int) -> None:
        super().__init__()
        cls = _metric_learning_class(settings.name)
        options: dict[str, Any] = dict(settings.options)
        wanted = _constructor_arguments(cls)
        for name, value in (("num_classes", vehicles), ("embedding_size", dim), ("descriptors_dim", dim)):
            if name in wanted:
                options.setdefault(name, value)
        try:
            self.loss: nn.Module = cls(**options)
        except (TypeError, ValueError) as error:
            raise UsageError(f"loss {settings.name} with options {options}: {error}") from error

    def forward(self, embeddings: Embeddings, vehicles: Vehicles) -> Float[Tensor, ""]:
        value: Tensor = self.loss(embeddings, vehicles)
        return value.reshape(())


LOSSES: dict[str, Any] = {
    "cross-entropy": CrossEntropyLoss,
    "supcon": SupConLoss,
    "triplet": TripletLoss,
    "metric-learning": MetricLearningLoss,
}
"""A loss's kind to its class: ``(settings, dim, vehicles) -> module (embeddings, vehicles) -> value``."""


class Losses(nn.Module):
    """The weighted sum of named parts, computed in float32 whatever the autocast around it.

    Args:
        settings: name to settings; the names appear in logs.
        dim: the embeddings' dimension.
        vehicles: the number of training vehicles.

    Raises:
        UsageError: no part at all.
    """

    def __init__(self, settings: dict[str, LossSettings], dim: int, vehicles: int) -> None:
        super().__init__()
        if not settings:
            raise UsageError("losses: found none, wanted at least one, for instance losses.identity.kind=cross-entropy")
        self.settings = settings
        self.parts = nn.ModuleList([LOSSES[one.kind](one, dim, vehicles) for one in settings.values()])

    def forward(self, before: Embeddings, after: Embeddings, vehicles: Vehicles) -> dict[str, Float[Tensor, ""]]:
        """The value of each part, weighted; their sum is the loss (equation 8).

        Args:
            before: ``(batch, dim)`` embeddings before the BNNeck.
            after: the same after it.
            vehicles: ``(batch,)`` dense numbers.
        """
        with torch.autocast(before.device.type, enabled=False):
            embeddings = {"before": before.float(), "after": after.float()}
            return {
                name: one.weight * part(embeddings[one.on], vehicles)
                for (name, one), part in zip(self.settings.items(), self.parts, strict=True)
            }


def metric_learning_losses() -> list[str]:
    """The class names that ``kind: metric-learning`` takes: losses on embeddings and labels alone."""
    from pytorch_metric_learning import losses

    # a base class; and three that take no labels
    others = {"GenericPairLoss", "ManifoldLoss", "SelfSupervisedLoss", "VICRegLoss"}
    return sorted(
        name for name, cls in vars(losses).items() if inspect.isclass(cls) and name.endswith("Loss") and name not in others
    )


def _metric_learning_class(name: str) -> type[nn.Module]:
    from pytorch_metric_learning import losses

    known = metric_learning_losses()
    if name not in known:
        raise UsageError(f"unknown loss '{name}' of pytorch-metric-learning: {closest(name, known)}")
    cls: type[nn.Module] = getattr(losses, name)
    return cls


def _constructor_arguments(cls: type[nn.Module]) -> set[str]:
    """Of the class and of those that it passes ``**kwargs`` on to."""
    constructors = [vars(base)["__init__"] for base in cls.__mro__[:-1] if "__init__" in vars(base)]
    return {name for constructor in constructors for name in inspect.signature(constructor).parameters}
