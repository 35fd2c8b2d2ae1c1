"""The semantic branch: TinyCLIP's image encoder, T_s = I(x)."""

from pathlib import Path
from typing import Any, Literal

import timm
import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from clipsenet.errors import UsageError
from clipsenet.models.backbones import make_network
from clipsenet.models.pretrained import load_pretrained, read_weights
from clipsenet.models.tinyclip import PrunedShape, image_tower, is_clip, make_pruned, pruned_shape
from clipsenet.settings import Settings, closest
from clipsenet.transforms import Pixels, Three

AUTO_PRUNED = "auto-pruned"
"""The tower whose sizes come from its file."""

CLIP_STATISTICS: tuple[Three, Three] = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
"""Mean and standard deviation of the pixels that every CLIP was trained with (Radford et al. 2021)."""


class SemanticsSettings(Settings):
    """TinyCLIP's image encoder, or any vision transformer of timm."""

    tower: str = Field(
        default="vit_medium_patch32_clip_224.tinyclip_laion400m",
        description="A vision transformer of timm (TinyCLIP 40M/32 by default), or auto-pruned: sizes from the weights' file.",
    )
    weights: Path | None = Field(
        default=None,
        description="A file of pretrained weights, Microsoft's or timm's, or a name of: clipsenet weights list; none: random.",
    )
    projection: int | None = Field(default=512, ge=1, description="T_s after CLIP's projection to so many; none: before it.")
    size: tuple[Pixels, Pixels] | None = Field(
        default=None, description="Height and width of CLIP's input, resized inside; none: as the pictures come."
    )
    statistics: Literal["shared", "own"] = Field(
        default="shared", description="Pixel statistics: shared with the pictures' transform, or CLIP's own inside this branch."
    )
    shape: PrunedShape | None = Field(
        default=None, description="Sizes of an auto-pruned tower; none: read from its weights when a training starts."
    )

    @model_validator(mode="after")
    def _belongs_together(self) -> "SemanticsSettings":
        if self.shape is not None and self.tower != AUTO_PRUNED:
            raise ValueError(f"no shape where the tower is '{self.tower}': sizes are those of tower=auto-pruned")
        return self


def _require_patches(network: Any, size: tuple[int, int]) -> None:
    """A patch that does not divide the size would leave the last pixels out without a word."""
    patch = network.patch_embed.patch_size
    if size[0] % patch[0] or size[1] % patch[1]:
        raise UsageError(
            f"the semantic branch sees {size[0]} x {size[1]} pixels, which its patches of {patch[0]} x {patch[1]} "
            "do not divide; set images.size or model.semantics.size to a multiple"
        )


def with_shape(settings: SemanticsSettings) -> SemanticsSettings:
    """The settings with the sizes of an auto-pruned tower filled in, so that they need its file no more.

    Raises:
        UsageError: an auto-pruned tower without file or sizes.
        ClipsenetError: a file that is not there, broken, or no CLIP image tower.
    """
    if settings.tower != AUTO_PRUNED or settings.shape is not None:
        return settings
    if settings.weights is None:
        raise UsageError("model.semantics.tower=auto-pruned takes every size from a file: set model.semantics.weights")
    state = read_weights(settings.weights, "model.semantics.")
    if not is_clip(state):
        raise UsageError(f"{settings.weights} is no file of CLIP's image tower: model.semantics.tower=auto-pruned wants one")
    shape = pruned_shape(image_tower(state, str(settings.weights)), str(settings.weights))
    return settings.model_copy(update={"shape": shape})


class Semantics(nn.Module):
    """``T_s = I(x)``, equation 2: an image encoder without its text encoder.

    Args:
        settings: which tower, and what it is given.
        size: height and width of the pictures that come, in pixels.
        statistics: mean and standard deviation that those are normalised with; none: CLIP's own.

    Attributes:
        dim: the length of its vectors.
        mean, std: the pixel statistics that it wants its pictures to come with.

    Raises:
        UsageError: no vision transformer, or one that cannot be made for this size.
        ClipsenetError: a file that does not fit.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, settings: SemanticsSettings, size: tuple[int, int], statistics: tuple[Three, Three] | None) -> None:
        super().__init__()
        settings = with_shape(settings)
        self.size = settings.size or size
        self.resizes = self.size != size
        outputs = settings.projection or 0
        network: Any
        if settings.shape is not None:
            if outputs not in (0, settings.shape.projection):
                raise UsageError(
                    f"model.semantics.projection={outputs}, but the pruned tower projects to {settings.shape.projection}"
                )
            network = make_pruned(settings.shape, self.size, outputs)
            own = CLIP_STATISTICS
        else:
            if not timm.is_model(settings.tower):
                known = [AUTO_PRUNED, *timm.list_models("vit_*"), *timm.list_pretrained("vit_*tinyclip*")]
                raise UsageError(f"unknown model.semantics.tower '{settings.tower}': {closest(settings.tower, known)}")
            network = make_network(settings.tower, self.size, outputs)
            if not isinstance(network, VisionTransformer):
                raise UsageError(f"model.semantics.tower='{settings.tower}' is no vision transformer of timm; choose one")
            config: Any = network.pretrained_cfg
            own = (tuple(config["mean"]), tuple(config["std"]))
        _require_patches(network, self.size)
        if settings.weights is not None:
            load_pretrained(network, settings.tower, settings.weights, "model.semantics.", projection=outputs > 0)
        self.network = network
        self.projects = outputs > 0
        self.dim = outputs or int(network.num_features)
        self.mean, self.std = statistics or own
        # (x mean-std'ed their way) * scale + shift = x mean-std'ed CLIP's way
        theirs, ours = (torch.tensor(both).view(2, 3, 1, 1) for both in ((self.mean, self.std), own))
        self.renormalises = settings.statistics == "own" and (self.mean, self.std) != own
        self.register_buffer("scale", theirs[1] / ours[1], persistent=False)
        self.register_buffer("shift", (theirs[0] - ours[0]) / ours[1], persistent=False)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        if self.renormalises:
            images = images * self.scale + self.shift
        if self.resizes:
            images = F.interpolate(images, self.size, mode="bicubic", antialias=True, align_corners=False)
        vector: Tensor = self.network.forward_head(self.network.forward_features(images), pre_logits=not self.projects)
        return vector
