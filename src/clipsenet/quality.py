"""Quality: how much a picture can tell, from its size and its sharpness; weights the pictures of a track."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float
from PIL import Image

from clipsenet.images import PictureError, open_picture, open_sighting
from clipsenet.reporting import Tick, unheard
from clipsenet.sightings import WHOLE, Sightings, same_file

SIDE = 128
"""Pixels of the short side above which size adds nothing, and of the square on which sharpness is measured."""

PERCENT = (1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 99, 100)

SHARPNESS = (
    *(10.93, 23.35, 33.39, 41.53, 50.04, 59.28, 68.76, 80.41, 92.08, 103.5, 115.9),
    *(128.5, 140.5, 157.7, 176.9, 200.4, 228.5, 265.6, 317.8, 413.9, 639.6, 1531.0),
)
"""So sharp are ``PERCENT`` of the 4,000 pictures of ``clipsenet synthesize drawn`` at most (200 vehicles, 12 cameras, seed 0):
the fixed measure, so that a picture's quality does not hang on what else is in its batch."""


def quality_of(picture: Image.Image) -> float:
    """min(1, short side / ``SIDE``) x the share of the reference pictures that are less sharp.

    Args:
        picture: RGB, cropped to the vehicle.

    Returns:
        Above 0 to 1. A share below that of the least sharp 1 % counts as 0.01.
    """
    share = float(np.interp(sharpness_of(picture), SHARPNESS, PERCENT)) / 100
    return min(1.0, min(picture.size) / SIDE) * share


def sharpness_of(picture: Image.Image) -> float:
    """The variance of the Laplacian (four neighbours) of the luma, 0 to 255, squashed to ``SIDE`` x ``SIDE`` pixels."""
    small = picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    luma = np.asarray(small, dtype=np.float32)
    middle = luma[1:-1, 1:-1]
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * middle
    return float(laplacian.var())


def measure_qualities(
    sightings: Sightings, threads: int = 2, tick: Tick = unheard
) -> tuple[Float[np.ndarray, " n"], list[tuple[int, str]]]:
    """The quality of every picture; a frame with several boxes is opened once.

    Args:
        sightings: the pictures.
        threads: that open them.
        tick: told how many are done.

    Returns:
        ``(n,)`` float32, NaN for a picture that cannot be used; and the rows of those, with the reason, ascending.
    """
    found = np.full(len(sightings), np.nan, dtype=np.float32)
    broken: list[tuple[int, str]] = []
    done = 0
    file = same_file(sightings, boxes=False)
    order = np.argsort(file, kind="stable")
    frames = np.split(order, np.flatnonzero(np.diff(file[order])) + 1) if len(order) else []
    with ThreadPoolExecutor(max_workers=threads) as pool:
        measured: Iterable[list[tuple[int, float | str]]] = pool.map(lambda rows: list(_of_frame(sightings, rows)), frames)
        for frame in measured:
            for row, one in frame:
                if isinstance(one, str):
                    broken.append((row, one))
                else:
                    found[row] = one
            done += len(frame)
            tick(done, len(sightings))
    return found, sorted(broken)


def _of_frame(sightings: Sightings, rows: np.ndarray) -> Iterator[tuple[int, float | str]]:
    """Each row of one file with its quality, or with what is wrong."""
    whole = None
    if len(rows) > 1:
        try:
            whole = open_picture(sightings.file(int(rows[0])))
        except PictureError:  # each row says so for itself
            whole = None
    for row in map(int, rows):
        x, y, width, height = box = sightings.box_of(row)
        if whole is not None and box != WHOLE and x + width <= whole.width and y + height <= whole.height:
            yield row, quality_of(whole.crop((x, y, x + width, y + height)))
            continue
        try:
            yield row, quality_of(open_sighting(sightings, row))
        except PictureError as error:
            yield row, str(error)
