"""The ledger's tables, and its connection: one SQLite file that says which vectors count and what they show.

A rollback journal, not a write-ahead log: a reader needs no right to write, nobody who reads keeps a deleted path alive in a
log, and after a commit no second file holds what the first has forgotten.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clipsenet.errors import ClipsenetError

FORMAT = 2
"""Of galleries that this version makes and reads; 1 was never released and had no checksums of records."""

LEDGER = "ledger.sqlite"
PATIENCE = 60.0
"""Seconds that one process waits for another's commit, or for readers that are opening."""

TABLES = """
-- format, embedding, dtype, weighting, counters, and what others wish to remember
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
-- file: the number of its vectors' file, in which the first `rows` rows count
CREATE TABLE segment (number INTEGER PRIMARY KEY AUTOINCREMENT, day TEXT NOT NULL, rows INTEGER NOT NULL,
    file INTEGER NOT NULL);
CREATE INDEX segment_of_day ON segment (day, number);
-- columns by blocks of rows: `data` holds the column `name` of a segment's rows from `first` on, as numbers; crc: of data
CREATE TABLE part (segment INTEGER NOT NULL, first INTEGER NOT NULL, rows INTEGER NOT NULL, name TEXT NOT NULL,
    data BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE UNIQUE INDEX part_of_segment ON part (segment, name, first);
-- what the numbers of a label's column mean; a number is never given again
CREATE TABLE name (number INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT NOT NULL, text TEXT NOT NULL, UNIQUE (label, text));
CREATE TABLE sighting (id INTEGER PRIMARY KEY, content BLOB NOT NULL UNIQUE, path TEXT NOT NULL,
    x INTEGER NOT NULL, y INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
    crc INTEGER NOT NULL); -- of all before it
-- paths that were forgotten a moment ago, until the audit has forgotten them, too
CREATE TABLE leaving (path TEXT NOT NULL);
-- other embeddings of those of a segment's rows that `renewed` has, all below `rows`, in the file that will take its place
CREATE TABLE renewal (segment INTEGER PRIMARY KEY, file INTEGER NOT NULL, rows INTEGER NOT NULL);
CREATE TABLE renewed (segment INTEGER NOT NULL, first INTEGER NOT NULL, checksums BLOB NOT NULL, PRIMARY KEY (segment, first));
"""


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """What SQLite and the system say, in words that tell what to do.

    Raises:
        ClipsenetError: instead of theirs.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "locked" in text:
            raise ClipsenetError(
                f"{folder}: another process has kept the gallery's ledger busy for {PATIENCE:.0f} seconds; try again"
            ) from error
        if "full" in text or "I/O" in text:
            raise ClipsenetError(_full(folder, error)) from error
        if "readonly" in text or "unable to open" in text:
            raise ClipsenetError(
                f"{folder}: no right to {'write' if os.access(folder, os.R_OK | os.X_OK) else 'read'} the gallery ({error}), "
                "or a writer was killed and somebody who may write has to open it once; ask its owner, or work with a copy"
            ) from error
        raise ClipsenetError(f"{folder}: the gallery's ledger cannot be used ({error}); {AGAIN}") from error
    except sqlite3.DatabaseError as error:
        raise ClipsenetError(f"{folder}: the gallery's ledger is broken ({error}); {AGAIN}") from error
    except UnicodeEncodeError as error:
        raise ClipsenetError(
            f"{folder}: {error.object!a} is no text in UTF-8 and cannot be kept or asked for; rename it"
        ) from error
    except PermissionError as error:
        raise ClipsenetError(f"{folder}: no right to use it ({error}); ask its owner, or work with a copy") from error
    except EOFError as error:
        raise ClipsenetError(f"{folder}: vectors are missing ({error}); {_MEND}") from error
    except FileNotFoundError as error:
        raise ClipsenetError(f"{folder}: a file is missing ({error}); {_MEND}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise ClipsenetError(_full(folder, error)) from error
        raise ClipsenetError(f"{folder}: the system refuses ({error}); what was recorded before is untouched") from error


def _full(folder: Path, error: Exception) -> str:
    return f"cannot write {folder}: {error}; what was in the gallery before is untouched. Free some space"


AGAIN = "this cannot be mended: bring back a copy, or index the pictures again"

_MEND = "clipsenet gallery verify tells what is wrong, clipsenet gallery repair mends what can be mended"


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Open a file of SQLite that is there; what is deleted in it is overwritten.

    A reader changes nothing, but takes back what a killed writer had half done, where it has the right to.

    Raises:
        sqlite3.Error: SQLite's.
    """
    mode = "rw" if write or (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)) else "ro"
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        if write:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA synchronous = EXTRA")  # FULL would not sync the folder after the journal is gone
            connection.execute("PRAGMA journal_mode = DELETE")
        else:
            connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA cache_size = -8192")
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, *, write: bool) -> Iterator[None]:
    """All of it or nothing; for reading: all of it from one moment.

    Raises:
        sqlite3.Error: SQLite's; nothing has changed then. A signal's exception may also come just behind the commit: what
            became of it, only the ledger tells.
    """
    try:
        connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
