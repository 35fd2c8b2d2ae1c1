"""The local gallery against the slow, obvious search: filters, ties, groups, days, segments, both kinds of numbers."""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.gallery import answering, searching, segments
from clipsenet.gallery.interface import EVERYTHING, NOBODY, Answer, Filter, Group
from clipsenet.gallery.local import create_gallery, open_gallery
from clipsenet.sightings import Sightings
from gallery_cases import DIM, HOUR, RUN, brute, embedding, filled, made, meant, rows_of, unit

HOURS = [None, *(hour * HOUR for hour in range(0, 73, 6))]
# values of a Filter, which is made in the test: the checker of types draws by chance which entry of a tuple it looks at
filters = st.tuples(
    st.lists(st.sampled_from(["north", "south", "gate", "elsewhere"]), max_size=2).map(tuple),
    st.sampled_from(HOURS),
    st.sampled_from(HOURS),
    st.sampled_from([(), (("type", "van"),), (("type", ""),), (("track", "t1"),), (("camera", "north"),), (("type", "tram"),)]),
)


def same(answer: Answer, number: int, every: list[tuple[int, float]], top: int) -> None:
    """The first of all answers in the same order; where two similarities are equal but for rounding, either order of them."""
    ids, found, similarity_of = answer.ids[number], answer.similarity[number], dict(every)
    wanted = every[:top]
    count = len(wanted)
    np.testing.assert_allclose(found[:count], [similarity for _, similarity in wanted], atol=1e-6)
    assert (ids[count:] == NOBODY).all()
    assert np.isnan(found[count:]).all()
    assert len(set(ids[:count].tolist())) == count
    for place, (id_, similarity) in enumerate(wanted):
        if ids[place] != id_:
            assert abs(similarity_of[int(ids[place])] - similarity) < 2e-7


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 60),
    top=st.integers(1, 12),
    where=filters,
    group=st.sampled_from([None, "track", "camera"]),
    dtype=st.sampled_from(["float16", "float32"]),
    weighting=st.sampled_from(["equal", "quality"]),
    rows_of_segment=st.integers(2, 30),
    chunk=st.integers(1, 40),
    block=st.integers(1, 20),
)
def test_as_one_picture_at_a_time(
    seed: int,
    n: int,
    top: int,
    where: tuple[Any, ...],
    group: str | None,
    dtype: str,
    weighting: str,
    rows_of_segment: int,
    chunk: int,
    block: int,
) -> None:
    rng, wanted = np.random.default_rng(seed), Filter(*where)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "SEGMENT_ROWS", rows_of_segment)
        patch.setattr(searching, "CHUNK", chunk)
        patch.setattr(searching, "BLOCK", block)
        gallery, rows = filled(Path(folder) / "g", rng, n, dtype=dtype, weighting=weighting)
        with gallery:
            left = [row for row in rows if meant(row, wanted)]
            query = np.concatenate([unit(rng, 2), (rows[0].vector / np.linalg.norm(rows[0].vector))[None].astype(np.float32)])
            assert gallery.count(wanted) == len(left)
            assert gallery.ids(wanted).tolist() == sorted(row.id for row in left)
            if not left:
                with pytest.raises(ClipsenetError, match=r"none of the .* sightings is left by the filter"):
                    gallery.search(query, top=top, where=wanted, group=group)  # type: ignore[arg-type]
                return
            answer = gallery.search(query, top=top, where=wanted, group=group)  # type: ignore[arg-type]
            assert answer.candidates == len(left)
            assert answer.exact
            for number, one in enumerate(query):
                same(answer, number, brute(rows, one, len(rows), wanted, group, weighting), top)


def test_equal_similarities_come_in_the_order_of_their_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 7)
    vector = unit(np.random.default_rng(1), 1)
    n = 50
    sightings = Sightings.of([f"{row}" for row in range(n)], time=[(row * 5 % 3) * 24 * HOUR for row in range(n)])
    with create_gallery(tmp_path / "g", embedding()) as gallery:
        ids = gallery.add(Features(sightings, np.repeat(vector, n, axis=0), "a" * 64), [str(row) for row in range(n)])
        assert ids.tolist() == list(range(n))
        for top in (1, 10, n, n + 5):
            answer = gallery.search(vector, top=top)
            assert answer.ids[0, : min(top, n)].tolist() == list(range(min(top, n)))
            assert (answer.ids[0, n:] == NOBODY).all()


def test_by_hand(tmp_path: Path) -> None:
    # two tracks: t1 is the mean of (1,0) and (0,1), turned by 45 degrees; t2 lies at 60 degrees
    vectors = np.array([[1, 0], [0, 1], [0.5, np.sqrt(0.75)]], dtype=np.float32)
    sightings = Sightings.of(["a", "b", "c"], track=["t1", "t1", "t2"], camera=["n", "n", "n"])
    with create_gallery(tmp_path / "g", embedding(2), dtype="float32") as gallery:
        gallery.add(Features(sightings, vectors, "a" * 64), ["a", "b", "c"])
        query = np.array([[1, 0]], dtype=np.float32)
        plain = gallery.search(query, top=3)
        assert plain.ids.tolist() == [[0, 2, 1]]
        np.testing.assert_allclose(plain.similarity, [[1, 0.5, 0]], atol=1e-7)
        tracks = gallery.search(query, top=3, group="track")
        assert tracks.ids.tolist() == [[0, 2, NOBODY]]
        np.testing.assert_allclose(tracks.similarity, [[np.sqrt(0.5), 0.5, np.nan]], atol=1e-7)
        # a further picture of t1, later, turns its vector: (2, 1) / sqrt(5)
        gallery.add(Features(Sightings.of(["d"], track=["t1"], camera=["n"]), vectors[:1], "a" * 64), ["d"])
        np.testing.assert_allclose(gallery.search(query, top=2, group="track").similarity, [[2 / np.sqrt(5), 0.5]], atol=1e-7)
        # the same name under another camera is another track
        gallery.add(Features(Sightings.of(["e"], track=["t1"], camera=["m"]), vectors[:1], "a" * 64), ["e"])
        assert gallery.search(query, top=3, group="track").ids.tolist() == [[4, 0, 2]]


def test_pictures_that_cancel_each_other_are_like_nothing(tmp_path: Path) -> None:
    vectors = np.array([[1, 0], [-1, 0]], dtype=np.float32)
    with create_gallery(tmp_path / "g", embedding(2)) as gallery:
        gallery.add(Features(Sightings.of(["a", "b"], track=["t", "t"]), vectors, "a" * 64), ["a", "b"])
        assert gallery.search(vectors[:1], group="track", top=1).similarity.tolist() == [[0.0]]


def test_the_best_track_of_a_weight_is_another(tmp_path: Path) -> None:
    vectors = np.array([[1, 0], [0, 1]], dtype=np.float32)
    sightings = Sightings.of(["a", "b"], track=["t", "t"])
    found = {}
    for weighting in ("equal", "quality"):
        with create_gallery(tmp_path / weighting, embedding(2), weighting=weighting) as gallery:  # type: ignore[arg-type]
            gallery.add(Features(sightings, vectors, "a" * 64), ["a", "b"], np.array([1.0, 0.5], dtype=np.float32))
            found[weighting] = float(gallery.search(vectors[:1], group="track", top=1).similarity[0, 0])
    assert found["equal"] == pytest.approx(np.sqrt(0.5))
    assert found["quality"] == pytest.approx(2 / np.sqrt(5), abs=1e-6)


def test_what_was_added_is_got_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    features, content, quality = made(rng, 40)
    with create_gallery(tmp_path / "g", embedding(), dtype="float32") as gallery:
        ids = gallery.add(features, content, quality)
        order = rng.permutation(40)
        got = gallery.get(ids[order])
        np.testing.assert_array_equal(got.embeddings, features.embeddings[order])
        for name in ("vehicle", "camera", "view", "track", "type"):
            assert got.sightings.column(name).tolist() == features.sightings.column(name)[order].tolist()
        assert got.sightings.time.tolist() == features.sightings.time[order].tolist()
        assert got.sightings.path.tolist() == features.sightings.path[order].tolist()
        assert (got.run_id, got.labels_told) == (features.run_id, False)
        assert len(gallery.get(np.empty(0, dtype=np.int64))) == 0
        with pytest.raises(ClipsenetError, match="1 of 2 sightings are not in the gallery, the first: 40"):
            gallery.get(np.array([0, 40]))


def test_boxes_and_new_columns_later(tmp_path: Path) -> None:
    vectors = unit(np.random.default_rng(3), 4)
    first = Sightings.of(["f", "f"], box=[[0, 0, 3, 4], [-1, -1, -1, -1]])
    then = Sightings.of(["g", "h"], extra={"colour": ["red", ""]})
    with create_gallery(tmp_path / "g", embedding()) as gallery:
        gallery.add(Features(first, vectors[:2], "a" * 64), ["a", "b"])
        gallery.add(Features(then, vectors[2:], "a" * 64), ["c", "d"])
        got = gallery.get(np.arange(4)).sightings
        assert got.box is not None
        assert got.box.tolist() == [[0, 0, 3, 4], [-1] * 4, [-1] * 4, [-1] * 4]
        assert got.column("colour").tolist() == ["", "", "red", ""]
        assert gallery.ids(Filter(equal=(("colour", "red"),))).tolist() == [2]
        assert gallery.ids(Filter(equal=(("colour", ""),))).tolist() == [0, 1, 3]
        assert gallery.get(np.array([2, 3])).sightings.box is None


def test_a_content_is_kept_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    features, _, _ = made(rng, 4)
    with create_gallery(tmp_path / "g", embedding()) as gallery:
        assert gallery.add(features, ["a", "b", "a", "c"]).tolist() == [0, 1, 0, 2]
        assert gallery.find(["c", "x", "a"]).tolist() == [2, NOBODY, 0]
        assert gallery.add(features, ["x", "b", "c", "y"]).tolist() == [3, 1, 2, 4]
        assert gallery.count() == 5
        assert gallery.add(features, ["x", "b", "c", "y"]).tolist() == [3, 1, 2, 4]
        assert gallery.get(np.array([0])).sightings.path.tolist() == ["pictures/0.jpg"], "the earlier one stays as it is"


def test_reopened_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 9)
    rng = np.random.default_rng(5)
    gallery, rows = filled(tmp_path / "g", rng, 60, batches=11)
    query = unit(rng, 3)
    with gallery:
        before = gallery.search(query, top=9, group="track")
    with open_gallery(tmp_path / "g") as again:
        after = again.search(query, top=9, group="track")
        assert again.verify() == []
        assert again.embedding == embedding()
    np.testing.assert_array_equal(before.ids, after.ids)
    np.testing.assert_array_equal(before.similarity, after.similarity)
    # every day has segments of its own
    files = len(list((tmp_path / "g" / "vectors").iterdir()))
    by_day = {}
    for row in rows:
        by_day[row.time // (24 * HOUR)] = by_day.get(row.time // (24 * HOUR), 0) + 1
    assert files == sum(-(-count // 9) for count in by_day.values())


@pytest.mark.parametrize("group", [None, "track"])
def test_a_query_of_nearly_unit_length_is_brought_to_it(tmp_path: Path, group: Group | None) -> None:
    """Else two similarities near 1 would both be cut to 1, and the lower id would win."""
    rng = np.random.default_rng(7)
    query = unit(rng, 1)
    near = query + 0.03 * unit(rng, 1)
    near /= np.linalg.norm(near)
    with create_gallery(tmp_path / "g", embedding(), dtype="float32") as gallery:
        sightings = Sightings.of(["near.jpg", "same.jpg"], camera=["a", "a"], track=["1", "2"])
        near_id, same_id = gallery.add(Features(sightings, np.concatenate([near, query]), RUN), ["near", "same"]).tolist()
        answer = gallery.search(query * np.float32(1.0009), top=2, group=group)
        assert answer.ids.tolist() == [[same_id, near_id]]
        assert answer.similarity[0, 0] > answer.similarity[0, 1]


def test_a_reader_keeps_its_moment(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    gallery, rows = filled(tmp_path / "g", rng, 20)
    with gallery, open_gallery(tmp_path / "g") as reader:
        features, content, quality = made(rng, 10, start=100)
        more = rows_of(features, gallery.add(features, content, quality), quality)
        query = unit(rng, 1)
        same(reader.search(query, top=5), 0, brute(rows, query[0], 60), 5)
        same(gallery.search(query, top=5), 0, brute(rows + more, query[0], 60), 5)
        assert (reader.count(), gallery.count()) == (20, 30)
        with open_gallery(tmp_path / "g") as later:
            assert later.count() == 30


def test_many_queries_are_compared_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    gallery, _ = filled(tmp_path / "g", rng, 50)
    query = unit(rng, 11)
    groups: tuple[Group | None, ...] = (None, "track", "camera")
    with gallery:
        whole = [gallery.search(query, top=4, group=group) for group in groups]
        monkeypatch.setattr(answering, "AT_ONCE", 3)
        for group, before in zip(groups, whole, strict=True):
            after = gallery.search(query, top=4, group=group)
            np.testing.assert_array_equal(after.ids, before.ids)
            np.testing.assert_array_equal(after.similarity, before.similarity)


def test_a_query_of_nobody_and_an_empty_gallery(tmp_path: Path) -> None:
    with create_gallery(tmp_path / "g", embedding()) as gallery:
        assert gallery.count() == 0
        with pytest.raises(ClipsenetError, match="the gallery is empty"):
            gallery.search(unit(np.random.default_rng(0), 1), where=EVERYTHING)
        features, content, _ = made(np.random.default_rng(0), 3)
        gallery.add(features, content)
        assert gallery.search(np.empty((0, DIM), dtype=np.float32), top=4).ids.shape == (0, 4)


def test_a_vector_that_is_nearly_of_length_1_is_brought_to_it(tmp_path: Path) -> None:
    vector = unit(np.random.default_rng(0), 1) * np.float32(1.0009)
    with create_gallery(tmp_path / "g", embedding()) as gallery:
        gallery.add(Features(Sightings.of(["a"]), vector, "a" * 64), ["a"])
        assert np.linalg.norm(gallery.get(np.array([0])).embeddings) == pytest.approx(1, abs=5e-4)
        assert gallery.search(vector / np.linalg.norm(vector)).similarity[0, 0] == pytest.approx(1, abs=5e-4)


@pytest.mark.parametrize("group", [None, "track", "camera"])
def test_two_threads_answer_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str | None) -> None:
    monkeypatch.setattr(searching, "CHUNK", 16)
    monkeypatch.setattr(searching, "BLOCK", 8)
    rng = np.random.default_rng(0)
    gallery, _ = filled(tmp_path / "g", rng, 200)
    query, before = unit(rng, 5), torch.get_num_threads()
    with gallery:
        alone = gallery.search(query, top=7, group=group)  # type: ignore[arg-type]
        try:
            torch.set_num_threads(2)
            together = gallery.search(query, top=7, group=group)  # type: ignore[arg-type]
            assert torch.get_num_threads() == 2
            own = searching._workers(2, os.getpid())
            assert {own.submit(torch.get_num_threads).result() for _ in range(8)} == {1}, "two threads, not two times two"
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(torch.get_num_threads).result() == 2, "other threads keep their number"
        finally:
            torch.set_num_threads(before)
    np.testing.assert_array_equal(alone.ids, together.ids)
    np.testing.assert_array_equal(alone.similarity, together.similarity)
