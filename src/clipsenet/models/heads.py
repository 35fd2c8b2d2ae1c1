"""What stands behind a trunk: pooling, fusion, sum, the BNNeck."""

from collections.abc import Sequence
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


class Fusion(nn.Module):
    """``T_u = FC([T_s ; T_a])``, equation 3: concatenated, one linear layer with bias.

    Args:
        lengths: of the vectors, in order.
        outputs: of ``T_u``.
    """

    def __init__(self, lengths: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.lengths = list(lengths)
        self.linear = nn.Linear(sum(lengths), outputs)
        nn.init.kaiming_normal_(self.linear.weight, mode="fan_out")
        nn.init.zeros_(self.linear.bias)

    def forward(self, *vectors: Float[Tensor, "batch _"]) -> Float[Tensor, "batch outputs"]:
        fused: Tensor = self.linear(torch.cat(vectors, dim=1))
        return fused

    def shares(self, *vectors: Float[Tensor, "batch _"]) -> list[Float[Tensor, "batch outputs"]]:
        """What each vector adds to ``T_u``; they and the bias sum to it."""
        columns = torch.split(self.linear.weight, self.lengths, dim=1)
        return [nn.functional.linear(vector, weight) for vector, weight in zip(vectors, columns, strict=True)]


class Sum(nn.Module):
    """``T = T_u + T_s'``, equation 5, in float32; a part of its own, so that the network's drawing shows it."""

    def forward(self, fused: Float[Tensor, "batch dim"], enhanced: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        return fused.float() + enhanced.float()
