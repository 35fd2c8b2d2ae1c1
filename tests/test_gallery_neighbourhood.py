"""The index of neighbours against the exact search; what it must not be asked for; that it goes when it no longer fits."""

from pathlib import Path

import numpy as np
import pytest

from clipsenet.benchmarking.made_up_gallery import RUN, World
from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.gallery import neighbourhood
from clipsenet.gallery.interface import Embedding, Filter
from clipsenet.gallery.local import LocalGallery, create_gallery, open_gallery
from clipsenet.sightings import Sightings
from gallery_cases import embedding, unit
from test_gallery_renewal import NEW

DIM = 32


@pytest.fixture(scope="module")
def world() -> World:
    return World.draw(4000, DIM, 0)


@pytest.fixture
def gallery(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(neighbourhood, "INDEXED_FROM", 100)
    with create_gallery(tmp_path / "g", Embedding(RUN, DIM, "made up")) as gallery:
        for number, features in enumerate(world.batches(1000)):
            gallery.add(features, [f"{number}-{row}" for row in range(len(features))])
        yield gallery


def recall(gallery: LocalGallery, query: np.ndarray) -> float:
    near, all_ = gallery.search(query, top=10), gallery.search(query, top=10, exact=True)
    assert (near.exact, all_.exact) == (False, True)
    shared = [set(a.tolist()) & set(b.tolist()) for a, b in zip(near.ids, all_.ids, strict=True)]
    for a, b, both in zip(near.ids, all_.ids, shared, strict=True):  # similarities are exact, and so is the order
        assert [id_ for id_ in a.tolist() if id_ in both] == [id_ for id_ in b.tolist() if id_ in both]
    by_id = [dict(zip(b.tolist(), values.tolist(), strict=True)) for b, values in zip(all_.ids, all_.similarity, strict=True)]
    for a, values, known in zip(near.ids, near.similarity, by_id, strict=True):
        assert (a >= 0).all(), "as many as were wanted"
        assert all(known.get(id_, value) == value for id_, value in zip(a.tolist(), values.tolist(), strict=True))
        assert (np.diff(values) <= 0).all()
    return float(np.mean([len(both) / 10 for both in shared]))


def test_it_finds_what_the_exact_search_finds(gallery: LocalGallery, world: World) -> None:
    facts = gallery.build_index()
    assert facts.recall >= 0.95
    assert recall(gallery, world.queries(200).embeddings) >= 0.95
    with open_gallery(gallery.folder) as reader:
        assert recall(reader, world.queries(20).embeddings) >= 0.9
        assert reader.verify() == []


def test_one_cell_is_not_enough_of_many(gallery: LocalGallery, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbourhood, "FOUND", 0.0)  # the fewest cells then are one: what is measured decides
    assert gallery.build_index().probes == 1
    poor = recall(gallery, world.queries(200).embeddings)
    monkeypatch.setattr(neighbourhood, "FOUND", 0.999)
    assert gallery.build_index().probes > 1
    assert recall(gallery, world.queries(200).embeddings) > poor
    assert len(list(gallery.folder.glob("neighbours-*"))) == 1, "the older one is gone"


def test_what_is_added_later_is_found(gallery: LocalGallery, world: World) -> None:
    gallery.build_index()
    queries = world.queries(30)
    ids = gallery.add(queries, [f"later {row}" for row in range(30)])
    answer = gallery.search(queries.embeddings, top=3)
    assert not answer.exact
    assert answer.ids[:, 0].tolist() == ids.tolist()
    assert recall(gallery, queries.embeddings) >= 0.95


def test_filters_groups_and_small_galleries_are_exact(
    gallery: LocalGallery, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.build_index()
    query = world.queries(2).embeddings
    assert gallery.search(query, where=Filter(cameras=("c001",))).exact
    assert gallery.search(query, group="track").exact
    assert gallery.search(query, group="camera").exact
    assert not gallery.search(query).exact
    monkeypatch.setattr(neighbourhood, "INDEXED_FROM", 5000)
    assert gallery.search(query).exact


def test_it_goes_with_what_is_forgotten_and_is_built_anew_of_the_rest(gallery: LocalGallery, world: World) -> None:
    gallery.build_index()
    query = world.queries(3).embeddings
    with open_gallery(gallery.folder) as early, open_gallery(gallery.folder) as late:
        assert not early.search(query).exact
        (old,) = gallery.folder.glob("neighbours-*")
        gone = set(gallery.ids(Filter(cameras=("c001",))).tolist())
        gallery.forget(Filter(cameras=("c001",)))
        (new,) = gallery.folder.glob("neighbours-*")
        assert new != old
        answer = gallery.search(query)
        assert not answer.exact
        assert not gone & set(answer.ids.ravel().tolist())
        for reader in (early, late):
            found = reader.search(query)
            assert not found.exact, "with what is forgotten comes the new index"
            np.testing.assert_array_equal(found.ids, answer.ids)
        np.testing.assert_array_equal(late.search(query).ids[:, 0], early.search(query).ids[:, 0])


def test_it_goes_with_other_embeddings_and_when_it_is_dropped(gallery: LocalGallery, world: World) -> None:
    gallery.build_index()
    gallery.drop_index()
    assert gallery.search(world.queries(1).embeddings).exact
    gallery.build_index()
    renewal = gallery.re_embed(NEW)
    ids = renewal.waiting(9999)
    renewal.add(ids, Features(gallery.sightings(ids), unit(np.random.default_rng(0), len(ids), NEW.dim), NEW.run_id))
    renewal.switch()
    assert list(gallery.folder.glob("neighbours-*")) == []
    assert gallery.search(unit(np.random.default_rng(0), 1, NEW.dim)).exact


def test_a_lost_file_and_a_broken_one(gallery: LocalGallery, world: World) -> None:
    gallery.build_index()
    (file,) = gallery.folder.glob("neighbours-*")
    whole = file.read_bytes()
    file.write_bytes(whole[:1000])
    with open_gallery(gallery.folder) as reader, pytest.raises(ClipsenetError, match=r"is broken .* build the index"):
        reader.search(world.queries(1).embeddings)
    file.unlink()
    assert "the index of neighbours" in " ".join(gallery.verify())
    gallery.close()
    with open_gallery(gallery.folder, write=True) as again:
        assert again.verify() == []
        assert again.search(world.queries(1).embeddings).exact


def test_few_and_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbourhood, "INDEXED_FROM", 1)
    with create_gallery(tmp_path / "g", embedding()) as gallery:
        with pytest.raises(ClipsenetError, match="the gallery is empty"):
            gallery.build_index()
        vector = unit(np.random.default_rng(0), 1)
        gallery.add(Features(Sightings.of(["a"]), vector, "a" * 64), ["a"])
        gallery.build_index()
        answer = gallery.search(vector, top=3)
        assert answer.ids.tolist() == [[0, -1, -1]]
        assert not answer.exact
