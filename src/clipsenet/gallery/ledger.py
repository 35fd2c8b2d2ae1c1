"""The ledger: what is recorded, and nothing else counts."""

import json
import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import cast

from clipsenet.errors import ClipsenetError
from clipsenet.gallery.interface import Dtype, Embedding, Weighting
from clipsenet.gallery.recorded_pictures import RecordedPictures
from clipsenet.gallery.recorded_segments import RecordedSegments
from clipsenet.gallery.schema import FORMAT, LEDGER, TABLES, connect, transaction
from clipsenet.gallery.segments import Layout

AUDIT_HEAD = "audit_head"
"""Remembers the last hash of the record of searches that a writer has seen: what is gone since is missed."""

NOTE = "note:"
"""Begins the key of what somebody else wishes the gallery to remember."""


class Ledger(RecordedSegments, RecordedPictures):
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
