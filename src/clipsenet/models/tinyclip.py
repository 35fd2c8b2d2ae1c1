"""TinyCLIP's image towers from Microsoft's files: their names, and the sizes of the auto-pruned ones."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from jaxtyping import Float
from pydantic import Field
from timm.layers.mlp import Mlp
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from clipsenet.errors import ClipsenetError
from clipsenet.settings import Settings

PREFIXES = ("_image_encoder.module.visual.", "_image_encoder.visual.", "visual.")
"""What the image tower's tensors begin with."""

DROPPED = ("_text_encoder.", "_logit_scale")
"""What else such a file may hold; exactly this is left out."""

HEAD_DIM = 64
"""Dimensions of an attention head, in every CLIP."""

NAMES = (
    ("conv1.", "patch_embed.proj."),
    ("positional_embedding", "pos_embed"),
    ("class_embedding", "cls_token"),
    ("transformer.resblocks.", "blocks."),
    ("ln_pre.", "norm_pre."),
    ("ln_post.", "norm."),
    ("ln_", "norm"),
    ("attn.in_proj_", "attn.qkv."),
    ("attn.out_proj.", "attn.proj."),
    ("mlp.c_fc.", "mlp.fc1."),
    ("mlp.c_proj.", "mlp.fc2."),
)
"""CLIP's names to timm's, in the order in which they are replaced."""


def is_clip(state: Mapping[str, Tensor]) -> bool:
    """Whether a state dict has CLIP's own names."""
    return any(key.startswith(PREFIXES) for key in state)


def image_tower(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """The image tower of a CLIP file under timm's names, in float32.

    CLIP's projection has no bias, timm's head has one: it begins at 0.

    Raises:
        ClipsenetError: tensors that belong neither to the image tower nor to what ``DROPPED`` names.
    """
    prefix = next(one for one in PREFIXES if any(key.startswith(one) for key in state))
    strangers = sorted(key for key in state if not key.startswith((prefix, *DROPPED)))
    if strangers:
        raise ClipsenetError(
            f"{source} holds {len(strangers)} tensors that are neither the image tower ({prefix}*) nor the text encoder "
            f"({', '.join(f'{one}*' for one in DROPPED)}): {', '.join(strangers[:6])}; give a file as TinyCLIP publishes it"
        )
    tower: dict[str, Tensor] = {}
    for key, tensor in state.items():
        if not key.startswith(prefix):
            continue
        name, value = key.removeprefix(prefix), tensor.float()
        if name == "proj":
            tower["head.weight"], tower["head.bias"] = value.T.contiguous(), value.new_zeros(value.shape[1])
            continue
        for theirs, ours in NAMES:
            name = name.replace(theirs, ours)
        tower[name] = value[None, None] if name == "cls_token" else value[None] if name == "pos_embed" else value
    return tower


class PrunedBlock(Settings):
    """One block of an auto-pruned tower."""

    heads: int = Field(ge=0, description="Attention heads of 64 dimensions; 0: the block has no attention.")
    mlp: int = Field(ge=1, description="Width of the hidden layer.")


class PrunedShape(Settings):
    """The sizes of an auto-pruned tower: one residual width, but each block its own heads and hidden layer."""

    width: int = Field(ge=1, description="Of the residual stream.")
    patch: int = Field(ge=1, description="Side of a patch in pixels.")
    projection: int = Field(ge=1, description="Dimensions behind CLIP's projection.")
    blocks: tuple[PrunedBlock, ...] = Field(description="From the first to the last.")


def pruned_shape(tower: Mapping[str, Tensor], source: str) -> PrunedShape:
    """Every size of an auto-pruned tower, taken from its tensors.

    Args:
        tower: as ``image_tower`` gives it.
        source: the file, for the message.

    Raises:
        ClipsenetError: a tensor that decides a size is missing, or heads that are not 64 wide.
    """
    try:
        count = 1 + max(int(key.split(".")[1]) for key in tower if key.startswith("blocks."))
        blocks = []
        for number in range(count):
            qkv = tower.get(f"blocks.{number}.attn.qkv.weight")
            rows = 0 if qkv is None else len(qkv)
            if rows % (3 * HEAD_DIM):
                raise ClipsenetError(
                    f"{source}: block {number} has {rows} rows of query, key and value, wanted a multiple of 3 x {HEAD_DIM}"
                )
            blocks.append(PrunedBlock(heads=rows // (3 * HEAD_DIM), mlp=len(tower[f"blocks.{number}.mlp.fc1.weight"])))
        return PrunedShape(
            width=tower["cls_token"].shape[-1],
            patch=tower["patch_embed.proj.weight"].shape[-1],
            projection=len(tower["head.weight"]),
            blocks=tuple(blocks),
        )
    except (KeyError, ValueError) as error:
        raise ClipsenetError(f"{source} is no whole CLIP image tower: {error}; fetch it again, or give another file") from error


class PrunedAttention(nn.Module):
    """Self-attention whose heads together may be narrower or wider than the residual stream."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * heads * HEAD_DIM)
        self.proj = nn.Linear(heads * HEAD_DIM, width)

    def forward(self, tokens: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch tokens width"]:
        batch, length, _ = tokens.shape
        query, key, value = self.qkv(tokens).view(batch, length, 3, self.heads, HEAD_DIM).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value)
        joined: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return joined


class PrunedTransformerBlock(nn.Module):
    """Attention and hidden layer, each behind its LayerNorm and added to the residual stream; attention may be missing."""

    def __init__(self, width: int, sizes: PrunedBlock) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-5) if sizes.heads else None
        self.attn = PrunedAttention(width, sizes.heads) if sizes.heads else None
        self.norm2 = nn.LayerNorm(width, eps=1e-5)
        self.mlp = Mlp(width, sizes.mlp)

    def forward(self, tokens: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch tokens width"]:
        if self.norm1 is not None and self.attn is not None:
            tokens = tokens + self.attn(self.norm1(tokens))
        added: Tensor = self.mlp(self.norm2(tokens))
        return tokens + added


def make_pruned(shape: PrunedShape, size: tuple[int, int], projection: int) -> nn.Module:
    """An auto-pruned tower with random weights: timm's vision transformer with blocks of its own sizes swapped in.

    Args:
        shape: its sizes.
        size: height and width of its pictures, in pixels.
        projection: dimensions behind the projection; 0: without it.
    """
    network: Any = VisionTransformer(
        img_size=size,
        patch_size=shape.patch,
        embed_dim=shape.width,
        depth=0,
        num_classes=projection,
        pre_norm=True,
        norm_layer=partial(nn.LayerNorm, eps=1e-5),
    )
    network.blocks = nn.Sequential(*(PrunedTransformerBlock(shape.width, sizes) for sizes in shape.blocks))
    made: nn.Module = network
    return made
