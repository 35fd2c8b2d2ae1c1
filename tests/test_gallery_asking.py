"""Asking: what is refused, and what is recorded of a search that leaves nothing."""

from pathlib import Path

import numpy as np
import pytest

from clipsenet.chain import Chain
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.features import Features
from clipsenet.gallery import asking
from clipsenet.gallery.asking import ask
from clipsenet.gallery.interface import Filter
from clipsenet.gallery.local import LocalGallery, create_gallery, open_gallery
from clipsenet.sightings import Sightings
from gallery_cases import DIM, RUN, embedding, filled, unit


@pytest.fixture
def gallery(tmp_path: Path):
    with filled(tmp_path / "g", np.random.default_rng(0), 20)[0] as gallery:
        yield gallery


def queries(count: int = 1, *, run: str = RUN, dim: int = DIM, told: bool = False) -> Features:
    paths = [f"/q{number}.jpg" for number in range(count)]
    return Features(Sightings.of(paths), unit(np.random.default_rng(1), count, dim), run, labels_told=told)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (queries(run="b" * 64), "similarities between two runs mean nothing"),
        (queries(dim=DIM + 1), f"length {DIM + 1}, wanted {DIM}"),
        (queries(told=True), "a network that was told camera or view; this gallery's was told no labels"),
    ],
)
def test_queries_that_mean_something_else_are_refused_and_not_recorded(
    gallery: LocalGallery, query: Features, message: str
) -> None:
    with pytest.raises(ClipsenetError, match=message):
        ask(gallery, query)
    assert gallery.audit.entries() == []


@pytest.mark.parametrize("similarity", ["cosine", "k-reciprocal:k1=4,k2=1"])
@pytest.mark.parametrize(
    ("where", "message"),
    [
        (Filter(cameras=("tunnel",)), "no sighting has camera 'tunnel', found gate, north, south"),
        (Filter(since=10**15), "its times run from"),
    ],
)
def test_a_search_that_leaves_nothing_is_recorded(gallery: LocalGallery, where: Filter, message: str, similarity: str) -> None:
    with pytest.raises(ClipsenetError, match=message):
        ask(gallery, queries(2), where=where, purpose="to look who is there", similarity=Chain.parse(similarity))
    (entry,) = gallery.audit.entries()
    assert (entry.purpose, entry.where, entry.queries) == ("to look who is there", where, ["/q0.jpg", "/q1.jpg"])
    assert entry.results == [[], []]
    assert gallery.audit.verify() == []


def test_a_search_in_an_empty_gallery_is_recorded(tmp_path: Path) -> None:
    with create_gallery(tmp_path / "g", embedding()) as gallery:
        with pytest.raises(ClipsenetError, match="the gallery is empty"):
            ask(gallery, queries())
        assert [entry.results for entry in gallery.audit.entries()] == [[[]]]


def test_malformed_questions_are_not_recorded(gallery: LocalGallery) -> None:
    with pytest.raises(ClipsenetError, match="no column 'colour'"):
        ask(gallery, queries(), where=Filter(equal=(("colour", "red"),)))
    with pytest.raises(UsageError, match="first 0 answers"):
        ask(gallery, queries(), top=0, where=Filter(cameras=("tunnel",)))
    assert gallery.audit.entries() == []


def test_what_is_forgotten_in_the_midst_is_not_found(gallery: LocalGallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the products and the reading of names: the search is made again, among what is left."""
    ranked, calls = asking._ranked, []

    def forget_behind(*words: object) -> object:
        calls.append(found := ranked(*words))
        if len(calls) == 1:
            gallery.drop(found[1].ids[0, :3])
        return found

    monkeypatch.setattr(asking, "_ranked", forget_behind)
    with open_gallery(gallery.folder) as reader:
        (found,) = ask(reader, queries(), top=5)
    assert len(calls) == 2
    gone = set(calls[0][1].ids[0, :3].tolist())
    assert [hit.id for hit in found.hits[:2]] == calls[0][1].ids[0, 3:].tolist()
    assert not gone & {hit.id for hit in found.hits}
    assert found.candidates == 17
