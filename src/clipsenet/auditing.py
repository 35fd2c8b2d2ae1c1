"""Auditing: what a score may rest on beside the vehicle: its camera, and where it is weak."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from clipsenet.features import Features
from clipsenet.images import PictureError, open_sighting
from clipsenet.intervals import Asked, bootstrap_queries, intervals
from clipsenet.protocol import Protocol
from clipsenet.reporting import SILENT, Tick, Watch
from clipsenet.scores import score_queries
from clipsenet.sightings import UNKNOWN, Sightings
from clipsenet.trials import Evaluation

DRAWS, SEED = 1000, 0
FEWEST = 10
"""Queries that a slice needs to be shown; what is left out is counted."""

COLUMNS = ("colour", "color", "type", "view")
"""Columns whose every value is a slice."""

Values = dict[str, Any]


def audit(features: Features, found: Evaluation, protocol: Protocol, watch: Watch = SILENT) -> Values:
    """How well the camera is told from the embedding, and the scores of slices of the queries.

    Args:
        features: of the test pictures.
        found: their trials, searched.
        protocol: for the AP rule.
        watch: told how far it is.

    Returns:
        Plain values: ``camera`` (see ``camera_shortcut``), ``slices`` (see ``slices``).
    """
    return {"camera": camera_shortcut(features), "slices": slices(found, protocol, watch)}


def camera_shortcut(features: Features) -> Values | None:
    """How often the nearest class mean of the embeddings tells a picture's camera, without its vehicle's pictures.

    A network that knows the camera can use it to tell vehicles apart where it should not. The largest camera's share is what
    always guessing that camera would reach; it is no bound: where kinds of vehicles go with cameras, an embedding of the
    vehicle alone tells them too, and nearest means do not guess the largest camera.

    Returns:
        ``accuracy`` with its 95 % ``interval`` over vehicles, ``largest_share`` of one camera, ``pictures``, ``cameras``;
        none where fewer than two cameras are known.
    """
    camera, vehicle = features.sightings.camera, features.sightings.vehicle
    known = np.flatnonzero(camera.known & vehicle.known)
    cameras, label = np.unique(camera.numbers[known], return_inverse=True)
    if len(cameras) < 2:
        return None
    vectors = features.embeddings[known]
    total = np.zeros((len(cameras), features.dim))
    np.add.at(total, label, vectors)
    count = np.bincount(label, minlength=len(cameras)).astype(np.float64)
    right = np.zeros(len(known))
    order = np.argsort(vehicle.numbers[known], kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(vehicle.numbers[known][order])) + 1):
        without, left = total.copy(), count.copy()
        np.subtract.at(without, label[rows], vectors[rows])
        np.subtract.at(left, label[rows], 1)
        seen = left > 0
        mean = without[seen] / left[seen, None]
        # nearest mean: |x - m|^2 without |x|^2, which is the same for all of them
        distance = (mean**2).sum(axis=1) - 2 * vectors[rows] @ mean.T
        right[rows] = np.flatnonzero(seen)[distance.argmin(axis=1)] == label[rows]
    asked = Asked(vehicle.numbers[known], {"accuracy": right})
    bounds = intervals(bootstrap_queries([[asked]], DRAWS, SEED)[0])
    return {
        "accuracy": float(right.mean()),
        "interval": list(bounds["accuracy"]),
        "largest_share": float(count.max() / count.sum()),
        "pictures": len(known),
        "cameras": len(cameras),
    }


def slices(found: Evaluation, protocol: Protocol, watch: Watch = SILENT) -> Values:
    """Scores of slices of the queries: camera pairs, colour, type, view, thirds by brightness and by size.

    A score is the mean over the slice's queries of all trials together, since a slice may lie in one of them. Of a camera
    pair the queries are those of the first camera, and their matches those of the second; other matches are left out as
    if they were junk.

    Returns:
        ``shown``: for each slice ``kind``, ``name``, ``queries``, ``mAP``, ``R1`` and their 95 % ``intervals`` over vehicles;
        ``left_out``: kind to how many slices have fewer than ``fewest`` queries.
    """
    shown: list[Values] = []
    left_out: dict[str, int] = {}
    parts = [*_by_camera_pair(found, protocol), *_by_column(found), *_by_picture(found, watch.stage("brightness and size"))]
    for kind, name, asked, rows in parts:
        queries = len(np.unique(rows[~np.isnan(asked.per_query["mAP"])]))
        if queries < FEWEST:
            left_out[kind] = left_out.get(kind, 0) + (queries > 0)
            continue
        sampled = intervals(bootstrap_queries([[asked]], DRAWS, SEED)[0])
        scores = {score: float(np.nanmean(values)) for score, values in asked.per_query.items()}
        bounds = {score: list(sampled[score]) for score in scores}
        shown.append({"kind": kind, "name": name, "queries": queries, **scores, "intervals": bounds})
    return {"shown": shown, "left_out": {kind: number for kind, number in left_out.items() if number}, "fewest": FEWEST}


Slice = tuple[str, str, Asked, Int[np.ndarray, " q"]]
"""Kind, name, the queries, and the test row of each: ten draws ask one picture several times."""


def _by_camera_pair(found: Evaluation, protocol: Protocol) -> Iterator[Slice]:
    camera, vehicle = found.test.camera, found.test.vehicle.numbers
    of_pair: dict[tuple[int, int], list[tuple[int, Int[np.ndarray, " _"]]]] = {}
    for result in found.results:
        for query, places, matched in zip(result.trial.query, result.ranking.places, result.ranking.matched, strict=True):
            seen_by = camera.numbers[result.trial.gallery[matched]]
            for other in np.unique(seen_by):
                if UNKNOWN not in (camera.numbers[query], other):
                    of_it = np.flatnonzero(seen_by == other)
                    # the other cameras' matches before each of these no longer stand there
                    closed_up = places[of_it] - (of_it - np.arange(len(of_it)))
                    of_pair.setdefault((int(camera.numbers[query]), int(other)), []).append((int(query), closed_up))
    for (asking, answering), queries in sorted(of_pair.items()):
        per_query = score_queries([places for _, places in queries], ap=protocol.ap).per_query()
        asked = Asked(vehicle[[query for query, _ in queries]], {score: per_query[score] for score in ("mAP", "R1")})
        rows = np.array([query for query, _ in queries], dtype=np.int64)
        yield "camera pair", f"{camera.names[asking]} to {camera.names[answering]}", asked, rows


def _by_column(found: Evaluation) -> Iterator[Slice]:
    test = found.test
    for column in COLUMNS:
        labels = test.view if column == "view" else test.extra.get(column)
        if labels is not None:
            for number, name in enumerate(labels.names):
                yield column, name, *_where(found, (labels.numbers == number).astype(np.int64), 1)


def _by_picture(found: Evaluation, tick: Tick) -> Iterator[Slice]:
    rows = np.unique(np.concatenate([result.trial.query for result in found.results]))
    brightness, size = (np.full(len(found.test), np.nan) for _ in range(2))
    brightness[rows], size[rows] = measure(found.test[rows], tick)
    for kind, unit, values in (("brightness", "", brightness), ("short side", " px", size)):
        if np.isnan(values).all():
            continue
        low, high = np.nanquantile(values, [1 / 3, 2 / 3])
        third = np.where(np.isnan(values), -1, np.where(values <= low, 0, np.where(values <= high, 1, 2)))
        names = (f"at most {low:.0f}{unit}", f"{low:.0f} to {high:.0f}{unit}", f"above {high:.0f}{unit}")
        for number, name in enumerate(names):
            yield kind, name, *_where(found, third, number)


def measure(pictures: Sightings, tick: Tick) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Each picture's mean brightness (luma, 0 to 255) and short side in pixels, within its box; NaN where it cannot be opened.

    Features may be read from a folder when the pictures are no longer there; hours of searching are not lost for that.
    """

    def one(row: int) -> tuple[float, float]:
        try:
            image = open_sighting(pictures, row)
        except PictureError:
            return float("nan"), float("nan")
        return brightness(image), float(min(image.size))

    values = np.empty((len(pictures), 2))
    with ThreadPoolExecutor(max_workers=2) as pool:
        for row, pair in enumerate(pool.map(one, range(len(pictures)))):
            values[row] = pair
            tick(row + 1, len(pictures))
    return values[:, 0], values[:, 1]


def brightness(picture: Image.Image) -> float:
    """Mean luma, 0 to 255."""
    small = picture.convert("L").resize((32, 32), Image.Resampling.BOX)
    return float(np.asarray(small).mean())


def _where(found: Evaluation, group: Int[np.ndarray, " n"], number: int) -> tuple[Asked, Int[np.ndarray, " q"]]:
    """The queries of one group of test rows, of all trials together."""
    rows = np.concatenate([result.trial.query for result in found.results])
    inside = group[rows] == number
    scores = {name: np.concatenate([result.per_query[name] for result in found.results]) for name in ("mAP", "R1")}
    asked = Asked(found.test.vehicle.numbers[rows[inside]], {name: values[inside] for name, values in scores.items()})
    return asked, rows[inside]
