"""What can go wrong with files: verify finds it, repair mends what can be mended and says what cannot."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from clipsenet.errors import ClipsenetError
from clipsenet.gallery import segments
from clipsenet.gallery.checking import verify_gallery
from clipsenet.gallery.interface import EVERYTHING
from clipsenet.gallery.local import open_gallery
from clipsenet.gallery.repairing import repair_gallery
from gallery_cases import Row, filled, unit


@pytest.fixture
def made_gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[Row]]:
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 15)
    gallery, rows = filled(tmp_path / "g", np.random.default_rng(0), 60)
    gallery.audit.append(purpose="x", where=EVERYTHING, queries=["q.jpg"], results=[[1, 2]])
    gallery.close()
    assert verify_gallery(tmp_path / "g") == []
    assert repair_gallery(tmp_path / "g") == []
    return tmp_path / "g", rows


def files(folder: Path) -> list[Path]:
    return sorted((folder / "vectors").iterdir())


def change(folder: Path, *statements: str, file: str = "ledger.sqlite") -> None:
    with closing(sqlite3.connect(folder / file)) as db, db:
        for statement in statements:
            db.execute(statement)


def is_whole(folder: Path, count: int) -> None:
    assert verify_gallery(folder) == []
    with open_gallery(folder, write=True) as gallery:
        assert gallery.count() == count
        assert gallery.verify() == []
        gallery.search(unit(np.random.default_rng(1), 1), group="track")
        gallery.get(gallery.ids())


def test_bytes_beyond_the_recorded_length(made_gallery: tuple[Path, list[Row]]) -> None:
    folder, _ = made_gallery
    with files(folder)[0].open("ab") as file:
        file.write(b"torn")
    (sentence,) = verify_gallery(folder)
    assert "4 bytes beyond the recorded length" in sentence
    with open_gallery(folder) as reader:
        assert reader.count() == 60
    assert repair_gallery(folder) == [f"mended: {sentence}"]
    is_whole(folder, 60)


def test_a_writer_clears_leftovers_by_itself(made_gallery: tuple[Path, list[Row]]) -> None:
    folder, _ = made_gallery
    with files(folder)[0].open("ab") as file:
        file.write(b"torn")
    shutil.copy(files(folder)[0], folder / "vectors" / "00000099.f16")
    assert len(verify_gallery(folder)) == 2
    with open_gallery(folder, write=True):
        assert verify_gallery(folder) == []
    is_whole(folder, 60)


def test_an_orphan(made_gallery: tuple[Path, list[Row]]) -> None:
    folder, _ = made_gallery
    shutil.copy(files(folder)[0], folder / "vectors" / "00000099.f16")
    (sentence,) = verify_gallery(folder)
    assert "00000099.f16 is not recorded" in sentence
    assert repair_gallery(folder) == [f"mended: {sentence}"]
    is_whole(folder, 60)


def test_a_rotten_bit_costs_one_sighting(made_gallery: tuple[Path, list[Row]]) -> None:
    folder, rows = made_gallery
    data = bytearray(files(folder)[1].read_bytes())
    data[16 * 2 + 5] ^= 64  # the third row of 8 halves
    files(folder)[1].write_bytes(data)
    (sentence,) = verify_gallery(folder)
    assert "1 vectors of segment" in sentence
    assert "are not as they were written; lost: " in sentence
    lost = next(row for row in rows if f"lost: {row.id} (pictures/{row.id}.jpg)" in sentence)
    assert repair_gallery(folder) == [f"mended: {sentence}"]
    is_whole(folder, 59)
    with open_gallery(folder) as reader, pytest.raises(ClipsenetError, match="not in the gallery"):
        reader.get(np.array([lost.id]))


def test_a_short_file_and_a_missing_one(made_gallery: tuple[Path, list[Row]]) -> None:
    folder, _ = made_gallery
    short, missing = files(folder)[0], files(folder)[1]
    rows = short.stat().st_size // 16
    short.write_bytes(short.read_bytes()[: 16 * 3 + 7])
    gone = missing.stat().st_size // 16
    missing.unlink()
    with pytest.raises(ClipsenetError, match="gallery repair mends what can be mended"):
        open_gallery(folder)
    with pytest.raises(ClipsenetError, match="gallery repair mends what can be mended"):
        open_gallery(folder, write=True)
    first, second = verify_gallery(folder)
    assert f"has 3 of {rows} vectors" in first
    assert f"is not there: {gone} vectors" in second
    assert len(repair_gallery(folder)) == 2
    is_whole(folder, 60 - gone - (rows - 3))


def test_a_sighting_without_vector_and_a_vector_without_sighting(made_gallery: tuple[Path, list[Row]]) -> None:
    folder, _ = made_gallery
    change(folder, "DELETE FROM sighting WHERE id = 7", "INSERT INTO sighting VALUES (900, x'00', 'lost.jpg', -1, -1, -1, -1)")
    assert verify_gallery(folder) == [
        "1 sightings have no vector; lost: 900 (lost.jpg)",
        "1 vectors have no sighting, the first: id 7",
    ]
    assert len(repair_gallery(folder)) == 2
    is_whole(folder, 59)


def test_what_cannot_be_mended_is_said(made_gallery: tuple[Path, list[Row]]) -> None:
    folder, _ = made_gallery
    change(folder, "UPDATE entry SET body = replace(body, '\"x\"', '\"y\"')", file="audit.sqlite")
    (sentence,) = verify_gallery(folder)
    assert "the audit's chain is broken at entry 1" in sentence
    assert repair_gallery(folder) == [f"cannot be mended: {sentence}"]
    change(folder, "DELETE FROM name")
    assert any("names of labels are missing" in sentence for sentence in verify_gallery(folder))


def test_a_ledger_that_is_rubbish(made_gallery: tuple[Path, list[Row]]) -> None:
    folder, _ = made_gallery
    whole = (folder / "ledger.sqlite").read_bytes()
    (folder / "ledger.sqlite").write_bytes(b"rubbish" * 1000)
    for use in (verify_gallery, repair_gallery, open_gallery):
        with pytest.raises(ClipsenetError, match="ledger is broken"):
            use(folder)
    torn = bytearray(whole)
    torn[8192 * 3 : 8192 * 4] = b"\xff" * 8192
    (folder / "ledger.sqlite").write_bytes(torn)
    try:
        sentences = verify_gallery(folder)
    except ClipsenetError as error:
        sentences = [str(error)]
    assert sentences
