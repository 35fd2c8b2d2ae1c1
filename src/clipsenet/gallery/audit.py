"""The audit: who searched for what, and why, in a chain of hashes that a later change would break.

An entry's hash covers the entry before it and its own time, purpose, filter and salted digests of what may have to be
forgotten: the query's picture and the ids of the answers. Their clear texts and salts stand beside in a table of their own,
and can be deleted without breaking the chain; without its salt a digest tells nothing.

The last hash, the head, is worth being written down elsewhere: a chain that was cut short, or made anew, no longer has it.
"""

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from clipsenet.errors import ClipsenetError
from clipsenet.gallery.interface import Filter
from clipsenet.gallery.schema import connect, explained, transaction

AUDIT = "audit.sqlite"
FORMAT = 1
BEGINNING = sha256(b"").hexdigest()
"""What the first entry builds on."""

TABLES = """
CREATE TABLE entry (number INTEGER PRIMARY KEY, body TEXT NOT NULL, hash TEXT NOT NULL);
-- what may be forgotten: kind is 'query' or 'answer', of the query number `query` at the place `place`
CREATE TABLE clear (entry INTEGER NOT NULL, kind TEXT NOT NULL, query INTEGER NOT NULL, place INTEGER NOT NULL,
    text TEXT NOT NULL, salt BLOB NOT NULL, PRIMARY KEY (entry, kind, query, place)) WITHOUT ROWID;
CREATE INDEX clear_of_text ON clear (kind, text);
"""


@dataclass(frozen=True)
class Entry:
    """A search that was made.

    Attributes:
        number: counts from 1.
        time: microseconds since 1970 UTC.
        purpose: why, in the words of whoever searched.
        where: the filter.
        queries: the picture of each query, none where it was forgotten.
        results: of each query the ids of its answers, none where one was forgotten.
        hash: of the chain up to here.
    """

    number: int
    time: int
    purpose: str
    where: Filter
    queries: list[str | None]
    results: list[list[int | None]]
    hash: str


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
            ClipsenetError: as many queries as results are wanted; no right to write.
        """
        if len(queries) != len(results):
            raise ClipsenetError(f"{len(queries)} queries and {len(results)} results; wanted one for each")
        clear = [("query", number, 0, text) for number, text in enumerate(queries)]
        clear += [
            ("answer", number, place, str(id_)) for number, ids in enumerate(results) for place, id_ in enumerate(map(int, ids))
        ]
        salted = [(*item, os.urandom(16)) for item in clear]
        with explained(self.folder):
            self._make()
            with closing(connect(self.path, write=True)) as db, transaction(db, write=True):
                number, before = _last(db)
                body = json.dumps(
                    {
                        "number": number + 1,
                        "time": time.time_ns() // 1000 if at is None else at,
                        "purpose": purpose,
                        "where": asdict(where),
                        "queries": [_digest(text, salt) for kind, _, _, text, salt in salted if kind == "query"],
                        "results": [
                            [_digest(text, salt) for kind, of, _, text, salt in salted if (kind, of) == ("answer", query)]
                            for query in range(len(queries))
                        ],
                    },
                    sort_keys=True,
                )
                head = _link(before, body)
                db.execute("INSERT INTO entry VALUES (?, ?, ?)", (number + 1, body, head))
                db.executemany(
                    "INSERT INTO clear VALUES (?, ?, ?, ?, ?, ?)",
                    [(number + 1, kind, query, place, text, salt) for kind, query, place, text, salt in salted],
                )
        return head

    def head(self) -> str:
        """The last hash: worth being written down elsewhere."""
        if not self.path.exists():
            return BEGINNING
        with explained(self.folder), closing(connect(self.path, write=False)) as db:
            return _last(db)[1]

    def entries(self) -> list[Entry]:
        """All searches, the first one first."""
        if not self.path.exists():
            return []
        with explained(self.folder), closing(connect(self.path, write=False)) as db, transaction(db, write=False):
            clear = {row[:4]: row[4] for row in db.execute("SELECT entry, kind, query, place, text FROM clear")}
            return [_entry(number, body, hash_, clear) for number, body, hash_ in _entries(db)]

    def verify(self, head: str | None = None) -> list[str]:
        """What is wrong with the chain, a sentence each.

        Args:
            head: one that was written down; it must be in the chain.
        """
        if not self.path.exists():
            gone = head is not None and head != BEGINNING
            return [f"the audit is not there, but a head was noted: {head}"] if gone else []
        wrong, heads, before = [], {BEGINNING}, BEGINNING
        with explained(self.folder), closing(connect(self.path, write=False)) as db, transaction(db, write=False):
            for place, (number, body, hash_) in enumerate(_entries(db), start=1):
                if number != place or _link(before, body) != hash_ or json.loads(body)["number"] != number:
                    wrong.append(f"the audit's chain is broken at entry {number}: it, or one before it, was changed or removed")
                    return wrong
                heads.add(hash_)
                before = hash_
                digests = json.loads(body)
                for kind, query, spot, text, salt in db.execute(
                    "SELECT kind, query, place, text, salt FROM clear WHERE entry = ?", (number,)
                ):
                    kept = digests["queries"] if kind == "query" else _list(digests["results"], query)
                    if _at(kept, query if kind == "query" else spot) != _digest(text, salt):
                        wrong.append(f"entry {number} of the audit: its {kind} {text!r} is not what was recorded")
        if head is not None and head not in heads:
            wrong.append(f"the audit's chain does not have the noted head {head}: it was cut short or made anew")
        return wrong

    def forget(self, *, paths: Iterable[str] = (), ids: Iterable[int] = (), before: int | None = None) -> None:
        """Delete clear texts: of queries with these pictures, of these answers, and of queries asked before a time.

        Raises:
            ClipsenetError: no right to write.
        """
        if not self.path.exists():
            return
        with explained(self.folder), closing(connect(self.path, write=True)) as db:
            with transaction(db, write=True):
                db.executemany("DELETE FROM clear WHERE kind = 'query' AND text = ?", [(path,) for path in paths])
                db.executemany("DELETE FROM clear WHERE kind = 'answer' AND text = ?", [(str(id_),) for id_ in ids])
                if before is not None:
                    old = [number for number, body, _ in _entries(db) if json.loads(body)["time"] < before]
                    db.executemany("DELETE FROM clear WHERE kind = 'query' AND entry = ?", [(number,) for number in old])
            db.execute("VACUUM")

    def answers(self) -> set[int]:
        """The ids of all answers that still stand in clear."""
        if not self.path.exists():
            return set()
        with explained(self.folder), closing(connect(self.path, write=False)) as db:
            return {int(text) for (text,) in db.execute("SELECT DISTINCT text FROM clear WHERE kind = 'answer'")}

    def _make(self) -> None:
        if self.path.exists():
            return
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=60)) as db, transaction(db, write=True):
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'entry'").fetchone():
                for statement in TABLES.strip().split(";")[:-1]:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {FORMAT}")


def _entries(db: sqlite3.Connection) -> list[tuple[int, str, str]]:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > FORMAT:
        raise ClipsenetError(f"the audit has format {version}, this version reads up to {FORMAT}: update clipsenet")
    if not version:
        return []
    return db.execute("SELECT number, body, hash FROM entry ORDER BY number").fetchall()


def _last(db: sqlite3.Connection) -> tuple[int, str]:
    row = db.execute("SELECT number, hash FROM entry ORDER BY number DESC LIMIT 1").fetchone()
    return (0, BEGINNING) if row is None else (int(row[0]), str(row[1]))


def _link(before: str, body: str) -> str:
    return sha256(f"{before}\n{body}".encode()).hexdigest()


def _digest(text: str, salt: bytes) -> str:
    return sha256(salt + text.encode()).hexdigest()


def _at(items: Sequence[object], place: int) -> object:
    return items[place] if 0 <= place < len(items) else None


def _list(items: Sequence[list[str]], place: int) -> list[str]:
    return items[place] if 0 <= place < len(items) else []


def _entry(number: int, body: str, hash_: str, clear: dict[tuple[int, str, int, int], str]) -> Entry:
    facts = json.loads(body)
    where = facts["where"]
    return Entry(
        number=number,
        time=facts["time"],
        purpose=facts["purpose"],
        where=Filter(
            tuple(where["cameras"]), where["since"], where["until"], tuple((name, value) for name, value in where["equal"])
        ),
        queries=[clear.get((number, "query", query, 0)) for query in range(len(facts["queries"]))],
        results=[
            [None if (text := clear.get((number, "answer", query, place))) is None else int(text) for place in range(len(kept))]
            for query, kept in enumerate(facts["results"])
        ],
        hash=hash_,
    )
