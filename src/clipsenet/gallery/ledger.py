"""The ledger: what is recorded, and nothing else counts.

Columns that filters read are kept as numbers in blocks of rows, not as rows of SQLite: a million sightings are then read in
a part of a second, and a comparison of a whole column takes a millisecond without an index on it.
"""

import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Int, UInt32

from clipsenet.errors import ClipsenetError
from clipsenet.gallery.interface import NOBODY, Dtype, Embedding, ForgottenError, Weighting
from clipsenet.gallery.schema import FORMAT, LEDGER, TABLES, connect, transaction
from clipsenet.gallery.segments import Layout

BLOCK = 1024
"""Rows from which on a block of columns is full; a smaller one grows with the next batch."""

ASKED = 500
"""Values in one question to SQLite."""

AUDIT_HEAD = "audit_head"
"""Remembers the last hash of the record of searches that a writer has seen: what is gone since is missed."""

LABELS = ("vehicle", "camera", "view", "track")
EXTRA = "extra:"
"""Begins the stored name of a further column, so that it cannot meet one of ours."""

NOTE = "note:"
"""Begins the key of what somebody else wishes the gallery to remember."""

DTYPES = {"id": np.int64, "time": np.int64, "quality": np.float32, "checksum": np.uint32}
"""Numbers of a stored column; a label's are int32, 0 for unknown."""


def dtype_of(column: str) -> np.dtype[Any]:
    """The numbers of a stored column."""
    return np.dtype(DTYPES.get(column, np.int32))


def label_columns(columns: Iterable[str]) -> list[str]:
    """Those whose numbers are names."""
    return [column for column in columns if column not in DTYPES]


def digest(content: str) -> bytes:
    """What is kept of a picture's digest: 16 bytes of it."""
    return blake2b(content.encode(), digest_size=16).digest()


def checksum_of(id_: int, content: bytes, path: str, *box: int) -> int:
    """Of what is recorded of a sighting."""
    return zlib.crc32(content + f"{id_} {' '.join(map(str, box))} {path}".encode())


class Ledger:
    """A gallery's ledger, opened.

    Raises:
        ClipsenetError: no gallery, one of a newer version, or half made.
        sqlite3.Error: SQLite's, where it cannot be opened.
    """

    def __init__(self, folder: Path, *, write: bool) -> None:
        path = folder / LEDGER
        if not path.is_file():
            found = "there is no such folder" if not folder.exists() else f"it has no {LEDGER}"
            raise ClipsenetError(
                f"{folder} is not a gallery: {found}; make one with clipsenet gallery index RUN PICTURES --to {folder}"
            )
        self.folder, self.db = folder, connect(path, write=write)
        try:
            self._check()
        except BaseException:
            self.db.close()
            raise

    @classmethod
    def create(cls, folder: Path, embedding: Embedding, dtype: Dtype, weighting: Weighting) -> None:
        """Make the ledger of an empty gallery in a folder."""
        db = sqlite3.connect(folder / LEDGER, isolation_level=None)
        try:
            db.execute("PRAGMA page_size = 8192")
            db.executescript("BEGIN;" + TABLES + "COMMIT;")
            meta = {"embedding": json.dumps(asdict(embedding)), "dtype": dtype, "weighting": weighting}
            meta |= {"next_id": "0", "next_file": "1", "format": str(FORMAT)}
            with transaction(db, write=True):
                db.executemany("INSERT INTO meta VALUES (?, ?)", list(meta.items()))
        finally:
            db.close()

    def _check(self) -> None:
        tables = {name for (name,) in self.db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        found = self.meta("format") if "meta" in tables else ""
        if not found:
            raise ClipsenetError(
                f"{self.folder} is half a gallery: its {LEDGER} has no format number; remove the folder and index again"
            )
        if int(found) > FORMAT:
            raise ClipsenetError(f"{self.folder} is a gallery of format {found}, this version reads {FORMAT}: update clipsenet")
        if int(found) < FORMAT:
            raise ClipsenetError(
                f"{self.folder} is a gallery of format {found}, which was never released; this version reads {FORMAT}: index "
                "the pictures again"
            )

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()

    # what the gallery as a whole is

    def meta(self, key: str) -> str:
        """A remembered text, empty where there is none."""
        row = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return "" if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Remember a text."""
        self.db.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value))

    def unset_meta(self, key: str) -> None:
        """Remember it no longer."""
        self.db.execute("DELETE FROM meta WHERE key = ?", (key,))

    def embedding(self, key: str = "embedding") -> Embedding:
        """Which embeddings it holds."""
        return Embedding(**json.loads(self.meta(key)))

    @property
    def weighting(self) -> Weighting:
        """How a track's pictures are weighed."""
        return cast(Weighting, self.meta("weighting"))

    @property
    def forgettings(self) -> int:
        """How often something was forgotten."""
        return int(self.meta("forgettings") or 0)

    def layout(self, key: str = "embedding") -> Layout:
        """How its vectors lie."""
        return Layout(self.folder, self.embedding(key).dim, cast(Dtype, self.meta("dtype")))

    def take_number(self, counter: str, count: int = 1) -> int:
        """The first of so many new numbers, within a transaction."""
        number = int(self.meta(counter))
        self.set_meta(counter, str(number + count))
        return number

    # segments and their columns

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

    # names

    def number_names(self, label: str, texts: Sequence[str]) -> list[int]:
        """The numbers of names, new ones given where they have none; 0 for an empty text."""
        known = self.numbers(label, texts)
        for text in dict.fromkeys(texts):
            if text and text not in known:
                cursor = self.db.execute("INSERT INTO name (label, text) VALUES (?, ?)", (label, text))
                known[text] = int(cursor.lastrowid or 0)
        return [known[text] if text else 0 for text in texts]

    def numbers(self, label: str, texts: Iterable[str]) -> dict[str, int]:
        """The numbers of those names that have one."""
        rows = self._ask("SELECT text, number FROM name WHERE label = ? AND text IN ({})", list(texts), label)
        return {str(text): int(number) for text, number in rows}

    def names(self, numbers: Sequence[int]) -> dict[int, str]:
        """What numbers mean."""
        rows = self._ask("SELECT number, text FROM name WHERE number IN ({})", list(numbers))
        return {int(number): str(text) for number, text in rows}

    def some_names(self, label: str, count: int) -> list[str]:
        """A few names of a label, for messages."""
        rows = self.db.execute("SELECT text FROM name WHERE label = ? ORDER BY text LIMIT ?", (label, count))
        return [str(text) for (text,) in rows]

    def all_names(self) -> set[int]:
        """The numbers of all names."""
        return {int(number) for (number,) in self.db.execute("SELECT number FROM name")}

    def remove_names(self, numbers: Sequence[int]) -> None:
        """Names that nobody has any longer."""
        self.db.executemany("DELETE FROM name WHERE number = ?", [(number,) for number in numbers])

    # sightings

    def find(self, content: Sequence[str]) -> Int[np.ndarray, " n"]:
        """The id of each content, ``NOBODY`` where it is not in."""
        digests = [digest(one) for one in content]
        known = dict(self._ask("SELECT content, id FROM sighting WHERE content IN ({})", digests))
        return np.array([known.get(one, NOBODY) for one in digests], dtype=np.int64)

    def add_sightings(
        self,
        ids: Sequence[int],
        content: Sequence[str],
        paths: Sequence[str],
        boxes: Sequence[tuple[int, int, int, int]],
    ) -> None:
        """Record what sightings show."""
        rows = [(id_, digest(one), path, *box) for id_, one, path, box in zip(ids, content, paths, boxes, strict=True)]
        self.db.executemany("INSERT INTO sighting VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [(*row, checksum_of(*row)) for row in rows])

    def rotten_blocks(self) -> list[tuple[int, str, int, int]]:
        """Segment, column, first row and number of rows of each block that is not as it was written."""
        parts = self.db.execute("SELECT segment, name, first, rows, data, crc FROM part")
        return [tuple(part[:4]) for part in parts if zlib.crc32(part[4]) != part[5]]

    def rotten_sightings(self) -> list[int]:
        """The ids of those whose record is not as it was written."""
        rows = self.db.execute("SELECT id, content, path, x, y, width, height, crc FROM sighting ORDER BY id")
        return [row[0] for row in rows if checksum_of(*row[:-1]) != row[-1]]

    def pictures(self, ids: Sequence[int]) -> tuple[list[str], list[tuple[int, int, int, int]]]:
        """Path and box of each.

        Raises:
            ForgottenError: an id that is not there any longer.
        """
        rows = self._ask("SELECT id, path, x, y, width, height FROM sighting WHERE id IN ({})", list(ids))
        found = {row[0]: (row[1], row[2:]) for row in rows}
        gone = [id_ for id_ in ids if id_ not in found]
        if gone:
            raise ForgottenError(f"{self.folder}: sighting {gone[0]} is not in the gallery any longer; search again")
        return [found[id_][0] for id_ in ids], [found[id_][1] for id_ in ids]

    def paths(self, ids: Sequence[int]) -> dict[int, str]:
        """The paths of those that are there, by their ids."""
        return {int(id_): str(path) for id_, path in self._ask("SELECT id, path FROM sighting WHERE id IN ({})", list(ids))}

    def all_ids(self) -> set[int]:
        """The ids of all sightings."""
        return {int(id_) for (id_,) in self.db.execute("SELECT id FROM sighting")}

    def leave(self, ids: Sequence[int]) -> None:
        """Record no longer what sightings show; their paths are kept until the audit has forgotten them, too."""
        one = [(id_,) for id_ in ids]
        self.db.executemany("INSERT INTO leaving SELECT path FROM sighting WHERE id = ?", one)
        self.db.executemany("DELETE FROM sighting WHERE id = ?", one)

    def leaving(self) -> list[str]:
        """The paths that the audit has to forget."""
        return [str(path) for (path,) in self.db.execute("SELECT path FROM leaving")]

    def _ask(self, question: str, values: Sequence[Any], *before: object) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for start in range(0, len(values), ASKED):
            some = values[start : start + ASKED]
            rows += self.db.execute(question.format(", ".join("?" * len(some))), (*before, *some)).fetchall()
        return rows
