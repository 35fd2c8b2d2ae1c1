"""What is recorded of segments: which rows count, their columns by blocks, and the vectors that will take their place.

Columns that filters read are kept as numbers in blocks of rows, not as rows of SQLite: a million sightings are then read in
a part of a second, and a comparison of a whole column takes a millisecond without an index on it.
"""

import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt32

from clipsenet.errors import ClipsenetError

BLOCK = 1024
"""Rows from which on a block of columns is full; a smaller one grows with the next batch."""

LABELS = ("vehicle", "camera", "view", "track")
EXTRA = "extra:"
"""Begins the stored name of a further column, so that it cannot meet one of ours."""

DTYPES = {"id": np.int64, "time": np.int64, "quality": np.float32, "checksum": np.uint32}
"""Numbers of a stored column; a label's are int32, 0 for unknown."""


def dtype_of(column: str) -> np.dtype[Any]:
    """The numbers of a stored column."""
    return np.dtype(DTYPES.get(column, np.int32))


def label_columns(columns: Iterable[str]) -> list[str]:
    """Those whose numbers are names."""
    return [column for column in columns if column not in DTYPES]


class RecordedSegments:
    """A part of the ledger.

    Attributes:
        folder: the gallery's.
        db: its file of SQLite.
    """

    folder: Path
    db: sqlite3.Connection

    def segments(self) -> list[tuple[int, int, int]]:
        """Number, file and rows of each segment."""
        return self.db.execute("SELECT number, file, rows FROM segment ORDER BY number").fetchall()

    def last_of_day(self, day: str) -> tuple[int, int, int] | None:
        """Number, file and rows of the segment to which a day's sightings are appended."""
        found: tuple[int, int, int] | None = self.db.execute(
            "SELECT number, file, rows FROM segment WHERE day = ? ORDER BY number DESC LIMIT 1", (day,)
        ).fetchone()
        return found

    def add_segment(self, day: str, file: int, rows: int) -> int:
        """Record a new segment; its number."""
        cursor = self.db.execute("INSERT INTO segment (day, rows, file) VALUES (?, ?, ?)", (day, rows, file))
        return int(cursor.lastrowid or 0)

    def grow_segment(self, number: int, rows: int) -> None:
        """Record that more of a segment's rows count."""
        self.db.execute("UPDATE segment SET rows = ? WHERE number = ?", (rows, number))

    def remove_segment(self, number: int) -> None:
        """Record no longer; its file is nobody's then."""
        self.db.execute("DELETE FROM segment WHERE number = ?", (number,))
        self.db.execute("DELETE FROM part WHERE segment = ?", (number,))
        self.remove_renewal(number)

    def day_of(self, number: int) -> str:
        """A segment's day."""
        (day,) = self.db.execute("SELECT day FROM segment WHERE number = ?", (number,)).fetchone()
        return str(day)

    def renewals(self) -> list[tuple[int, int, int]]:
        """Of each segment whose vectors are being made anew: number and file, and the row behind the last new one."""
        return self.db.execute("SELECT segment, file, rows FROM renewal ORDER BY segment").fetchall()

    def count_renewed(self) -> dict[int, int]:
        """How many new vectors each segment has that has any."""
        return dict(self.db.execute("SELECT segment, SUM(LENGTH(checksums)) / 4 FROM renewed GROUP BY segment"))

    def renewed_stretches(self, segment: int) -> list[tuple[int, UInt32[np.ndarray, " n"]]]:
        """A segment's new vectors: the first row of each stretch without a gap, and its checksums; ascending."""
        parts = self.db.execute("SELECT first, checksums FROM renewed WHERE segment = ? ORDER BY first", (segment,))
        return [(first, np.frombuffer(data, dtype=np.uint32)) for first, data in parts]

    def add_renewed(self, segment: int, file: int, first: int, checksums: UInt32[np.ndarray, " n"]) -> None:
        """Record further rows of a segment's new vectors."""
        self.db.execute(
            "INSERT INTO renewal VALUES (?, ?, ?) ON CONFLICT (segment) DO UPDATE SET rows = MAX(rows, excluded.rows)",
            (segment, file, first + len(checksums)),
        )
        self.db.execute("INSERT INTO renewed VALUES (?, ?, ?)", (segment, first, checksums.tobytes()))

    def remove_renewal(self, segment: int) -> None:
        """Record a segment's new vectors no longer."""
        self.db.execute("DELETE FROM renewal WHERE segment = ?", (segment,))
        self.db.execute("DELETE FROM renewed WHERE segment = ?", (segment,))

    def renewed(self, segment: int) -> UInt32[np.ndarray, " n"]:
        """The checksums of a segment's new vectors."""
        parts = self.db.execute("SELECT checksums FROM renewed WHERE segment = ? ORDER BY first", (segment,))
        return np.concatenate([np.empty(0, np.uint32), *(np.frombuffer(data, dtype=np.uint32) for (data,) in parts)])

    def renew_segment(self, segment: int, file: int, rows: int) -> None:
        """Record that a segment's vectors are the new ones."""
        checksums = self.renewed(segment)
        assert len(checksums) == rows
        self.db.execute("UPDATE segment SET file = ? WHERE number = ?", (file, segment))
        blocks = self.db.execute("SELECT first, rows FROM part WHERE segment = ? AND name = 'checksum'", (segment,)).fetchall()
        self.db.executemany(
            "UPDATE part SET data = ?, crc = ? WHERE segment = ? AND name = 'checksum' AND first = ?",
            [
                (data, zlib.crc32(data), segment, first)
                for first, count in blocks
                for data in [checksums[first : first + count].tobytes()]
            ],
        )

    def append_columns(self, segment: int, first: int, columns: Mapping[str, np.ndarray]) -> None:
        """Record the columns of a segment's rows from ``first`` on; a small block before them grows."""
        rows = len(next(iter(columns.values())))
        last = self.db.execute(
            "SELECT first, rows FROM part WHERE segment = ? AND name = 'id' ORDER BY first DESC LIMIT 1", (segment,)
        ).fetchone()
        if last is not None and last[1] < BLOCK:
            before = self.columns_of_block(segment, last[0])
            names = [*before, *(name for name in columns if name not in before)]
            merged = {}
            for name in names:
                halves = [
                    half if half is not None else np.zeros(count, dtype=dtype_of(name))
                    for half, count in ((before.get(name), last[1]), (columns.get(name), rows))
                ]
                merged[name] = np.concatenate(halves)
            self.db.execute("DELETE FROM part WHERE segment = ? AND first = ?", (segment, last[0]))
            first, rows, columns = last[0], last[1] + rows, merged
        self.db.executemany(
            "INSERT INTO part (segment, first, rows, name, data, crc) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (segment, first, rows, name, data, zlib.crc32(data))
                for name, values in columns.items()
                for data in [np.ascontiguousarray(values, dtype=dtype_of(name)).tobytes()]
            ],
        )

    def columns_of_block(self, segment: int, first: int) -> dict[str, np.ndarray]:
        """All columns of one block."""
        parts = self.db.execute("SELECT name, data FROM part WHERE segment = ? AND first = ?", (segment, first))
        return {name: np.frombuffer(data, dtype=dtype_of(name)) for name, data in parts}

    def columns(self, segment: int, rows: int, *, only: str = "", without: str = "") -> dict[str, np.ndarray]:
        """All columns of a segment, or one, or all but one; 0 where a block has no such column.

        Raises:
            ClipsenetError: blocks that do not fit the segment.
        """
        parts = self.db.execute(
            "SELECT name, first, rows, data FROM part WHERE segment = ? AND name != ? AND (? = '' OR name = ?) "
            "ORDER BY name, first",
            (segment, without, only, only),
        )
        found: dict[str, np.ndarray] = {}
        for name, first, count, data in parts:
            values = np.frombuffer(data, dtype=dtype_of(name))
            if len(values) != count or first + count > rows:
                raise ClipsenetError(
                    f"{self.folder}: column {name} of segment {segment} has {len(values)} rows from {first} on, "
                    f"wanted {count} of {rows}: the ledger is damaged; clipsenet gallery verify tells more"
                )
            found.setdefault(name, np.zeros(rows, dtype=values.dtype))[first : first + count] = values
        return found

    def rotten_blocks(self) -> list[tuple[int, str, int, int]]:
        """Segment, column, first row and number of rows of each block that is not as it was written."""
        parts = self.db.execute("SELECT segment, name, first, rows, data, crc FROM part")
        return [tuple(part[:4]) for part in parts if zlib.crc32(part[4]) != part[5]]
