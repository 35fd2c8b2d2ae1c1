"""Activation maps (Fig. 5 of the paper): what each place of a picture adds to its likeness with a direction.

Gradient times activation at the places of a branch, summed over channels (HiResCAM, Draelos and Carin 2020). Behind global
average pooling all of a baseline is linear in the places at test (BatchNorm too), so that its map of the last features with the
BNNeck's constant sums to the likeness exactly; behind AFEM, inside a transformer and at an earlier stage it is the first-order
share. A trunk whose last features are coarser than STRIDE (a ResNet's, unless its last stride is 1) is asked at the last stage
that is fine enough: of 3 x 3 places the deletion test can hardly tell one from another. Written out, since it is hooks and one
product; explanation libraries would bring image toolkits for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from clipsenet.errors import UsageError
from clipsenet.models import Model
from clipsenet.models.backbones import Trunk

STRIDE = 16
"""Pixels from one place of a convolutional map to the next, at most, where a stage of the network has so fine a map."""

Maps = dict[str, Float[Tensor, "batch _ _"]]


def activation_maps(
    model: Model,
    images: Float[Tensor, "batch 3 height width"],
    places: Int[Tensor, " batch"],
    reference: Float[Tensor, "batch dim"] | None = None,
) -> Maps:
    """What each place adds to the cosine with a direction, for each branch.

    Args:
        model: in evaluation mode; its weights and gradients are left alone.
        images: as the test transform makes them.
        places: rows of camera and view, -1 for none.
        reference: unit embeddings of the pictures to be like; none: each picture's own, that is, what makes its embedding.

    Returns:
        Branch to signed shares at its own resolution; above 0 makes more alike.

    Raises:
        UsageError: a branch whose features have no places.
    """
    with torch.enable_grad():
        vectors, seen = {}, {}
        if model.appearance is not None:
            vectors["T_a"], seen["appearance"] = _of_trunk(model.appearance, images)
        if model.semantics is not None:
            with _watching_tokens(model.semantics.network) as kept:
                vectors["T_s"] = model.semantics(images)
            seen["semantics"] = (kept[0], _grid(model.semantics.network))
        total = model.join(vectors, places)
        embedding = model.neck(total) if model.settings.embedding == "after" else total
        length = embedding.detach().norm(dim=1)
        towards = F.normalize(embedding.detach()) if reference is None else reference
        likeness = ((embedding * towards).sum(dim=1) / length).sum()
        slopes = torch.autograd.grad(likeness, [features for features, _ in seen.values()])
    maps: Maps = {}
    for (name, (features, grid)), slope in zip(seen.items(), slopes, strict=True):
        share = (features * slope).detach()
        if share.ndim == 4:  # a map of a convolutional network
            maps[name] = share.sum(dim=-1 if _is_channels_last(model, name) else 1)
        else:
            if grid[0] * grid[1] > share.shape[1]:  # tokens were merged on the way
                raise UsageError("this trunk's features have no places of its patches: it has no activation map")
            patches = share[:, -(grid[0] * grid[1]) :]  # class and register tokens stand before
            maps[name] = patches.sum(dim=2).view(-1, *grid)
    return maps


def enlarged(maps: Float[Tensor, "batch _ _"], size: tuple[int, int]) -> Float[Tensor, "batch _ _"]:
    """Maps at the pictures' resolution, bilinear."""
    larger: Tensor = F.interpolate(maps[:, None].float(), size, mode="bilinear", align_corners=False)[:, 0]
    return larger


def strongest(maps: Float[Tensor, "batch height width"], share: float) -> Float[Tensor, "batch height width"]:
    """1 at the so many strongest pixels of each picture, 0 elsewhere."""
    flat = maps.flatten(1)
    count = max(1, round(share * flat.shape[1]))
    mask = torch.zeros_like(flat)
    mask.scatter_(1, flat.topk(count, dim=1).indices, 1.0)
    return mask.view_as(maps)


def _of_trunk(trunk: Trunk, images: Tensor) -> tuple[Tensor, tuple[Tensor, tuple[int, int]]]:
    """``T_a``, and the features at whose places the map is taken, with the grid of a transformer's patches."""
    with _watching_stages(trunk.network) as stages:
        features: Any = trunk.network.forward_features(images)
    if not isinstance(features, Tensor) or features.ndim not in (3, 4):
        raise UsageError("this trunk's features have no places: it has no activation map")
    if not features.requires_grad:  # a frozen trunk
        features.requires_grad_()
    if features.ndim == 3:
        return trunk.pooled(features), (features, _grid(trunk.network))
    fine = [one for one in (*stages, features) if one.ndim == 4 and _stride(trunk, images, one) <= STRIDE]
    return trunk.pooled(features), (fine[-1] if fine else features, (0, 0))


def _stride(trunk: Trunk, images: Tensor, features: Tensor) -> float:
    """Pixels of the picture from one place of a map to the next, the longer way."""
    height, width = features.shape[1:3] if _gives_channels_last(trunk.network) else features.shape[2:4]
    return max(images.shape[2] / height, images.shape[3] / width)


@contextmanager
def _watching_stages(network: Any) -> Iterator[list[Tensor]]:
    """Keeps what each stage of a convolutional network gives, as timm lists its stages; of other networks nothing."""
    kept: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: Any) -> Any:
        if isinstance(output, Tensor):
            kept.append(output if output.requires_grad else output.requires_grad_())
        return output

    modules = dict(network.named_modules())
    names = [str(one["module"]) for one in getattr(network, "feature_info", ())]
    handles = [modules[name].register_forward_hook(keep) for name in names if name in modules]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _watching_tokens(network: Any) -> Iterator[list[Tensor]]:
    """Keeps what the last attention reads: behind it the class token alone is read, so that no patch matters any more.

    Taken behind that block's LayerNorm: before it a token's length means nothing, so that its share would be 0.
    """
    kept: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        kept.append(output if output.requires_grad else output.requires_grad_())
        return kept[-1]

    last = next(block for block in reversed(network.blocks) if getattr(block, "attn", None) is not None)
    handle = last.norm1.register_forward_hook(keep)
    try:
        yield kept
    finally:
        handle.remove()


def _grid(network: Any) -> tuple[int, int]:
    if getattr(getattr(network, "patch_embed", None), "grid_size", None) is None:
        raise UsageError("this trunk's features have no places: it has no activation map")
    height, width = network.patch_embed.grid_size
    return int(height), int(width)


def _is_channels_last(model: Model, name: str) -> bool:
    return name == "appearance" and _gives_channels_last(model.branch(name).network)


def _gives_channels_last(network: Any) -> bool:
    return getattr(network, "output_fmt", "NCHW") == "NHWC"
