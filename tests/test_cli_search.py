"""The search command, and the same from Python."""

import csv
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from clipsenet import console
from clipsenet.chain import Chain
from clipsenet.datasets.manifest import ManifestSettings, read
from clipsenet.features import extract
from clipsenet.gallery.asking import search_picture
from clipsenet.gallery.interface import Filter
from clipsenet.gallery.local import open_gallery
from clipsenet.runs import Run
from clipsenet.streaming import FixedGallery
from conftest import ROOT, Result

Call = Callable[..., Result]

CPU = ("--device", "cpu", "--threads", 1)


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory, toy_folder: Path) -> Path:
    """Camera 2's pictures as a list, camera 1's as another, and both with a split for evaluate."""
    folder = tmp_path_factory.mktemp("lists")
    with (toy_folder / "pictures.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["camera"] != "3"]
    for name, camera in (("gallery", "2"), ("query", "1")):
        lines = [
            f"{toy_folder / row['path']},{row['vehicle']},{row['camera']},{row['vehicle']}-{row['camera']},"
            f"2026-05-01T10:00:{number % 60:02}Z,{row['type']},{name}"
            for number, row in enumerate(rows)
            if row["camera"] == camera
        ]
        (folder / f"{name}.csv").write_text("\n".join(["path,vehicle,camera,track,time,type,split", *lines]) + "\n")
    both = [*(folder / "gallery.csv").read_text().splitlines(), *(folder / "query.csv").read_text().splitlines()[1:]]
    (folder / "both.csv").write_text("\n".join(both) + "\n")
    return folder


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory, lists: Path, toy_run: Run) -> Path:
    from clipsenet.gallery.embedding import embedding_of, note_run
    from clipsenet.gallery.ingesting import index
    from clipsenet.gallery.local import create_gallery

    folder = tmp_path_factory.mktemp("galleries") / "g"
    with create_gallery(folder, embedding_of(toy_run), dtype="float32") as opened:
        index(toy_run, read(lists / "gallery.csv", ManifestSettings()), opened)
        note_run(opened, toy_run)
    return folder


@pytest.fixture(scope="module")
def picture(lists: Path) -> str:
    return (lists / "query.csv").read_text().splitlines()[1].split(",")[0]


def answers(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_search_shows_places_and_gives_no_verdict(run: Call, gallery: Path, picture: str) -> None:
    result = run("search", gallery, picture, "--top", 3, *CPU)
    assert result.code == 0, result.err
    for text in ("place", "similarity", "camera", "time", "track", "2026-05-01 10:00:", "48 sightings searched, all compared"):
        assert text in result.out
    assert "no verdict: these are similarities only" in result.out


def test_json_is_the_cosine_of_a_plain_loop(run: Call, gallery: Path, picture: str, lists: Path, toy_run: Run) -> None:
    found = json.loads(run("search", gallery, picture, "--top", 5, "--json", *CPU).out)
    assert (found["verdict"], found["candidates"], found["exact"], found["run_id"]) == (None, 48, True, toy_run.id)
    stored = read(lists / "gallery.csv", ManifestSettings())
    query = read(lists / "query.csv", ManifestSettings())[np.array([0])]
    one, all_ = (
        extract(toy_run.model, of, toy_run.test_transform, toy_run.id, dim=toy_run.dim).embeddings for of in (query, stored)
    )
    cosines = all_ @ one[0]
    order = np.argsort(-cosines, kind="stable")[:5]
    assert [hit["path"] for hit in found["answers"]] == stored.path[order].tolist()
    assert [hit["similarity"] for hit in found["answers"]] == pytest.approx(cosines[order].tolist(), abs=1e-5)
    first = found["answers"][0]
    row = int(order[0])
    assert (first["place"], first["box"], first["camera"]) == (1, None, "2")
    assert first["track"] == stored.column("track")[row]
    assert first["vehicle"] == stored.column("vehicle")[row]


def test_filters_choose_and_what_leaves_nothing_is_explained(run: Call, gallery: Path, picture: str) -> None:
    of_type = json.loads(run("search", gallery, picture, "--where", "type=disc", "--json", *CPU).out)
    assert of_type["candidates"] < 48
    early = run(
        "search", gallery, picture, "--from", "2026-05-01T12:00:00+02:00", "--to", "2026-05-01T10:00:30Z", "--json", *CPU
    )
    assert all(hit["time"] < "2026-05-01T10:00:30" for hit in json.loads(early.out)["answers"])
    for words, message in (
        (("--camera", "9"), "no sighting has camera '9', found 2"),
        (("--to", "2020-01-01T00:00Z"), "its times run from 2026-05-01T10:00"),
        (("--where", "colour=red"), "no column 'colour' in the gallery"),
    ):
        result = run("search", gallery, picture, *words, *CPU)
        assert result.code == 1
        assert message in result.err
    zoneless = run("search", gallery, picture, "--from", "2026-05-01T10:00:00", *CPU)
    assert zoneless.code == 2
    assert "wanted a time with its zone" in zoneless.err


def test_groups_give_one_answer_each(run: Call, gallery: Path, picture: str) -> None:
    tracks = json.loads(run("search", gallery, picture, "--group-by", "track", "--top", 99, "--json", *CPU).out)
    assert len(tracks["answers"]) == len({hit["track"] for hit in tracks["answers"]}) == 24
    assert tracks["similarity"] == "cosine with the track's mean vector"
    (camera,) = json.loads(run("search", gallery, picture, "--group-by", "camera", "--json", *CPU).out)["answers"]
    assert camera["camera"] == "2"


def test_re_ranking_is_that_of_the_streaming_one_and_is_said(
    run: Call, gallery: Path, picture: str, toy_run: Run, lists: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = "k-reciprocal:k1=6,k2=2,original=0.3"
    words = ("search", gallery, picture, "--similarity", chain, "--json", *CPU)
    found = json.loads(run(*words).out)
    assert "among the first 48 of 48 by cosine, one query at a time" in found["similarity"]
    with open_gallery(gallery) as opened:
        stored = opened.get(opened.ids())
        query = read(lists / "query.csv", ManifestSettings())[np.array([0])]
        of_query = extract(toy_run.model, query, toy_run.test_transform, toy_run.id, dim=toy_run.dim)
        wanted = FixedGallery.of(stored, 6, 2, 0.3).rerank(of_query).similarity
        ids = opened.ids()
    order = np.lexsort((ids, -wanted))[:20]
    assert [hit["similarity"] for hit in found["answers"]] == pytest.approx(wanted[order].tolist(), abs=1e-4)
    grouped = json.loads(run(*words, "--group-by", "track").out)["answers"]
    best = {hit["track"]: hit["similarity"] for hit in reversed(json.loads(run(*words, "--top", 48).out)["answers"])}
    assert {hit["track"]: hit["similarity"] for hit in grouped} == pytest.approx(
        dict(sorted(best.items(), key=lambda item: -item[1])[:20])
    )
    monkeypatch.setattr("clipsenet.gallery.asking.CANDIDATES", 10)
    few = json.loads(run(*words, "--top", 4).out)
    assert "among the first 10 of 48 by cosine" in few["similarity"]
    assert len(few["answers"]) == 4


def test_a_box_is_searched_and_one_outside_of_the_frame_is_refused(run: Call, gallery: Path, picture: str) -> None:
    whole = json.loads(run("search", gallery, picture, "--json", *CPU).out)["answers"]
    part = json.loads(run("search", gallery, picture, "--box", "0,0,20,20", "--json", *CPU).out)["answers"]
    assert whole[0]["similarity"] != part[0]["similarity"]
    outside = run("search", gallery, picture, "--box", "50,50,500,20", *CPU)
    assert outside.code == 1
    assert "box x, y, width, height = 50, 50, 500, 20 leaves the picture" in outside.err
    for word in ("1,2,3", "a,b,c,d"):
        wrong = run("search", gallery, picture, "--box", word, *CPU)
        assert wrong.code == 2
        assert f"--box {word}: wanted four whole numbers" in wrong.err


def test_many_queries_are_streamed_and_give_the_r1_of_evaluate(
    run: Call, gallery: Path, lists: Path, toy_run: Run, tmp_path: Path
) -> None:
    result = run("search", gallery, lists / "query.csv", "--top", 7, "--out", tmp_path / "a.csv", *CPU)
    assert result.code == 0, result.err
    assert f"48 queries, 336 answers in {tmp_path / 'a.csv'}" in result.out
    rows = answers(tmp_path / "a.csv")
    vehicle = {row["path"]: row["vehicle"] for row in answers(lists / "query.csv")}
    right = [row["vehicle"] == vehicle[row["query"]] for row in rows if row["place"] == "1"]
    assert len(right) == 48
    card = json.loads(
        run("evaluate", toy_run.folder, "--data", lists / "both.csv", "--benchmark", "manifest", "--reference", "none",
            "--no-intervals", "--json", "-", "--device", "cpu").out
    )  # fmt: skip
    assert np.mean(right) == pytest.approx(card["sections"][0]["lines"][0]["scores"]["R1"])
    assert run("search", gallery, lists / "query.csv", "--top", 7, "--out", tmp_path / "a.parquet", *CPU).code == 0
    table = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert [(row["query"], row["place"], row["id"]) for row in table] == [
        (row["query"], int(row["place"]), int(row["id"])) for row in rows
    ]


def test_many_queries_want_a_file_and_one_that_fails_leaves_none(run: Call, gallery: Path, lists: Path, tmp_path: Path) -> None:
    for words, message in (
        ((), "holds many queries: give --out"),
        (("--out", tmp_path / "a.txt"), "wanted a name that ends in .csv or .parquet"),
        (("--out", tmp_path / "a.csv", "--box", "1,1,2,2"), "--box and --json are for one picture"),
    ):
        result = run("search", gallery, lists / "query.csv", *words, *CPU)
        assert result.code == 2
        assert message in result.err
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "q.csv").write_text((lists / "query.csv").read_text() + f"{tmp_path / 'broken.png'},,,,,,\n")
    words = ("search", gallery, tmp_path / "q.csv", "--out", tmp_path / "a.csv", *CPU)
    failed = run(*words)
    assert failed.code == 1
    assert "broken.png" in failed.err
    assert not list(tmp_path.glob("*a.csv*"))
    skipped = run(*words, "--skip-broken")
    assert skipped.code == 0
    assert "left out 1 pictures" in skipped.err
    assert len({row["query"] for row in answers(tmp_path / "a.csv")}) == 48


def test_another_run_or_none_is_refused(run: Call, gallery: Path, picture: str, toy_run: Run, tmp_path: Path) -> None:
    moved = tmp_path / "g"
    shutil.copytree(gallery, moved)
    with open_gallery(moved, write=True) as opened:
        opened.remember("run", str(tmp_path / "gone"))
    result = run("search", moved, picture, *CPU)
    assert result.code == 1
    assert f"no longer lies in {tmp_path / 'gone'}: give its folder with --run" in result.err
    assert run("search", moved, picture, "--run", toy_run.folder, *CPU).code == 0
    assert (toy_run.folder / "best.safetensors").is_file()
    other = run("search", moved, picture, "--run", toy_run.folder, "--checkpoint", "best", *CPU)
    if Run.open(toy_run.folder, "best").id != toy_run.id:
        assert other.code == 1
        assert "similarities between two runs mean nothing" in other.err


def test_every_search_is_in_the_audit(run: Call, gallery: Path, picture: str, lists: Path, tmp_path: Path) -> None:
    with open_gallery(gallery) as opened:
        before = len(opened.audit.entries())
    run("search", gallery, picture, "--purpose", "looking", "--camera", "2", "--top", 2, *CPU)
    run("search", gallery, lists / "query.csv", "--out", tmp_path / "a.csv", "--top", 2, *CPU)
    with open_gallery(gallery) as opened:
        entries = opened.audit.entries()[before:]
        assert opened.audit.verify() == []
    assert (entries[0].purpose, entries[0].queries, entries[0].where) == ("looking", [picture], Filter(cameras=("2",)))
    assert sum(len(entry.queries) for entry in entries[1:]) == 48
    rows = answers(tmp_path / "a.csv")
    assert [id_ for entry in entries[1:] for ids in entry.results for id_ in ids] == [int(row["id"]) for row in rows]


def test_a_path_with_dots_is_recorded_as_lists_have_it(run: Call, gallery: Path, picture: str) -> None:
    dotted = f"{Path(picture).parent}/../{Path(picture).parent.name}/{Path(picture).name}"
    run("search", gallery, dotted, *CPU)
    run("search", gallery, dotted, "--box", "0,0,20,20", *CPU)
    with open_gallery(gallery) as opened:
        search_picture(opened, dotted)
        assert [entry.queries for entry in opened.audit.entries()[-3:]] == [[picture]] * 3


def test_from_python(gallery: Path, picture: str, toy_run: Run) -> None:
    with open_gallery(gallery) as opened:
        hits = search_picture(opened, picture, top=3)
        assert [hit.place for hit in hits] == [1, 2, 3]
        given = search_picture(opened, Path(picture), run=toy_run, top=3, where=Filter(cameras=("2",)))
        assert [hit.id for hit in given] == [hit.id for hit in hits]
        boxed = search_picture(opened, picture, box=(0, 0, 20, 20), top=1, similarity=Chain.parse("k-reciprocal:k1=4,k2=1"))
        assert len(boxed) == 1


def test_the_five_lines_of_the_page_run(gallery: Path, picture: str, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    assert len([line for line in program.splitlines() if line.strip()]) == 5
    (tmp_path / "cars").symlink_to(gallery)
    (tmp_path / "picture.jpg").symlink_to(picture)
    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 5


def test_on_a_narrow_terminal_a_picture_is_folded_and_not_cut_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "out", Console(width=60, highlight=False))
    path = "/data/pictures/of/a/gate/in/the/north/2026-05-01/bus_0001_cam1.jpg"
    console.print_rows(("place", "similarity", "picture"), [("1", "0.934", path), ("2", "0.933", "new\nline.jpg")])
    rows = [line.split("│")[1:-1] for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert "".join(row[2].strip() for row in rows) == path + "new\\nline.jpg"
