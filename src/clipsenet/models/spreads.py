"""How wide T_u and T_s' are: what the sum of equation 5 weighs them by."""

from jaxtyping import Float, Int
from torch import Tensor, no_grad

from clipsenet.models.clip_senet import ClipSenet


def spreads(model: ClipSenet, images: Float[Tensor, "batch 3 height width"], places: Int[Tensor, " batch"]) -> dict[str, float]:
    """The standard deviation of the entries of ``T_u`` and ``T_s'`` over a batch, as training sees them.

    The model is left as it was, its running statistics too. A network that sums nothing has no spreads.
    """
    if model.sum is None:
        return {}
    found: dict[str, float] = {}

    def look(module: object, inputs: tuple[Tensor, Tensor]) -> None:
        fused, enhanced = inputs
        found.update({"T_u": float(fused.float().std()), "T_s'": float(enhanced.float().std())})

    kept = {name: tensor.clone() for name, tensor in model.named_buffers()}
    training = model.training
    handle = model.sum.register_forward_pre_hook(look)
    try:
        with no_grad():
            model.train()
            model.join(model.branches(images), places)
    finally:
        handle.remove()
        model.train(training)
        for name, tensor in model.named_buffers():
            tensor.copy_(kept[name])
    return found
