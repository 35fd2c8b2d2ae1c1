"""Describe a network: its parts with their parameters and multiply-adds, counted on the code itself."""

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from clipsenet.features import no_places
from clipsenet.models import make_model
from clipsenet.recipe import Recipe


@dataclass(frozen=True)
class Part:
    """One part of a network.

    Attributes:
        name: as in the code.
        what: its class, or the trunk's name.
        parameters: learned numbers.
        multiply_adds: for one picture.
    """

    name: str
    what: str
    parameters: int
    multiply_adds: int


def describe(recipe: Recipe, vehicles: int | None = None) -> tuple[Part, ...]:
    """The parts of a recipe's network, the classifier's rows counted for ``vehicles`` training vehicles (none: left out).

    Nothing is computed: shapes alone run through the network.

    Raises:
        UsageError: a part that does not exist or does not fit.
    """
    settings = recipe.model.model_copy(update={"weights": None})
    model = make_model(settings, recipe.images.size).eval().to("meta")
    images = torch.empty(1, 3, *recipe.images.size, device="meta")
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(images, no_places(1, images.device))
    counts = {name: sum(by_operator.values()) // 2 for name, by_operator in counter.get_flop_counts().items()}
    top = type(model).__name__
    parts = [
        Part(
            name,
            recipe.model.trunk if name == "trunk" else type(part).__name__,
            sum(p.numel() for p in part.parameters()),
            counts.get(f"{top}.{name}", 0),
        )
        for name, part in model.named_children()
        if not isinstance(part, torch.nn.Identity)
    ]
    if vehicles is not None and any(loss.kind == "cross-entropy" for loss in recipe.losses.values()):
        # no bias; in training only, the test does not pass it
        parts.append(Part("classifier", f"Linear to {vehicles} vehicles", model.dim * vehicles, model.dim * vehicles))
    return tuple(parts)
