"""What each query earned, as a table: a row for each query, trial and line of the scorecard."""

import os
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from jaxtyping import Shaped

from clipsenet.protocol import JunkRule
from clipsenet.sightings import TEXT, Sightings
from clipsenet.trials import Evaluation, TrialResult


def query_table(methods: Sequence[tuple[str, str, JunkRule, Evaluation]]) -> pa.Table:
    """The rows of ``queries.parquet``.

    Columns: ``method``, ``similarity``, ``junk``, ``trial`` as on the scorecard; ``picture`` (see ``pictures_of``),
    ``vehicle``, ``camera``; ``candidates`` left after junk, ``matches`` among them, ``first_place`` of a match from 0 (null
    without one); ``first``, ``first_vehicle``, ``first_similarity``: who came first; then each score's summand, null
    without a match.

    Args:
        methods: name, similarity, junk rule, and what was found.
    """
    pictures = pictures_of(methods[0][3].test)
    tables = [
        _of_trial(name, similarity, junk, evaluation.test, pictures, result)
        for name, similarity, junk, evaluation in methods
        for result in evaluation.results
    ]
    return pa.concat_tables(tables)


def _of_trial(
    name: str, similarity: str, junk: str, test: Sightings, pictures: Shaped[np.ndarray, " n"], result: TrialResult
) -> pa.Table:
    query, ranking = result.trial.query, result.ranking
    n = len(query)
    asked = test[query]
    found = ranking.top[:, 0] >= 0 if ranking.top.shape[1] else np.zeros(n, dtype=bool)
    first_row = result.trial.gallery[np.where(found, ranking.top[:, 0], 0)] if found.any() else np.zeros(n, dtype=np.int64)
    first = test[first_row]
    places = np.array([of_query[0] if len(of_query) else -1 for of_query in ranking.places], dtype=np.int64)
    columns: dict[str, pa.Array] = {
        "method": _same(name, n),
        "similarity": _same(similarity, n),
        "junk": _same(junk, n),
        "trial": _same(result.trial.name, n),
        "picture": pa.array(pictures[query].tolist()),
        "vehicle": pa.array(asked.vehicle.texts().tolist()),
        "camera": pa.array(asked.camera.texts().tolist()),
        "candidates": pa.array(ranking.candidates),
        "matches": pa.array(ranking.matches),
        "first_place": pa.array(places, mask=places < 0),
        "first": pa.array(pictures[first_row].tolist(), mask=~found),
        "first_vehicle": pa.array(first.vehicle.texts().tolist(), mask=~found),
        "first_similarity": pa.array(ranking.top_similarity[:, 0] if found.any() else np.zeros(n, np.float32), mask=~found),
    }
    for score, values in result.per_query.items():
        columns[score] = pa.array(values, mask=np.isnan(values))
    return pa.table(columns)


def pictures_of(sightings: Sightings) -> Shaped[np.ndarray, " n"]:
    """``(n,)`` each picture's file from the folder on that all share, and its box where it has one.

    That is what stays when a data set is moved, and no two pictures have the same.
    """
    files = sightings.files()
    root = os.path.commonpath([os.path.dirname(file) for file in files]) if files else ""
    names = [os.path.relpath(file, root) if root else file for file in files]
    if sightings.box is not None:
        boxes = sightings.box.tolist()
        names = [f"{name} {','.join(map(str, box))}" if box[2] >= 0 else name for name, box in zip(names, boxes, strict=True)]
    return np.array(names, dtype=TEXT)


def _same(text: str, n: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, dtype=np.int32)), pa.array([text]))
