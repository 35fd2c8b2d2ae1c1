"""What is recorded of pictures: where each lies, a digest of what it shows, and what the numbers of its labels mean."""

import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from clipsenet.gallery.interface import NOBODY, ForgottenError

ASKED = 500
"""Values in one question to SQLite."""


def digest(content: str) -> bytes:
    """What is kept of a picture's digest: 16 bytes of it."""
    return blake2b(content.encode(), digest_size=16).digest()


def checksum_of(id_: int, content: bytes, path: str, *box: int) -> int:
    """Of what is recorded of a sighting."""
    return zlib.crc32(content + f"{id_} {' '.join(map(str, box))} {path}".encode())


class RecordedPictures:
    """A part of the ledger.

    Attributes:
        folder: the gallery's.
        db: its file of SQLite.
    """

    folder: Path
    db: sqlite3.Connection

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
