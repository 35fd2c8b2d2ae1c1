"""Groups: the best of each track by the mean vector of its pictures, or of each camera; whoever has none stands for itself.

A track's vector is never stored: the cosine of a query with the weighted mean of unit vectors is the weighted sum of its
cosines with them over the length of the weighted sum of vectors, so that one pass over the pictures gives those of all tracks.
"""

import threading

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipsenet.gallery.searching import Best, Rows, best_rows, each_chunk, rescored, rounding
from clipsenet.gallery.snapshot import Snapshot

SUMS = 2**24
"""Sums that are held at once: 64 MiB of float32; with more tracks than that, fewer queries at once."""

NO_LENGTH = 1e-6
"""Of the weights' sum: pictures that cancel each other leave no direction, and their track is like nothing."""

GATHERED = 8192
"""Vectors that are summed to tracks' vectors at once."""


def best_cameras(snapshot: Snapshot, query: Float[np.ndarray, "q dim"], rows: Rows | None, top: int) -> list[Best]:
    """The best sighting of each camera, the best cameras first."""
    rows = np.arange(len(snapshot)) if rows is None else rows
    camera = snapshot.label("camera")[rows]
    found = [best_rows(snapshot, query, rows[camera == number], 1) for number in np.unique(camera[camera > 0])]
    if (camera == 0).any():
        found.append(best_rows(snapshot, query, rows[camera == 0], top))
    return [_merged(snapshot, list(of_query), top) for of_query in zip(*found, strict=True)]


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
    number, _ = snapshot.tracks
    of_row = number if rows is None else number[rows]
    tracks = np.unique(of_row[of_row >= 0])
    alone = np.flatnonzero(of_row < 0) if rows is None else rows[of_row < 0]
    found = [best_rows(snapshot, query, alone, top)] if len(alone) else []
    if len(tracks):
        _measure(snapshot, tracks, lengths)
        step = max(1, SUMS // len(tracks))
        found.append(
            [
                best
                for start in range(0, len(query), step)
                for best in _best_of(snapshot, query[start : start + step], rows, tracks, top, lengths)
            ]
        )
    return [_merged(snapshot, list(of_query), top) for of_query in zip(*found, strict=True)]


def _best_of(
    snapshot: Snapshot,
    query: Float[np.ndarray, "q dim"],
    rows: Rows | None,
    tracks: Int[np.ndarray, " t"],
    top: int,
    lengths: Float[np.ndarray, " _"],
) -> list[Best]:
    number, count = snapshot.tracks
    place = np.full(count, -1, dtype=np.int64)
    place[tracks] = np.arange(len(tracks))
    searched = np.flatnonzero((number >= 0) & (place[number] >= 0))
    weights = snapshot.weights
    sums = torch.zeros(len(query), len(tracks))
    lock = threading.Lock()

    def look(chunk: Rows, similarity: Tensor) -> None:
        where, weighed = torch.from_numpy(place[number[chunk]]), similarity * torch.from_numpy(weights[chunk])
        with lock:
            sums.index_add_(1, where, weighed)

    each_chunk(snapshot, query, searched, look)
    weight, pictures = _totals(snapshot, tracks)
    length = lengths[tracks]
    directed = length > NO_LENGTH * weight
    scale = np.where(directed, length, np.inf)
    slack = (rounding(query.shape[1]) + 2.0**-23 * (pictures + 2)) * weight / scale
    similar = sums.numpy() / scale
    return [_settled(snapshot, one, rows, tracks, values, slack, top) for one, values in zip(query, similar, strict=True)]


def _settled(
    snapshot: Snapshot,
    query: Float[np.ndarray, " dim"],
    rows: Rows | None,
    tracks: Int[np.ndarray, " t"],
    similar: Float[np.ndarray, " t"],
    slack: Float[np.ndarray, " t"],
    top: int,
) -> Best:
    """The best tracks by exact similarities, of those that may be among them."""
    least = similar - slack
    floor = -np.inf if len(least) <= top else np.partition(least, -top)[-top]
    ids, weights = snapshot.columns["id"], snapshot.weights
    shown, exact = [], []
    for track in tracks[similar + slack >= floor]:
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
    start = 0
    behind = np.cumsum(begin[wanted + 1] - begin[wanted])
    while start < len(wanted):
        done = 0 if start == 0 else behind[start - 1]
        end = max(start + 1, int(np.searchsorted(behind, done + GATHERED, side="right")))
        some = wanted[start:end]
        rows = np.concatenate([order[begin[track] : begin[track + 1]] for track in some])
        edge = np.concatenate([[0], behind[start:end] - done])[:-1]
        weighed = snapshot.vectors(rows) * weights[rows, None]
        lengths[some] = np.linalg.norm(np.add.reduceat(weighed, edge, axis=0), axis=1)
        start = end


def _totals(snapshot: Snapshot, tracks: Int[np.ndarray, " t"]) -> tuple[Float[np.ndarray, " t"], Int[np.ndarray, " t"]]:
    """The sum of each track's weights, and how many pictures it has."""
    number, count = snapshot.tracks
    known = number >= 0
    weight = np.bincount(number[known], snapshot.weights[known].astype(np.float64), minlength=count)[tracks]
    return weight, np.bincount(number[known], minlength=count)[tracks]


def _members(snapshot: Snapshot, track: int) -> Rows:
    order, begin = snapshot.rows_by_track
    return np.sort(order[begin[track] : begin[track + 1]])


def _among(rows: Rows, some: Int[np.ndarray, " m"]) -> np.ndarray:
    place = np.minimum(np.searchsorted(rows, some), len(rows) - 1)
    among: np.ndarray = rows[place] == some
    return among


def _merged(snapshot: Snapshot, found: list[Best], top: int) -> Best:
    rows = np.concatenate([one[0] for one in found])
    values = np.concatenate([one[1] for one in found])
    order = np.lexsort((snapshot.columns["id"][rows], -values))[:top]
    return rows[order], values[order]
