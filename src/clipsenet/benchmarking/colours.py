"""How the colours of one vehicle vary from camera to camera: drawn sets beside photographs."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from clipsenet.errors import ClipsenetError
from clipsenet.histogram import colour_histogram
from clipsenet.images import open_sighting
from clipsenet.sightings import UNKNOWN, Sightings, same_file

PAIRS = 4000
"""Drawn at most, of either kind."""


def measure(sightings: Sightings, seed: int = 0) -> dict[str, Any]:
    """The colours of pictures' middles, compared in pairs of two cameras.

    A picture's colour is the mean of the logarithms of linear R, G and B over the middle half of its sides; brightness is
    their mean, chroma is ``(log R/G, log B/G)``.

    Args:
        sightings: with vehicles and cameras.
        seed: of the pairs.

    Returns:
        ``pairs``; for one vehicle before two cameras the median and 90th percentile of the differences of ``brightness``
        (as factors: 1.5 is half as bright again) and of ``chroma`` (a factor of R/G or B/G), and the same for two vehicles;
        ``histogram``: the mean cosine of colour histograms of one vehicle and of two.

    Raises:
        ClipsenetError: no vehicle was seen by two cameras.
    """
    # a picture that is a query and stands in the gallery, too, counts once
    sightings = sightings[np.unique(same_file(sightings), return_index=True)[1]]
    rng = np.random.default_rng(seed)
    same = _pairs(sightings, rng, same=True)
    other = _pairs(sightings, rng, same=False)
    if not len(same) or not len(other):
        raise ClipsenetError("no vehicle was seen by two cameras, or there is one vehicle only: give a list with both")
    rows = np.unique(np.concatenate([same, other]))
    colour = np.zeros((len(sightings), 3))
    histogram = np.zeros((len(sightings), len(colour_histogram(open_sighting(sightings, int(rows[0]))))), dtype=np.float32)

    def look(row: int) -> tuple[int, Float[np.ndarray, " 3"], Float[np.ndarray, " dim"]]:
        image = open_sighting(sightings, row)
        return row, _colour(np.asarray(image)), colour_histogram(image)

    with ThreadPoolExecutor(max_workers=2) as pool:
        for row, mean, counts in pool.map(look, rows.tolist()):
            colour[row], histogram[row] = mean, counts
    found: dict[str, Any] = {"pairs": len(same)}
    for name, pairs in (("one vehicle", same), ("two vehicles", other)):
        difference = colour[pairs[:, 0]] - colour[pairs[:, 1]]
        brightness = abs(difference.mean(axis=1))
        chroma = np.hypot(difference[:, 0] - difference[:, 1], difference[:, 2] - difference[:, 1])
        found[name] = {
            "brightness": [round(float(np.exp(value)), 3) for value in np.quantile(brightness, (0.5, 0.9))],
            "chroma": [round(float(np.exp(value)), 3) for value in np.quantile(chroma, (0.5, 0.9))],
            "histogram": round(float((histogram[pairs[:, 0]] * histogram[pairs[:, 1]]).sum(axis=1).mean()), 3),
        }
    return found


def rows_of(sets: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """A row for each set and kind of pair."""
    rows = []
    for name, found in sets.items():
        for kind in ("one vehicle", "two vehicles"):
            one = found[kind]
            factors = [f"x {median:.2f}, x {high:.2f}" for median, high in (one["brightness"], one["chroma"])]
            rows.append((name, kind, *factors, f"{one['histogram']:.3f}"))
    return rows


def _colour(pixels: np.ndarray) -> Float[np.ndarray, " 3"]:
    """The mean logarithm of linear R, G, B in the middle."""
    height, width = pixels.shape[:2]
    middle = pixels[height // 4 : max(height // 4 + 1, 3 * height // 4), width // 4 : max(width // 4 + 1, 3 * width // 4)]
    linear = (middle.reshape(-1, 3).astype(np.float64) / 255) ** 2.2
    mean: Float[np.ndarray, " 3"] = np.log(linear + 1e-3).mean(axis=0)
    return mean


def _pairs(sightings: Sightings, rng: np.random.Generator, same: bool) -> Int[np.ndarray, "pairs 2"]:
    """Rows of one vehicle, or of two, before two known cameras."""
    vehicle, camera = sightings.vehicle.numbers, sightings.camera.numbers
    usable = np.flatnonzero((vehicle != UNKNOWN) & (camera != UNKNOWN))
    if same:
        order = usable[np.argsort(vehicle[usable], kind="stable")]
        groups = np.split(order, np.flatnonzero(np.diff(vehicle[order])) + 1)
        pairs = [np.array(np.meshgrid(rows, rows)).reshape(2, -1).T for rows in groups if len(rows) > 1]
        drawn = np.concatenate(pairs) if pairs else np.zeros((0, 2), dtype=np.int64)
        drawn = drawn[drawn[:, 0] < drawn[:, 1]]
    else:
        drawn = rng.choice(usable, (4 * PAIRS, 2)) if len(usable) else np.zeros((0, 2), dtype=np.int64)
    kept = drawn[(camera[drawn[:, 0]] != camera[drawn[:, 1]]) & ((vehicle[drawn[:, 0]] == vehicle[drawn[:, 1]]) == same)]
    chosen: Int[np.ndarray, "pairs 2"] = kept[rng.permutation(len(kept))[:PAIRS]]
    return chosen
