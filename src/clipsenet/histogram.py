"""The colour histogram: what needs no training, and what a trained embedding has to beat."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float
from PIL import Image

from clipsenet.features import Features, Progress
from clipsenet.images import open_sighting
from clipsenet.sightings import Sightings

RUN_ID = "colour histogram: HSV 8 x 4 x 4 in four stripes, square roots"
_BINS = (8, 4, 4)
_STRIPES = 4
_SIDE = 96


def colour_histogram(image: Image.Image) -> Float[np.ndarray, " dim"]:
    """``(512,)`` float32 of length 1: HSV in 8 x 4 x 4 bins for each of four horizontal stripes, square roots.

    With square roots the cosine of two histograms is their Bhattacharyya coefficient.
    """
    small = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR).convert("HSV"), dtype=np.int64)
    index = np.zeros(small.shape[:2], dtype=np.int64)
    for channel, bins in enumerate(_BINS):
        index = index * bins + small[:, :, channel] * bins // 256
    size = int(np.prod(_BINS))
    stripes = [np.bincount(part.ravel(), minlength=size) for part in np.array_split(index, _STRIPES)]
    roots = np.sqrt(np.concatenate(stripes).astype(np.float32))
    unit: Float[np.ndarray, " dim"] = roots / np.linalg.norm(roots)
    return unit


def extract_histograms(sightings: Sightings, threads: int = 2, progress: Progress | None = None) -> Features:
    """The histograms of pictures, as features that any similarity takes.

    Raises:
        PictureError: a picture that cannot be used.
    """
    embeddings = np.empty((len(sightings), _STRIPES * int(np.prod(_BINS))), dtype=np.float32)
    with ThreadPoolExecutor(max_workers=threads) as pool:
        made = pool.map(lambda row: colour_histogram(open_sighting(sightings, row)), range(len(sightings)))
        for row, histogram in enumerate(made):
            embeddings[row] = histogram
            if progress is not None:
                progress(row + 1, len(sightings))
    return Features(sightings, embeddings, RUN_ID)
