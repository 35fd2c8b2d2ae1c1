"""Answers of many queries as a table: CSV or Parquet, written block by block, whole or not there."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
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
        ("own", pa.bool_()),
        ("confidence", pa.float32()),
        ("seen", pa.bool_()),
        ("threshold", pa.float32()),
        ("goal", pa.string()),
        ("warnings", pa.string()),
    ]
)
"""``measure`` says what the similarity is; boxes are x,y,width,height, empty for the whole picture. ``own`` marks
the query's own picture. ``confidence``, and the verdict on the query from ``seen`` on, are empty without a calibration."""

Answers = Iterable[tuple[Sightings, list[Found]]]


@dataclass
class Written:
    """What was written.

    Attributes:
        queries: how many.
        answers: how many, to all of them.
        verdicts: queries that have one.
        warnings: of verdicts, and of how many queries.
    """

    queries: int = 0
    answers: int = 0
    verdicts: int = 0
    warnings: Counter[str] = field(default_factory=Counter)


def write_answers(path: Path, answers: Answers) -> Written:
    """Write the answers; memory holds one block of them.

    Args:
        path: its ending decides: ``.csv``, or Parquet.
        answers: blocks of queries, and what was found for each.

    Returns:
        What was written.

    Raises:
        ClipsenetError: a full disk, or whatever the search says; no file is left then.
    """
    written = Written()

    def blocks() -> Iterator[list[dict[str, Any]]]:
        for queries, found in answers:
            rows = [row for number, one in enumerate(found) for row in _rows(queries, number, one)]
            verdicts = [one.verdict for one in found if one.verdict is not None]
            written.queries += len(found)
            written.answers += len(rows)
            written.verdicts += len(verdicts)
            written.warnings.update(warning for one in verdicts for warning in one.warnings)
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
    return written


def _rows(queries: Sightings, number: int, found: Found) -> Iterator[dict[str, Any]]:
    asked, verdict = queries.box_of(number), found.verdict
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
            "own": hit.own,
            "confidence": hit.confidence,
            "seen": None if verdict is None else verdict.seen,
            "threshold": None if verdict is None else verdict.threshold,
            "goal": None if verdict is None else verdict.goal,
            "warnings": None if verdict is None else "; ".join(verdict.warnings),
        }
