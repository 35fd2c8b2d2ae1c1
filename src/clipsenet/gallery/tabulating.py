"""Answers of many queries as a table: CSV or Parquet, written block by block, whole or not there."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clipsenet.files import write_whole
from clipsenet.gallery.hits import Found
from clipsenet.sightings import WHOLE, Sightings

SCHEMA = pa.schema(
    [
        ("query", pa.string()),
        ("query_box", pa.string()),
        ("place", pa.int32()),
        ("similarity", pa.float32()),
        ("id", pa.int64()),
        ("path", pa.string()),
        ("box", pa.string()),
        ("camera", pa.string()),
        ("time", pa.string()),
        ("track", pa.string()),
        ("vehicle", pa.string()),
        ("measure", pa.string()),
        ("candidates", pa.int64()),
        ("exact", pa.bool_()),
        ("confidence", pa.float32()),
        ("seen", pa.bool_()),
    ]
)
"""``measure`` says what the similarity is; boxes are x,y,width,height, empty for the whole picture. ``confidence`` and
``seen``, the verdict on the query, are empty without a calibration."""

Answers = Iterable[tuple[Sightings, list[Found]]]


def write_answers(path: Path, answers: Answers) -> tuple[int, int]:
    """Write the answers; memory holds one block of them.

    Args:
        path: its ending decides: ``.csv``, or Parquet.
        answers: blocks of queries, and what was found for each.

    Returns:
        How many queries, how many answers.

    Raises:
        ClipsenetError: a full disk, or whatever the search says; no file is left then.
    """
    counts = [0, 0]

    def blocks() -> Iterator[list[dict[str, Any]]]:
        for queries, found in answers:
            rows = [row for number, one in enumerate(found) for row in _rows(queries, number, one)]
            counts[0] += len(found)
            counts[1] += len(rows)
            yield rows

    def write(partial: Path) -> None:
        if path.suffix.lower() == ".csv":
            with partial.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, SCHEMA.names, lineterminator="\n")
                writer.writeheader()
                for rows in blocks():
                    writer.writerows(rows)
            return
        with pq.ParquetWriter(partial, SCHEMA) as writer:
            for rows in blocks():
                writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))

    write_whole(path, write)
    return counts[0], counts[1]


def _rows(queries: Sightings, number: int, found: Found) -> Iterator[dict[str, Any]]:
    asked = queries.box_of(number)
    for hit in found.hits:
        yield {
            "query": queries.file(number),
            "query_box": "" if asked == WHOLE else ",".join(map(str, asked)),
            "place": hit.place,
            "similarity": hit.similarity,
            "id": hit.id,
            "path": hit.path,
            "box": "" if hit.box is None else ",".join(map(str, hit.box)),
            "camera": hit.camera,
            "time": hit.time,
            "track": hit.track,
            "vehicle": hit.vehicle,
            "measure": found.similarity,
            "candidates": found.candidates,
            "exact": found.exact,
            "confidence": hit.confidence,
            "seen": None if found.verdict is None else found.verdict.seen,
        }
