"""Forgetting: nothing of a forgotten sighting is left in any byte of the folder; the rest is as it was."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.gallery import local, neighbourhood, segments
from clipsenet.gallery.checking import verify_gallery
from clipsenet.gallery.interface import EVERYTHING, NOBODY, Filter, ForgottenError
from clipsenet.gallery.local import create_gallery, open_gallery
from clipsenet.gallery.repairing import repair_gallery
from clipsenet.sightings import Sightings
from gallery_cases import HOUR, brute, embedding, filled, made, meant, unit

DAY = 24 * HOUR


CAMERAS = ("", "north", "south", "gate")


def every_byte(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize(
    ("where", "dtype"),
    [
        (Filter(until=DAY + 5 * HOUR), "float16"),
        (Filter(equal=(("type", "van"),)), "float32"),
        (Filter(cameras=("north",)), "float16"),
    ],
)
def test_no_byte_is_left(tmp_path: Path, where: Filter, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 40)
    rng = np.random.default_rng(0)
    n, dim = 300, 16
    secret = [f"very/secret/place/{row:05d}-{rng.integers(10**9)}.jpg" for row in range(n)]
    tracks = [f"passage-{row // 3:04d}-{rng.integers(10**9)}" for row in range(n)]
    time = [int(rng.integers(0, 72)) * HOUR for _ in range(n)]
    sightings = Sightings.of(
        secret,
        track=tracks,
        vehicle=[f"vehicle-of-{path[-14:-4]}" for path in secret],
        time=time,
        camera=[["north", "south"][row // 3 % 2] for row in range(n)],
        extra={"type": [["van", "bus", "car"][row // 3 % 3] for row in range(n)]},
    )
    features = Features(sightings, unit(rng, n, dim), "a" * 64)
    with create_gallery(tmp_path / "g", embedding(dim), dtype=dtype) as gallery:  # type: ignore[arg-type]
        ids = np.concatenate(
            [gallery.add(features[part], [secret[row] for row in part]) for part in np.array_split(np.arange(n), 30)]
        )
        gone = gallery.ids(where)
        assert 30 < len(gone) < n
        for row in range(0, n, 7):
            gallery.audit.append(purpose="test", where=EVERYTHING, queries=[secret[row]], results=[ids[row : row + 5].tolist()])
        head = gallery.audit.head()
        before = {id_: gallery.get(np.array([id_])) for id_ in ids.tolist()}
        assert gallery.forget(where) == len(gone)
        assert gallery.forget(where) == 0
        assert gallery.count() == n - len(gone)
        assert gallery.verify() == []
        found = every_byte(tmp_path / "g")
        stays = set(ids.tolist()) - set(gone.tolist())
        names = {tracks[row] for row in range(n) if ids[row] in stays}
        for row, id_ in enumerate(ids.tolist()):
            vector = features.embeddings[row].astype(dtype).tobytes()
            assert (vector in found) == (id_ in stays)
            assert (vector[4:20] in found) == (id_ in stays), "not even a part"
            assert (secret[row].encode() in found) == (id_ in stays)
            if tracks[row] not in names:
                assert tracks[row].encode() not in found
            assert (f"vehicle-of-{secret[row][-14:-4]}".encode() in found) == (id_ in stays)
        for id_ in stays:
            again = gallery.get(np.array([id_]))
            np.testing.assert_array_equal(again.embeddings, before[id_].embeddings)
            assert again.sightings.path.tolist() == before[id_].sightings.path.tolist()
            assert again.sightings.column("track").tolist() == before[id_].sightings.column("track").tolist()
        with pytest.raises(ClipsenetError, match="it was forgotten"):
            gallery.get(gone[:1])
        assert gallery.audit.verify(head) == [], "the chain is whole without the clear texts"
        answers = {id_ for entry in gallery.audit.entries() for result in entry.results for id_ in result if id_ is not None}
        assert answers
        assert not answers & set(gone.tolist())


def test_the_search_goes_on_without_them_and_ids_are_not_given_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 11)
    rng = np.random.default_rng(1)
    gallery, rows = filled(tmp_path / "g", rng, 80)
    query = unit(rng, 1)
    with gallery, open_gallery(tmp_path / "g") as reader:
        before = reader.search(query, top=80)
        tracks = gallery.search(query, top=20, group="track")
        where = Filter(cameras=("south",))
        gallery.forget(where)
        left = [row for row in rows if not meant(row, where)]
        for group in (None, "track", "camera"):
            answer = gallery.search(query, top=30, group=group)  # type: ignore[arg-type]
            wanted = brute(left, query[0], 30, group=group)
            count = len(wanted)
            np.testing.assert_allclose(answer.similarity[0, :count], [value for _, value in wanted], atol=1e-6)
            assert (answer.ids[0, count:] == NOBODY).all()
        assert not np.array_equal(tracks.ids, gallery.search(query, top=20, group="track").ids)
        # what is forgotten is not found by those who had opened it before, either
        np.testing.assert_array_equal(reader.search(query, top=80).ids, gallery.search(query, top=80).ids)
        assert not np.array_equal(reader.search(query, top=80).ids, before.ids)
        assert reader.count() == len(left) == sum(reader.count(Filter(equal=(("camera", name),))) for name in CAMERAS)
        with pytest.raises(ForgottenError, match="are not in the gallery"):
            reader.get(np.array([row.id for row in rows if meant(row, where)]))
        features, content, _ = made(rng, 5, start=200)
        assert gallery.add(features, content).tolist() == [80, 81, 82, 83, 84]
        assert reader.count() == len(left), "what is added does not reach them"
        gallery.drop(np.array([84, 83]))
        assert gallery.add(features, content).tolist() == [80, 81, 82, 85, 86]
        assert gallery.verify() == []


def test_a_reader_does_not_go_over_to_another_run(tmp_path: Path) -> None:
    rng, other = np.random.default_rng(2), embedding(run="b" * 64)
    gallery, _ = filled(tmp_path / "g", rng, 30)
    query = unit(rng, 1)
    with gallery, open_gallery(tmp_path / "g") as reader:
        before = reader.search(query)
        renewal = gallery.re_embed(other)
        ids = renewal.waiting(30)
        renewal.add(ids, Features(gallery.sightings(ids), unit(rng, 30), other.run_id))
        renewal.switch()
        np.testing.assert_array_equal(reader.search(query).ids, before.ids)
        gallery.drop(before.ids[0, :1])
        with pytest.raises(ClipsenetError, match=r"holds embeddings of run b+ now, and was opened when .* open it again"):
            reader.search(query)


def test_a_wipe_that_fails_says_what_is_done_and_what_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery, rows = filled(tmp_path / "g", np.random.default_rng(3), 40)
    where = Filter(cameras=("south",))
    gone = sum(meant(row, where) for row in rows)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with gallery:
        with monkeypatch.context() as patch:
            patch.setattr(local, "wipe", fail)
            with pytest.raises(
                ClipsenetError, match=rf"{gone} sightings are gone .* traces of them may still .* repair .* goes on"
            ):
                gallery.forget(where)
        assert gallery.count() == 40 - gone
        pending = gallery.verify()
        assert "not yet wiped" in pending[0]
        assert all("is not recorded" in sentence for sentence in pending[1:]), "the old vectors"
    assert repair_gallery(tmp_path / "g") == [f"mended: {sentence}" for sentence in pending]
    assert verify_gallery(tmp_path / "g") == []
    assert b"south" not in every_byte(tmp_path / "g")


def test_an_index_that_cannot_be_built_anew_does_not_undo_a_forgetting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbourhood, "INDEXED_FROM", 10)
    gallery, rows = filled(tmp_path / "g", np.random.default_rng(4), 40)
    where = Filter(cameras=("south",))

    def refuse(*_: object) -> str:
        raise ClipsenetError("it does not fit")

    with gallery:
        gallery.build_index()
        monkeypatch.setattr(neighbourhood, "require_memory", refuse)
        with pytest.raises(
            ClipsenetError, match=r"are gone from the gallery.* index .* could not be built anew \(it does not fit"
        ):
            gallery.forget(where)
        assert gallery.count() == 40 - sum(meant(row, where) for row in rows)
        assert gallery.search(unit(np.random.default_rng(5), 1)).exact
        assert gallery.verify() == []


def test_everything_can_be_forgotten(tmp_path: Path) -> None:
    gallery, _ = filled(tmp_path / "g", np.random.default_rng(2), 30)
    with gallery:
        assert gallery.forget(EVERYTHING) == 30
        assert gallery.count() == 0
        assert list((tmp_path / "g" / "vectors").iterdir()) == []
        assert gallery.verify() == []
    with open_gallery(tmp_path / "g", write=True) as again:
        features, content, _ = made(np.random.default_rng(3), 2)
        assert again.add(features, content).tolist() == [30, 31]


def test_whole_days_are_unlinked_and_only_the_border_is_copied(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    n = 60
    time = [row // 20 * DAY + row % 20 * HOUR for row in range(n)]
    features = Features(Sightings.of([str(row) for row in range(n)], time=time), unit(rng, n), "a" * 64)
    with create_gallery(tmp_path / "g", embedding()) as gallery:
        gallery.add(features, [str(row) for row in range(n)])
        files = sorted(path.name for path in (tmp_path / "g" / "vectors").iterdir())
        assert len(files) == 3
        assert gallery.forget(Filter(until=DAY + 10 * HOUR)) == 30
        after = sorted(path.name for path in (tmp_path / "g" / "vectors").iterdir())
        assert files[2] in after, "a day that stays whole is not touched"
        assert len(after) == 2
        assert not {files[0], files[1]} & set(after)


def test_old_queries_go_with_a_filter_by_time(tmp_path: Path) -> None:
    with filled(tmp_path / "g", np.random.default_rng(5), 10)[0] as gallery:
        for hour in (1, 50):
            gallery.audit.append(purpose="x", where=EVERYTHING, queries=[f"asked-{hour}.jpg"], results=[[3]], at=hour * HOUR)
        gallery.forget(Filter(until=20 * HOUR))
        assert [entry.queries for entry in gallery.audit.entries()] == [[None], ["asked-50.jpg"]]
        assert gallery.audit.verify() == []
        assert b"asked-1.jpg" not in every_byte(tmp_path / "g")


def test_a_sighting_without_a_time_is_not_meant_by_a_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    with create_gallery(tmp_path / "g", embedding()) as gallery:
        gallery.add(Features(Sightings.of(["a", "b"]), unit(rng, 2), "a" * 64), ["a", "b"])
        assert gallery.forget(Filter(until=10**17)) == 0
        assert gallery.count() == 2
        assert json.loads(gallery._ledger.meta("embedding"))["dim"] == 8
