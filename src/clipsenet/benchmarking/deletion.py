"""The deletion test: does covering what an activation map marks lower the likeness more than covering as much elsewhere?"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from clipsenet.attribution import activation_maps, enlarged, strongest
from clipsenet.errors import ClipsenetError
from clipsenet.images import open_sighting
from clipsenet.reporting import Tick, unheard
from clipsenet.runs import Run
from clipsenet.sightings import UNKNOWN, Sightings

Pictures = Float[Tensor, "n 3 height width"]


def measure(
    run: Run, pictures: Sightings, count: int = 50, share: float = 0.2, draws: int = 20, seed: int = 0, tick: Tick = unheard
) -> dict[str, Any]:
    """Cover the strongest ``share`` of pixels by the mean colour, and the same shape elsewhere, and compare.

    ``own``: the cosine of a covered picture with itself uncovered. ``pairs``: of a covered picture with another picture of
    its vehicle, uncovered, by that pair's map. Elsewhere: the same mask moved by chance (around the borders), so that area
    and shape are the same; ``draws`` times.

    Args:
        run: the network; no camera or view is told.
        pictures: with vehicles.
        count: pictures, drawn by ``seed``; for pairs so many vehicles with two pictures, before two cameras where known.
        share: of the pixels that is covered.
        draws: moved masks for each picture.
        seed: of all draws.
        tick: told how many pictures are done.

    Returns:
        For each branch, and ``own`` and ``pairs``: the mean drop of the cosine by the map, by chance, and the difference, each
        with its 95 % bootstrap interval over the pictures.

    Raises:
        ClipsenetError: no vehicle has two pictures; a broken picture.
    """
    rng = np.random.default_rng(seed)
    model = run.model.eval()
    singles = rng.permutation(len(pictures))[:count]
    pairs = _pairs(pictures, count, rng)
    total = len(singles) + len(pairs)
    drops: dict[tuple[str, str], list[tuple[float, float]]] = {}

    def embed(images: Pictures) -> Float[Tensor, "n dim"]:
        with torch.inference_mode():
            found: Tensor = model(images, torch.full((len(images),), UNKNOWN))
        return found.clone()

    for done, rows in enumerate([*((int(row),) for row in singles), *pairs]):
        images = torch.stack([run.test_transform(open_sighting(pictures, row)) for row in rows])
        image, other = images[:1], embed(images[-1:])
        none = torch.full((1,), UNKNOWN)
        maps = activation_maps(model, image, none, None if len(rows) == 1 else other)
        for branch, found in maps.items():
            mask = strongest(enlarged(found, (image.shape[2], image.shape[3])), share)
            drop = _drop(embed, image, other, mask, draws, rng)
            drops.setdefault((branch, "own" if len(rows) == 1 else "pairs"), []).append(drop)
        tick(done + 1, total)
    return {
        "run": run.id,
        "pictures": len(singles),
        "pairs": len(pairs),
        "share": share,
        "draws": draws,
        "results": [{"branch": branch, "of": of, **_summary(np.array(values), rng)} for (branch, of), values in drops.items()],
    }


def rows_of(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """A row a branch and kind."""
    return [
        (
            f"{one['branch']}, {one['of']}",
            *(f"{one[name][0]:+.3f} [{one[name][1]:+.3f}, {one[name][2]:+.3f}]" for name in DROPS),
        )
        for one in result["results"]
    ]


DROPS = ("by_map", "by_chance", "difference")


def _drop(
    embed: Callable[[Pictures], Float[Tensor, "n dim"]],
    image: Pictures,
    other: Float[Tensor, "1 dim"],
    mask: Float[Tensor, "1 height width"],
    draws: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """By how much the cosine falls: covered as the map says, and, the mean of it, covered elsewhere."""
    height, width = mask.shape[1:]
    moved = [torch.roll(mask, (int(rng.integers(height)), int(rng.integers(width))), dims=(1, 2)) for _ in range(draws)]
    masks = torch.cat([torch.zeros_like(mask), mask, *moved])[:, None]
    likeness = (embed(image * (1 - masks)) @ other.T)[:, 0]  # 0 is the mean colour: pictures are normalised
    falls = (likeness[0] - likeness[1:]).tolist()
    return falls[0], float(np.mean(falls[1:]))


def _summary(values: Float[np.ndarray, "n 2"], rng: np.random.Generator) -> dict[str, tuple[float, float, float]]:
    both = np.concatenate([values, values[:, :1] - values[:, 1:]], axis=1)
    means = both[rng.integers(len(both), size=(2000, len(both)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return {name: (float(both[:, column].mean()), float(low[column]), float(high[column])) for column, name in enumerate(DROPS)}


def _pairs(pictures: Sightings, count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Two pictures of one vehicle, before two cameras where there are two."""
    numbers, camera = pictures.vehicle.numbers, pictures.camera.numbers
    found = []
    for vehicle in rng.permutation(np.unique(numbers[numbers >= 0])):
        rows = rng.permutation(np.flatnonzero(numbers == vehicle))
        if len(rows) > 1:
            others = [row for row in rows[1:] if camera[row] != camera[rows[0]]] or rows[1:].tolist()
            found.append((int(rows[0]), int(others[0])))
        if len(found) == count:
            break
    if not found:
        raise ClipsenetError("no vehicle has two pictures: there is no pair to compare; give a list with more")
    return found
