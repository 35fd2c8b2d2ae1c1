"""The audit: who searched for what, and why, in a chain of hashes that a later change would break.

An entry's hash covers the entry before it and its own time, purpose, filter and salted digests of what may have to be
forgotten: the query's picture and the ids of the answers. Their clear texts and salts stand beside in a table of their own,
and can be deleted without breaking the chain; without its salt a digest tells nothing.

The last hash, the head, is worth being written down elsewhere: a chain that was cut short, or made anew, no longer has it.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from clipsenet.errors import ClipsenetError
from clipsenet.gallery.entries import BEGINNING, SALT, Body, Entry, digest, lenient, link, raw, read_id, write_body
from clipsenet.gallery.interface import Filter
from clipsenet.gallery.paths import known_as
from clipsenet.gallery.schema import connect, explained, transaction

AUDIT = "audit.sqlite"
FORMAT = 1

TABLES = {
    "entry": "CREATE TABLE entry (number INTEGER PRIMARY KEY, body TEXT NOT NULL, hash TEXT NOT NULL)",
    # what may be forgotten: kind is 'query' or 'answer', of the query number `query` at the place `place`
    "clear": "CREATE TABLE clear (entry INTEGER NOT NULL, kind TEXT NOT NULL, query INTEGER NOT NULL, place INTEGER NOT NULL,\n"
    "    text TEXT NOT NULL, salt BLOB NOT NULL, PRIMARY KEY (entry, kind, query, place)) WITHOUT ROWID",
}
KINDS = ("query", "answer")
INDEX = "CREATE INDEX clear_of_text ON clear (kind, text)"


class BrokenAuditError(ClipsenetError):
    """The record's file is no longer one that searches could be read from, or added to."""


class Audit:
    """A gallery's audit. It may be written while another process writes to the gallery.

    Args:
        folder: the gallery's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / AUDIT

    def append(
        self, *, purpose: str, where: Filter, queries: Sequence[str], results: Sequence[Sequence[int]], at: int | None = None
    ) -> str:
        """Record a search before its answer is shown.

        Args:
            purpose: why.
            where: the filter.
            queries: the picture of each query.
            results: the ids of its answers, ``NOBODY`` left out.
            at: microseconds since 1970 UTC; none: now.

        Returns:
            The new head.

        Raises:
            ClipsenetError: as many queries as results are wanted; a name that is no UTF-8; no right to write.
        """
        if len(queries) != len(results):
            raise ClipsenetError(f"{len(queries)} queries and {len(results)} results; wanted one for each")
        pictures = [_recordable(text) for text in queries]
        answers = [[b"%d" % int(id_) for id_ in ids] for ids in results]
        at = time.time_ns() // 1000 if at is None else at
        with explained(self.folder):
            if not self.path.exists():
                sqlite3.connect(self.path).close()  # an empty file: whoever is first to write makes its tables
        with self._opened(write=True) as db:
            if not _has_tables(db):
                for statement in (*TABLES.values(), INDEX, f"PRAGMA user_version = {FORMAT}"):
                    db.execute(statement)
            number, before = _last(db)
            body, clear = write_body(number + 1, at, purpose, where, pictures, answers)
            head = link(before, body)
            db.execute("INSERT INTO entry VALUES (?, ?, ?)", (number + 1, body, head))
            db.executemany("INSERT INTO clear VALUES (?, ?, ?, ?, CAST(? AS TEXT), ?)", [(number + 1, *one) for one in clear])
        return head

    def head(self) -> str:
        """The last hash: worth being written down elsewhere."""
        with self._found(write=False) as db:
            return BEGINNING if db is None else _last(db)[1]

    def has(self, head: str) -> bool:
        """Whether a hash is in the chain, as it stands there."""
        with self._found(write=False) as db:
            return (
                db is not None
                and db.execute("SELECT 1 FROM entry WHERE CAST(hash AS TEXT) = ?", (head,)).fetchone() is not None
            )

    def entries(self) -> list[Entry]:
        """All searches, the first one first.

        Raises:
            ClipsenetError: an entry that is not as it was written; ``verify`` tells what is wrong.
        """
        with self._found(write=False) as db:
            if db is None:
                return []
            clear = {row[:4]: row[4] for row in db.execute("SELECT entry, kind, query, place, text FROM clear")}
            return [self._entry(*row, clear) for row in _entries(db)]

    def verify(self, head: str | None = None) -> list[str]:
        """What is wrong with the chain, a sentence each.

        Args:
            head: one that was written down; it must be in the chain.
        """
        try:
            with self._found(write=False) as db:
                if db is None:
                    gone = head is not None and head != BEGINNING
                    return [f"the audit is not there, but a head was noted: {head}"] if gone else []
                wrong, heads = _checked(db)
        except BrokenAuditError as error:
            return [str(error)]
        if head is not None and heads and head not in heads:
            wrong.append(f"the audit's chain does not have the noted head {head}: it was cut short or made anew")
        return wrong

    def forget(self, *, paths: Iterable[str] = (), ids: Iterable[int] = (), before: int | None = None) -> None:
        """Delete clear texts: of queries with these pictures, of these answers, and of queries asked before a time.

        A query's picture is one of these where both paths lead to the same file, by ``..`` or by links as they are now. Of an
        entry that cannot be read, so that nobody knows its time, the pictures go with any time.

        Raises:
            ClipsenetError: no right to write.
        """
        with self._found(write=True) as db:
            if db is None:
                return
            doomed = [(raw(text),) for text in _same_pictures(db, paths)]
            db.executemany("DELETE FROM clear WHERE kind = 'query' AND text = CAST(? AS TEXT)", doomed)
            db.executemany("DELETE FROM clear WHERE kind = 'answer' AND text = ?", ((str(id_),) for id_ in ids))
            if before is not None:
                old = [(number,) for number, body, _ in _entries(db) if _is_before(body, before)]
                db.executemany("DELETE FROM clear WHERE kind = 'query' AND entry = ?", old)
        with explained(self.folder), closing(connect(self.path, write=True)) as db:
            db.execute("VACUUM")

    def answers(self) -> set[int]:
        """The ids of all answers that still stand in clear; what is no id was never an answer, and ``verify`` tells of it."""
        with self._found(write=False) as db:
            texts = [] if db is None else db.execute("SELECT DISTINCT text FROM clear WHERE kind = 'answer'").fetchall()
        return {id_ for (text,) in texts if (id_ := read_id(text)) is not None}

    @contextmanager
    def _opened(self, *, write: bool) -> Iterator[sqlite3.Connection]:
        """The file as it is at one moment, or to be changed as a whole."""
        with explained(self.folder):
            try:
                with closing(connect(self.path, write=write)) as db, transaction(db, write=write):
                    db.text_factory = lenient
                    yield db
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError) and "no such" not in str(error):
                    raise
                raise self._broken(str(error)) from error

    @contextmanager
    def _found(self, *, write: bool) -> Iterator[sqlite3.Connection | None]:
        """The record; none where no search was recorded yet, whether or not there is a file."""
        if not self.path.exists():
            yield None
            return
        with self._opened(write=write) as db:
            yield db if _has_tables(db) else None

    def _entry(self, number: int, text: str, hash_: str, clear: dict[tuple[int, str, int, int], object]) -> Entry:
        try:
            body = Body.read(text)
            return Entry(
                number=number,
                time=body.time,
                purpose=body.purpose,
                where=body.where,
                queries=[_picture(clear.get((number, "query", query, 0))) for query in range(len(body.queries))],
                results=[
                    [_answer(clear.get((number, "answer", query, place))) for place in range(len(kept))]
                    for query, kept in enumerate(body.results)
                ],
                hash=hash_,
            )
        except ValueError as error:
            raise ClipsenetError(
                f"{self.path}: entry {number} is not as it was written ({error}); clipsenet gallery audit {self.folder} tells "
                "all that is wrong"
            ) from error

    def _broken(self, why: str) -> BrokenAuditError:
        return BrokenAuditError(
            f"{self.path}: the record of searches is broken ({why}), so that nothing can be recorded or forgotten in it; bring "
            "back a copy, or put the file elsewhere: the next search then begins a new one"
        )


def _has_tables(db: sqlite3.Connection) -> bool:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > FORMAT:
        raise ClipsenetError(f"the audit has format {version}, this version reads up to {FORMAT}: update clipsenet")
    there = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")} & TABLES.keys()
    if there and (gone := TABLES.keys() - there):
        raise sqlite3.DatabaseError(f"it has no table {min(gone)}")
    return bool(there)


def _entries(db: sqlite3.Connection) -> list[tuple[int, str, str]]:
    return db.execute("SELECT number, CAST(body AS TEXT), CAST(hash AS TEXT) FROM entry ORDER BY number").fetchall()


def _last(db: sqlite3.Connection) -> tuple[int, str]:
    row = db.execute("SELECT number, CAST(hash AS TEXT) FROM entry ORDER BY number DESC LIMIT 1").fetchone()
    return (0, BEGINNING) if row is None else (int(row[0]), str(row[1]))


def _checked(db: sqlite3.Connection) -> tuple[list[str], set[str]]:
    """What is wrong, and all heads that there were; none where the chain is broken."""
    said = [text for (text,) in db.execute("PRAGMA integrity_check(3)")]
    if said != ["ok"]:
        return [f"the audit's file is damaged: {'; '.join(said)}"], set()
    wrong: list[str] = []
    heads, before = {BEGINNING}, BEGINNING
    for place, (number, text, hash_) in enumerate(_entries(db), start=1):
        try:
            body = Body.read(text)
        except ValueError:
            body = None
        if number != place or link(before, text) != hash_ or body is None or body.number != number:
            return [
                *wrong,
                f"the audit's chain is broken at entry {number}: it, or one before it, was changed or removed",
            ], set()
        heads.add(hash_)
        before = hash_
        clear = db.execute("SELECT kind, query, place, text, salt FROM clear WHERE entry = ?", (number,))
        wrong += [
            f"entry {number} of the audit: its {kind if kind in KINDS else repr(kind)} {text!r} is not what was recorded"
            for kind, query, spot, text, salt in clear
            if not _is_recorded(body, kind, (query, spot), text, salt)
        ]
    lost = db.execute("SELECT DISTINCT entry FROM clear WHERE entry NOT IN (SELECT number FROM entry)")
    wrong += [f"the audit has clear texts of an entry {entry!r}, which is not there" for (entry,) in lost]
    return wrong, heads


def _is_recorded(body: Body, kind: object, at: tuple[object, object], text: object, salt: object) -> bool:
    """Whether a clear text stands where it was and is what it was."""
    query, place = at
    if not (isinstance(query, int) and isinstance(place, int) and isinstance(text, str) and isinstance(salt, bytes)):
        return False
    return kind in KINDS and len(salt) == SALT and body.digest_of(str(kind), query, place) == digest(raw(text), salt)


def _same_pictures(db: sqlite3.Connection, paths: Iterable[str]) -> list[str]:
    """The pictures of queries that are the files at some paths."""
    found = db.execute("SELECT DISTINCT text FROM clear WHERE kind = 'query'").fetchall()
    texts = [text for (text,) in found if isinstance(text, str)]
    if not texts:
        return []
    gone = {name for names in known_as(paths) for name in names}
    if not gone:
        return []
    return [text for text, names in zip(texts, known_as(texts), strict=True) if not gone.isdisjoint(names)]


def _is_before(text: str, moment: int) -> bool:
    try:
        return Body.read(text).time < moment
    except ValueError:
        return True


def _recordable(picture: str) -> bytes:
    try:
        return picture.encode()
    except UnicodeEncodeError as error:
        raise ClipsenetError(f"{picture!r}: the name of this picture is no UTF-8 and cannot be recorded; rename it") from error


def _picture(text: object) -> str | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise ValueError(f"its query {text!r} is no text")
    text.encode()  # a ValueError where it is no UTF-8
    return text


def _answer(text: object) -> int | None:
    if text is None:
        return None
    if (id_ := read_id(text)) is None:
        raise ValueError(f"its answer {text!r} is no id")
    return id_
