"""What can go wrong with files: verify finds it, repair mends what can be mended and says what cannot."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.gallery import neighbourhood, segments
from clipsenet.gallery.checking import verify_gallery
from clipsenet.gallery.interface import EVERYTHING
from clipsenet.gallery.local import open_gallery
from clipsenet.gallery.recorded_pictures import checksum_of
from clipsenet.gallery.repairing import repair_gallery
from gallery_cases import Row, embedding, filled, unit


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
    (left,) = repair_gallery(folder)
    assert left.startswith(f"left as it is: {sentence}; bring the file back, or pass --drop-lost")
    assert verify_gallery(folder) == [sentence]
    assert repair_gallery(folder, drop_lost=True) == [f"mended: {sentence}", f"dropped: {lost.id} (pictures/{lost.id}.jpg)"]
    is_whole(folder, 59)
    with open_gallery(folder) as reader, pytest.raises(ClipsenetError, match="not in the gallery"):
        reader.get(np.array([lost.id]))


def test_a_short_file_and_a_missing_one(made_gallery: tuple[Path, list[Row]]) -> None:
    folder, _ = made_gallery
    short, missing = files(folder)[0], files(folder)[1]
    rows = short.stat().st_size // 16
    short.write_bytes(short.read_bytes()[: 16 * 3 + 7])
    gone = missing.stat().st_size // 16
    missing.rename(folder / "elsewhere")
    with pytest.raises(ClipsenetError, match="gallery repair mends what can be mended"):
        open_gallery(folder)
    with pytest.raises(ClipsenetError, match="gallery repair mends what can be mended"):
        open_gallery(folder, write=True)
    first, second = verify_gallery(folder)
    assert f"has 3 of {rows} vectors" in first
    assert f"is not there: {gone} vectors" in second
    assert all(sentence.startswith("left as it is") for sentence in repair_gallery(folder))
    (folder / "elsewhere").rename(missing)  # it was not mounted
    assert len(verify_gallery(folder)) == 1
    missing.unlink()
    said = repair_gallery(folder, drop_lost=True)
    assert len(said) == 2 + gone + (rows - 3)
    assert all(sentence.startswith("dropped: ") and ".jpg)" in sentence for sentence in said[2:]), "each is named"
    is_whole(folder, 60 - gone - (rows - 3))


def test_a_sighting_without_vector_and_a_vector_without_sighting(made_gallery: tuple[Path, list[Row]]) -> None:
    folder, _ = made_gallery
    crc = checksum_of(900, b"\0", "lost.jpg", -1, -1, -1, -1)
    added = f"INSERT INTO sighting VALUES (900, x'00', 'lost.jpg', -1, -1, -1, -1, {crc})"
    change(folder, "DELETE FROM sighting WHERE id = 7", added)
    assert verify_gallery(folder) == [
        "1 sightings have no vector; lost: 900 (lost.jpg)",
        "1 vectors have no sighting, the first: id 7",
    ]
    assert len(repair_gallery(folder, drop_lost=True)) == 4
    is_whole(folder, 59)


def test_what_cannot_be_mended_is_said(made_gallery: tuple[Path, list[Row]]) -> None:
    folder, _ = made_gallery
    change(folder, "UPDATE entry SET body = replace(body, '\"x\"', '\"y\"')", file="audit.sqlite")
    (sentence,) = verify_gallery(folder)
    assert "the audit's chain is broken at entry 1" in sentence
    assert repair_gallery(folder) == [f"cannot be mended: {sentence}"]
    change(folder, "DELETE FROM name")
    assert any("names of labels are missing" in sentence for sentence in verify_gallery(folder))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE part SET data = zeroblob(length(data)) WHERE name = 'time' AND segment = 2", "column time of segment 2, "),
        ("UPDATE part SET data = zeroblob(length(data)) WHERE name = 'id' AND segment = 2", "column id of segment 2, "),
        (
            "UPDATE part SET data = zeroblob(length(data)) WHERE name = 'checksum' AND segment = 2",
            "column checksum of segment 2",
        ),
        ("UPDATE part SET data = zeroblob(length(data)) WHERE name = 'extra:type' AND segment = 2", "column type of segment 2"),
        (
            "UPDATE sighting SET path = 'other.jpg' WHERE id = 7",
            "1 records of pictures are not as they were written, the first",
        ),
        ("UPDATE sighting SET x = 3 WHERE id = 7", "1 records of pictures are not as they were written, the first: id 7"),
        ("DELETE FROM part WHERE name = 'id' AND segment = 2", "segment 2 has no ids or checksums"),
    ],
)
def test_a_damaged_record_is_found_and_nothing_is_dropped_on_its_word(
    made_gallery: tuple[Path, list[Row]], statement: str, said: str
) -> None:
    folder, _ = made_gallery
    change(folder, statement)
    sentences = verify_gallery(folder)
    assert any(said in sentence for sentence in sentences), sentences
    assert not any("vectors of segment 2 are not" in sentence for sentence in sentences), "the vectors themselves are right"
    assert not any(sentence.startswith("dropped") for sentence in repair_gallery(folder, drop_lost=True))
    assert verify_gallery(folder) == sentences
    if "DELETE" in statement:
        with pytest.raises(ClipsenetError, match="segment 2 has no column id: the ledger is damaged"):
            open_gallery(folder)


def test_an_index_of_neighbours_that_is_rotten_is_dropped(
    made_gallery: tuple[Path, list[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = made_gallery
    monkeypatch.setattr(neighbourhood, "INDEXED_FROM", 10)
    with open_gallery(folder, write=True) as gallery:
        file = folder / gallery.build_index().file
    assert verify_gallery(folder) == []
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    (sentence,) = verify_gallery(folder)
    assert "is not as it was written; searches are exact until it is built again" in sentence
    assert repair_gallery(folder) == [f"mended: {sentence}"]
    assert not file.exists()
    with open_gallery(folder) as gallery:
        assert gallery.search(unit(np.random.default_rng(1), 1)).exact


def test_new_vectors_that_are_rotten_are_made_again(made_gallery: tuple[Path, list[Row]]) -> None:
    folder, _ = made_gallery
    other, rng = embedding(4, "b" * 64), np.random.default_rng(5)
    with open_gallery(folder, write=True) as gallery:
        before = set(files(folder))
        renewal = gallery.re_embed(other)
        ids = renewal.waiting(20)
        pictures = gallery.sightings(ids)
        renewal.add(ids, Features(pictures, unit(rng, 20, 4), other.run_id))
        done = renewal.done
    first = sorted(set(files(folder)) - before)[0]
    data = bytearray(first.read_bytes())
    data[5] ^= 64
    first.write_bytes(data)
    (sentence,) = verify_gallery(folder)
    assert "are as they were written; the re-embedding makes that segment's again" in sentence
    assert repair_gallery(folder) == [f"mended: {sentence}"]
    assert verify_gallery(folder) == []
    with open_gallery(folder, write=True) as gallery:
        assert gallery.re_embed(other).done < done


def test_what_is_being_written_is_no_leftover(made_gallery: tuple[Path, list[Row]]) -> None:
    folder, _ = made_gallery
    with open_gallery(folder, write=True):
        with files(folder)[0].open("ab") as file:
            file.write(b"not recorded yet")
        assert verify_gallery(folder) == [], "another process may be about to record it"
    assert len(verify_gallery(folder)) == 1


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
