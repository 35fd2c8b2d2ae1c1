"""The commands that keep a gallery, from end to end."""

import csv
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from clipsenet.gallery.audit import AUDIT, Audit
from clipsenet.gallery.interface import EVERYTHING, Filter
from clipsenet.gallery.local import open_gallery
from clipsenet.protocol import Benchmark
from clipsenet.runs import Run
from clipsenet.training import train
from conftest import Result, tiny_recipe

Call = Callable[..., Result]

CPU = ("--device", "cpu", "--threads", 1)


@pytest.fixture
def manifest(tmp_path: Path, toy_folder: Path) -> Path:
    """Two days before two cameras: 16 pictures of 4 shapes, each shape and camera a track."""
    with (toy_folder / "pictures.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["camera"] != "3"][:16]
    folder = tmp_path / "pictures"
    folder.mkdir()
    lines = ["path,vehicle,camera,time,track,type"]
    for number, row in enumerate(rows):
        shutil.copy(toy_folder / row["path"], folder)
        day, second = 1 + number // 8, number % 8
        track = f"{row['vehicle']}-{row['camera']}"
        kind = "van" if number < 6 else "bus"
        lines.append(f"{row['path']},{row['vehicle']},{row['camera']},2026-05-{day:02}T10:00:0{second}+02:00,{track},{kind}")
    (folder / "list.csv").write_text("\n".join(lines) + "\n")
    return folder / "list.csv"


@pytest.fixture
def gallery(run: Call, manifest: Path, toy_run: Run, tmp_path: Path) -> Path:
    folder = tmp_path / "gallery"
    assert run("gallery", "index", toy_run.folder, manifest, "--to", folder, *CPU).code == 0
    return folder


def test_index_says_what_it_did_and_does_it_once(run: Call, manifest: Path, toy_run: Run, tmp_path: Path) -> None:
    words = ("gallery", "index", toy_run.folder, manifest, "--to", tmp_path / "g", *CPU)
    result = run(*words)
    assert result.code == 0
    assert "16 pictures added in" in result.out
    assert "0 were in already; 16 in" in result.out
    assert f"next: clipsenet search {tmp_path / 'g'} PICTURE" in result.out
    again = json.loads(run(*words, "--json").out)
    assert (again["added"], again["there"], again["sightings"], again["run_id"]) == (0, 16, 16, toy_run.id)
    with open_gallery(tmp_path / "g") as opened:
        assert opened.recall("run") == str(toy_run.folder.resolve())
        assert opened.recall("checkpoint") == toy_run.checkpoint
        assert sorted(opened.sightings(opened.ids()).extra) == ["type"]


def test_broken_pictures_are_listed_and_the_exit_code_tells(run: Call, manifest: Path, toy_run: Run, tmp_path: Path) -> None:
    with manifest.open("a") as file:
        file.write("missing.png,,,,,\nshape000_c1_0.png,,,,,\n")
    (manifest.parent / "shape000_c1_1.png").write_bytes(b"no picture")
    text = manifest.read_text().splitlines()
    manifest.write_text("\n".join(text[:-1]) + "\n")
    words = ("gallery", "index", toy_run.folder, manifest, "--to", tmp_path / "g", *CPU)
    result = run(*words)
    assert result.code == 1
    assert "left out: " in result.err
    assert "list.csv, line 18): no such file" in result.err
    assert "line 3): not a readable picture" in result.err
    assert "2 pictures could not be used, all others are in" in result.err
    skipped = run(*words, "--skip-broken", "--json")
    assert skipped.code == 0
    assert len(json.loads(skipped.out)["broken"]) == 2
    assert run("gallery", "count", tmp_path / "g").out.strip() == "15"


def test_a_clock_without_a_zone_is_refused(run: Call, manifest: Path, toy_run: Run, tmp_path: Path) -> None:
    manifest.write_text(manifest.read_text().replace("+02:00", "", 1))
    result = run("gallery", "index", toy_run.folder, manifest, "--to", tmp_path / "g", *CPU)
    assert result.code == 1
    assert "line 2, column time: found '2026-05-01T10:00:00', wanted a time with its zone" in result.err
    assert not (tmp_path / "g").exists()


def test_count_and_forget_by_time_camera_and_column(run: Call, gallery: Path) -> None:
    def count(*words: str) -> int:
        return int(run("gallery", "count", gallery, *words).out)

    assert count() == 16
    assert count("--where", "type=van") == 6
    assert count("--where", "type=van", "--camera", "1") == 4
    assert count("--camera", "1", "--camera", "2") == 16
    assert count("--from", "2026-05-01T08:00:06Z", "--to", "2026-05-02T10:00:01+02:00") == 3
    dry = run("gallery", "forget", gallery, "--before", "2026-05-02T00:00:00Z", "--dry-run")
    assert dry.out.strip() == "8 sightings would be removed, 8 would be left"
    assert count() == 16
    gone = run("gallery", "forget", gallery, "--before", "2026-05-02T00:00:00Z", "--where", "type=van")
    assert gone.out.strip() == "6 sightings were removed, 10 left"
    assert count("--where", "type=van") == 0
    assert run("gallery", "verify", gallery).code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("forget",), "forget what? give --before TIME"),
        (
            ("forget", "--before", "2026-05-02T00:00:00"),
            "--before 2026-05-02T00:00:00: no time zone; wanted a time with its zone",
        ),
        (("forget", "--before", "2026-05-02T00:00Z", "--to", "2026-05-02T00:00Z"), "--before and --to mean the same end"),
        (("forget", "--before", "20260501"), "--before 20260501: as whole microseconds not of the years 1973 to 9999"),
        (("count", "--from", "yesterday"), "--from yesterday:"),
        (("count", "--from", "2026-05-02T00:00Z", "--to", "2026-05-01T00:00Z"), "nothing lies between"),
        (("count", "--where", "type"), "--where type: wanted COLUMN=VALUE"),
    ],
)
def test_wrong_words_are_wrong_use(run: Call, gallery: Path, words: tuple[str, ...], message: str) -> None:
    result = run("gallery", words[0], gallery, *words[1:])
    assert result.code == 2
    assert message in result.err


def test_a_column_that_does_not_exist_is_named(run: Call, gallery: Path) -> None:
    result = run("gallery", "count", gallery, "--where", "colour=red")
    assert result.code == 1
    assert "no column 'colour' in the gallery: found vehicle, camera, view, track, type" in result.err


def test_films_give_the_best_pictures_of_each_track(run: Call, toy_run: Run, tmp_path: Path) -> None:
    film = tmp_path / "films" / "gate"
    (film / "img1").mkdir(parents=True)
    (film / "gt").mkdir()
    lines = []
    for frame in range(1, 9):
        Image.effect_noise((200, 100), 10 * frame).convert("RGB").save(film / "img1" / f"{frame:06d}.png")
        lines += [f"{frame},{track},{1 + 60 * track},1,50,60,1,3,1" for track in (1, 2)]
    (film / "gt" / "gt.txt").write_text("\n".join(lines))
    (film / "seqinfo.ini").write_text("[Sequence]\nimDir=img1\nframeRate=10\nimWidth=200\nimHeight=100\nimExt=.png\n")
    words = ("gallery", "index", toy_run.folder, tmp_path / "films", "--to", tmp_path / "g", *CPU)
    result = run(*words, "--best", 3, "--began", "2026-05-01T08:00:00Z")
    assert result.code == 0, result.err
    assert "looking for the best 3 pictures of each track among 16" in result.err
    with open_gallery(tmp_path / "g") as opened:
        held = opened.sightings(opened.ids())
        assert sorted(held.track.texts().tolist()) == ["gate_20260501T080000_1"] * 3 + ["gate_20260501T080000_2"] * 3
        assert set(held.column("frame").tolist()) == {"6", "7", "8"}, "the sharpest"
        assert held.camera.names == ("gate",)
    refused = run(*words, "--began", "2026-05-01T08:00:00")
    assert refused.code == 2
    assert "wanted a time with its zone" in refused.err


def test_another_run_is_refused_and_re_embedding_brings_it_over(
    run: Call, gallery: Path, manifest: Path, toy_run: Run, toy_benchmark: Benchmark, tmp_path: Path
) -> None:
    other = train(tiny_recipe("schedule.epochs=1", "seed=5"), toy_benchmark, tmp_path / "other", device="cpu")
    refused = run("gallery", "index", other.folder, manifest, "--to", gallery, *CPU)
    assert refused.code == 1
    assert f"the gallery holds embeddings of run {toy_run.id[:16]}" in refused.err
    assert "clipsenet gallery re-embed" in refused.err
    result = run("gallery", "re-embed", gallery, "--run", other.folder, *CPU)
    assert result.code == 0
    assert f"16 pictures embedded anew; {gallery} holds embeddings of run {other.id[:16]} now" in result.out
    assert run("gallery", "index", other.folder, manifest, "--to", gallery, *CPU).code == 0
    assert run("gallery", "index", toy_run.folder, manifest, "--to", gallery, *CPU).code == 1
    given_up = run("gallery", "re-embed", gallery, "--run", toy_run.folder, "--abandon")
    assert f"0 new embeddings given up; {gallery} holds those of run {other.id[:16]} as before" in given_up.out


@pytest.mark.parametrize(("word", "own", "other"), [("--weighting", "equal", "quality"), ("--dtype", "float16", "float32")])
def test_weighting_and_dtype_are_the_gallerys_own(
    run: Call, gallery: Path, manifest: Path, toy_run: Run, word: str, own: str, other: str
) -> None:
    words = ("gallery", "index", toy_run.folder, manifest, "--to", gallery, *CPU, word)
    result = run(*words, other)
    assert result.code == 2
    assert f"{word} {other}: {gallery} was made with {own}; leave it out, or make a new gallery" in result.err
    assert run(*words, own).code == 0


def test_a_name_that_is_not_utf8_is_listed_and_all_else_is_in(run: Call, manifest: Path, toy_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "named"
    folder.mkdir()
    for picture, name in (
        ("shape000_c1_0.png", "a_1777600000000000.png"),
        ("shape000_c1_1.png", "b\udcff_1777600000000000.png"),
    ):
        try:
            shutil.copy(manifest.parent / picture, folder / name)
        except OSError:
            pytest.skip("a file system of texts only")
    words = (
        "gallery",
        "index",
        toy_run.folder,
        folder,
        "--to",
        tmp_path / "g",
        *CPU,
        "--set",
        "data.pattern={track}_{time}.png",
    )
    result = run(*words, "--json")
    assert result.code == 1
    assert r"b\udcff_1777600000000000.png: its name is not UTF-8" in result.err
    assert "1 pictures could not be used, all others are in" in result.err
    figures = json.loads(result.out)
    assert (figures["added"], len(figures["broken"])) == (1, 1)
    assert run(*words, "--skip-broken").code == 0


def test_tracks_by_day(run: Call, gallery: Path, manifest: Path, toy_run: Run) -> None:
    text = manifest.read_text()
    manifest.write_text(text.replace("2026-05-", "2026-06-"))
    for number, path in enumerate(sorted(manifest.parent.glob("*.png"))):  # other pictures by other bytes
        image = Image.open(path).convert("RGB")
        image.putpixel((0, 0), (number, 1, 2))
        image.save(path)
    words = ("gallery", "index", toy_run.folder, manifest, "--to", gallery, *CPU)
    refused = run(*words)
    assert refused.code == 1
    assert "--tracks-by-day" in refused.err
    assert run(*words, "--tracks-by-day").code == 0
    assert run("gallery", "count", gallery, "--where", "track=shape000-1_20260601").out.strip() == "2"


def test_verify_and_repair_tell_of_damage(run: Call, gallery: Path) -> None:
    assert run("gallery", "verify", gallery).out.strip() == f"{gallery}: nothing is wrong"
    assert run("gallery", "repair", gallery).out.strip() == f"{gallery}: nothing was wrong"
    vectors = max(gallery.rglob("*"), key=lambda path: path.stat().st_size if "sqlite" not in path.name else 0)
    data = bytearray(vectors.read_bytes())
    data[40] ^= 0xFF
    vectors.write_bytes(bytes(data))
    found = run("gallery", "verify", gallery)
    assert found.code == 1
    assert "clipsenet gallery repair" in found.err
    told = json.loads(run("gallery", "verify", gallery, "--json").out)
    assert told["wrong"][0]["repair_mends"]
    (lost,) = told["wrong"][0]["lost"]
    left = run("gallery", "repair", gallery)
    assert (left.code, "left as it is: " in left.out) == (1, True)
    mended = run("gallery", "repair", gallery, "--drop-lost")
    assert mended.code == 0
    assert f"dropped: {lost} (" in mended.out
    assert f"{gallery}: nothing is wrong now" in mended.out
    assert int(run("gallery", "count", gallery).out) == 15
    (gallery / "ledger.sqlite").write_bytes(b"rubbish" * 1000)
    for word in ("verify", "repair"):
        broken = run("gallery", word, gallery)
        assert (broken.code, "this cannot be mended: bring back a copy, or index" in broken.err) == (1, True), broken.err


def test_what_is_no_gallery_or_no_picture_is_said_before_a_network_is_asked(
    run: Call, gallery: Path, manifest: Path, toy_run: Run, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("kept")
    (tmp_path / "list.txt").write_text(manifest.read_text())
    picture = manifest.parent / "shape000_c1_0.png"
    for words, code, message in (
        (
            ("gallery", "index", toy_run.folder, manifest, "--to", tmp_path / "full"),
            1,
            "this is no gallery and holds something",
        ),
        (("gallery", "index", toy_run.folder, manifest, "--to", tmp_path / "list.txt"), 1, "this is no gallery and is a file"),
        (("gallery", "index", toy_run.folder, tmp_path / "list.txt", "--to", tmp_path / "g2"), 1, "is no picture that can be"),
        (("search", gallery, tmp_path / "nope.jpg"), 1, "no such file or folder; wanted a picture, a list (.csv,"),
        (("search", gallery, picture, "--set", "data.columns.path=x"), 2, "settings say how a list is read, and"),
        (("compare", toy_run.folder, picture, tmp_path), 1, "a folder; wanted a picture's file"),
    ):
        result = run(*words, *CPU)
        assert (result.code, message in result.err) == (code, True), result.err
    assert not (tmp_path / "g2").exists()


def test_a_filter_that_leaves_nothing_is_explained(run: Call, gallery: Path) -> None:
    for word in ("count", "forget"):
        told = run("gallery", word, gallery, "--where", "type=bsu")
        assert told.code == 0
        assert told.out.startswith("0")
        assert "no sighting has type 'bsu', found " in told.err
    told = json.loads(run("gallery", "forget", gallery, "--camera", "17", "--json").out)
    assert (told["removed"], told["left"]) == (0, 16)
    assert "no sighting has camera '17'" in told["why_none"]
    told = json.loads(run("gallery", "forget", gallery, "--where", "type=van", "--dry-run", "--json").out)
    assert told["removed"] > 0
    assert told["why_none"] is None


def test_a_record_of_searches_that_is_gone_is_missed(run: Call, gallery: Path, manifest: Path) -> None:
    picture = manifest.parent / "shape000_c1_0.png"
    for purpose in ("one", "two"):
        assert run("search", gallery, picture, "--purpose", purpose, *CPU).code == 0
    assert run("gallery", "repair", gallery).code == 0  # nothing is wrong; a writer has looked at it
    with open_gallery(gallery, write=True):
        pass
    kept = (gallery / "audit.sqlite").read_bytes()
    (gallery / "audit.sqlite").unlink()
    assert run("search", gallery, picture, *CPU).code == 0
    with open_gallery(gallery, write=True):
        pass  # the new record does not take the old one's place
    gone = run("gallery", "verify", gallery)
    assert gone.code == 1
    assert "does not have the noted head" in gone.err
    (gallery / "audit.sqlite").write_bytes(kept)
    assert run("gallery", "verify", gallery).code == 0
    (gallery / "audit.sqlite").unlink()
    assert "the audit is not there, but a head was noted" in run("gallery", "verify", gallery).err
    accepted = run("gallery", "repair", gallery, "--drop-lost")
    assert (accepted.code, "accepted: the audit is not there" in accepted.out) == (0, True)
    assert run("gallery", "verify", gallery).code == 0


def test_the_audit_lists_searches_and_forgets_pictures_without_breaking(
    run: Call, gallery: Path, manifest: Path, toy_run: Run
) -> None:
    picture = manifest.parent / "shape000_c1_0.png"
    assert run("search", gallery, picture, "--purpose", "a theft", "--where", "type=van", "--top", 3, *CPU).code == 0
    shown = json.loads(run("gallery", "audit", gallery, "--json").out)
    (entry,) = shown["entries"]
    assert (entry["purpose"], entry["queries"], len(entry["results"][0])) == ("a theft", [str(picture)], 3)
    table = run("gallery", "audit", gallery).out
    assert "a theft" in table
    assert "type=van" in table
    assert f"head {shown['head']}" in table
    run("gallery", "forget", gallery, "--where", "type=van")
    assert run("gallery", "audit", gallery, "--head", shown["head"]).code == 0
    after = run("gallery", "audit", gallery).out
    assert str(picture) not in after
    assert "forgotten" in after
    wrong = run("gallery", "audit", gallery, "--head", "0" * 64)
    assert wrong.code == 1
    assert "the record of searches is not as it was written" in wrong.err


def test_an_audit_that_was_changed_is_told(run: Call, gallery: Path) -> None:
    kept = Audit(gallery)
    for number in range(2):
        kept.append(purpose="a theft", where=EVERYTHING, queries=["a.jpg"], results=[[number, 9]])
    with closing(sqlite3.connect(gallery / AUDIT)) as db, db:
        db.execute("UPDATE clear SET text = 'zz' WHERE entry = 2 AND text = '9'")
    for words in ((), ("--json",)):
        told = run("gallery", "audit", gallery, *words)
        assert told.code == 1
        assert "entry 2 of the audit: its answer 'zz' is not what was recorded" in told.err
        assert "entry 2 is not as it was written" in told.err
        assert "the record of searches is not as it was written" in told.err
        if words:
            assert (json.loads(told.out)["entries"], len(json.loads(told.out)["wrong"])) == (None, 2)
    assert run("gallery", "forget", gallery, "--where", "type=van").code == 0
    (gallery / AUDIT).write_bytes(b"no database at all" * 100)
    broken = run("gallery", "audit", gallery)
    assert broken.code == 1
    assert broken.err.count("the record of searches is broken") == 1


def test_the_audit_shows_what_no_calendar_has_and_no_letter_is(
    run: Call, gallery: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = Audit(gallery)
    far = Filter(cameras=("n\udcff",))
    vars(far).update(since=5, until=10**18)  # as it could once be recorded
    kept.append(purpose="why\udcff", where=far, queries=["a.jpg"], results=[[1]], at=-(10**18))
    shown = run("gallery", "audit", gallery)
    assert shown.code == 0
    text = " ".join(shown.out.replace("│", " ").split())
    shown.out.encode()
    assert "why?" in text
    for word in ("1970-01-01T00:00:00.000+00:00", "1000000000000000000", "-1000000000000000000"):
        assert word in text
    assert json.loads(run("gallery", "audit", gallery, "--json").out)["entries"][0]["where"]["until"] == 10**18


def test_what_is_no_gallery_is_said(run: Call, tmp_path: Path) -> None:
    for command in ("count", "verify", "repair", "audit"):
        result = run("gallery", command, tmp_path)
        assert result.code == 1, command
        assert str(tmp_path) in result.err


def test_an_index_of_neighbours_is_asked_said_left_aside_and_dropped(
    run: Call, gallery: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipsenet.gallery.neighbourhood.INDEXED_FROM", 10)
    picture = manifest.parent / "shape000_c1_0.png"

    def exact(*words: str) -> bool:
        return bool(json.loads(run("search", gallery, picture, "--json", *words, *CPU).out)["exact"])

    assert exact()
    built = run("gallery", "neighbours", gallery)
    assert built.code == 0, built.err
    assert "16 sightings indexed" in built.out
    assert not exact()
    assert exact("--exact")
    assert exact("--where", "type=van")
    assert "found by an index of neighbours, which may miss some" in run("search", gallery, picture, *CPU).out
    assert "every search compares all" in run("gallery", "neighbours", gallery, "--drop").out
    assert exact()
