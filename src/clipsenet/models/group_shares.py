"""What each group of a trained AFEM gives to a picture's enhanced features."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipsenet.errors import UsageError
from clipsenet.models.afem import AFEM
from clipsenet.models.clip_senet import ClipSenet


def afem_of(model: ClipSenet) -> AFEM:
    """The network's AFEM.

    Raises:
        UsageError: it has none.
    """
    if model.afem is None:
        raise UsageError("this network has no AFEM: groups are a CLIP-SENet's")
    return model.afem


def group_weights(model: ClipSenet) -> Float[Tensor, " groups"]:
    """The w_i of equation 4; of vector weights the root of the mean square over components.

    Raises:
        UsageError: the network has no AFEM.
    """
    weights = afem_of(model).w.detach().float()
    return weights[:, 0] if weights.shape[1] == 1 else weights.pow(2).mean(dim=1).sqrt()


def group_shares(
    model: ClipSenet, images: Float[Tensor, "batch 3 height width"], places: Int[Tensor, " batch"]
) -> Float[Tensor, "batch terms"]:
    """The share of ``f_0`` and of each ``w_i f_i`` in ``T_s'``, equation 4.

    A summand's share is its length along the sum over the sum's length, ``<t_i, T_s'> / |T_s'|^2``: the shares of a picture
    sum to 1, and one that works against the others is below 0.

    Args:
        model: in evaluation mode.
        images: as the test transform makes them.
        places: rows of camera and view, -1 for none.

    Raises:
        UsageError: the network has no AFEM.
    """
    afem, seen = afem_of(model), []
    handle = afem.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        with torch.inference_mode():
            model(images, places)
            terms = afem.terms(seen[0]).float()
    finally:
        handle.remove()
    whole = terms.sum(dim=1, keepdim=True)
    return (terms * whole).sum(dim=2) / (whole**2).sum(dim=2).clamp(min=1e-12)
