"""Trunks: any network of timm as pictures in, features at every place out."""

from pathlib import Path
from typing import Any, Literal

import timm
from jaxtyping import Float
from pydantic import Field
from timm.models.resnet import ResNet
from torch import Tensor, nn

from clipsenet.errors import UsageError
from clipsenet.models.heads import GeneralisedMeanPooling, GlobalAveragePooling, Pooling
from clipsenet.models.ibn import IBN_TRUNKS, make_ibn_network
from clipsenet.models.pretrained import load_pretrained
from clipsenet.settings import Settings, closest


class TrunkSettings(Settings):
    """A network of timm, or an IBN-a ResNet, as it is used for a vector."""

    trunk: str = Field(default="resnet50", description="Any network of timm, or IBN-Net's; see: clipsenet list trunks.")
    weights: Path | None = Field(
        default=None,
        description="A file of pretrained weights, a run's checkpoint, or a name of: clipsenet weights list; none: random.",
    )
    pooling: Pooling = Field(default="gap", description="gap, gem, or own (as the trunk itself pools).")
    last_stride: Literal[1, 2] | None = Field(default=None, description="Of a ResNet's last stage; none: the trunk's own.")


class Trunk(nn.Module):
    """A timm network without its classifier, and the pooling behind it: ``T_a = GAP(CNN(x))``, equation 1.

    Args:
        settings: which network, its last stride, its pooling, its weights.
        size: height and width of the pictures, in pixels.
        where: what stands before its settings' names, for messages.

    Attributes:
        dim: the length of its vectors.
        mean, std: the pixel statistics it was made for.

    Raises:
        UsageError: an unknown network, or a last stride that it does not have.
        ClipsenetError: a file that does not fit.
    """

    def __init__(self, settings: TrunkSettings, size: tuple[int, int], where: str = "model.") -> None:
        super().__init__()
        network: Any = make_network(settings.trunk, size)
        pooling = settings.pooling
        self.network = network
        if settings.last_stride is not None:
            set_last_stride(self.network, settings.trunk, settings.last_stride, where)
        if settings.weights is not None:
            load_pretrained(self.network, settings.trunk, settings.weights, where)
        self.dim = int(network.num_features)
        if pooling == "own":
            self.dim = int(getattr(network, "head_hidden_size", self.dim))
        config = network.pretrained_cfg
        self.mean, self.std = tuple(config["mean"]), tuple(config["std"])
        self.pool = {"gap": GlobalAveragePooling, "gem": GeneralisedMeanPooling, "own": nn.Identity}[pooling]()
        self.pooling, self.where = pooling, where

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        return self.pooled(self.network.forward_features(images))

    def pooled(self, features: Any) -> Float[Tensor, "batch dim"]:
        """One vector of the network's features at every place."""
        if self.pooling == "own":
            vector: Tensor = self.network.forward_head(features, pre_logits=True)
        else:
            vector = self.pool(self.places(features))
        return vector

    def places(self, features: Any) -> Float[Tensor, "batch places channels"]:
        """A network's features as a list of places: maps are flattened, class and register tokens dropped."""
        if not isinstance(features, Tensor) or features.ndim not in (3, 4):
            shape = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise UsageError(f"features of this trunk are {shape}, no map or list of places: set {self.where}pooling=own")
        if features.ndim == 3:
            return features[:, int(getattr(self.network, "num_prefix_tokens", 0)) :]
        if getattr(self.network, "output_fmt", "NCHW") == "NHWC":
            return features.flatten(1, 2)
        return features.flatten(2).transpose(1, 2)


def list_trunks() -> list[str]:
    """The names that ``make_network`` knows: timm's, and IBN-Net's."""
    return sorted([*timm.list_models(), *IBN_TRUNKS])


def make_network(name: str, size: tuple[int, int], outputs: int = 0) -> nn.Module:
    """A network of timm, or one of ``IBN_TRUNKS``, with random weights.

    Args:
        name: of the network.
        size: height and width of the pictures, in pixels.
        outputs: of its last layer (CLIP's projection); 0: without it.

    Raises:
        UsageError: unknown, or not made for pictures of this size.
    """
    if name in IBN_TRUNKS:
        return make_ibn_network(name)
    if not timm.is_model(name):
        raise UsageError(f"unknown trunk '{name}': {closest(name, list_trunks())}; see: clipsenet list trunks")
    options: dict[str, Any] = {"img_size": size} if getattr(timm.get_pretrained_cfg(name), "fixed_input_size", False) else {}
    try:
        network: nn.Module = timm.create_model(name, pretrained=False, num_classes=outputs, **options)
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        raise UsageError(f"trunk '{name}' cannot be made for {size[0]} x {size[1]} pixels: {error}") from error
    return network


def set_last_stride(network: nn.Module, name: str, stride: int, where: str = "model.") -> None:
    """Give a ResNet's last stage this stride, without dilation (timm's ``output_stride`` would dilate).

    Raises:
        UsageError: not a ResNet, or one that blurs before it strides.
    """
    if not isinstance(network, ResNet):
        raise UsageError(f"{where}last_stride={stride}: trunk '{name}' is not a ResNet; set {where}last_stride=null")
    first: Any = network.get_submodule("layer4.0")
    if stride == 2:
        return
    if not isinstance(first.aa, nn.Identity | None):
        raise UsageError(f"{where}last_stride={stride}: trunk '{name}' blurs where it strides; set {where}last_stride=null")
    for module in first.modules():
        if isinstance(module, nn.Conv2d) and module.stride == (2, 2):
            module.stride = (1, 1)
    shortcut = first.downsample
    if shortcut is not None and isinstance(shortcut[0], nn.AvgPool2d):
        shortcut[0] = nn.Identity()
