"""Objective: a model and its losses as one module, the thing that is optimised."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from clipsenet.losses import Losses
from clipsenet.models import Model


class Objective(nn.Module):
    """``(images, places, vehicles) -> weighted loss parts``; one forward pass, so that a device wrapper sees it whole."""

    def __init__(self, model: Model, losses: Losses) -> None:
        super().__init__()
        self.model = model
        self.losses = losses

    def forward(
        self,
        images: Float[Tensor, "batch 3 height width"],
        places: Int[Tensor, " batch"],
        vehicles: Int[Tensor, " batch"],
    ) -> dict[str, Float[Tensor, ""]]:
        """The weighted value of each loss; their sum is to be minimised (equation 8)."""
        before, after = self.model.before_and_after(images, places)
        parts: dict[str, Tensor] = self.losses(before, after, vehicles)
        return parts
