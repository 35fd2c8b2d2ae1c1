"""Which network a file of weights belongs to, as far as its tensors tell."""

from collections.abc import Mapping, Sequence
from functools import cache

import timm
import torch
from torch import Tensor, nn

from clipsenet.errors import ClipsenetError
from clipsenet.models.backbones import make_network
from clipsenet.models.ibn import IBN_TRUNKS
from clipsenet.models.pretrained import COUNTER
from clipsenet.models.semantics import AUTO_PRUNED
from clipsenet.models.tinyclip import HEAD_DIM, PrunedShape, image_tower, is_clip, pruned_shape

State = Mapping[str, Tensor]

BRANCHES = ("appearance", "semantics")
"""What the tensors of a run's checkpoint begin with."""


def recognise(state: State) -> str:
    """What network a state dict is for, in words.

    Args:
        state: name to tensor, unwrapped.
    """
    branches = [name for name in BRANCHES if any(key.startswith(f"{name}.network.") for key in state)]
    if branches:
        return f"a run's checkpoint ({', '.join(branches)})"
    if is_clip(state):
        return _clip(state)
    if "layer1.0.bn1.IN.weight" in state:
        return _resnet("IBN-a ResNet", state, list(IBN_TRUNKS))
    if "layer1.0.conv1.weight" in state:
        return _resnet("plain ResNet", state, list(dict.fromkeys(IBN_TRUNKS.values())))
    if "norm_pre.weight" in state and "patch_embed.proj.weight" in state:
        return _named_tower(state) or f"CLIP image tower under timm's names, of a size that is not TinyCLIP's ({_first(state)})"
    return f"other ({_first(state)})"


def _clip(state: State) -> str:
    try:
        tower = image_tower(state, "it")
        shape = pruned_shape(tower, "it")
    except ClipsenetError as error:
        return f"other: CLIP's names, but {error}"
    same = len(set(shape.blocks)) == 1 and shape.blocks[0].heads * HEAD_DIM == shape.width
    if not same:
        return f"CLIP image tower, {AUTO_PRUNED} ({_sizes(shape)})"
    return _named_tower(tower) or f"CLIP image tower ({_sizes(shape)})"


def _sizes(shape: PrunedShape) -> str:
    return f"width {shape.width}, patch {shape.patch}, {len(shape.blocks)} blocks, projection {shape.projection}"


def _named_tower(tower: State) -> str | None:
    """One of TinyCLIP's by the name that the settings know it by, with its sizes; none: of other sizes."""
    patch, width = tower["patch_embed.proj.weight"].shape[-1], tower["patch_embed.proj.weight"].shape[0]
    blocks = len({key.split(".")[1] for key in tower if key.startswith("blocks.")})
    sizes = f"width {width}, patch {patch}, {blocks} blocks"
    if "head.weight" in tower:
        sizes += f", projection {len(tower['head.weight'])}"
    names = dict.fromkeys(name.partition(".")[0] for name in timm.list_pretrained("vit_*tinyclip*"))
    name = _fitting(tower, list(names), ("head.", "pos_embed"))
    return None if name is None else f"CLIP image tower: {name} ({sizes})"


def _resnet(kind: str, state: State, names: Sequence[str]) -> str:
    name = _fitting(state, names, ("fc.",))
    return f"{kind}: {name}" if name is not None else f"{kind}, none of {', '.join(names)}"


def _fitting(state: State, names: Sequence[str], apart: tuple[str, ...]) -> str | None:
    """The network whose tensors have these names and shapes, apart from some."""
    given = _shapes(state, apart)
    return next((name for name in names if _shapes(_sizes_of(name), apart) == given), None)


def _shapes(state: State, apart: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    kept = (key for key in state if not key.startswith(apart) and not key.endswith(COUNTER))
    return {key: tuple(state[key].shape) for key in kept}


@cache
def _sizes_of(name: str) -> State:
    """A network's tensors without their values."""
    with torch.device("meta"):
        network: nn.Module = make_network(name, (224, 224))
    return dict(network.state_dict())


def _first(state: State) -> str:
    return f"its first tensors: {', '.join(list(state)[:3])}"
