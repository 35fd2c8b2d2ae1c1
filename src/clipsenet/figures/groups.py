"""AFEM after training: the weights w_i of equation 4, and what each group gives to given pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from clipsenet.evaluation import places_told
from clipsenet.figures.style import COLOURS, drawing
from clipsenet.images import open_sighting
from clipsenet.models.group_shares import group_shares, group_weights
from clipsenet.runs import Run
from clipsenet.sightings import Sightings


@dataclass(frozen=True, eq=False)
class Groups:
    """AFEM's groups on some pictures.

    Attributes:
        weights: ``(G,)`` as ``group_weights``.
        shares: ``(pictures, 1 + G)`` as ``group_shares``: f_0's first; a picture's sum to 1.
    """

    weights: Float[np.ndarray, " groups"]
    shares: Float[np.ndarray, "pictures terms"]

    @property
    def band(self) -> tuple[Float[np.ndarray, " terms"], Float[np.ndarray, " terms"]]:
        """Of each term the shares between which the middle 90 % of the pictures lie."""
        low, high = np.quantile(self.shares.astype(np.float64), [0.05, 0.95], axis=0)
        return low, high


def measure_groups(run: Run, pictures: Sightings, batch: int = 32) -> Groups:
    """Weights, and shares on pictures; rows of camera and view are told as the run's recipe says for its test.

    Args:
        run: with an AFEM.
        pictures: to be looked at.
        batch: pictures at once.

    Raises:
        UsageError: the network has no AFEM.
        PictureError: a picture that cannot be opened.
    """
    weights = group_weights(run.model)
    places = torch.from_numpy(places_told(run, pictures, run.recipe.evaluation))
    parts = []
    for start in range(0, len(pictures), batch):
        some = range(start, min(start + batch, len(pictures)))
        images = torch.stack([run.test_transform(open_sighting(pictures, row)) for row in some])
        parts.append(group_shares(run.model, images, places[start : start + batch]))
    return Groups(weights.numpy(), torch.cat(parts).numpy())


def draw_groups(found: Sequence[tuple[str, Groups]], path: Path, caption: str = "") -> None:
    """For each run its weights, and below them each group's mean share, with the middle 90 % of the pictures.

    Args:
        found: runs with an AFEM, with their names.
        path: of the PNG.
        caption: which pictures.

    Raises:
        ClipsenetError: the file cannot be written.
    """
    with drawing(7.2, 3.6 * len(found) + 0.2, path) as figure:
        panels = figure.subplots(2 * len(found), 1, squeeze=False).ravel()
        for number, (name, groups) in enumerate(found):
            above, below = panels[2 * number], panels[2 * number + 1]
            count = len(groups.weights)
            above.bar(np.arange(1, count + 1), groups.weights, color=COLOURS[0], width=0.8)
            above.set(ylabel="weight w")
            above.set_title(f"{name}: {count} groups, {len(groups.shares)} pictures", loc="left", fontsize=9)
            low, high = (100 * bound for bound in groups.band)
            mean = 100 * groups.shares.mean(axis=0)
            below.vlines(np.arange(count + 1), low, high, color=COLOURS[5], linewidth=3, label="90 % of pictures")
            below.plot(np.arange(count + 1), mean, "o", color=COLOURS[1], markersize=3.5, label="mean")
            below.set(ylabel="share of T_s', %", xlabel="group; 0 is f_0")
            below.legend(frameon=False, ncols=2, fontsize=8)
            for axes in (above, below):
                axes.axhline(0, color="gray", linewidth=0.6)
                axes.set_xlim(-0.7, count + 0.7)
        figure.suptitle(caption, fontsize=7)
