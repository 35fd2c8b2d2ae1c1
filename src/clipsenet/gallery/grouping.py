"""Groups: the best of each track by the mean vector of its pictures, or of each camera; whoever has none stands for itself.

A track's vector is never stored: the cosine of a query with the weighted mean of unit vectors is the weighted sum of its
cosines with them over the length of the weighted sum of vectors, so that one pass over the pictures gives those of all tracks.
"""

import threading

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipsenet.gallery.searching import Best, Rows, best_rows, each_chunk, merged, rescored, rounding
from clipsenet.gallery.snapshot import Snapshot

SUMS = 2**24
"""Sums that are held at once: 64 MiB of float32; the more tracks, the fewer queries at once."""

NO_LENGTH = 1e-6
"""Of the weights' sum: pictures that cancel each other leave no direction, and their track is like nothing."""

GATHERED = 8192
"""Vectors that are summed to tracks' vectors at once."""


def best_cameras(snapshot: Snapshot, query: Float[np.ndarray, "q dim"], rows: Rows | None, top: int) -> list[Best]:
    """The best sighting of each camera, the best cameras first."""
    rows = np.arange(len(snapshot)) if rows is None else rows
    camera = snapshot.label("camera")[rows]
    placeless = rows[camera == 0]
    found = [best_rows(snapshot, query, placeless, top)] if len(placeless) else []
    if (camera > 0).any():
        found.append(_best_of_cameras(snapshot, query, rows[camera > 0], top))
    return [merged(snapshot, list(of_query), top) for of_query in zip(*found, strict=True)]


def _best_of_cameras(snapshot: Snapshot, query: Float[np.ndarray, "q dim"], rows: Rows, top: int) -> list[Best]:
    """As above, of sightings whose camera is known."""
    camera = snapshot.label("camera")
    numbers = np.unique(camera[rows])
    slack = np.float32(2 * rounding(query.shape[1]))
    best = np.full((len(query), len(numbers)), -np.inf, dtype=np.float32)
    kept: list[list[tuple[int, Rows, Float[np.ndarray, " _"]]]] = [[] for _ in query]
    lock = threading.Lock()

    def look(chunk: Rows, similarity: Tensor) -> None:
        order = np.argsort(camera[chunk], kind="stable")
        there, begin = np.unique(camera[chunk][order], return_index=True)
        place, end = np.searchsorted(numbers, there), [*begin[1:], len(chunk)]
        values = similarity.numpy()[:, order]
        largest = np.maximum.reduceat(values, begin, axis=1)
        with lock:
            worth = np.argwhere(largest >= best[:, place] - slack)
            best[:, place] = np.maximum(best[:, place], largest)
        for number, group in worth.tolist():
            part = slice(begin[group], end[group])
            above = np.flatnonzero(values[number, part] >= largest[number, group] - slack) + begin[group]
            kept[number].append((int(place[group]), chunk[order[above]], values[number, above]))

    each_chunk(snapshot, query, rows, look)
    return [_settled_cameras(snapshot, *of_query, slack, top) for of_query in zip(query, best, kept, strict=True)]


def _settled_cameras(
    snapshot: Snapshot,
    query: Float[np.ndarray, " dim"],
    best: Float[np.ndarray, " c"],
    kept: list[tuple[int, Rows, Float[np.ndarray, " _"]]],
    slack: np.float32,
    top: int,
) -> Best:
    """The best cameras by exact similarities, of those that may be among them."""
    floor = (-np.inf if len(best) <= top else np.partition(best, -top)[-top]) - slack
    some = [found[values >= max(best[place] - slack, floor)] for place, found, values in kept if best[place] >= floor]
    rows, values = rescored(snapshot, query, np.concatenate(some), sum(map(len, some)))
    _, first = np.unique(snapshot.label("camera")[rows], return_index=True)
    first = np.sort(first)[:top]
    return rows[first], values[first]


def best_tracks(
    snapshot: Snapshot, query: Float[np.ndarray, "q dim"], rows: Rows | None, top: int, lengths: Float[np.ndarray, " _"]
) -> list[Best]:
    """The tracks most alike, each shown by its sighting most alike among those that are meant.

    Args:
        snapshot: what is searched.
        query: unit vectors.
        rows: ascending, those that are meant; none: all.
        top: how many.
        lengths: of the tracks' weighted sums of vectors, NaN where nobody has asked yet; filled where needed.
    """
    number, count = snapshot.tracks
    of_row = number if rows is None else number[rows]
    tracks = np.arange(count) if rows is None else np.unique(of_row[of_row >= 0])
    alone = np.flatnonzero(of_row < 0) if rows is None else rows[of_row < 0]
    found = [best_rows(snapshot, query, alone, top)] if len(alone) else []
    if len(tracks):
        _measure(snapshot, tracks, lengths)
        step = max(1, SUMS // len(tracks))
        found.append(
            [
                best
                for start in range(0, len(query), step)
                for best in _best_of_tracks(snapshot, query[start : start + step], rows, tracks, top, lengths[tracks])
            ]
        )
    return [merged(snapshot, list(of_query), top) for of_query in zip(*found, strict=True)]


def _best_of_tracks(
    snapshot: Snapshot,
    query: Float[np.ndarray, "q dim"],
    rows: Rows | None,
    tracks: Int[np.ndarray, " t"],
    top: int,
    length: Float[np.ndarray, " t"],
) -> list[Best]:
    number, count = snapshot.tracks
    place = np.full(count + 1, -1, dtype=np.int64)  # the last one serves those without a track, whose number is -1
    place[tracks] = np.arange(len(tracks))
    place_of = place[number]
    weights = snapshot.weights
    sums = torch.zeros(len(tracks), len(query))  # track by track: a picture then adds to numbers that lie together
    lock = threading.Lock()

    def look(chunk: Rows, similarity: Tensor) -> None:
        weighed = (similarity * torch.from_numpy(weights[chunk])).T.contiguous()
        with lock:
            sums.index_add_(0, torch.from_numpy(place_of[chunk]), weighed)

    each_chunk(snapshot, query, np.flatnonzero(place_of >= 0), look)
    weight, pictures = (total[tracks] for total in snapshot.track_totals)
    directed = length > NO_LENGTH * weight
    scale = np.where(directed, length, np.inf)
    slack = (rounding(query.shape[1]) + 2.0**-23 * (pictures + 4)) * weight / scale
    similar = sums.div_(torch.from_numpy(scale.astype(np.float32))[:, None]).T
    certain = similar - torch.from_numpy(slack.astype(np.float32))
    floor = certain.topk(top, dim=1).values[:, -1] if len(tracks) > top else torch.full((len(query),), -torch.inf)
    contenders = similar + torch.from_numpy(slack.astype(np.float32)) >= floor[:, None]
    return [_settled_tracks(snapshot, one, rows, tracks[may.numpy()], top) for one, may in zip(query, contenders, strict=True)]


def _settled_tracks(
    snapshot: Snapshot, query: Float[np.ndarray, " dim"], rows: Rows | None, tracks: Int[np.ndarray, " t"], top: int
) -> Best:
    """The best of a few tracks by exact similarities."""
    ids, weights = snapshot.columns["id"], snapshot.weights
    shown, exact = [], []
    for track in tracks:
        members = _members(snapshot, int(track))
        total = weights[members].astype(np.float64) @ snapshot.vectors(members).astype(np.float64)
        length = float(np.linalg.norm(total))
        directed = length > NO_LENGTH * float(weights[members].sum(dtype=np.float64))
        exact.append(float(np.clip((query * total).sum() / length, -1, 1)) if directed else 0.0)
        meant = members if rows is None else members[_among(rows, members)]
        shown.append(int(rescored(snapshot, query, meant, 1)[0][0]))
    rows_, values = np.array(shown, dtype=np.int64), np.array(exact).astype(np.float32)
    order = np.lexsort((ids[rows_], -values))[:top]
    return rows_[order], values[order]


def _measure(snapshot: Snapshot, tracks: Int[np.ndarray, " t"], lengths: Float[np.ndarray, " _"]) -> None:
    """Fill in the lengths of the tracks' weighted sums of vectors where nobody has asked yet."""
    wanted = tracks[np.isnan(lengths[tracks])]
    order, begin = snapshot.rows_by_track
    weights = snapshot.weights
    alone = wanted[begin[wanted + 1] - begin[wanted] == 1]
    rows = order[begin[alone]]
    in_order = np.argsort(rows)  # of most tracks one picture: these are read as they lie
    for start in range(0, len(alone), GATHERED):
        some = in_order[start : start + GATHERED]
        lengths[alone[some]] = np.linalg.norm(snapshot.vectors(rows[some]), axis=1) * weights[rows[some]]
    wanted = wanted[begin[wanted + 1] - begin[wanted] > 1]
    count = begin[wanted + 1] - begin[wanted]
    behind = np.cumsum(count)
    start = 0
    while start < len(wanted):
        done = 0 if start == 0 else int(behind[start - 1])
        end = max(start + 1, int(np.searchsorted(behind, done + GATHERED, side="right")))
        edge = behind[start:end] - count[start:end] - done
        within = np.arange(behind[end - 1] - done) - np.repeat(edge, count[start:end])
        rows = order[np.repeat(begin[wanted[start:end]], count[start:end]) + within]
        weighed = snapshot.vectors(rows) * weights[rows, None]
        lengths[wanted[start:end]] = np.linalg.norm(np.add.reduceat(weighed, edge, axis=0), axis=1)
        start = end


def _members(snapshot: Snapshot, track: int) -> Rows:
    order, begin = snapshot.rows_by_track
    return np.sort(order[begin[track] : begin[track + 1]])


def _among(rows: Rows, some: Int[np.ndarray, " m"]) -> np.ndarray:
    place = np.minimum(np.searchsorted(rows, some), len(rows) - 1)
    among: np.ndarray = rows[place] == some
    return among
