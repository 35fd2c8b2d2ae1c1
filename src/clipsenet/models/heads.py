"""What stands behind a trunk: pooling, and the BNNeck."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

Pooling = Literal["gap", "gem", "own"]


class GlobalAveragePooling(nn.Module):
    """The mean over all places: ``(batch, places, channels)`` to ``(batch, channels)``, equation 1."""

    def forward(self, features: Float[Tensor, "batch places channels"]) -> Float[Tensor, "batch channels"]:
        return features.mean(dim=1)


class GeneralisedMeanPooling(nn.Module):
    """GeM (Radenovic et al. 2018): the p-norm mean over all places, p learned from 3; negative features count as 0."""

    def __init__(self) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.tensor([3.0]))

    def forward(self, features: Float[Tensor, "batch places channels"]) -> Float[Tensor, "batch channels"]:
        # powers in float32: bf16 would lose the small ones
        powers = features.float().clamp(min=1e-6).pow(self.p)
        return powers.mean(dim=1).pow(1.0 / self.p)


class BNNeck(nn.BatchNorm1d):
    """BatchNorm whose bias stays 0 (Luo et al. 2019): before it the metric loss, behind it the classifier."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.bias.requires_grad_(False)
