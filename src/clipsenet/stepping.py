"""One step's gradients: of the whole batch at once, or with the trunks piece by piece; on one device or several."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from lightning_fabric import Fabric
from torch import Tensor, nn

from clipsenet.devices import gathered
from clipsenet.objective import Objective
from clipsenet.transforms import seed_of

Parts = dict[str, float]
Heard = Callable[[Parts], None]


class Stepper:
    """Computes the gradients of one batch after another.

    Args:
        fabric: the device, or one of several.
        objective: what learns.
        wrapped: the same as ``fabric.setup`` gave it.
        micro_batch: pictures that go through the trunks at once; none: all.
        checkpointing: whether parts of the trunks are computed a second time on the way back.
    """

    def __init__(
        self, fabric: Fabric, objective: Objective, wrapped: Any, *, micro_batch: int | None = None, checkpointing: bool = False
    ) -> None:
        self.fabric, self.objective, self.wrapped = fabric, objective, wrapped
        self.micro_batch, self.checkpointing = micro_batch, checkpointing
        if fabric.world_size > 1:
            objective.gather = self._gather

    def gradients(
        self,
        images: Float[Tensor, "share 3 height width"],
        places: Int[Tensor, " batch"],
        vehicles: Int[Tensor, " batch"],
        seed: tuple[int, ...],
        heard: Heard,
    ) -> Parts:
        """Add the gradients of one batch to those of the parameters.

        Args:
            images: this device's share.
            places: of the whole batch.
            vehicles: of the whole batch.
            seed: decides what the network draws (dropout, drop path); the device's number and the piece's are added to it.
            heard: told the loss parts before the way back; it may raise.

        Returns:
            The weighted loss parts of the whole batch, the same on every device.
        """
        if self.micro_batch is not None and len(images) > self.micro_batch:
            return self._in_pieces(images, places, vehicles, seed, heard, self.micro_batch)
        torch.manual_seed(seed_of(*seed, self.fabric.global_rank) if self.fabric.world_size > 1 else seed_of(*seed))
        parts = self.wrapped(images, places, vehicles)
        values = _values(parts, heard)
        with _unchanged(self.objective.model) if self.checkpointing else contextlib.nullcontext():
            self.fabric.backward(_sum(parts))
        return values

    def _in_pieces(
        self,
        images: Float[Tensor, "share 3 height width"],
        places: Int[Tensor, " batch"],
        vehicles: Int[Tensor, " batch"],
        seed: tuple[int, ...],
        heard: Heard,
        size: int,
    ) -> Parts:
        """The chain rule by hand: dL/dw = dL/dT . dT/dw, with dT/dw of one piece in memory at a time.

        First T_a and T_s of all pictures, without what a way back would need. Then the head, once, on the whole batch: its
        own gradients, and dL/dT. Then each piece again, from the same random state, and back with its rows of dL/dT.
        """
        branches, model = self.objective.model.branches, self.objective.model
        pieces = torch.split(images, size)

        def draw(number: int) -> None:
            torch.manual_seed(seed_of(*seed, self.fabric.global_rank, number + 1))

        share: dict[str, list[Tensor]] = {}
        for number, piece in enumerate(pieces):
            draw(number)
            with torch.no_grad(), self.fabric.autocast():
                for name, vector in branches(piece).items():
                    share.setdefault(name, []).append(vector)
        own = {name: torch.cat(vectors).requires_grad_() for name, vectors in share.items()}
        torch.manual_seed(seed_of(*seed))
        with self.fabric.autocast():
            parts = self.objective.head(self.objective.whole(own), places, vehicles)
        values = _values(parts, heard)
        self.fabric.backward(_sum(parts))  # a scaled loss gives scaled dL/dT, so that no piece is scaled again
        slopes = {name: torch.split(vector.grad, size) for name, vector in own.items() if vector.grad is not None}
        with _unchanged(model):  # the first pass has updated the running statistics
            for number, piece in enumerate(pieces):
                draw(number)
                with self.fabric.autocast():
                    vectors = branches(piece)
                back = [(vectors[name], slope[number]) for name, slope in slopes.items() if vectors[name].requires_grad]
                if back:
                    torch.autograd.backward([vector for vector, _ in back], [slope for _, slope in back])
        if self.fabric.world_size > 1:
            _average(self.fabric, self.objective)
        return values

    def _gather(self, share: Float[Tensor, "share dim"]) -> Float[Tensor, "batch dim"]:
        """Every device's vectors, in the devices' order, with gradients.

        On the way back each device receives the sum of what all of them found for its share. All found the same, since
        each computes the head on the whole batch: ``devices`` times the true gradient, which the mean over the devices
        that follows (of DDP, or of ``_average``) makes the true one.
        """
        return gathered(self.fabric, share.float(), gradients=True).flatten(0, 1).to(share.dtype)


def _values(parts: dict[str, Float[Tensor, ""]], heard: Heard) -> Parts:
    values = {name: float(value.detach()) for name, value in parts.items()}
    heard(values)
    return values


def _sum(parts: dict[str, Float[Tensor, ""]]) -> Float[Tensor, ""]:
    return torch.stack(list(parts.values())).sum()


def _average(fabric: Fabric, module: nn.Module) -> None:
    """The mean of each gradient over the devices, as DDP takes it where a batch is not cut into pieces; in place."""
    for parameter in module.parameters():
        if parameter.grad is not None:
            mean = fabric.all_reduce(parameter.grad, reduce_op="mean")
            assert isinstance(mean, Tensor)
            parameter.grad.copy_(mean)


def same_buffers(fabric: Fabric, module: nn.Module) -> None:
    """Give every process the first one's running statistics, which are those that are saved.

    In the trunks each has seen its own share; behind them all have seen the same.
    """
    if fabric.world_size == 1:
        return
    floats = [buffer for buffer in module.buffers() if buffer.is_floating_point()]
    if floats:
        first = gathered(fabric, torch.cat([buffer.float().flatten() for buffer in floats]))[0]
        with torch.no_grad():
            for buffer, values in zip(floats, torch.split(first, [buffer.numel() for buffer in floats]), strict=True):
                buffer.copy_(values.view_as(buffer))


@contextlib.contextmanager
def _unchanged(module: nn.Module) -> Iterator[None]:
    """Whatever is computed inside leaves the buffers (running statistics) as they were."""
    kept = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, before in kept:
                buffer.copy_(before)
