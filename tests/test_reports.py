"""The report: what the page says is what was measured, and its pictures are small and blurred."""

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipsenet.datasets.drawn import load
from clipsenet.datasets.manifest import ManifestSettings
from clipsenet.evaluation import evaluate
from clipsenet.figures.small_pictures import REGION, SIDE, blur, shrink
from clipsenet.protocol import Benchmark, Protocol, fingerprint
from clipsenet.reports.choices import Choices
from clipsenet.reports.page import sentence, show
from clipsenet.reports.tiles import Tiles
from clipsenet.reports.writing import write_report
from clipsenet.runs import Run
from clipsenet.sightings import Sightings, Trial
from conftest import tiny_recipe


class Page(HTMLParser):
    """What a page links to, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "img", "source"):
            self.open.append(tag)
        self.links += [str(value) for name, value in attributes if name in ("src", "href", "srcset")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} closes nothing"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)


@pytest.fixture(scope="module")
def report(toy_run: Run, toy_benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports") / "toy"
    choices = Choices(similarities=("k-reciprocal:k1=4,k2=2,original=0.3",), worst=4, best=2, random=2, maps=2)
    write_report([("toy", toy_run)], toy_benchmark, folder, choices)
    return folder


def test_the_page_stands_alone(report: Path) -> None:
    page = Page(report / "index.html")
    assert page.open == []
    for link in page.links:
        assert link.startswith(("#", "data:")) or (report / link).is_file(), link
    anchors = {link for link in page.links if link.startswith("#")}
    ids = set(re.findall(r'id="([^"]+)"', (report / "index.html").read_text(encoding="utf-8")))
    assert {anchor[1:] for anchor in anchors} <= ids
    assert "<script" not in (report / "index.html").read_text(encoding="utf-8")
    files = {str(path.relative_to(report)) for path in report.rglob("*") if path.is_file()}
    assert files - set(page.links) == {"index.html"}, "every file is shown"
    assert sum(path.stat().st_size for path in report.rglob("*")) < 5e6


def test_its_numbers_are_those_of_evaluate(report: Path, toy_run: Run, toy_benchmark: Benchmark) -> None:
    told: dict[str, Any] = json.loads((report / "report.json").read_text(encoding="utf-8"))
    wanted = toy_run.recipe.evaluation.model_copy(update={"similarities": ("k-reciprocal:k1=4,k2=2,original=0.3",)})
    card = evaluate(toy_run, toy_benchmark, wanted)
    own = told["runs"][0]["scorecard"]["sections"][0]["lines"]
    assert own[0]["scores"] == pytest.approx(card.scores)
    assert {line["label"]: line["reranked"] for line in own if line["method"] == "toy"} == {
        "plain": False,
        "k-reciprocal 4/2/0.3": True,
    }
    assert told["runs"][0]["cmc"][0] == pytest.approx(card.scores["R1"])
    page = Page(report / "index.html")
    assert f"R1, plain {card.scores['R1']:.3f}" in page.text
    for words in (toy_benchmark.fingerprint, "same vehicle in the same camera", "re-ranked", "last, epoch 2", toy_run.id):
        assert words in page.text
    assert "Not known: no picture of the list has a plate" in page.text
    assert "That is a heuristic, not a guarantee" in page.text


def test_the_worst_queries_are_told_of(report: Path) -> None:
    told = json.loads((report / "report.json").read_text(encoding="utf-8"))
    worst = [one["runs"][0] for one in told["queries"] if one["chosen"] == "worst"]
    assert len(worst) == 4
    assert [one["ap"] for one in worst] == sorted(one["ap"] for one in worst)
    page = Page(report / "index.html")
    for one in worst:
        assert one["picture"] in page.text
        assert f"First match at place {one['place']} of {one['candidates']}" in page.text
        rights = [place for place, answer in enumerate(one["answers"], start=1) if answer["right"]]
        assert (rights[:1] or [11])[0] == min(one["place"], 11)
        assert (one["wrong"] is None) == one["answers"][0]["right"]


def test_a_sentence_says_what_query_and_answer_share() -> None:
    wrong = {"vehicle": "7", "same": {"type": True, "colour": False, "view": True}, "lookalike": True, "size": [64, 48]}
    told = {"place": 3, "candidates": 9, "ap": 0.25, "camera_pair": ["c1", "c2"], "size": [40, 30], "brightness": 81.4}
    assert sentence({**told, "wrong": {**wrong, "brightness": 120.0}}) == (
        "First match at place 3 of 9 (camera c1 to c2); AP 0.250. Query 40 x 30 px, brightness 81. Taken for vehicle 7, same "
        "type and view, other colour, a known look-alike; that picture 64 x 48 px, brightness 120."
    )
    assert sentence({**told, "place": 1, "camera_pair": ["", ""], "wrong": None}) == (
        "First match at place 1 of 9; AP 0.250. Query 40 x 30 px, brightness 81."
    )
    assert (show(None, 3, False), show(0.5, 2, True), show(-0.5, 1, True)) == ("none", "+0.50", "-0.5")


@pytest.mark.parametrize("size", [(400, 100), (30, 900), (50, 40), (1, 300), (96, 96)])
def test_pictures_are_small_and_keep_their_shape(size: tuple[int, int]) -> None:
    tile = shrink(Image.new("RGB", size))
    assert max(tile.size) <= SIDE
    factor = min(1, SIDE / max(size))
    assert tile.size == tuple(max(1, round(edge * factor)) for edge in size)


def test_the_lower_middle_is_blurred_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8))
    before, after = np.asarray(picture).astype(int), np.asarray(blur(picture)).astype(int)
    left, top, right, bottom = (round(share * edge) for share, edge in zip(REGION, (80, 60, 80, 60), strict=True))
    inside = np.zeros((60, 80), dtype=bool)
    inside[top:bottom, left:right] = True
    assert (before[~inside] == after[~inside]).all()
    assert after[inside].std() < before[inside].std() / 3
    with_plate = np.asarray(blur(picture, (2, 10, 12, 6))).astype(int)
    assert with_plate[11:15, 3:13].std() < before[11:15, 3:13].std() / 2


def test_tiles_are_written_once_and_unblurred_when_asked(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    test = Sightings.of([str(tmp_path / "a.png")], extra={"plate": ["10 10 60 40"]})
    blurred, plain = Tiles(test, tmp_path, True), Tiles(test, tmp_path, False)
    assert blurred.file(0) == blurred.file(0) == "pictures/0001.jpg"
    assert len(list((tmp_path / "pictures").iterdir())) == 1
    soft, sharp = (np.asarray(one.small(0)).astype(int) for one in (blurred, plain))
    assert sharp.shape == (64, 96, 3)
    plate = np.s_[5:14, 5:20]
    assert soft[plate].std() < sharp[plate].std() / 2, "the known plate, which lies outside the lower middle"


def test_a_report_says_nothing_of_this_disk(toy_run: Run, toy_benchmark: Benchmark, tmp_path: Path) -> None:
    """Neither where the run, its features or weights lie, nor what a camera wrote into its pictures."""
    folder = tmp_path / "secret" / "run"
    shutil.copytree(toy_run.folder, folder)
    (folder / "trained-on.csv").unlink()
    opened = Run.open(folder)
    recipe = opened.recipe.model_copy(
        update={"model": opened.recipe.model.model_copy(update={"weights": tmp_path / "secret" / "trunk.pth"})}
    )
    features = tmp_path / "secret" / "features"
    for name in ("first", "second"):  # made, then read
        one = Run(folder, recipe, opened.checkpoint, opened.epoch, opened.model)
        write_report([("toy", one)], toy_benchmark, tmp_path / name, Choices(worst=1, maps=0), [features])
        for file in ("index.html", "report.json"):
            text = (tmp_path / name / file).read_text(encoding="utf-8")
            assert str(tmp_path) not in text
            assert "secret" not in text
    assert "trunk.pth" in text
    Image.new("RGB", (50, 40), (9, 9, 9)).save(tmp_path / "a.jpg", comment=b"OWNER John")
    tiles = Tiles(Sightings.of([str(tmp_path / "a.jpg")]), tmp_path, True)
    assert b"John" in (tmp_path / "a.jpg").read_bytes()
    assert b"John" not in (tmp_path / tiles.file(0)).read_bytes()


def test_a_run_that_was_told_labels_is_compared_with_one_that_was_not(
    toy_run: Run, toy_benchmark: Benchmark, tmp_path: Path
) -> None:
    from clipsenet.training import train

    words = ("model.places.labels=camera", "name=with cameras")
    told = train(tiny_recipe(*words), toy_benchmark, tmp_path / "told", device="cpu")
    found = write_report(
        [("toy", toy_run), ("with cameras", told)], toy_benchmark, tmp_path / "two", Choices(worst=1, maps=1, vehicles=3)
    )
    assert "labels_at_test" in found["comparison"][0]["differs"][0]
    page = Page(tmp_path / "two" / "index.html")
    assert "DIFFERENT PROTOCOL: labels_at_test" in page.text
    assert "toy: last, epoch 2, no labels told; with cameras: last, epoch 2, camera or view told" in page.text


def test_two_runs_are_compared_and_names_are_escaped(
    toy_run: Run, toy_folder: Path, toy_benchmark: Benchmark, tmp_path: Path
) -> None:
    from clipsenet.training import train

    other = train(tiny_recipe("seed=1", "name=<b>other</b>"), toy_benchmark, tmp_path / "other", device="cpu")
    told = write_report(
        [("toy", toy_run), ("<b>other</b>", other)], toy_benchmark, tmp_path / "two", Choices(worst=2, maps=1), device="cpu"
    )
    assert told["comparison"][0]["queries"] == told["runs"][0]["scorecard"]["sections"][0]["queries"]
    text = (tmp_path / "two" / "index.html").read_text(encoding="utf-8")
    assert "<b>other" not in text
    page = Page(tmp_path / "two" / "index.html")
    assert "<b>other</b> against toy" in page.text
    assert len(told["queries"][0]["runs"]) == 2


def test_a_test_of_one_vehicle_and_vehicles_with_one_picture(toy_run: Run, tmp_path: Path) -> None:
    """One query with a match, a gallery of odd shapes, two vehicles that were seen once."""
    sizes = [(60, 20), (9, 300), (32, 32), (200, 7)]
    for number, size in enumerate(sizes):
        Image.new("RGB", size, (40 * number, 90, 200 - 40 * number)).save(tmp_path / f"{number}.png")
    files = [str(tmp_path / f"{number}.png") for number in range(4)]
    test = Sightings.of(files, vehicle=["a", "a", "b", "c"], camera=["1", "2", "2", "2"])
    nobody = test[np.zeros(0, dtype=np.int64)]
    trial = Trial(np.array([0]), np.array([1, 2, 3]))
    benchmark = Benchmark("tiny", nobody, nobody, test, (trial,), Protocol(), fingerprint(test), "made")
    told = write_report([("toy", toy_run)], benchmark, tmp_path / "report", Choices(first=50))
    assert told["runs"][0]["within_over_between"] is None
    assert [len(one["runs"][0]["answers"]) for one in told["queries"]] == [3]
    page = Page(tmp_path / "report" / "index.html")
    assert "1 tested vehicles have two pictures or more, wanted two" in page.text
    assert "no slice has 10 queries or more" in page.text


@pytest.mark.slow
def test_a_report_of_drawn_vehicles_audits_their_plates(drawn_vehicles: Path, tmp_path: Path) -> None:
    from clipsenet.training import train

    settings = ManifestSettings()
    benchmark = load(drawn_vehicles, settings)
    trained = train(tiny_recipe("sampler.vehicles=2"), benchmark, tmp_path / "run", device="cpu")
    told = write_report([("toy", trained)], benchmark, tmp_path / "report", Choices(worst=3, maps=2))
    plates = told["runs"][0]["plates"]
    assert 0 < plates["pictures"] < plates["of"] == len(benchmark.test)
    assert plates["scores"]["as it is"]["mAP"] == pytest.approx(
        told["runs"][0]["scorecard"]["sections"][0]["lines"][0]["scores"]["mAP"]
    )
    page = Page(tmp_path / "report" / "index.html")
    assert f"known for {plates['pictures']} of {plates['of']} test pictures" in page.text
    assert "DRAWN vehicles: no picture shows a real one" in page.text
    assert told["runs"][0]["confusion"]["lookalikes"] is not None


def test_the_command_refuses_before_it_computes(run, toy_run: Run, toy_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("kept")
    told = run("report", toy_run.folder, "--data", toy_folder, "--to", tmp_path / "full")
    assert told.code == 1
    assert "exists and is not empty" in told.err
    assert (tmp_path / "full" / "mine.txt").read_text() == "kept"
    three = run("report", *[toy_run.folder] * 3, "--data", toy_folder, "--to", tmp_path / "x")
    assert three.code == 2
    assert "3 runs: a report is of one run, or compares two" in three.err
    twice = run("report", *[toy_run.folder] * 2, "--data", toy_folder, "--to", tmp_path / "x")
    assert twice.code == 2
    assert "is named twice" in twice.err
    wrong = run("report", toy_run.folder, "--data", toy_folder, "--to", tmp_path / "x", "--similarity", "cosines")
    assert wrong.code == 2
    assert not (tmp_path / "x").exists()


def test_slices_of_another_list_are_named_and_left_out(toy_run: Run, toy_benchmark: Benchmark, tmp_path: Path) -> None:
    there = f"type={toy_benchmark.test.extra['type'].names[0]}"
    recipe = toy_run.recipe.model_copy(
        update={"evaluation": toy_run.recipe.evaluation.model_copy(update={"slices": (there, "type=tank", "axles=3")})}
    )
    run = replace(toy_run, recipe=recipe)
    choices = Choices(similarities=(), worst=1, best=0, random=0, first=1, maps=0)
    told = write_report([("toy", run)], toy_benchmark, tmp_path / "r", choices)
    assert told["runs"][0]["absent_slices"] == ["type=tank", "axles=3"]
    assert there in {section["queries_of"] for section in told["runs"][0]["scorecard"]["sections"]}
    assert "in the recipe's slices type=tank, axles=3." in Page(tmp_path / "r" / "index.html").text


def test_the_command_prints_json(run, toy_run: Run, toy_folder: Path, tmp_path: Path) -> None:
    words = ["--worst", 2, "--best", 0, "--random", 0, "--maps", 0, "--first", 1, "--no-blur", "--json"]
    told = run("report", toy_run.folder, "--data", toy_folder, "--to", tmp_path / "r", *words)
    assert told.code == 0, told.err
    printed = json.loads(told.out)
    assert printed == json.loads((tmp_path / "r" / "report.json").read_text(encoding="utf-8"))
    assert [one["chosen"] for one in printed["queries"]] == ["worst", "worst"]
    assert len(printed["queries"][0]["runs"][0]["answers"]) == 1
    assert "Pictures are shown without blurring" in Page(tmp_path / "r" / "index.html").text
    assert not (tmp_path / "r" / "figures" / "maps.png").exists()
