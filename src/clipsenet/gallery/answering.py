"""Answering: unit vectors to the sightings most alike, block by block, by whichever search fits."""

import numpy as np
from jaxtyping import Float

from clipsenet.errors import ClipsenetError
from clipsenet.gallery.grouping import best_cameras, best_tracks
from clipsenet.gallery.interface import NOBODY, Answer, Embedding, Group
from clipsenet.gallery.neighbourhood import Neighbourhood
from clipsenet.gallery.searching import Best, Rows, best_rows
from clipsenet.gallery.snapshot import Snapshot

AT_ONCE = 64
"""Queries that are compared together: more are no quicker each, and take memory for each."""


def answer(
    snapshot: Snapshot,
    query: Float[np.ndarray, "q dim"],
    rows: Rows | None,
    top: int,
    group: Group | None,
    index: Neighbourhood | None,
    lengths: Float[np.ndarray, " _"],
) -> Answer:
    """The sightings most alike of a snapshot.

    Args:
        snapshot: what is searched.
        query: unit vectors.
        rows: ascending, those that are meant; none: all.
        top: how many.
        group: the best of each track or camera instead of single pictures.
        index: that is asked instead of comparing all; none: all are compared.
        lengths: of the tracks' vectors, as ``best_tracks`` has them.
    """
    found: list[Best] = []
    for start in range(0, len(query), AT_ONCE):
        some = query[start : start + AT_ONCE]
        if group == "camera":
            found += best_cameras(snapshot, some, rows, top)
        elif group == "track":
            found += best_tracks(snapshot, some, rows, top, lengths)
        elif index is not None:
            found += index.best(snapshot, some, top)
        else:
            found += best_rows(snapshot, some, rows, top)
    ids = np.full((len(query), top), NOBODY, dtype=np.int64)
    similarity = np.full((len(query), top), np.nan, dtype=np.float32)
    for number, (best, values) in enumerate(found):
        ids[number, : len(best)], similarity[number, : len(best)] = snapshot.columns["id"][best], values
    return Answer(ids, similarity, len(snapshot) if rows is None else len(rows), exact=index is None)


def checked(query: Float[np.ndarray, "q dim"], embedding: Embedding) -> Float[np.ndarray, "q dim"]:
    """Queries that can be compared with what a gallery holds: float32 of length 1.

    Raises:
        ClipsenetError: another length, NaN, or no unit vectors.
    """
    if query.ndim != 2 or query.shape[1] != embedding.dim:
        raise ClipsenetError(
            f"a query of shape {query.shape}, wanted (queries, {embedding.dim}): embeddings of run {embedding.run_id[:16]}"
        )
    length = np.linalg.norm(query, axis=1)
    bad = np.flatnonzero(~(np.abs(length - 1) < 1e-3))
    if len(bad):
        raise ClipsenetError(f"query {bad[0] + 1} is no unit vector: its length is {length[bad[0]]:.3g}, wanted 1")
    unit: Float[np.ndarray, "q dim"] = np.ascontiguousarray(query / length[:, None], dtype=np.float32)
    return unit
