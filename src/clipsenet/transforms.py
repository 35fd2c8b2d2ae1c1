"""Transforms: from an upright RGB picture to the trunk's input, for training and for the test."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from pydantic import AfterValidator, Field, NonNegativeFloat
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

from clipsenet.settings import Settings

Three = tuple[float, float, float]


def _rising(pair: tuple[float, float]) -> tuple[float, float]:
    if not 0 < pair[0] <= pair[1]:
        raise ValueError("two numbers above 0, the smaller one first")
    return pair


def _shares(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[1] > 1:
        raise ValueError("shares of the area, at most 1")
    return _rising(pair)


Range = Annotated[tuple[float, float], AfterValidator(_rising)]
Shares = Annotated[tuple[float, float], AfterValidator(_shares)]
Pixels = Annotated[int, Field(ge=8)]
Hue = Annotated[float, Field(ge=0, le=0.5)]


class ImageSettings(Settings):
    """What happens to a picture before the network; the first three hold for training and test."""

    size: tuple[Pixels, Pixels] = Field(default=(320, 320), description="Height and width in pixels; squashed to it.")
    interpolation: Literal["bicubic", "bilinear"] = Field(default="bicubic", description="Of resizing, with antialias.")
    statistics: tuple[Three, Three] | None = Field(
        default=None, description="Mean and standard deviation of the pixels, 0 to 1, for R, G, B; none: the trunk's own."
    )
    flip: float = Field(default=0.5, ge=0, le=1, description="Probability of a left-right flip.")
    pad: int = Field(default=10, ge=0, description="Pixels padded with black all round before a crop back to size.")
    crop_scale: Shares | None = Field(
        default=None, description="Random resized crop of this share of the area, instead of pad and crop; none: off."
    )
    crop_ratio: Range = Field(default=(0.75, 1.333), description="The shapes of that crop, before squashing.")
    jitter: tuple[NonNegativeFloat, NonNegativeFloat, NonNegativeFloat, Hue] | None = Field(
        default=None, description="Colour jitter: brightness, contrast, saturation, hue; none: off."
    )
    erase: float = Field(default=0.5, ge=0, le=1, description="Probability of random erasing, filled with the mean.")
    erase_area: Shares = Field(default=(0.02, 0.4), description="Share of the picture that is erased.")
    erase_ratio: Range = Field(default=(0.3, 3.3), description="Height to width of the erased part.")


@dataclass(frozen=True)
class Transform:
    """From an upright RGB picture to the trunk's input, in two parts: one is the same every time, the other may draw.

    Attributes:
        first: what may be done once and kept (by ``caching.PictureCache``); none: nothing.
        rest: what is done each time.
        prepared: what the first part makes, in words, such as ``320 x 320 bicubic``; equal words, equal pictures.
    """

    first: Callable[[Image.Image], Image.Image] | None
    rest: Callable[[Image.Image], Float[Tensor, "3 height width"]]
    prepared: str

    def prepare(self, image: Image.Image) -> Image.Image:
        """The first part: nothing in it is random."""
        return image if self.first is None else self.first(image)

    def finish(self, image: Image.Image) -> Float[Tensor, "3 height width"]:
        """The rest, of a picture that ``prepare`` made."""
        return self.rest(image)

    def __call__(self, image: Image.Image) -> Float[Tensor, "3 height width"]:
        """Both."""
        return self.finish(self.prepare(image))


def make_test_transform(settings: ImageSettings, mean: Sequence[float], std: Sequence[float]) -> Transform:
    """Squash to size, scale to 0..1, normalise: nothing random."""
    return Transform(_resize(settings), v2.Compose(_normalise(mean, std)), _resized(settings))


def make_train_transform(settings: ImageSettings, mean: Sequence[float], std: Sequence[float]) -> Transform:
    """The test transform with flip, pad and crop (or a random resized crop), jitter and erasing as set.

    Every draw comes from torch's global generator: run it inside ``seeded``.
    """
    first: torch.nn.Module | None = None
    prepared = "as it is"  # a random crop takes its part of the original
    steps: list[torch.nn.Module] = []
    if settings.crop_scale is not None:
        steps.append(
            v2.RandomResizedCrop(settings.size, settings.crop_scale, settings.crop_ratio, _mode(settings), antialias=True)
        )
    else:
        first, prepared = _resize(settings), _resized(settings)
        if settings.pad:
            steps.append(v2.RandomCrop(settings.size, padding=settings.pad))
    steps.append(v2.RandomHorizontalFlip(settings.flip))
    if settings.jitter is not None:
        steps.append(v2.ColorJitter(*settings.jitter))
    steps += _normalise(mean, std)
    steps.append(v2.RandomErasing(settings.erase, settings.erase_area, settings.erase_ratio, value=0))
    return Transform(first, v2.Compose(steps), prepared)


def seed_of(*numbers: int) -> int:
    """One 64-bit seed from several numbers, such as seed, epoch and place."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


@contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Inside, torch's and Python's generators start from these numbers alone; outside, they go on as if nothing was."""
    seed = seed_of(*numbers)
    python_state, torch_state = random.getstate(), torch.get_rng_state()
    random.seed(seed)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        torch.set_rng_state(torch_state)


def _mode(settings: ImageSettings) -> InterpolationMode:
    return InterpolationMode(settings.interpolation)


def _resize(settings: ImageSettings) -> torch.nn.Module:
    resize: torch.nn.Module = v2.Resize(settings.size, _mode(settings), antialias=True)
    return resize


def _resized(settings: ImageSettings) -> str:
    height, width = settings.size
    return f"{height} x {width} {settings.interpolation}"


def _normalise(mean: Sequence[float], std: Sequence[float]) -> list[torch.nn.Module]:
    return [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(list(mean), list(std))]
