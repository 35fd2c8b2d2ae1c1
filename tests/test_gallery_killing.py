"""A process that writes is killed at any moment: what it had acknowledged is there, nothing half is, and the next goes on.

Killed at a random time, and killed exactly before a random one of the calls that change files: the moments between two
changes are too short to be met by chance.
"""

import os
import select
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.gallery import neighbourhood, schema, segments
from clipsenet.gallery.interface import EVERYTHING, NOBODY, Filter
from clipsenet.gallery.local import create_gallery, open_gallery
from clipsenet.sightings import Sightings
from gallery_cases import RUN, embedding, made, unit
from test_gallery_renewal import NEW, check_new, embed_some, vectors_of
from test_gallery_retention import every_byte

if not hasattr(os, "fork"):
    pytest.skip("needs fork", allow_module_level=True)

BATCH = 12
TIMES = 10
CHANGING = {"execute", "executemany", "fsync", "write", "truncate", "unlink", "close", "open", "mkdir"}


def rounds(soak: int) -> list[object]:
    """Ten of each kind in the normal tests, many in the soak: numbers of random generators."""
    return [*range(TIMES), *(pytest.param(number, marks=pytest.mark.soak) for number in range(TIMES, soak))]


class Child:
    """A process made by fork that does some work and says how far it is.

    Args:
        work: told whom to tell what lasts.
        last_call: it kills itself before so many calls that change files; none: never.
    """

    def __init__(self, work: Callable[[Callable[[int], None]], None], last_call: int | None = None) -> None:
        self._ear, mouth = os.pipe()
        self.process = os.fork()
        if self.process == 0:  # the child: it never comes back to pytest
            code = 1
            try:
                if last_call is not None:
                    die_before(last_call)
                work(lambda number: os.write(mouth, number.to_bytes(4, "little")) and None)
                code = 0
            finally:
                os._exit(code)
        os.close(mouth)
        self.heard: list[int] = []
        self._ended = False

    def listen(self, seconds: float) -> None:
        """Hear what it has acknowledged, for so long or until it has ended."""
        deadline = time.monotonic() + seconds
        while not self._ended and select.select([self._ear], [], [], max(0.0, deadline - time.monotonic()))[0]:
            data = os.read(self._ear, 4)
            self._ended = not data
            if data:
                self.heard.append(int.from_bytes(data, "little"))

    def end(self, *, kill: bool) -> int:
        """Kill it, or wait for its end; its exit code, negative for a signal."""
        if kill:
            os.kill(self.process, signal.SIGKILL)
        self.listen(60)
        _, status = os.waitpid(self.process, 0)
        os.close(self._ear)
        return os.waitstatus_to_exitcode(status)


def die_before(call: int) -> None:
    """Kill this process before so many calls that change files."""
    seen = 0

    def watch(frame: object, event: str, called: object) -> None:
        nonlocal seen
        if event == "c_call" and getattr(called, "__name__", "") in CHANGING:
            seen += 1
            if seen > call:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)


def batch(number: int) -> tuple[Features, list[str], np.ndarray]:
    features, _, quality = made(np.random.default_rng(number), BATCH, start=number * BATCH)
    return features, [f"{number}-{row}" for row in range(BATCH)], quality


@pytest.mark.parametrize("seed", rounds(100))
@pytest.mark.parametrize("how", ["time", "call"])
def test_each_acknowledged_batch_is_there_and_no_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, seed: int
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 50)
    rng = np.random.default_rng(seed)
    folder = tmp_path / "g"
    with create_gallery(folder, embedding()) as gallery:
        gallery.add(*batch(0))

    def work(acknowledge: Callable[[int], None]) -> None:
        gallery = open_gallery(folder, write=True)
        acknowledge(0)
        for number in range(1, 400):
            gallery.add(*batch(number))
            acknowledge(number)

    child = Child(work, int(rng.integers(1, 400)) if how == "call" else None)
    if how == "time":
        child.listen(float(rng.uniform(0.02, 0.3)))
    assert child.end(kill=how == "time") == -signal.SIGKILL
    with open_gallery(folder) as reader:  # before any writer has cleared away what is half
        assert reader.count() % BATCH == 0
    with open_gallery(folder, write=True) as gallery:
        assert gallery.verify() == []
        for number in range(max(child.heard, default=0) + 3):
            features, content, _ = batch(number)
            ids = gallery.find(content)
            there = ids != NOBODY
            assert there.all() or not there.any(), "no half batch"
            assert there.all() or number not in (0, *child.heard), "each acknowledged one"
            if there.all():
                got = gallery.get(ids)
                np.testing.assert_array_equal(got.embeddings, features.embeddings.astype(np.float16).astype(np.float32))
                assert got.sightings.path.tolist() == features.sightings.path.tolist()
        count = gallery.count()
        assert count in (BATCH * len({0, *child.heard}), BATCH * (len({0, *child.heard}) + 1))
        new = gallery.add(*batch(1000))
        assert len(set(new.tolist())) == BATCH
        assert gallery.count() == count + BATCH
        assert gallery.verify() == []


@pytest.mark.parametrize("seed", rounds(100))
@pytest.mark.parametrize("how", ["time", "call"])
def test_forgetting_leaves_the_old_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, seed: int) -> None:
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 40)
    rng = np.random.default_rng(seed)
    folder, n = tmp_path / "g", 90
    paths = [f"secret-{row}-{'van' if row % 3 else 'bus'}.jpg" for row in range(n)]
    sightings = Sightings.of(
        paths,
        time=[row // 30 * 86_400_000_000 for row in range(n)],
        extra={"type": ["van" if row % 3 else "bus" for row in range(n)]},
    )
    features, gone = Features(sightings, unit(rng, n), RUN), [path for path in paths if "bus" in path]
    with create_gallery(folder, embedding()) as gallery:
        for part in np.array_split(np.arange(n), 8):
            gallery.add(features[part], [paths[row] for row in part])
        gallery.audit.append(purpose="x", where=EVERYTHING, queries=gone[:2], results=[[0, 1], [2, 3]])

    def work(acknowledge: Callable[[int], None]) -> None:
        gallery = open_gallery(folder, write=True)
        acknowledge(0)
        assert gallery.forget(Filter(equal=(("type", "bus"),))) == len(gone)
        acknowledge(1)
        gallery.close()

    child = Child(work, int(rng.integers(10, 160)) if how == "call" else None)
    if how == "time":
        while not child.heard and not child._ended:
            child.listen(0.001)
        child.listen(float(rng.uniform(0, 0.05)))
    code = child.end(kill=how == "time")
    assert code in (0, -signal.SIGKILL)
    with open_gallery(folder) as reader:
        assert reader.count() in (n, n - len(gone))
        reader.get(reader.ids())
    with open_gallery(folder, write=True) as gallery:
        assert gallery.verify() == []
        left = gallery.count()
        assert left in (n, n - len(gone))
        assert left < n or 1 not in child.heard
        kept = [row for row in range(n) if left == n or row % 3]
        got = gallery.get(gallery.ids())
        assert got.sightings.path.tolist() == [paths[row] for row in kept]
        np.testing.assert_array_equal(got.embeddings, features.embeddings[kept].astype(np.float16).astype(np.float32))
        assert gallery.audit.verify() == []
        found = every_byte(folder)
        for path in gone:
            assert (path.encode() in found) == (left == n), "the next writer has finished the wiping"
        for row in range(0, n, 3):
            assert (features.embeddings[row].astype(np.float16).tobytes() in found) == (left == n)
        gallery.forget(Filter(equal=(("type", "bus"),)))
        assert gallery.count() == n - len(gone)


@pytest.mark.parametrize("seed", rounds(100))
@pytest.mark.parametrize("broken", [[], [0, 21, 22, 59]], ids=["whole", "broken"])
@pytest.mark.parametrize("how", ["time", "call"])
def test_the_switch_leaves_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, broken: list[int], seed: int
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 20)
    rng = np.random.default_rng(seed)
    folder, n = tmp_path / "g", 60
    aside = np.array(broken, dtype=np.int64)
    features, content, quality = made(rng, n)
    with create_gallery(folder, embedding()) as gallery:
        gallery.add(features, content, quality)

    def work(acknowledge: Callable[[int], None]) -> None:
        gallery = open_gallery(folder, write=True)
        acknowledge(0)
        renewal = gallery.re_embed(NEW)
        while len(ids := renewal.waiting(9, aside)):
            renewal.add(ids, Features(gallery.sightings(ids), vectors_of(ids), NEW.run_id))
            acknowledge(renewal.done)
        renewal.switch({"run": "new"}, without=aside)
        acknowledge(1000)
        gallery.close()

    child = Child(work, int(rng.integers(10, 510 if broken else 365)) if how == "call" else None)
    if how == "time":
        while not child.heard and not child._ended:
            child.listen(0.001)
        child.listen(float(rng.uniform(0, 0.12)))
    code = child.end(kill=how == "time")
    assert code in (0, -signal.SIGKILL)
    with open_gallery(folder, write=True) as gallery:
        assert gallery.verify() == []
        switched = gallery.embedding == NEW
        assert switched or 1000 not in child.heard
        assert gallery.recall("run") == ("new" if switched else "")
        assert gallery.count() in ({n - len(aside)} if switched else {n, n - len(aside)})
        if not switched:
            got = gallery.get(gallery.ids())
            old = features.embeddings[gallery.ids()].astype(np.float16).astype(np.float32)
            np.testing.assert_array_equal(got.embeddings, old)
            assert gallery.re_embed(NEW).done >= max(child.heard, default=0)
            assert embed_some(gallery, 7, 99, aside) == n - len(aside)
            gallery.re_embed(NEW).switch({"run": "new"}, without=aside)
        check_new(gallery, n - len(aside))
        assert len(list((folder / "vectors").iterdir())) == len(gallery._ledger.segments())


class Torn(sqlite3.Connection):
    """A connection at which Ctrl-C comes just behind a commit that has succeeded."""

    torn = False
    writes = False

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        done = super().execute(sql, *values)
        if sql.startswith("BEGIN"):
            self.writes = sql == "BEGIN IMMEDIATE"
        if sql == "COMMIT" and self.writes and Torn.torn:
            Torn.torn = False
            raise KeyboardInterrupt
        return done


def test_ctrl_c_behind_a_commit_takes_nothing_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 15)
    monkeypatch.setattr(neighbourhood, "INDEXED_FROM", 10)
    connect = sqlite3.connect
    monkeypatch.setattr(schema.sqlite3, "connect", lambda *words, **more: connect(*words, **more, factory=Torn))

    def torn(work: Callable[[], object]) -> None:
        Torn.torn = True
        with pytest.raises(KeyboardInterrupt):
            work()
        assert not Torn.torn
        lost = [one for one in gallery.verify() if "not yet wiped" not in one and "not recorded" not in one]
        assert lost == []

    with create_gallery(tmp_path / "g", embedding()) as gallery:
        gallery.add(*batch(0))
        torn(lambda: gallery.add(*batch(1)))
        assert gallery.count() == 2 * BATCH
        np.testing.assert_array_equal(gallery.find(batch(1)[1]), np.arange(BATCH, 2 * BATCH))
        south = gallery.count(Filter(cameras=("south",)))
        torn(lambda: gallery.forget(Filter(cameras=("south",))))
        assert gallery.count() == 2 * BATCH - south
        torn(gallery.build_index)
        gallery.search(unit(np.random.default_rng(0), 3))
    with open_gallery(tmp_path / "g", write=True) as gallery:
        assert gallery.count() == 2 * BATCH - south
        assert gallery.verify() == []
        gallery.get(gallery.ids())


def test_a_commit_is_synced_with_its_folder(tmp_path: Path) -> None:
    """A journal whose end is not on the disk takes a commit back after a power failure, and its vectors may be gone by then."""
    with create_gallery(tmp_path / "g", embedding()) as gallery:
        assert gallery._ledger.db.execute("PRAGMA synchronous").fetchone() == (3,), "EXTRA"


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="only Unix limits a file's size")
    folder = tmp_path / "g"
    with create_gallery(folder, embedding()) as gallery:
        gallery.add(*batch(0))
        ledger = (folder / "ledger.sqlite").stat().st_size
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        big = made(np.random.default_rng(1), 600, start=5000)
        # files that may grow by nothing, by a few vectors, by all vectors but not the ledger, and in the end by all
        for limit in (100, 1000, 5000, ledger, ledger + 9000, ledger + 20_000, 10**7):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            try:
                with pytest.raises(ClipsenetError, match=r"is untouched\. Free some space") if limit < 10**7 else nullcontext():
                    gallery.add(*big)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            if limit < 10**7:
                assert gallery.count() == BATCH
                assert gallery.verify() == []
                with open_gallery(folder) as reader:
                    assert reader.count() == BATCH
        assert gallery.count() == BATCH + 600
        assert gallery.verify() == []
        got = gallery.get(gallery.find(batch(0)[1]))
        np.testing.assert_array_equal(got.embeddings, batch(0)[0].embeddings.astype(np.float16).astype(np.float32))
