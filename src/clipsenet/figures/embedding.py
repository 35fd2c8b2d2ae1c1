"""Embedding maps (Fig. 4 of the paper): t-SNE of the same vehicles by several runs, and the distances that it stands for."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from sklearn.manifold import TSNE

from clipsenet.errors import ClipsenetError
from clipsenet.figures.looking import Look
from clipsenet.figures.style import COLOURS, MARKS, drawing
from clipsenet.sightings import Sightings

MOST = 2000
"""Pictures that are laid out at most."""


class TooFewError(ClipsenetError):
    """Not enough vehicles with two pictures to lay them out."""


def choose_rows(test: Sightings, vehicles: int, seed: int = 0) -> Int[np.ndarray, " rows"]:
    """All pictures (at most ``MOST`` of them) of so many vehicles, drawn by ``seed`` among those with two pictures or more.

    Raises:
        TooFewError: fewer than two such vehicles.
    """
    numbers, counts = np.unique(test.vehicle.numbers[test.vehicle.known], return_counts=True)
    able = numbers[counts > 1]
    if len(able) < 2:
        raise TooFewError(f"{len(able)} tested vehicles have two pictures or more, wanted two: there is nothing to compare")
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(able)[:vehicles]
    rows = np.flatnonzero(np.isin(test.vehicle.numbers, chosen))
    return rows if len(rows) <= MOST else np.sort(rng.choice(rows, MOST, replace=False))


def distance_ratio(embeddings: Float[np.ndarray, "n dim"], vehicle: Int[np.ndarray, " n"]) -> float:
    """Mean distance between pictures of one vehicle over that between pictures of two; the smaller, the better apart.

    Distances are Euclidean, of unit vectors: the square root of 2 - 2 cosine.
    """
    distance = np.sqrt(np.clip(2 - 2 * embeddings.astype(np.float64) @ embeddings.T.astype(np.float64), 0, None))
    same = vehicle[:, None] == vehicle[None, :]
    above = np.triu(np.ones_like(same), 1)
    return float(distance[same & above].mean() / distance[~same & above].mean())


def draw_embedding(
    looks: Sequence[tuple[str, Look]],
    rows: Int[np.ndarray, " rows"],
    path: Path,
    columns: int = 3,
    seed: int = 0,
    caption: str = "",
) -> None:
    """A panel for each run on the same pictures: a colour for each vehicle, a mark for each camera.

    t-SNE keeps neighbours, not distances: those stand in the title, as ``distance_ratio`` of the embeddings themselves.

    Args:
        looks: runs on one test, with their names.
        rows: of its pictures.
        path: of the PNG.
        columns: panels side by side.
        seed: of t-SNE.
        caption: on which test; a line above.

    Raises:
        ClipsenetError: the file cannot be written.
    """
    side = min(columns, len(looks))
    lines = -(-len(looks) // side)
    with drawing(3.1 * side + 0.2, 3.1 * lines + 0.3, path) as figure:
        figure.suptitle(caption, fontsize=7, wrap=True)
        panels = figure.subplots(lines, side, squeeze=False).ravel()
        for axes in panels[len(looks) :]:
            axes.set_axis_off()
        for axes, (name, look) in zip(panels[: len(looks)], looks, strict=True):
            vectors = look.features.embeddings[rows]
            test = look.found.test[rows]
            spots = TSNE(
                perplexity=min(30.0, (len(rows) - 1) / 3), init="pca", random_state=seed, metric="cosine"
            ).fit_transform(vectors)
            _scatter(axes, spots, test)
            axes.set_title(f"{name}: within / between {distance_ratio(vectors, test.vehicle.numbers):.2f}", fontsize=9)


def _scatter(axes: Axes, spots: Float[np.ndarray, "n 2"], test: Sightings) -> None:
    vehicles = np.unique(test.vehicle.numbers)
    for place, vehicle in enumerate(vehicles):
        # more vehicles than colours: the next round is drawn hollow
        colour, hollow = COLOURS[place % len(COLOURS)], place // len(COLOURS) % 2 == 1
        for camera in np.unique(test.camera.numbers):
            chosen = (test.vehicle.numbers == vehicle) & (test.camera.numbers == camera)
            if chosen.any():
                axes.scatter(
                    spots[chosen, 0],
                    spots[chosen, 1],
                    s=18,
                    marker=MARKS[int(camera) % len(MARKS)],
                    facecolors="none" if hollow else colour,
                    edgecolors=colour,
                    linewidths=0.9,
                )
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(visible=True, color="#bbbbbb")
