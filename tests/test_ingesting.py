"""Ingest: what is in is not embedded again, what is broken is told, what was stopped goes on; re-embedding, too."""

import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clipsenet.datasets.manifest import ManifestSettings, read
from clipsenet.errors import ClipsenetError, Interrupted
from clipsenet.features import extract
from clipsenet.gallery.embedding import embedding_of
from clipsenet.gallery.ingesting import Ingested, index
from clipsenet.gallery.interface import Filter
from clipsenet.gallery.local import LocalGallery, create_gallery, open_gallery
from clipsenet.gallery.reembedding import re_embed
from clipsenet.gallery.tracks import name_tracks_by_day
from clipsenet.images import open_picture
from clipsenet.protocol import Benchmark
from clipsenet.quality import quality_of
from clipsenet.reporting import Tick, Watch
from clipsenet.runs import Run
from clipsenet.sightings import Sightings
from clipsenet.tables import microseconds_of
from clipsenet.training import train
from conftest import tiny_recipe


@pytest.fixture
def pictures(toy_folder: Path) -> Sightings:
    return read(toy_folder / "pictures.csv", ManifestSettings())[np.arange(40)]


@pytest.fixture
def gallery(tmp_path: Path, toy_run: Run) -> Iterator[LocalGallery]:
    with create_gallery(tmp_path / "g", embedding_of(toy_run), dtype="float32") as opened:
        yield opened


@pytest.fixture
def embedded(toy_run: Run) -> Iterator[list[int]]:
    """How many pictures went through the network, batch by batch."""
    counts: list[int] = []
    hook = toy_run.model.register_forward_pre_hook(lambda _, inputs: counts.append(len(inputs[0])))
    yield counts
    hook.remove()


class Stopper(Watch):
    """Asks to stop, as Ctrl-C does, when so many are done."""

    def __init__(self, after: int) -> None:
        self.after = after

    def stage(self, title: str) -> Tick:
        def tick(done: int, total: int) -> None:
            if done >= self.after:
                self.after = total + 1
                os.kill(os.getpid(), signal.SIGINT)

        return tick


def held(gallery: LocalGallery) -> dict[str, np.ndarray]:
    features = gallery.get(gallery.ids())
    return {
        f"{features.sightings.file(row)} {features.sightings.box_of(row)}": features.embeddings[row]
        for row in range(len(features))
    }


def test_pictures_go_in_with_all_their_columns_and_only_once(
    pictures: Sightings, gallery: LocalGallery, toy_run: Run, embedded: list[int]
) -> None:
    first = index(toy_run, pictures, gallery, batch=16)
    assert (first.added, first.there, first.broken, first.seen) == (40, 0, [], 40)
    assert sum(embedded) == 40
    wanted = extract(toy_run.model, pictures, toy_run.test_transform, toy_run.id, dim=toy_run.dim)
    found = gallery.get(gallery.ids())
    order = {path: row for row, path in enumerate(found.sightings.files())}
    rows = np.array([order[path] for path in pictures.files()])
    np.testing.assert_allclose(found.embeddings[rows], wanted.embeddings, atol=1e-5)
    for column in ("vehicle", "camera", "type", "split"):
        assert found.sightings[rows].column(column).tolist() == pictures.column(column).tolist()
    assert gallery.count(Filter(equal=(("type", "disc"),))) == (pictures.column("type") == "disc").sum()
    embedded.clear()
    again = index(toy_run, pictures, gallery, batch=16)
    assert (again.added, again.there, again.seen) == (0, 40, 40)
    assert embedded == []
    assert gallery.count() == 40


def test_workers_change_nothing(pictures: Sightings, gallery: LocalGallery, toy_run: Run, tmp_path: Path) -> None:
    index(toy_run, pictures, gallery, batch=16)
    with create_gallery(tmp_path / "other", embedding_of(toy_run), dtype="float32") as other:
        assert index(toy_run, pictures, other, batch=16, workers=1).added == 40
        for picture, vector in held(gallery).items():
            np.testing.assert_allclose(vector, held(other)[picture], atol=1e-5)


@pytest.mark.parametrize("after", [1, 20, 32])
def test_a_stop_leaves_what_is_committed_and_the_same_call_goes_on(
    pictures: Sightings, gallery: LocalGallery, toy_run: Run, embedded: list[int], after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipsenet.gallery.ingesting.COMMIT", 8)
    with pytest.raises(Interrupted, match=r"pictures were added, \d+ of 40 are left; the same command goes on"):
        index(toy_run, pictures, gallery, batch=8, watch=Stopper(after))
    before = gallery.count()
    assert before == sum(embedded), "whatever was embedded is in"
    assert 0 < before < 40
    embedded.clear()
    done = index(toy_run, pictures, gallery, batch=8)
    assert (done.added, done.there) == (40 - before, before)
    assert sum(embedded) == 40 - before


def test_a_stop_among_pictures_that_are_in_is_heard(pictures: Sightings, gallery: LocalGallery, toy_run: Run) -> None:
    index(toy_run, pictures, gallery)
    with pytest.raises(Interrupted, match="0 pictures were added, 32 of 40 are left"):
        index(toy_run, pictures, gallery, batch=8, watch=Stopper(8))


def test_what_is_broken_is_told_and_all_else_is_in(
    pictures: Sightings, gallery: LocalGallery, toy_run: Run, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    shutil.copy(pictures.file(0), tmp_path / "good.png")
    (tmp_path / "list.csv").write_text(
        "path,x,y,width,height\ngood.png,,,,\nbroken.png,,,,\nmissing.png,,,,\ngood.png,60,60,999,9\ngood.png,2,2,20,20\n"
    )
    sightings = read(tmp_path / "list.csv", ManifestSettings())
    done = index(toy_run, sightings, gallery, batch=2)
    assert (done.added, done.there, len(done.broken)) == (2, 0, 3)
    listed = "\n".join(sorted(done.broken))
    assert f"{tmp_path / 'missing.png'} ({tmp_path / 'list.csv'}, line 4): no such file" in listed
    assert "broken.png" in listed
    assert "line 3): not a readable picture" in listed
    assert "line 5): box x, y, width, height = 60, 60, 999, 9 leaves the picture" in listed
    again = index(toy_run, sightings, gallery, batch=2)
    assert (again.added, again.there, len(again.broken)) == (0, 2, 3)


def test_a_list_of_broken_pictures_ends(gallery: LocalGallery, toy_run: Run, tmp_path: Path) -> None:
    names = [str(tmp_path / f"{number}.png") for number in range(5)]
    for name in names[:3]:
        Path(name).write_bytes(b"no picture")
    done = index(toy_run, Sightings.of(names), gallery, batch=2)
    assert (done.added, len(done.broken), gallery.count()) == (0, 5, 0)


def test_a_name_that_is_not_utf8_is_broken_with_its_line(
    pictures: Sightings, gallery: LocalGallery, toy_run: Run, tmp_path: Path, embedded: list[int]
) -> None:
    folder = tmp_path / "caf\udce9"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("a file system of texts only")
    shutil.copy(pictures.file(0), folder / "a.png")
    (folder / "list.csv").write_text("path,track,time\na.png,7,2026-05-01T23:50:00Z\nmissing.png,7,2026-05-01T23:51:00Z\n")
    done = index(toy_run, read(folder / "list.csv", ManifestSettings()), gallery)
    assert (done.added, len(done.broken), embedded) == (0, 2, [])
    assert r"caf\udce9/a.png (" in done.broken[0]
    assert "line 2): its name is not UTF-8, and so cannot be kept in a gallery; rename the file" in done.broken[0]
    assert "line 3): no such file" in done.broken[1]


def test_content_is_bytes_and_box_wherever_the_file_lies(
    pictures: Sightings, gallery: LocalGallery, toy_run: Run, tmp_path: Path
) -> None:
    a, b = tmp_path / "a.png", tmp_path / "b.png"
    shutil.copy(pictures.file(0), a)
    shutil.copy(pictures.file(0), b)
    boxes = [(-1, -1, -1, -1), (-1, -1, -1, -1), (0, 0, 20, 20), (0, 0, 20, 20), (1, 0, 20, 20)]
    sightings = Sightings.of([str(a), str(b), str(a), str(b), str(a)], box=boxes)
    done = index(toy_run, sightings, gallery)
    assert (done.added, done.there) == (3, 2)
    assert sorted(held(gallery)) == sorted([f"{a} (-1, -1, -1, -1)", f"{a} (0, 0, 20, 20)", f"{a} (1, 0, 20, 20)"])


def test_the_weight_in_a_track_is_the_pictures_quality(pictures: Sightings, toy_run: Run, tmp_path: Path) -> None:
    of_track = replace(pictures[np.array([0, 1, 2])], camera=Sightings.of(["", "", ""]).camera)
    of_track = replace(of_track, track=Sightings.of(["", "", ""], track=["t", "t", "t"]).track)
    with create_gallery(tmp_path / "q", embedding_of(toy_run), dtype="float32", weighting="quality") as gallery:
        index(toy_run, of_track, gallery)
        vectors = extract(toy_run.model, of_track, toy_run.test_transform, toy_run.id, dim=toy_run.dim).embeddings
        weights = np.array([quality_of(open_picture(file)) for file in of_track.files()])
        mean = (weights[:, None] * vectors).sum(axis=0)
        answer = gallery.search(vectors[:1], top=1, group="track")
        assert answer.similarity[0, 0] == pytest.approx(vectors[0] @ mean / np.linalg.norm(mean), abs=1e-5)


def test_another_run_is_refused(pictures: Sightings, tmp_path: Path, toy_run: Run) -> None:
    other = replace(embedding_of(toy_run), run_id="b" * 64)
    with create_gallery(tmp_path / "g", other) as gallery, pytest.raises(ClipsenetError, match="clipsenet gallery re-embed"):
        index(toy_run, pictures, gallery)


# --- tracks


def tracked(files: list[str], times: list[str], names: list[str], camera: str = "gate") -> Sightings:
    return Sightings.of(
        files, track=names, camera=[camera] * len(files), time=[microseconds_of(text) for text in times], source="list.csv"
    )


def test_a_tracks_name_that_was_given_again_is_refused(pictures: Sightings, gallery: LocalGallery, toy_run: Run) -> None:
    files = pictures.files()
    days = ["2026-05-01T23:50:00Z", "2026-05-02T00:10:00Z", "2026-05-02T23:00:00Z"]
    with pytest.raises(ClipsenetError, match=r"track 7 of camera gate is seen from 2026-05-01T23:50.* to 2026-05-02T23:00"):
        index(toy_run, tracked(files[:3], days, ["7", "7", "7"]), gallery)
    index(toy_run, tracked(files[:2], days[:2], ["7", "7"]), gallery)  # over midnight
    index(toy_run, tracked(files[:2], days[:2], ["7", "7"]), gallery)  # again
    index(toy_run, tracked(files[2:3], days[2:], ["7"], camera="south"), gallery)  # another camera's 7
    later = tracked(files[3:4], days[2:], ["7"])
    with pytest.raises(ClipsenetError, match=r"track 7 of camera gate is in the gallery .*--tracks-by-day"):
        index(toy_run, later, gallery)
    assert index(toy_run, name_tracks_by_day(later), gallery).added == 1
    assert gallery.sightings(gallery.ids()).track.names == ("7", "7_20260502")


def test_tracks_without_a_time_keep_their_names() -> None:
    named = name_tracks_by_day(Sightings.of(["a", "b", "c"], track=["1", "", "2"], time=[-(2**63), 0, 86_400_000_000]))
    assert named.track.texts().tolist() == ["1", "", "2_19700102"]


# --- re-embedding


@pytest.fixture(scope="module")
def other_run(tmp_path_factory: pytest.TempPathFactory, toy_benchmark: Benchmark) -> Run:
    recipe = tiny_recipe("schedule.epochs=1", "seed=5")
    return train(recipe, toy_benchmark, tmp_path_factory.mktemp("other") / "run", device="cpu")


def test_a_re_embedding_is_resumed_and_switched_at_once(
    pictures: Sightings, gallery: LocalGallery, toy_run: Run, other_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(toy_run, pictures, gallery)
    before = held(gallery)
    ids = gallery.ids()
    monkeypatch.setattr("clipsenet.gallery.reembedding.BLOCK", 8)
    with pytest.raises(Interrupted, match="16 of 40 pictures are embedded anew, the gallery answers as before"):
        re_embed(other_run, gallery, watch=Stopper(16))
    assert gallery.embedding.run_id == toy_run.id
    for picture, vector in held(gallery).items():
        np.testing.assert_array_equal(vector, before[picture])
    counts: list[int] = []
    hook = other_run.model.register_forward_pre_hook(lambda _, inputs: counts.append(len(inputs[0])))
    assert re_embed(other_run, gallery) == []
    hook.remove()
    assert sum(counts) == 24, "what was done is not done again"
    assert gallery.embedding == embedding_of(other_run)
    assert gallery.ids().tolist() == ids.tolist()
    wanted = extract(other_run.model, pictures, other_run.test_transform, other_run.id, dim=other_run.dim)
    for row in range(len(pictures)):
        np.testing.assert_allclose(held(gallery)[f"{pictures.file(row)} (-1, -1, -1, -1)"], wanted.embeddings[row], atol=1e-5)
    assert gallery.recall("run") == str(other_run.folder.resolve())
    with pytest.raises(ClipsenetError, match="already"):
        re_embed(other_run, gallery)


@pytest.mark.parametrize("break_", [Path.unlink, lambda path: path.write_bytes(b"no picture")])
def test_re_embedding_stops_at_pictures_that_are_gone_or_drops_them(
    pictures: Sightings, gallery: LocalGallery, toy_run: Run, other_run: Run, tmp_path: Path, break_: Callable[[Path], object]
) -> None:
    copies = [shutil.copy(file, tmp_path / f"{row}.png") for row, file in enumerate(pictures.files())]
    index(toy_run, Sightings.of(list(map(str, copies))), gallery)
    break_(tmp_path / "5.png")
    with pytest.raises(ClipsenetError, match=r"1 pictures of the gallery can no longer be used: .*5\.png.*--drop-broken"):
        re_embed(other_run, gallery)
    assert (gallery.embedding.run_id, gallery.count()) == (toy_run.id, 40)
    (dropped,) = re_embed(other_run, gallery, drop_broken=True)
    assert "5.png" in dropped
    assert (gallery.embedding.run_id, gallery.count()) == (other_run.id, 39)
    assert gallery.verify() == []


def test_pictures_that_are_gone_cost_no_other_a_second_embedding(
    pictures: Sightings, gallery: LocalGallery, toy_run: Run, other_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = [Path(shutil.copy(file, tmp_path / f"{row}.png")) for row, file in enumerate(pictures.files())]
    index(toy_run, Sightings.of(list(map(str, copies))), gallery)
    monkeypatch.setattr("clipsenet.gallery.reembedding.BLOCK", 8)
    bad = [3, 11, 12, 30]
    for row in bad[:3]:
        copies[row].write_bytes(b"no picture")
    copies[bad[3]].unlink()
    counts: list[int] = []
    hook = other_run.model.register_forward_pre_hook(lambda _, inputs: counts.append(len(inputs[0])))
    with pytest.raises(ClipsenetError, match=r"1 pictures of the gallery can no longer be used: .*30\.png: no such file"):
        re_embed(other_run, gallery)
    with pytest.raises(Interrupted, match="of 40 pictures are embedded anew"):
        re_embed(other_run, gallery, drop_broken=True, watch=Stopper(20))
    assert (gallery.embedding.run_id, gallery.count()) == (toy_run.id, 40), "nobody is forgotten before the switch"
    shutil.copy(pictures.file(30), copies[30])
    shutil.copy(pictures.file(3), copies[3])
    with pytest.raises(ClipsenetError, match=r"can no longer be used: .*11\.png.*--drop-broken"):
        re_embed(other_run, gallery)
    dropped = re_embed(other_run, gallery, drop_broken=True)
    hook.remove()
    assert sorted(Path(reason.split(":")[0]).name for reason in dropped) == ["11.png", "12.png"]
    assert sum(counts) == 38, "each of the others once, also those that had been gone for a while"
    assert (gallery.embedding.run_id, gallery.count()) == (other_run.id, 38)
    assert gallery.verify() == []
    wanted = extract(other_run.model, pictures, other_run.test_transform, other_run.id, dim=other_run.dim)
    for picture, vector in held(gallery).items():
        np.testing.assert_allclose(vector, wanted.embeddings[int(Path(picture.split(" ")[0]).stem)], atol=1e-5)


def test_the_gallery_remembers_its_run_from_the_switch_on(
    pictures: Sightings, gallery: LocalGallery, toy_run: Run, other_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(toy_run, pictures[np.arange(4)], gallery)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(LocalGallery, "remember", killed)
        re_embed(other_run, gallery)
    assert gallery.embedding.run_id == other_run.id
    assert gallery.recall("run") == str(other_run.folder.resolve())
    assert gallery.recall("checkpoint") == other_run.checkpoint


def test_a_run_in_a_folder_that_is_not_utf8_is_used_and_not_remembered(
    gallery: LocalGallery, toy_run: Run, other_run: Run
) -> None:
    gallery.remember("run", str(toy_run.folder))
    re_embed(replace(other_run, folder=Path("/runs/caf\udce9")), gallery)
    assert gallery.embedding.run_id == other_run.id
    assert gallery.recall("run") == ""


def test_a_stop_while_files_are_looked_for_is_heard(
    pictures: Sightings, gallery: LocalGallery, toy_run: Run, other_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(toy_run, pictures[np.arange(4)], gallery)

    def asked(_: Sightings) -> list[int]:
        os.kill(os.getpid(), signal.SIGINT)
        return []

    monkeypatch.setattr("clipsenet.gallery.reembedding.missing_files", asked)
    with pytest.raises(Interrupted, match="0 of 4 pictures are embedded anew"):
        re_embed(other_run, gallery)


def test_nothing_is_nothing(gallery: LocalGallery, toy_run: Run) -> None:
    done = index(toy_run, Sightings.of([]), gallery)
    assert (done.added, done.seen) == (0, 0)
    assert Ingested().seen == 0
    with open_gallery(gallery.folder) as reader:
        assert reader.count() == 0
