"""Removal: a network scored with one branch's part of the embedding taken out."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from clipsenet.features import Progress
from clipsenet.loading import SightingImages, in_order, make_loader
from clipsenet.models import Model
from clipsenet.models.clip_senet import Branch
from clipsenet.sightings import Sightings
from clipsenet.transforms import Transform

PARTS: tuple[Branch, ...] = ("appearance", "semantics")


class WithoutBranch(nn.Module):
    """``(images, places) -> embeddings`` with one branch's part of T replaced by a constant.

    The constant is the part's mean, not zero: the BNNeck has learned the mean of the whole T, and a missing mean would
    spoil every cosine alike, which says nothing about what the branch knows.

    Args:
        model: with two branches that meet in the sum alone.
        branch: the one that is taken out.
        mean: ``(dim,)`` what stands in its place.
    """

    mean: Tensor

    def __init__(self, model: Model, branch: Branch, mean: Float[Tensor, " dim"]) -> None:
        super().__init__()
        self.model, self.branch = model, branch
        self.register_buffer("mean", mean)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"], places: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch dim"]:
        parts = self.model.parts_of(images, places)
        total = torch.stack([part for name, part in parts.items() if name != self.branch]).sum(dim=0) + self.mean
        return self.model.embed(total)


def remove_branch(
    model: Model,
    branch: Branch,
    sightings: Sightings,
    transform: Transform,
    places: Int[np.ndarray, " n"],
    *,
    batch: int = 64,
    workers: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> tuple[WithoutBranch, dict[Branch, float]]:
    """The model without a branch, and how wide each branch's part of T is, both over these pictures.

    The width is the root of the variance over the pictures, averaged over T's components.

    Args:
        model: in evaluation mode.
        branch: ``appearance`` or ``semantics``.
        sightings: the pictures that will be scored.
        transform: the test transform.
        places: ``(n,)`` rows of the camera and view table.
        batch: pictures at once.
        workers: processes that open pictures.
        device: where the model computes.
        progress: told after each batch.

    Raises:
        UsageError: one branch only, or branches that are mixed before the sum.
        PictureError: a picture that cannot be used.
    """
    total, squares = (torch.zeros(len(PARTS), model.dim, dtype=torch.float64) for _ in range(2))
    place = torch.from_numpy(places)
    pictures = SightingImages(sightings, transform)
    model.eval().to(device)
    with torch.inference_mode():
        for images, rows in make_loader(pictures, in_order(len(sightings), batch), workers):
            parts = model.parts_of(images.to(device), place[rows].to(device))
            both = torch.stack([parts[name] for name in PARTS]).cpu().double()
            total += both.sum(dim=1)
            squares += both.square().sum(dim=1)
            if progress is not None:
                progress(int(rows[-1]) + 1, len(sightings))
    mean = total / len(sightings)
    spread = (squares / len(sightings) - mean.square()).clamp(min=0).mean(dim=1).sqrt()
    bare = WithoutBranch(model, branch, mean[PARTS.index(branch)].float()).eval()
    return bare, dict(zip(PARTS, spread.tolist(), strict=True))
