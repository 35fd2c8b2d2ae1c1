"""Baseline: one trunk, an optional linear layer, the BNNeck."""

from pathlib import Path
from typing import Literal

from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from clipsenet.models.backbones import Trunk
from clipsenet.models.heads import BNNeck, Pooling
from clipsenet.settings import Settings


class BaselineSettings(Settings):
    """A CNN or ViT alone: the paper's baseline with any trunk."""

    kind: Literal["baseline"] = "baseline"
    trunk: str = Field(default="resnet50", description="Any network of timm; see: clipsenet list trunks.")
    weights: Path | None = Field(default=None, description="A local file of the trunk's pretrained weights; none: random.")
    pooling: Pooling = Field(default="gap", description="gap, gem, or own (as the trunk itself pools).")
    last_stride: Literal[1, 2] | None = Field(default=None, description="Of a ResNet's last stage; none: the trunk's own.")
    dim: int | None = Field(default=None, ge=1, description="Embedding size, by a linear layer; none: the trunk's, no layer.")
    neck: bool = Field(default=True, description="A BNNeck between the metric loss's embedding and the classifier's.")
    embedding: Literal["before", "after"] = Field(default="after", description="At test: before or after the BNNeck.")


class Baseline(nn.Module):
    """``(images, places) -> embeddings``: a trunk, an optional linear layer, the BNNeck.

    Args:
        settings: the parts.
        size: height and width of the pictures, in pixels.

    Attributes:
        dim: the embeddings' length.
        mean, std: the pixel statistics that the trunk was made for.

    Raises:
        UsageError, ClipsenetError: as ``Trunk``.
    """

    def __init__(self, settings: BaselineSettings, size: tuple[int, int]) -> None:
        super().__init__()
        self.settings = settings
        self.trunk = Trunk(settings.trunk, size, settings.pooling, settings.last_stride, settings.weights)
        self.dim = settings.dim or self.trunk.dim
        self.linear = nn.Identity() if settings.dim is None else nn.Linear(self.trunk.dim, settings.dim)
        if isinstance(self.linear, nn.Linear):
            nn.init.kaiming_normal_(self.linear.weight, mode="fan_out")
            nn.init.zeros_(self.linear.bias)
        self.neck = BNNeck(self.dim) if settings.neck else nn.Identity()
        self.mean, self.std = self.trunk.mean, self.trunk.std

    def before_and_after(
        self, images: Float[Tensor, "batch 3 height width"], places: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch dim"]]:
        """The embeddings before and after the BNNeck, as the losses want them; not normalised."""
        before = self.linear(self.trunk(images)).float()
        return before, self.neck(before)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"], places: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch dim"]:
        """The embeddings of the test, of length 1.

        Args:
            images: RGB, normalised.
            places: rows of the camera and view table, -1 for none; this model does not read them.
        """
        before, after = self.before_and_after(images, places)
        return F.normalize(after if self.settings.embedding == "after" else before)
