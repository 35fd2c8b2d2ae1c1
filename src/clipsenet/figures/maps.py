"""Activation maps over their pictures (Fig. 5): a column for each run and branch; single pictures, or pairs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from clipsenet.attribution import activation_maps, enlarged
from clipsenet.errors import ClipsenetError
from clipsenet.figures.lettering import fitting
from clipsenet.figures.looking import Look
from clipsenet.figures.style import INK, PAPER
from clipsenet.images import open_sighting

GAP, HEAD, TEXT = 8, 38, 20


@dataclass(frozen=True)
class Shown:
    """A row: one picture, or two that are compared.

    Attributes:
        rows: of the test pictures; one, or two.
    """

    rows: tuple[int, ...]


def draw_maps(
    looks: Sequence[tuple[str, Look]],
    shown: Sequence[Shown],
    side: int = 128,
    show: Callable[[int], Image.Image] | None = None,
    caption: str = "",
) -> Image.Image:
    """Each picture, and over it in colour what makes its embedding; of a pair what makes the two alike.

    The brighter, the more; each map is scaled by its own strongest place, so that maps tell where, not how much. What makes
    less alike is left dark.

    Args:
        looks: runs on one test, with their names.
        shown: rows from top to bottom; all single, or all pairs.
        side: of a picture, in pixels; pictures are squashed, as the network sees them.
        show: a test row to the picture that is shown of it, where that is not the picture itself: maps are made of the whole.
        caption: a line below.

    Raises:
        ClipsenetError: nothing to show.
        UsageError: a trunk without places.
        PictureError: a picture that cannot be opened.
    """
    if not shown:
        raise ClipsenetError("nothing to show: name pictures, or choose queries that have a match")
    titles = [(name, branch) for name, one in looks for branch in branches_of(one)]
    pair = len(shown[0].rows) == 2
    width_of = side * len(shown[0].rows) + (2 if pair else 0)
    font = ImageFont.load_default(11)
    width = max(GAP + (len(titles) + 1) * (width_of + GAP), int(font.getlength(caption)) + 2 * GAP)
    below = HEAD + len(shown) * (side + TEXT + GAP)
    image = Image.new("RGB", (width, below + (TEXT if caption else 0)), PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((GAP, below), caption, INK, font=font)
    for place, words in enumerate([("pictures" if pair else "picture",), *titles]):
        for line, text in enumerate(words):
            draw.text((GAP + place * (width_of + GAP), 4 + 14 * line), fitting(text, width_of, font), INK, font=font)
    for line, one in enumerate(shown):
        top, left = HEAD + line * (side + TEXT + GAP), GAP
        opened = [open_sighting(looks[0][1].found.test, row) if show is None else show(row) for row in one.rows]
        pictures = [picture.resize((side, side), Image.Resampling.BICUBIC) for picture in opened]
        for part, picture in enumerate(pictures):
            image.paste(picture, (left + part * (side + 2), top))
        for _, look in looks:
            maps, likeness = _maps(look, one)
            for branch in branches_of(look):
                left += width_of + GAP
                for part, picture in enumerate(pictures):
                    image.paste(_overlaid(picture, maps[part][branch]), (left + part * (side + 2), top))
                if likeness is not None:
                    draw.text((left, top + side + 3), f"cosine {likeness:.3f}", INK, font=font)
    return image


def branches_of(look: Look) -> list[str]:
    """The branches that a run's network has, in the paper's order."""
    model = look.run.model
    return [name for name, one in (("appearance", model.appearance), ("semantics", model.semantics)) if one is not None]


def _maps(look: Look, one: Shown) -> tuple[list[dict[str, Float[Tensor, "_ _"]]], float | None]:
    """Branch to map of each picture, and the cosine of a pair."""
    run, test = look.run, look.found.test
    images = torch.stack([run.test_transform(open_sighting(test, row)) for row in one.rows])
    places = torch.from_numpy(look.places[list(one.rows)])
    other, likeness = None, None
    if len(one.rows) == 2:
        with torch.inference_mode():
            unit = run.model(images, places).clone()
        other, likeness = unit.flip(0), float(unit[0] @ unit[1])
    found = activation_maps(run.model, images, places, other)
    return [{name: maps[part] for name, maps in found.items()} for part in range(len(one.rows))], likeness


def _overlaid(picture: Image.Image, found: Float[Tensor, "_ _"]) -> Image.Image:
    """The picture in grey under the map in colour."""
    heat = enlarged(found[None], (picture.height, picture.width))[0].clamp(min=0)
    strength = (heat / heat.max().clamp(min=1e-12)).numpy()[..., None]
    colour = mpl.colormaps["inferno"](strength[..., 0])[..., :3]
    grey = np.repeat(np.asarray(picture.convert("L"), dtype=np.float64)[..., None] / 255, 3, axis=2)
    mixed = grey * (1 - 0.75 * strength) + colour * 0.75 * strength
    return Image.fromarray((mixed * 255).round().astype(np.uint8))
