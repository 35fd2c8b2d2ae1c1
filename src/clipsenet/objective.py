"""Objective: a model and its losses as one module, the thing that is optimised."""

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor, nn

from clipsenet.losses import Losses
from clipsenet.models import Model

Vectors = dict[str, Float[Tensor, "_ _"]]
Gather = Callable[[Float[Tensor, "share dim"]], Float[Tensor, "batch dim"]]


class Objective(nn.Module):
    """``(images, places, vehicles) -> weighted loss parts``; one forward pass, so that a device wrapper sees it whole.

    It has two halves. The **branches** see one picture at a time (but for their trunks' BatchNorm), and take nearly all
    time and memory; they may be computed piece by piece, or on several devices. The **head** (fusion, AFEM, rows, BNNeck,
    classifier, losses) compares pictures, so that it always sees the whole batch.

    Attributes:
        gather: with several devices, from this one's share of ``T_a`` or ``T_s`` to the whole batch's, with gradients.
    """

    def __init__(self, model: Model, losses: Losses) -> None:
        super().__init__()
        self.model = model
        self.losses = losses
        self.gather: Gather | None = None

    def forward(
        self,
        images: Float[Tensor, "share 3 height width"],
        places: Int[Tensor, " batch"],
        vehicles: Int[Tensor, " batch"],
    ) -> dict[str, Float[Tensor, ""]]:
        """The weighted value of each loss; their sum is to be minimised (equation 8).

        Args:
            images: this device's share of the batch; without ``gather`` all of it.
            places: rows of camera and view, of the whole batch.
            vehicles: numbers of the vehicles, of the whole batch.
        """
        return self.head(self.whole(self.model.branches(images)), places, vehicles)

    def whole(self, vectors: Vectors) -> Vectors:
        """The branches' vectors of the whole batch."""
        return vectors if self.gather is None else {name: self.gather(one) for name, one in vectors.items()}

    def head(
        self, vectors: Vectors, places: Int[Tensor, " batch"], vehicles: Int[Tensor, " batch"]
    ) -> dict[str, Float[Tensor, ""]]:
        """From the branches' vectors to the weighted losses."""
        before = self.model.join(vectors, places)
        parts: dict[str, Tensor] = self.losses(before, self.model.neck(before), vehicles)
        return parts
