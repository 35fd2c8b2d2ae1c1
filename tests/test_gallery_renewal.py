"""Re-embedding: gathered beside, resumable, switched at once; ids and columns stay."""

from pathlib import Path

import numpy as np
import pytest

from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.gallery import segments
from clipsenet.gallery.interface import Filter
from clipsenet.gallery.local import LocalGallery, create_gallery, open_gallery
from gallery_cases import DIM, embedding, filled, made, unit

NEW = embedding(5, "b" * 64)


def vectors_of(ids: np.ndarray, dim: int = 5) -> np.ndarray:
    """The other run's embedding of each sighting, made from its id alone."""
    return np.concatenate([unit(np.random.default_rng(int(id_) + 1000), 1, dim) for id_ in ids])


def embed_some(gallery: LocalGallery, limit: int, batches: int) -> int:
    renewal = gallery.re_embed(NEW)
    for _ in range(batches):
        ids = renewal.waiting(limit)
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
    with open_gallery(tmp_path / "g", write=True) as gallery, open_gallery(tmp_path / "g") as reader:
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
        renewal.switch()
        check_new(gallery, left)
        kept = gallery.ids()[gallery.ids() < 70]
        again = gallery.sightings(kept)
        assert again.path.tolist() == columns.path[kept].tolist()
        assert again.column("track").tolist() == columns.column("track")[kept].tolist()
        assert reader.embedding.dim == DIM, "a reader keeps its moment"
        assert reader.search(unit(rng, 1), top=3).ids.shape == (1, 3)
        with pytest.raises(ClipsenetError, match="gallery holds those of run bbbb"):
            gallery.add(features, content)
        with pytest.raises(ClipsenetError, match=r"holds embeddings of run bbbb.* already"):
            gallery.re_embed(NEW)
    with open_gallery(tmp_path / "g") as reader:
        check_new(reader, left)


def test_only_the_next_ones_of_that_run(tmp_path: Path) -> None:
    with filled(tmp_path / "g", np.random.default_rng(1), 20)[0] as gallery:
        renewal = gallery.re_embed(NEW)
        ids = renewal.waiting(4)
        good = Features(gallery.sightings(ids), vectors_of(ids), NEW.run_id)
        with pytest.raises(ClipsenetError, match="not the next sightings"):
            renewal.add(ids[::-1].copy(), good)
        with pytest.raises(ClipsenetError, match="not the next sightings"):
            renewal.add(ids[:3], good)
        with pytest.raises(ClipsenetError, match="embeddings of run aaaa"):
            renewal.add(ids, gallery.get(ids))
        assert renewal.done == 0
        with pytest.raises(ClipsenetError, match=r"a re-embedding by run bbbb.* was begun"):
            gallery.re_embed(embedding(5, "c" * 64))
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
