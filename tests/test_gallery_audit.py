"""The audit: a chain that shows every later change, and clear texts that can go without breaking it."""

import multiprocessing
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from clipsenet.errors import ClipsenetError
from clipsenet.gallery.audit import AUDIT, Audit
from clipsenet.gallery.entries import BEGINNING
from clipsenet.gallery.interface import EVERYTHING, Filter
from clipsenet.gallery.local import open_gallery
from gallery_cases import filled

WHERE = Filter(cameras=("north",), since=5, equal=(("type", "van"),))


def written(folder: Path, count: int = 4) -> Audit:
    audit = Audit(folder)
    for number in range(count):
        audit.append(
            purpose=f"case {number}",
            where=WHERE,
            queries=[f"a{number}.jpg", f"b{number}.jpg"],
            results=[[number, 7], []],
            at=number,
        )
    return audit


def test_what_was_searched_is_told(tmp_path: Path) -> None:
    assert (Audit(tmp_path).head(), Audit(tmp_path).entries(), Audit(tmp_path).verify()) == (BEGINNING, [], [])
    audit = written(tmp_path)
    first, *_, last = audit.entries()
    assert (first.number, first.time, first.purpose, first.where) == (1, 0, "case 0", WHERE)
    assert (first.queries, first.results) == (["a0.jpg", "b0.jpg"], [[0, 7], []])
    assert (last.number, last.hash) == (4, audit.head())
    assert audit.verify() == audit.verify(first.hash) == audit.verify(audit.head()) == audit.verify(BEGINNING) == []
    audit.append(purpose="", where=EVERYTHING, queries=[], results=[])
    assert audit.entries()[-1].time > 10**15
    with pytest.raises(ClipsenetError, match="2 queries and 1 results"):
        audit.append(purpose="", where=EVERYTHING, queries=["a", "b"], results=[[1]])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE entry SET body = replace(body, 'case 1', 'case 9') WHERE number = 2", "broken at entry 2"),
        ("DELETE FROM entry WHERE number = 2", "broken at entry 3"),
        ("UPDATE entry SET hash = (SELECT hash FROM entry WHERE number = 1) WHERE number = 3", "broken at entry 3"),
        ("UPDATE clear SET text = 'other.jpg' WHERE entry = 2 AND kind = 'query' AND query = 1", "'other.jpg' is not what"),
        ("UPDATE clear SET text = '8' WHERE entry = 2 AND text = '7'", "answer '8' is not what"),
        ("INSERT INTO clear VALUES (2, 'answer', 0, 5, '3', x'00')", "answer '3' is not what"),
        ("INSERT INTO clear VALUES (2, 'answer', 9, 0, '3', x'00')", "answer '3' is not what"),
        ("DELETE FROM entry WHERE number = 4", "does not have the noted head"),
    ],
)
def test_a_change_is_found(tmp_path: Path, change: str, said: str) -> None:
    audit = written(tmp_path)
    head = audit.head()
    with closing(sqlite3.connect(tmp_path / AUDIT)) as db, db:
        db.execute(change)
    sentences = audit.verify(head)
    assert said in " ".join(sentences)


def test_a_chain_made_anew_does_not_have_the_head(tmp_path: Path) -> None:
    head = written(tmp_path).head()
    (tmp_path / AUDIT).unlink()
    assert "audit is not there" in " ".join(Audit(tmp_path).verify(head))
    assert "made anew" in " ".join(written(tmp_path).verify(head)), "salts differ each time"


def test_clear_texts_go_and_the_chain_stays(tmp_path: Path) -> None:
    audit = written(tmp_path)
    head = audit.head()
    audit.forget(paths=["a1.jpg"], ids=[7], before=1)
    entries = audit.entries()
    assert [entry.queries for entry in entries] == [[None, None], [None, "b1.jpg"], ["a2.jpg", "b2.jpg"], ["a3.jpg", "b3.jpg"]]
    assert [entry.results[0] for entry in entries] == [[0, None], [1, None], [2, None], [3, None]]
    assert audit.verify(head) == []
    found = (tmp_path / AUDIT).read_bytes()
    assert b"a1.jpg" not in found
    assert b"a0.jpg" not in found
    assert b"a2.jpg" in found


def test_a_newer_audit(tmp_path: Path) -> None:
    audit = written(tmp_path)
    with closing(sqlite3.connect(tmp_path / AUDIT)) as db:
        db.execute("PRAGMA user_version = 2")
    with pytest.raises(ClipsenetError, match="audit has format 2"):
        audit.entries()


def _append(folder: Path, count: int) -> None:
    for _ in range(count):
        Audit(folder).append(purpose="x", where=EVERYTHING, queries=["q"], results=[[1]])


def test_several_processes_append_while_another_writes_to_the_gallery(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    with filled(tmp_path / "g", np.random.default_rng(0), 5)[0]:
        others = [fork.Process(target=_append, args=(tmp_path / "g", 10)) for _ in range(3)]
        for one in others:
            one.start()
        with open_gallery(tmp_path / "g") as reader:
            reader.audit.append(purpose="x", where=EVERYTHING, queries=["q"], results=[[1]])
        for one in others:
            one.join()
            assert one.exitcode == 0
    audit = Audit(tmp_path / "g")
    assert len(audit.entries()) == 31
    assert audit.verify() == []
