"""Describe a network: its parts and what flows between them, found by running its own code on shapes alone."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from clipsenet.losses import Losses
from clipsenet.models import AnySettings, Model, make_model, resolved, without_weights
from clipsenet.models.clip_senet import SYMBOLS
from clipsenet.recipe import Recipe
from clipsenet.sightings import Sightings

PICTURE, LABELS = "pictures", "labels"
"""What comes in: the pixels, and the row of camera and view."""


@dataclass(frozen=True)
class Part:
    """One part of a network.

    Attributes:
        name: as in the code.
        what: its class, or the name of its trunk or tower.
        symbol: the paper's name of what it gives; may be empty.
        length: of the vector that it gives.
        inputs: the parts that it takes from, ``pictures`` and ``labels`` among them.
        parameters: learned numbers.
        multiply_adds: for one picture.
    """

    name: str
    what: str
    symbol: str
    length: int
    inputs: tuple[str, ...]
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Counts:
    """How many of each the training set has; what is not known leaves its part out, or empty.

    Attributes:
        vehicles: the classifier's rows.
        cameras, views: the rows of camera and view.
    """

    vehicles: int | None = None
    cameras: int | None = None
    views: int | None = None


def describe(recipe: Recipe, counts: Counts | None = None) -> tuple[Part, ...]:
    """The parts of a recipe's network, in the order in which they are run.

    No picture is computed: shapes alone run through the network, and each part's inputs are those tensors that it is
    really called with.

    Raises:
        UsageError: a part that does not exist or does not fit.
        ClipsenetError: an auto-pruned tower whose file is not there.
    """
    counts = counts or Counts()
    settings = without_weights(resolved(_with_names(recipe.model, counts), Sightings.of([])))
    model = make_model(settings, recipe.images.size, recipe.images.statistics).eval().to("meta")
    images = torch.empty(1, 3, *recipe.images.size, device="meta")
    places = torch.empty(1, dtype=torch.int64, device="meta")
    calls = _Calls(model, {PICTURE: images, LABELS: places})
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(images, places)
    adds = {name: sum(by_operator.values()) // 2 for name, by_operator in counter.get_flop_counts().items()}
    top = type(model).__name__
    modules = dict(model.named_children())
    parts = [
        Part(
            name,
            _what(name, modules[name], settings),
            _symbol(name, settings),
            calls.lengths[name],
            calls.inputs[name],
            sum(p.numel() for p in modules[name].parameters()),
            adds.get(f"{top}.{name}", 0),
        )
        for name in calls.inputs
        if not isinstance(modules[name], nn.Identity)
    ]
    if counts.vehicles is not None:
        parts += _losses(recipe, model.dim, counts.vehicles, before=_before_the_neck(parts), after=parts[-1].name)
    return tuple(parts)


def _losses(recipe: Recipe, dim: int, vehicles: int, *, before: str, after: str) -> list[Part]:
    """The losses that have numbers to learn: classifiers, proxies; in training only, the test does not pass them."""
    made = Losses(recipe.losses, dim, vehicles)
    parts = []
    for (name, settings), loss in zip(recipe.losses.items(), made.parts, strict=True):
        size = sum(p.numel() for p in loss.parameters())
        if size:
            source = before if settings.on == "before" else after
            only = settings.kind == "cross-entropy" and sum(one.kind == settings.kind for one in recipe.losses.values()) == 1
            adds = size if settings.kind == "cross-entropy" else 0  # a linear layer without bias
            what = "Linear" if settings.kind == "cross-entropy" else type(loss).__name__
            parts.append(Part("classifier" if only else name, f"{what}, in training only", "", vehicles, (source,), size, adds))
    return parts


def _before_the_neck(parts: list[Part]) -> str:
    """The part whose vector the neck takes; the last one where there is no neck."""
    return parts[-1].inputs[0] if parts[-1].name == "neck" else parts[-1].name


class _Calls:
    """Watches a model's parts: what each was called with, and the length of what it gave."""

    def __init__(self, model: Model, inputs: dict[str, Tensor]) -> None:
        self.made_by = {id(tensor): name for name, tensor in inputs.items()}
        self.kept: list[Any] = list(inputs.values())  # alive, so that no id is used twice
        self.inputs: dict[str, tuple[str, ...]] = {}  # in the order of the calls
        self.lengths: dict[str, int] = {}
        for name, part in model.named_children():
            part.register_forward_hook(self._hook(name))

    def _hook(self, name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            self.inputs[name] = tuple(self.made_by[id(tensor)] for tensor in inputs)
            self.lengths[name] = int(output.shape[-1])
            self.made_by[id(output)] = name
            self.kept.append(output)

        return hook


def _with_names(settings: AnySettings, counts: Counts) -> AnySettings:
    """Rows for as many cameras and views as are said; named by number."""
    if settings.places is None:
        return settings
    update = {
        field: tuple(str(number) for number in range(count or 0))
        for field, count in (("cameras", counts.cameras), ("views", counts.views))
        if getattr(settings.places, field) is None
    }
    return settings.model_copy(update={"places": settings.places.model_copy(update=update)})


def _symbol(name: str, settings: AnySettings) -> str:
    if name == "places" and settings.places is not None:
        return settings.places.on
    return SYMBOLS.get(name, "")


def _what(name: str, part: nn.Module, settings: AnySettings) -> str:
    whole = settings.as_clip_senet()
    if name == "appearance" and whole.appearance is not None:
        return whole.appearance.trunk
    if name == "semantics" and whole.semantics is not None:
        return whole.semantics.tower
    if name == "afem" and whole.afem is not None:
        return f"AFEM, {whole.afem.groups} {whole.afem.reading}"
    if name == "places" and whole.places is not None:
        return f"{whole.places.rows} rows of {whole.places.labels}"
    if name == "fusion" and whole.semantics is not None and whole.appearance is not None:
        return "FC([T_s ; T_a])"
    return {"fusion": "FC", "sum": "T_u + T_s'"}.get(name, type(part).__name__)
