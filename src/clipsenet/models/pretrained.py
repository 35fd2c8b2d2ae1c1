"""Pretrained weights into a network: IBN-Net's, timm's, TinyCLIP's; whole, or refused with the names."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timm.layers.pos_embed import resample_abs_pos_embed
from torch import Tensor

from clipsenet.errors import ClipsenetError
from clipsenet.finding import find
from clipsenet.models.ibn import IBN_TRUNKS
from clipsenet.models.tinyclip import image_tower, is_clip
from clipsenet.weights import load_state, read_state

COUNTER = ".num_batches_tracked"


def load_pretrained(network: Any, name: str, path: Path, where: str = "model.", *, projection: bool = False) -> None:
    """Fill a network of timm, of ``IBN_TRUNKS``, or a CLIP tower, from its published weights; in float32, whatever the file is.

    A run's checkpoint (``runs/NAME/last.safetensors``) serves as well: its branch of the same name is taken.

    Position embeddings of another grid are resampled (bicubic, antialias). Nothing may be missing; only the classifier
    may be left over.

    Args:
        network: what is filled.
        name: its trunk's name.
        path: the file, or the name of a published one in the cache.
        where: what stands before ``weights`` in the settings, for the message.
        projection: whether the network keeps its head (CLIP's projection).

    Raises:
        ClipsenetError: a file that is not there, broken, or of another network.
    """
    state: Mapping[str, Tensor] = _branch_of_run(read_weights(path, where), where)
    if is_clip(state):
        state = image_tower(state, str(path))
    _refuse_plain_resnet(state, name, path)
    state = _with_counters(state, network)
    load_state(network, _on_our_grid(state, network), str(path), surplus=() if projection else _classifier(network))


def read_weights(path: Path, where: str) -> dict[str, Tensor]:
    """A state dict from the file that the setting ``<where>weights`` names; the network is not used.

    Args:
        path: a file, or exactly the name of a published one that lies in the cache.
        where: what stands before ``weights`` in the settings, for the message.

    Raises:
        ClipsenetError: no such file, not the one that was published, broken, or with more than tensors in it.
    """
    return read_state(find(path, where))


def _branch_of_run(state: Mapping[str, Tensor], where: str) -> Mapping[str, Tensor]:
    """Of a run's checkpoint the network of the branch that ``where`` names; any other state as it is."""
    prefix = f"{'semantics' if where.endswith('semantics.') else 'appearance'}.network."
    branch = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    return branch or state


def _classifier(network: Any) -> list[str]:
    """The prefixes of the tensors that are left out: the head of a vision transformer, a CNN's classifier."""
    found = network.pretrained_cfg.get("classifier") or "fc" if hasattr(network, "pretrained_cfg") else "head"
    names = (found,) if isinstance(found, str) else tuple(found)
    return [f"{name}." for name in names]


def _refuse_plain_resnet(state: Mapping[str, Tensor], name: str, path: Path) -> None:
    if name in IBN_TRUNKS and "layer1.0.bn1.weight" in state and "layer1.0.bn1.IN.weight" not in state:
        raise ClipsenetError(
            f"{path} holds a plain ResNet (layer1.0.bn1.weight is whole, layer1.0.bn1.IN.weight is missing), wanted {name}: "
            f"give IBN-Net's file of that name, or set the trunk to {IBN_TRUNKS[name]}"
        )


def _with_counters(state: Mapping[str, Tensor], network: Any) -> Mapping[str, Tensor]:
    """Files of torch before 0.4.1 have no counters of batches; they are no weights, and begin at 0."""
    if any(key.endswith(COUNTER) for key in state):
        return state
    return {**state, **{key: value for key, value in network.state_dict().items() if key.endswith(COUNTER)}}


def _on_our_grid(state: Mapping[str, Tensor], network: Any) -> Mapping[str, Tensor]:
    """The state with the position embeddings of the network's own number of patches."""
    ours, given = getattr(network, "pos_embed", None), state.get("pos_embed")
    if not isinstance(ours, Tensor) or given is None or given.ndim != ours.ndim or given.shape[2:] != ours.shape[2:]:
        return state
    if not hasattr(network, "patch_embed"):
        return state
    prefix = 0 if getattr(network, "no_embed_class", False) else int(getattr(network, "num_prefix_tokens", 1))
    grid = tuple(network.patch_embed.grid_size)
    root = math.isqrt(max(0, given.shape[1] - prefix))
    if root == 0 or root * root != given.shape[1] - prefix or grid == (root, root):
        return state  # ours already; or of no square grid: load_state says what came and what was wanted
    resampled = resample_abs_pos_embed(given.float(), list(grid), num_prefix_tokens=prefix)
    return {**state, "pos_embed": resampled}
