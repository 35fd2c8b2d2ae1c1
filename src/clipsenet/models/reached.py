"""Which weights of a branch its vectors depend on: a trunk pooled by us leaves those of its own head out."""

import torch
from torch import nn


def unreached(branch: nn.Module, size: tuple[int, int]) -> list[nn.Parameter]:
    """The trainable weights that no gradient can reach, found by one picture's way through the branch and back.

    The branch is left as it was: it is in evaluation mode meanwhile, and nothing is drawn.

    Args:
        branch: a trunk, or the semantic branch; not checkpointed yet.
        size: height and width of the pictures, in pixels.
    """
    trainable = [parameter for parameter in branch.parameters() if parameter.requires_grad]
    if not trainable:
        return []
    modes = {module: module.training for module in branch.modules()}
    try:
        with torch.enable_grad():
            vectors = branch.eval()(torch.zeros(1, 3, *size, device=trainable[0].device))
            slopes = torch.autograd.grad(vectors.sum(), trainable, allow_unused=True)
    finally:
        for module, training in modes.items():
            module.training = training
    return [parameter for parameter, slope in zip(trainable, slopes, strict=True) if slope is None]
