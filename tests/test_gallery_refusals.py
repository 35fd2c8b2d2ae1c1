"""Bad input: what came, what was wanted, what to do next."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.features import Features
from clipsenet.gallery.checking import verify_gallery
from clipsenet.gallery.interface import Embedding, Filter, Gallery
from clipsenet.gallery.local import LocalGallery, create_gallery, open_gallery
from clipsenet.sightings import Sightings
from gallery_cases import DIM, RUN, embedding, filled, made, unit


@pytest.fixture
def gallery(tmp_path: Path):
    with filled(tmp_path / "g", np.random.default_rng(0), 20)[0] as gallery:
        yield gallery


def test_it_is_a_gallery(gallery: LocalGallery) -> None:
    door: Gallery = gallery  # mypy compares the two; beartype and this line are for those who run
    assert door.count() == 20


def test_no_gallery(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for use in (open_gallery, verify_gallery):
        with pytest.raises(ClipsenetError, match="is not a gallery: there is no such folder; make one with"):
            use(tmp_path / "nothing")
        with pytest.raises(ClipsenetError, match=r"is not a gallery: it has no ledger.sqlite"):
            use(tmp_path / "empty")
    with pytest.raises(ClipsenetError, match="is not a gallery"):
        open_gallery(tmp_path / "empty", write=True)
    assert list((tmp_path / "empty").iterdir()) == [], "what is no gallery gets no lock"
    with pytest.raises(ClipsenetError, match="length 0"):
        create_gallery(tmp_path / "g", embedding(0))


def test_a_folder_that_holds_something(gallery: LocalGallery) -> None:
    with pytest.raises(ClipsenetError, match="exists and is not empty"):
        create_gallery(gallery.folder, embedding())


def test_a_newer_version(gallery: LocalGallery) -> None:
    gallery.close()
    with closing(sqlite3.connect(gallery.folder / "ledger.sqlite")) as db, db:
        db.execute("UPDATE meta SET value = '3' WHERE key = 'format'")
    with pytest.raises(ClipsenetError, match="gallery of format 3, this version reads 2: update clipsenet"):
        open_gallery(gallery.folder)


def test_an_older_version(gallery: LocalGallery) -> None:
    with closing(sqlite3.connect(gallery.folder / "ledger.sqlite")) as db, db:
        db.execute("UPDATE meta SET value = '1' WHERE key = 'format'")
    with pytest.raises(ClipsenetError, match=r"of format 1, which was never released; .* index the pictures again"):
        open_gallery(gallery.folder)


def test_half_made(tmp_path: Path) -> None:
    (tmp_path / "g").mkdir()
    sqlite3.connect(tmp_path / "g" / "ledger.sqlite").close()
    (tmp_path / "g" / "ledger.sqlite").touch()
    with pytest.raises(ClipsenetError, match="is half a gallery"):
        open_gallery(tmp_path / "g")


def test_two_writers(gallery: LocalGallery) -> None:
    program = (
        "import sys; from pathlib import Path; from clipsenet.gallery.writing import Writing\n"
        "try: Writing(Path(sys.argv[1]))\n"
        "except Exception as error: print(error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(gallery.folder)], capture_output=True, text=True, check=True
    ).stdout
    assert f"process {os.getpid()} on " in said
    assert "is writing to this gallery, and only one may" in said
    with pytest.raises(ClipsenetError, match=f"process {os.getpid()} on"):
        open_gallery(gallery.folder, write=True)
    with open_gallery(gallery.folder) as reader:
        assert reader.verify() == []
    gallery.close()
    with open_gallery(gallery.folder, write=True) as next_:
        assert next_.count() == 20


def test_a_reader_may_not_write(gallery: LocalGallery) -> None:
    features, content, _ = made(np.random.default_rng(1), 2, start=100)
    with open_gallery(gallery.folder) as reader:
        for work in (
            lambda: reader.add(features, content),
            lambda: reader.forget(Filter(cameras=("north",))),
            lambda: reader.remember("run", "x"),
            lambda: reader.drop(np.array([1])),
            lambda: reader.re_embed(embedding(3, "b" * 64)),
        ):
            with pytest.raises(ClipsenetError, match="opened to be read; open it with write=True"):
                work()
        assert reader.count() == 20


def test_closed(gallery: LocalGallery) -> None:
    gallery.close()
    gallery.close()
    for work in (gallery.count, gallery.verify, lambda: gallery.search(unit(np.random.default_rng(0), 1))):
        with pytest.raises(ClipsenetError, match="was closed; open it again"):
            work()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="rights do not bind root")
def test_no_rights(gallery: LocalGallery) -> None:
    gallery.close()
    folder = gallery.folder
    folder.chmod(0o500)
    try:
        with open_gallery(folder) as reader:
            assert reader.count() == 20
        with pytest.raises(ClipsenetError, match="no right to write"):
            open_gallery(folder, write=True)
        folder.chmod(0)
        with pytest.raises(ClipsenetError):
            open_gallery(folder)
    finally:
        folder.chmod(0o700)


def test_other_embeddings(gallery: LocalGallery) -> None:
    rng = np.random.default_rng(2)
    other = made(rng, 2, run="b" * 64)[0]
    with pytest.raises(ClipsenetError, match=r"holds those of run aaaa.*gallery re-embed"):
        gallery.add(other, ["x", "y"])
    longer = made(rng, 2, dim=DIM + 1)[0]
    with pytest.raises(ClipsenetError, match=f"length {DIM + 1}, wanted {DIM}"):
        gallery.add(longer, ["x", "y"])
    told = Features(Sightings.of(["a"]), unit(rng, 1), RUN, labels_told=True)
    with pytest.raises(ClipsenetError, match="told camera or view; this gallery's was told no labels"):
        gallery.add(told, ["x"])
    assert gallery.count() == 20


def test_as_many_of_each(gallery: LocalGallery) -> None:
    features, content, quality = made(np.random.default_rng(3), 3, start=50)
    with pytest.raises(ClipsenetError, match="2 digests of contents for 3 pictures"):
        gallery.add(features, content[:2])
    for bad in (np.array([0.5, 0.0, 0.5]), np.array([0.5, 1.5, 0.5]), np.array([0.5, np.nan, 0.5]), np.array([0.5])):
        with pytest.raises(ClipsenetError, match="wanted one for each, above 0 to 1"):
            gallery.add(features, content, bad)
    gallery.add(features, content, quality)


def test_queries_that_are_none(gallery: LocalGallery) -> None:
    good = unit(np.random.default_rng(4), 3)
    with pytest.raises(ClipsenetError, match=rf"shape \(3, {DIM - 1}\), wanted \(queries, {DIM}\)"):
        gallery.search(good[:, 1:].copy())
    for bad, length in ((np.nan, "nan"), (0.0, "0")):
        query = good.copy()
        query[1] = bad
        with pytest.raises(ClipsenetError, match=f"query 2 is no unit vector: its length is {length}, wanted 1"):
            gallery.search(query)
    with pytest.raises(UsageError, match="first 0 answers"):
        gallery.search(good, top=0)


def test_nan_and_vectors_without_length_are_no_features() -> None:
    for bad in (np.nan, 0.0):
        with pytest.raises(ClipsenetError, match="not unit vectors"):
            Features(Sightings.of(["a"]), np.full((1, DIM), bad, dtype=np.float32), RUN)


def test_filters(gallery: LocalGallery) -> None:
    query = unit(np.random.default_rng(5), 1)
    with pytest.raises(ClipsenetError, match="no column 'colour' in the gallery: found vehicle, camera, view, track, type"):
        gallery.search(query, where=Filter(equal=(("colour", "red"),)))
    with pytest.raises(ClipsenetError, match="no column 'colour'"):
        gallery.count(Filter(equal=(("colour", "red"),)))
    with pytest.raises(ClipsenetError, match="no sighting has camera 'tunnel', found gate, north, south"):
        gallery.search(query, where=Filter(cameras=("tunnel",)))
    with pytest.raises(ClipsenetError, match="no sighting has type 'tram', found bus, van"):
        gallery.search(query, where=Filter(equal=(("type", "tram"),)))
    with pytest.raises(ClipsenetError, match="its times run from 1970-01-0"):
        gallery.search(query, where=Filter(since=10**17))
    assert gallery.count(Filter(cameras=("tunnel",))) == 0
    assert gallery.forget(Filter(cameras=("tunnel",))) == 0


def test_a_note(gallery: LocalGallery) -> None:
    assert gallery.recall("run") == ""
    gallery.remember("run", "runs/a")
    gallery.remember("run", "runs/b")
    gallery.close()
    with open_gallery(gallery.folder) as reader:
        assert reader.recall("run") == "runs/b"


def test_several_threads_search_at_once(gallery: LocalGallery) -> None:
    query = unit(np.random.default_rng(6), 4)
    wanted = gallery.search(query, top=5, group="track")
    wrong: list[object] = []

    def ask() -> None:
        for _ in range(5):
            try:
                if not np.array_equal(gallery.search(query, top=5, group="track").ids, wanted.ids):
                    wrong.append("other ids")
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_labels_told_and_preprocessing_are_kept(tmp_path: Path) -> None:
    kept = Embedding("c" * 64, 3, "256 x 256, mean and deviation of ImageNet", labels_told=True)
    create_gallery(tmp_path / "g", kept, dtype="float32", weighting="quality").close()
    with open_gallery(tmp_path / "g") as reader:
        assert reader.embedding == kept
        assert reader.weighting == "quality"
        assert json.loads(reader._ledger.meta("embedding"))["labels_told"] is True


def test_texts_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    vector = unit(np.random.default_rng(0), 1)
    with filled(tmp_path / "g", np.random.default_rng(0), 4)[0] as gallery:
        with pytest.raises(ClipsenetError, match=r"column path: 1 texts are not UTF-8 .* the first: a\\udcff\.jpg; rename"):
            gallery.add(Features(Sightings.of(["a\udcff.jpg"]), vector, RUN), ["x"])
        with pytest.raises(ClipsenetError, match=r"column type: 1 texts are not UTF-8 .* the first: \\udcff;"):
            gallery.add(Features(Sightings.of(["a.jpg"], extra={"type": ["\udcff"]}), vector, RUN), ["x"])
        assert gallery.count() == 4
        assert gallery.verify() == []
