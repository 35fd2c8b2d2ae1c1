"""AFEM: the adaptive fine-grained enhancement of the semantic features, equation 4, in its four readings."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from clipsenet.errors import UsageError
from clipsenet.settings import Settings


class AfemSettings(Settings):
    """What the paper's equation 4 leaves open."""

    reading: Literal["heads", "slices", "chunks"] = Field(
        default="heads",
        description="heads: G parallel f_i see all of the input; slices: f_i sees its own G-th of it; chunks: one f, whose "
        "output is cut into G.",
    )
    groups: int = Field(default=32, ge=1, description="G.")
    weights: Literal["scalar", "vector"] = Field(default="scalar", description="w_i: one number a group, or one a component.")
    weight_scale: Literal[1, "1/sqrt(G)"] = Field(default=1, description="Factor of the weights' N(0, 1) at the start.")
    input: Literal["T_s", "T_u"] = Field(default="T_s", description="What is enhanced: the semantic features, or the fused.")


class LinearNormReLU(nn.Module):
    """``f``: linear, BatchNorm, ReLU; with ``groups``, so many of them side by side.

    Args:
        inputs: length of the input.
        outputs: length of each output.
        groups: how many ``f_i``.
        sliced: each sees its own ``inputs / groups`` of the input; otherwise all of it.
    """

    def __init__(self, inputs: int, outputs: int, groups: int = 1, *, sliced: bool = False) -> None:
        super().__init__()
        self.groups, self.sliced = groups, sliced
        seen = inputs // groups if sliced else inputs
        self.weight = nn.Parameter(torch.empty(groups, outputs, seen))
        self.bias = nn.Parameter(torch.zeros(groups * outputs))
        nn.init.normal_(self.weight, std=math.sqrt(2 / outputs))  # Kaiming, fan out, for each f_i by itself
        self.norm = nn.BatchNorm1d(groups * outputs)

    def forward(self, vectors: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch groups outputs"]:
        batch = len(vectors)
        if self.sliced:
            slices = vectors.view(batch, self.groups, -1).transpose(0, 1)
            bias = self.bias.view(self.groups, 1, -1)
            linear = torch.baddbmm(bias, slices, self.weight.transpose(1, 2)).transpose(0, 1)
        else:
            linear = nn.functional.linear(vectors, self.weight.flatten(0, 1), self.bias)
        normed: Tensor = self.norm(linear.reshape(batch, -1))
        return normed.relu().view(batch, self.groups, -1)


class AFEM(nn.Module):
    """``T_s' = f_0(T_s) + sum_{i=1..G} w_i f_i(T_s)``, equation 4.

    Args:
        settings: the reading.
        inputs: length of the vectors that come.
        outputs: length of those that go.

    Raises:
        UsageError: G does not divide what it cuts.
    """

    def __init__(self, settings: AfemSettings, inputs: int, outputs: int) -> None:
        super().__init__()
        groups = settings.groups
        cut = {"heads": groups, "slices": inputs, "chunks": outputs}[settings.reading]
        if cut % groups:
            what = "input" if settings.reading == "slices" else "output"
            raise UsageError(f"model.afem.groups={groups} does not divide its {what} of {cut}, as '{settings.reading}' needs")
        self.groups = groups
        self.original = LinearNormReLU(inputs, outputs)
        self.grouped: LinearNormReLU | None = None
        length = outputs // groups
        if settings.reading != "chunks":
            self.grouped = LinearNormReLU(inputs, outputs, groups, sliced=settings.reading == "slices")
            length = outputs
        scale = 1.0 if settings.weight_scale == 1 else 1 / math.sqrt(groups)
        self.w = nn.Parameter(scale * torch.randn(groups, 1 if settings.weights == "scalar" else length))

    def no_weight_decay(self) -> set[str]:
        """The tensors that count as weights w, not as matrices, where norms and biases are spared (timm's convention)."""
        return {"w"}

    def forward(self, vectors: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        original: Tensor = self.original(vectors)[:, 0]
        if self.grouped is None:  # chunks: f_0 is f, and f_i its i-th piece
            pieces = original.view(len(original), self.groups, -1)
            return original + (self.w * pieces).flatten(1)
        groups: Tensor = self.grouped(vectors)
        return original + (self.w * groups).sum(dim=1)

    def terms(self, vectors: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch terms outputs"]:
        """The 1 + G summands of ``T_s'``: ``f_0``, then ``w_i f_i``; of chunks each stands in its own piece."""
        original: Tensor = self.original(vectors)
        if self.grouped is not None:
            return torch.cat([original, self.w * self.grouped(vectors)], dim=1)
        pieces = self.w * original.view(len(original), self.groups, -1)
        apart = torch.einsum("bgd,gh->bghd", pieces, torch.eye(self.groups, dtype=pieces.dtype, device=pieces.device))
        return torch.cat([original, apart.flatten(2)], dim=1)
