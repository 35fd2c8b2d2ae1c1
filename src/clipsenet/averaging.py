"""EMA: a moving average of the weights, which is what is validated and saved where a recipe asks for it."""

import copy

import torch
from torch import Tensor, nn

from clipsenet.models import Model


class MovingAverage:
    """The exponential moving average of a module's weights and running statistics.

    After step t (from 1) ``average = d * average + (1 - d) * weights`` with ``d = min(decay, (1 + t) / (10 + t))``: a
    short memory at first, so that the random beginning is soon forgotten.

    Args:
        model: whose average; it begins as a copy of it.
        decay: 0.999 remembers about 1,000 steps.
    """

    def __init__(self, model: Model, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.module = copy.deepcopy(model)
        self.module.eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take one more step in."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        ours, theirs = _floats(self.module), _floats(module)
        torch._foreach_lerp_(ours, theirs, 1 - decay)
        for mine, other in zip(self.module.buffers(), module.buffers(), strict=True):
            if not mine.is_floating_point():  # counters
                mine.copy_(other)


def _floats(module: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in (*module.parameters(), *module.buffers()) if tensor.is_floating_point()]
