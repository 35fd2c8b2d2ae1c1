"""Re-embedding: gathered beside, resumable, switched at once; ids and columns stay."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.gallery import segments
from clipsenet.gallery.interface import Filter
from clipsenet.gallery.local import LocalGallery, create_gallery, open_gallery
from clipsenet.gallery.renewal import NOBODY_ELSE
from clipsenet.gallery.schema import transaction
from clipsenet.gallery.segments import Layout
from clipsenet.gallery.snapshot import Snapshot
from gallery_cases import DIM, embedding, filled, made, unit
from test_gallery_retention import every_byte

NEW = embedding(5, "b" * 64)


def vectors_of(ids: np.ndarray, dim: int = 5) -> np.ndarray:
    """The other run's embedding of each sighting, made from its id alone."""
    return np.concatenate([unit(np.random.default_rng(int(id_) + 1000), 1, dim) for id_ in ids])


def embed_some(gallery: LocalGallery, limit: int, batches: int, but: np.ndarray = NOBODY_ELSE) -> int:
    renewal = gallery.re_embed(NEW)
    for _ in range(batches):
        ids = renewal.waiting(limit, but)
        if not len(ids):
            break
        renewal.add(ids, Features(gallery.sightings(ids), vectors_of(ids), NEW.run_id))
    return renewal.done


def check_new(gallery: LocalGallery, count: int) -> None:
    assert gallery.embedding == NEW
    ids = gallery.ids()
    assert len(ids) == count
    np.testing.assert_array_equal(gallery.get(ids).embeddings, vectors_of(ids).astype(np.float16).astype(np.float32))
    assert gallery.verify() == []
    assert gallery.search(vectors_of(ids[:3]), top=1).ids[:, 0].tolist() == ids[:3].tolist()


def test_stopped_resumed_switched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 13)
    rng = np.random.default_rng(0)
    gallery, _ = filled(tmp_path / "g", rng, 70)
    with gallery:
        columns = gallery.sightings(gallery.ids())
        assert embed_some(gallery, 9, 3) == 27
        assert gallery.embedding.dim == DIM, "it answers as before meanwhile"
        assert gallery.search(unit(rng, 1), top=3).ids.shape == (1, 3)
        with pytest.raises(ClipsenetError, match="43 sightings are not embedded anew yet"):
            gallery.re_embed(NEW).switch()
    with open_gallery(tmp_path / "g", write=True) as gallery:
        assert gallery.re_embed(NEW).done == 27
        # what is added, or forgotten, in between is not lost
        features, content, _ = made(rng, 10, start=500)
        gallery.add(features, content)
        gone = gallery.forget(Filter(cameras=("gate",)))
        assert gone
        left = 80 - gone
        renewal = gallery.re_embed(NEW)
        assert renewal.total == left
        assert embed_some(gallery, 6, 99) == left
        assert gallery.verify() == []
        reader = open_gallery(tmp_path / "g")
        renewal.switch()
        check_new(gallery, left)
        kept = gallery.ids()[gallery.ids() < 70]
        again = gallery.sightings(kept)
        assert again.path.tolist() == columns.path[kept].tolist()
        assert again.column("track").tolist() == columns.column("track")[kept].tolist()
        assert reader.embedding.dim == DIM, "a reader keeps its moment"
        assert reader.search(unit(rng, 1), top=3).ids.shape == (1, 3)
        reader.close()
        with pytest.raises(ClipsenetError, match="gallery holds those of run bbbb"):
            gallery.add(features, content)
        with pytest.raises(ClipsenetError, match=r"holds embeddings of run bbbb.* already"):
            gallery.re_embed(NEW)
    with open_gallery(tmp_path / "g") as reader:
        check_new(reader, left)


def test_waiting_ones_of_that_run_only(tmp_path: Path) -> None:
    with filled(tmp_path / "g", np.random.default_rng(1), 20)[0] as gallery:
        renewal = gallery.re_embed(NEW)
        ids = renewal.waiting(4)
        good = Features(gallery.sightings(ids), vectors_of(ids), NEW.run_id)
        for wrong in (ids[::-1].copy(), ids[:3], ids[[0, 1, 2, 2]], np.array([*ids[:3], 99])):
            with pytest.raises(ClipsenetError, match=r"\d ids for 4 embeddings; wanted sightings that wait to be embedded"):
                renewal.add(wrong, good)
        with pytest.raises(ClipsenetError, match="embeddings of run aaaa"):
            renewal.add(ids, gallery.get(ids))
        assert renewal.done == 0
        with pytest.raises(ClipsenetError, match=r"a re-embedding by run bbbb.* was begun"):
            gallery.re_embed(embedding(5, "c" * 64))
        renewal.add(ids, good)
        with pytest.raises(ClipsenetError, match="4 ids for 4 embeddings; wanted sightings that wait"):
            renewal.add(ids, good)
        renewal.abandon()
        assert len(list((tmp_path / "g" / "vectors").iterdir())) == len(gallery._ledger.segments())
        assert gallery.re_embed(embedding(5, "c" * 64)).done == 0


def test_an_empty_gallery_switches_at_once(tmp_path: Path) -> None:
    with create_gallery(tmp_path / "g", embedding()) as gallery:
        gallery.re_embed(NEW).switch()
        assert gallery.embedding == NEW


def test_a_file_that_somebody_took_away_is_made_again(tmp_path: Path) -> None:
    with filled(tmp_path / "g", np.random.default_rng(2), 20)[0] as gallery:
        embed_some(gallery, 20, 1)
        file = gallery._ledger.renewals()[0][1]
        gallery._ledger.layout("renewal").path(file).unlink()
        assert embed_some(gallery, 7, 99) == 20
        gallery.re_embed(NEW).switch()
        check_new(gallery, 20)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalGallery]:
    """70 sightings in several segments."""
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 13)
    gallery, _ = filled(tmp_path / "g", np.random.default_rng(3), 70)
    with gallery:
        yield gallery


def test_some_are_left_aside_and_come_later_or_are_forgotten_at_the_switch(small: LocalGallery) -> None:
    aside = np.array([0, 1, 12, 13, 30, 55, 69])
    assert embed_some(small, 9, 99, aside) == 63
    small.close()
    with open_gallery(small.folder, write=True) as gallery:
        assert gallery.verify() == []
        renewal = gallery.re_embed(NEW)
        assert sorted(renewal.waiting(99).tolist()) == aside.tolist(), "only they are embedded now"
        with pytest.raises(ClipsenetError, match="7 sightings are not embedded anew yet"):
            renewal.switch()
        with pytest.raises(ClipsenetError, match="2 sightings are not embedded anew yet"):
            renewal.switch({"run": "new"}, without=aside[:5])
        assert (gallery.count(), gallery.embedding.dim, gallery.recall("run")) == (70, DIM, "")
        assert embed_some(gallery, 99, 1, aside[[0, 3, 6]]) == 67, "those that came after all"
        paths = gallery.sightings(aside[[0, 3, 6]]).path.tolist()
        renewal.switch({"run": "new"}, without=aside[[0, 3, 6]])
        check_new(gallery, 67)
        assert not set(gallery.ids().tolist()) & {0, 13, 69}
        assert gallery.recall("run") == "new"
        found = every_byte(gallery.folder)
        assert not any(path.encode() in found for path in paths)
        assert len(list((gallery.folder / "vectors").iterdir())) == len(gallery._ledger.segments())
    with open_gallery(small.folder) as reader:
        check_new(reader, 67)


def test_nobody_is_embedded_again_when_others_are_forgotten(small: LocalGallery) -> None:
    aside = np.array([5, 6, 40])
    assert embed_some(small, 9, 5, aside) == 45
    waiting = set(small.re_embed(NEW).waiting(99).tolist())
    gone = set(small.ids(Filter(cameras=("gate",))).tolist())
    assert gone & waiting
    assert gone - waiting
    small.forget(Filter(cameras=("gate",)))
    assert small.verify() == []
    renewal = small.re_embed(NEW)
    assert set(renewal.waiting(99).tolist()) == waiting - gone
    assert renewal.done == small.count() - len(waiting - gone)
    embed_some(small, 9, 99)
    renewal.switch()
    check_new(small, 70 - len(gone))


def test_new_ones_are_made_again_where_their_file_went_before_others_were_forgotten(small: LocalGallery) -> None:
    aside = np.array([0])
    embed_some(small, 9, 99, aside)
    renewal = small.re_embed(NEW)
    for _, file, _ in small._ledger.renewals():
        small._ledger.layout("renewal").path(file).unlink()
    with pytest.raises(ClipsenetError, match=r"\d+ sightings are not embedded anew yet"):
        renewal.switch(without=aside)
    assert small.embedding.dim == DIM
    assert embed_some(small, 9, 99) == 69
    small.re_embed(NEW).switch()
    check_new(small, 69)


def test_a_failed_batch_leaves_no_byte_and_a_late_failure_takes_none_away(
    small: LocalGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed_some(small, 9, 3, np.array([3]))
    before = every_byte(small.folder / "vectors")
    put = Layout.put

    def fail(layout: Layout, file: int, rows: np.ndarray, vectors: np.ndarray) -> None:
        put(layout, file, rows, vectors)
        raise OSError("no space left on the device")

    with monkeypatch.context() as patch:
        patch.setattr(Layout, "put", fail)
        with pytest.raises(ClipsenetError, match="no space left"):
            embed_some(small, 9, 1, np.array([3]))
    assert every_byte(small.folder / "vectors") == before

    @contextmanager
    def interrupted_behind_its_commit(connection: sqlite3.Connection, *, write: bool) -> Iterator[None]:
        with transaction(connection, write=write):
            yield
        raise KeyboardInterrupt

    renewal = small.re_embed(NEW)
    ids = renewal.waiting(9)
    new = Features(small.sightings(ids), vectors_of(ids), NEW.run_id)
    with monkeypatch.context() as patch:
        patch.setattr("clipsenet.gallery.renewal.transaction", interrupted_behind_its_commit)
        with pytest.raises(KeyboardInterrupt):
            renewal.add(ids, new)
    assert not set(ids.tolist()) & set(small.re_embed(NEW).waiting(99).tolist())
    assert embed_some(small, 9, 99) == 70
    small.re_embed(NEW).switch()
    check_new(small, 70)


def test_old_vectors_that_cannot_be_removed_are_said_and_the_switch_stands(
    small: LocalGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed_some(small, 9, 99, np.array([7]))

    def fail(*_: object) -> None:
        raise OSError("the disk is away")

    with monkeypatch.context() as patch:
        patch.setattr("clipsenet.gallery.renewal.wipe", fail)
        with pytest.raises(
            ClipsenetError, match=r"holds embeddings of run bbbb.* now; but what they .*clipsenet gallery repair"
        ):
            small.re_embed(NEW).switch(without=np.array([7]))
    assert small.embedding == NEW
    small.close()
    with open_gallery(small.folder, write=True) as gallery:
        check_new(gallery, 69)
        assert len(list((gallery.folder / "vectors").iterdir())) == len(gallery._ledger.segments())


def test_nothing_that_is_searched_is_read_again_meanwhile(small: LocalGallery, monkeypatch: pytest.MonkeyPatch) -> None:
    small.count()
    loaded: list[Snapshot] = []
    monkeypatch.setattr(Snapshot, "load", lambda *_: loaded.append(small._snapshot) or small._snapshot)
    assert embed_some(small, 9, 99) == small.re_embed(NEW).total
    assert loaded == []
    monkeypatch.undo()
    small.re_embed(NEW).switch()
    check_new(small, 70)


def test_giving_it_up_leaves_the_index_of_neighbours(small: LocalGallery) -> None:
    small.build_index()
    embed_some(small, 9, 3)
    small.re_embed(NEW).abandon()
    assert len(list(small.folder.glob("neighbours-*"))) == 1
    assert small._ledger.meta("neighbours")
