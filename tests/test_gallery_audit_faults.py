"""An audit that was half made, filled up, or changed by somebody: it is told, and neither searching nor forgetting stops."""

import json
import multiprocessing
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from clipsenet.errors import ClipsenetError
from clipsenet.gallery.audit import AUDIT, Audit
from clipsenet.gallery.entries import BEGINNING, SALT
from clipsenet.gallery.interface import EVERYTHING, Filter
from clipsenet.gallery.local import open_gallery
from gallery_cases import HOUR, filled

SOUTH = Filter(cameras=("south",))

FIRST_FORMAT = """
CREATE TABLE entry (number INTEGER PRIMARY KEY, body TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE clear (entry INTEGER NOT NULL, kind TEXT NOT NULL, query INTEGER NOT NULL, place INTEGER NOT NULL,
    text TEXT NOT NULL, salt BLOB NOT NULL, PRIMARY KEY (entry, kind, query, place)) WITHOUT ROWID;
CREATE INDEX clear_of_text ON clear (kind, text);
PRAGMA user_version = 1;
"""


def record(folder: Path, query: str = "a.jpg", ids: tuple[int, ...] = (17,), at: int | None = None) -> None:
    Audit(folder).append(purpose="a theft", where=EVERYTHING, queries=[query], results=[ids], at=at)


def change(folder: Path, statement: str, values: tuple[object, ...] = ()) -> None:
    with closing(sqlite3.connect(folder / AUDIT)) as db, db:
        db.execute(statement, values)


def write_by_hand(folder: Path, facts: dict[str, Any], query: str, ids: list[int]) -> None:
    """A record of one search as the format has it, written without the code that is tested."""

    def digest(salt: bytes, text: str) -> str:
        return sha256(salt + text.encode()).hexdigest()

    salts = [bytes([number]) * 16 for number in range(1 + len(ids))]
    clear = [(1, "query", 0, 0, query, salts[0])]
    clear += [(1, "answer", 0, place, str(id_), salts[1 + place]) for place, id_ in enumerate(ids)]
    digests = [digest(salt, text) for *_, text, salt in clear]
    body = json.dumps({"number": 1, "queries": digests[:1], "results": [digests[1:]], **facts}, sort_keys=True)
    with closing(sqlite3.connect(folder / AUDIT)) as db:
        db.executescript(FIRST_FORMAT)
        with db:
            db.execute("INSERT INTO entry VALUES (1, ?, ?)", (body, sha256(f"{BEGINNING}\n{body}".encode()).hexdigest()))
            db.executemany("INSERT INTO clear VALUES (?, ?, ?, ?, ?, ?)", clear)


def test_a_record_of_the_first_format_is_read_and_continued(tmp_path: Path) -> None:
    where = {"cameras": ["north"], "since": 5, "until": 10**18, "equal": [["type", "van"]]}
    write_by_hand(tmp_path, {"time": 3, "purpose": "a", "where": where}, "q.jpg", [4, 17])
    audit = Audit(tmp_path)
    record(tmp_path)
    first, second = audit.entries()
    assert (first.time, first.purpose, first.queries, first.results) == (3, "a", ["q.jpg"], [[4, 17]])
    assert (first.where.cameras, first.where.since, first.where.until) == (("north",), 5, 10**18)
    assert first.where.equal == (("type", "van"),)
    assert audit.verify(first.hash) == audit.verify(second.hash) == []
    assert SALT == 16, "older records would not pass"
    audit.forget(ids=[17], before=4)
    assert audit.entries()[0].results == [[4, None]]
    assert audit.entries()[0].queries == [None]


def test_a_file_without_tables_is_no_audit(tmp_path: Path) -> None:
    gallery, _ = filled(tmp_path / "g", np.random.default_rng(0), 20)
    with gallery:
        (tmp_path / "g" / AUDIT).touch()
        audit = gallery.audit
        assert (audit.head(), audit.entries(), audit.answers(), audit.verify()) == (BEGINNING, [], set(), [])
        assert "audit is not there" in " ".join(audit.verify("0" * 64))
        assert gallery.verify() == []
        assert gallery.forget(SOUTH)
        record(tmp_path / "g")
        assert len(audit.entries()) == 1
        assert audit.verify(audit.head()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_while_it_is_made(tmp_path: Path) -> None:
    from test_gallery_killing import Child

    killed = 0
    for call in range(60):
        folder = tmp_path / str(call)
        folder.mkdir()
        code = Child(lambda _, folder=folder: record(folder), call).end(kill=False)
        record(folder)
        audit = Audit(folder)
        assert len(audit.entries()) in ((1, 2) if code else (2,)), "it may die behind its commit"
        assert audit.verify(audit.head()) == []
        killed += code == -signal.SIGKILL
        if not code:
            break
    assert killed > 10


def _in_little_room(folder: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    with pytest.raises(ClipsenetError, match="Free some space"):
        record(folder)


def _at_once(folder: Path, gate: Any) -> None:
    gate.wait()
    record(folder)


def test_a_full_disk_at_the_first_search(tmp_path: Path) -> None:
    one = multiprocessing.get_context("fork").Process(target=_in_little_room, args=(tmp_path,))
    one.start()
    one.join()
    assert one.exitcode == 0
    record(tmp_path)
    assert len(Audit(tmp_path).entries()) == 1


def test_first_searches_at_once(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    for number in range(3):
        folder, gate = tmp_path / str(number), fork.Barrier(4)
        folder.mkdir()
        all_ = [fork.Process(target=_at_once, args=(folder, gate)) for _ in range(4)]
        for one in all_:
            one.start()
        for one in all_:
            one.join()
        assert [one.exitcode for one in all_] == [0] * 4
        assert len(Audit(folder).entries()) == 4
        assert Audit(folder).verify() == []


@pytest.mark.parametrize(
    ("statement", "values", "said"),
    [
        ("UPDATE clear SET text = '7', salt = CAST(salt || x'31' AS BLOB) WHERE kind = 'answer'", (), "answer '7' is not"),
        (
            "UPDATE clear SET text = 'a.jpg', salt = CAST(salt || ? AS BLOB) WHERE kind = 'query'",
            (b"/home/a/evil/",),
            "query 'a.jpg' is not",
        ),
        ("UPDATE clear SET salt = 'no bytes' WHERE kind = 'query'", (), "is not what was recorded"),
        ("UPDATE clear SET place = 'x' WHERE kind = 'query'", (), "is not what was recorded"),
        ("UPDATE clear SET kind = 'note' WHERE kind = 'answer'", (), "its 'note' '17' is not what was recorded"),
        ("UPDATE clear SET kind = CAST(kind AS BLOB) WHERE kind = 'answer'", (), "'17' is not what was recorded"),
        ("UPDATE clear SET text = CAST(text AS BLOB) WHERE kind = 'answer'", (), "b'17' is not what was recorded"),
        ("INSERT INTO clear SELECT entry, kind, query, 1, text, salt FROM clear WHERE kind = 'query'", (), "is not what"),
        (
            "INSERT INTO clear SELECT 9, kind, query, place, text, salt FROM clear",
            (),
            "clear texts of an entry 9, which is not",
        ),
        ("PRAGMA user_version = 0", (), "does not have the noted head"),
    ],
)
def test_what_was_moved_about_is_found(tmp_path: Path, statement: str, values: tuple[object, ...], said: str) -> None:
    record(tmp_path, "/home/a/evil/a.jpg")
    assert Audit(tmp_path).verify() == []
    change(tmp_path, statement, values)
    noted = "0" * 64 if "user_version" in statement else None
    assert said in " ".join(Audit(tmp_path).verify(noted))
    assert len(Audit(tmp_path).head()) == 64


def test_entries_are_read_whatever_the_file_says_of_its_version(tmp_path: Path) -> None:
    record(tmp_path)
    change(tmp_path, "PRAGMA user_version = 0")
    assert len(Audit(tmp_path).entries()) == 1
    record(tmp_path)
    assert len(Audit(tmp_path).entries()) == 2


CHANGES: list[tuple[str, str, str]] = [
    ("UPDATE clear SET text = 'zz' WHERE kind = 'answer' AND text = '17'", "answer 'zz' is not", "its answer 'zz' is no id"),
    ("UPDATE clear SET text = '017' WHERE text = '17'", "answer '017' is not", "'017' is no id"),
    ("UPDATE clear SET text = ' 17' WHERE text = '17'", "answer ' 17' is not", "' 17' is no id"),
    (f"UPDATE clear SET text = '{'9' * 5000}' WHERE text = '17'", "is not what was recorded", "is no id"),
    ("UPDATE clear SET text = x'3137' WHERE text = '17'", "answer b'17' is not", "b'17' is no id"),
    ("UPDATE clear SET text = CAST(x'ff00' AS TEXT) WHERE kind = 'query'", "is not what was recorded", "utf-8"),
    ("UPDATE clear SET text = x'61' WHERE kind = 'query'", "query b'a' is not", "query b'a' is no text"),
    ("UPDATE entry SET body = substr(body, 2)", "broken at entry 1", "entry 1 is not as it was written"),
    ("UPDATE entry SET body = '[]'", "broken at entry 1", "no record of a search"),
    ("UPDATE entry SET body = CAST(x'ff' AS TEXT)", "broken at entry 1", "no record of a search"),
    ("UPDATE entry SET body = replace(body, '\"since\": null', '\"since\": 1e999')", "broken", "no record of a search"),
    (f"UPDATE entry SET body = '{'[' * 200_000}'", "broken at entry 1", "no record of a search"),
]


@pytest.mark.parametrize(("statement", "found", "told"), CHANGES)
def test_what_was_changed_is_told_and_the_rest_can_be_forgotten(tmp_path: Path, statement: str, found: str, told: str) -> None:
    folder = tmp_path / "g"
    gallery, _ = filled(folder, np.random.default_rng(0), 40)
    with gallery:
        gone = [int(id_) for id_ in gallery.ids(SOUTH)]
        record(folder)
        record(folder, "b.jpg", (gone[0], gone[1]))
        change(folder, f"{statement} {'AND' if 'WHERE' in statement else 'WHERE'} {_of_first(statement)} = 1")
        assert found in " ".join(gallery.audit.verify())
        with pytest.raises(ClipsenetError, match="entry 1 is not as it was written") as raised:
            gallery.audit.entries()
        assert told in str(raised.value)
        assert f"clipsenet gallery audit {folder}" in str(raised.value)
        assert found in " ".join(gallery.verify())
        gallery.forget(SOUTH)
        assert not gallery.audit.answers() & set(gone)
    with open_gallery(folder, write=True) as again:
        again.forget(Filter(until=10**15))
        record(folder)
        assert found in " ".join(gallery.audit.verify()) or "kind = 'query'" in statement


def _of_first(statement: str) -> str:
    return "number" if "UPDATE entry" in statement else "entry"


def test_the_pictures_of_an_entry_that_cannot_be_read_go_with_any_time(tmp_path: Path) -> None:
    for number in range(3):
        record(tmp_path, f"{number}.jpg", at=number * HOUR)
    change(tmp_path, "UPDATE entry SET body = 'x' WHERE number = 3")
    Audit(tmp_path).forget(before=HOUR)
    with closing(sqlite3.connect(tmp_path / AUDIT)) as db:
        assert db.execute("SELECT text FROM clear WHERE kind = 'query'").fetchall() == [("1.jpg",)]


@pytest.mark.parametrize("broken", ["no database", "half", "a table less", "a column less"])
def test_a_file_that_is_no_record_any_longer(tmp_path: Path, broken: str) -> None:
    record(tmp_path, ids=tuple(range(1000)))
    path = tmp_path / AUDIT
    if broken == "no database":
        path.write_bytes(b"something else entirely" * 1000)
    elif broken == "half":
        os.truncate(path, path.stat().st_size // 2)
    elif broken == "a table less":
        change(tmp_path, "DROP TABLE clear")
    else:
        change(tmp_path, "ALTER TABLE entry RENAME COLUMN hash TO hush")
    audit = Audit(tmp_path)
    (sentence,) = audit.verify("0" * 64)
    assert "the record of searches is broken" in sentence or "file is damaged" in sentence
    works: list[Callable[[], object]] = [audit.entries, audit.head, lambda: record(tmp_path), lambda: audit.forget(ids=[17])]
    for work in works[: {"half": 1, "a column less": 3}.get(broken, 4)]:
        with pytest.raises(ClipsenetError, match=r"record of searches is broken.*put the file elsewhere"):
            work()
    path.unlink()
    record(tmp_path)
    assert audit.verify() == []


def test_forgetting_stops_at_a_broken_record_and_goes_on_without_it(tmp_path: Path) -> None:
    folder = tmp_path / "g"
    with filled(folder, np.random.default_rng(0), 40)[0] as gallery:
        (folder / AUDIT).write_bytes(b"something else entirely" * 1000)
        with pytest.raises(ClipsenetError, match="nothing can be recorded or forgotten in it"):
            gallery.forget(SOUTH)
    with pytest.raises(ClipsenetError, match="put the file elsewhere"):
        open_gallery(folder, write=True)
    (folder / AUDIT).rename(tmp_path / AUDIT)
    with open_gallery(folder, write=True) as again:
        assert again.count(SOUTH) == 0
        assert again.verify() == []


def test_a_name_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipsenetError, match="no UTF-8 and cannot be recorded; rename it"):
        record(tmp_path, "a\udcff.jpg")
    assert not (tmp_path / AUDIT).exists()


def test_the_work_of_recording_grows_as_the_queries_do(tmp_path: Path) -> None:
    def steps(count: int) -> int:
        done = 0

        def watch(frame: FrameType, event: str, _: object) -> Any:
            nonlocal done
            frame.f_trace_opcodes = True
            done += event == "opcode"
            return watch

        before = sys.gettrace()
        sys.settrace(watch)
        try:
            Audit(tmp_path).append(purpose="", where=EVERYTHING, queries=["q"] * count, results=[[1, 2]] * count)
        finally:
            sys.settrace(before)
        return done

    steps(1)
    assert steps(400) / steps(100) < 6, "4, not 16"
