"""Figures of runs: what they show is what was found, and every picture has its place."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.features import Features
from clipsenet.figures.curves import BINS, cmc, draw_curves, precision_recall, spread
from clipsenet.figures.embedding import choose_rows, distance_ratio
from clipsenet.figures.history import draw_history
from clipsenet.figures.looking import caption, look, own_names, with_own_names
from clipsenet.figures.rank_lists import Query, choose_queries, draw_rank_lists
from clipsenet.figures.slices import choose_slices, draw_slices
from clipsenet.figures.style import ASKED, RIGHT, WRONG, on_dark_paper
from clipsenet.protocol import Benchmark, Protocol
from clipsenet.runs import Run
from clipsenet.sightings import Sightings, Trial
from clipsenet.trials import Evaluation, search


@pytest.fixture
def made(tmp_path: Path) -> tuple[Features, tuple[Trial, ...]]:
    """Two queries against five pictures; cosines that can be checked by eye.

    Query 0 (vehicle a): its matches stand second (c1) and fourth (c2); query 1 (vehicle b): its match is first.
    """
    names = ["qa", "qb", "g0", "g1", "g2", "g3", "g4"]
    vehicle = ["a", "b", "c", "a", "b", "a", "a"]
    camera = ["0", "0", "1", "1", "1", "2", "0"]
    for number, name in enumerate(names):
        size = (40, 20) if number % 2 else (10, 60)
        Image.new("RGB", size, (10 + 30 * number, 0, 200)).save(tmp_path / f"{name}.png")
    sightings = Sightings.of([str(tmp_path / f"{name}.png") for name in names], vehicle=vehicle, camera=camera)
    angle = np.radians([0, 90, 10, 20, 70, 40, 0])  # g4: query 0's vehicle in its own camera, junk
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    trial = Trial(np.array([0, 1]), np.array([2, 3, 4, 5, 6]))
    return Features(sightings, vectors, "made up"), (trial,)


@pytest.fixture
def found(made: tuple[Features, tuple[Trial, ...]]) -> Evaluation:
    features, trials = made
    return search(features, trials, Protocol())["same-camera"]


def test_curves_are_those_of_the_places(found: Evaluation) -> None:
    places = [result.tolist() for result in found.results[0].ranking.places]
    assert places == [[1, 2], [0]]  # 10 degrees (c), 20 (a), 40 (a), 70 (b); 70 (b), ...
    assert cmc(found, 3).tolist() == [0.5, 1.0, 1.0]
    # query 0: precision 1/2 at recall 1/2, 2/3 at recall 1, and so at least 2/3 at any lower one; query 1: 1 throughout
    assert precision_recall(found)[[0, 50, 51, 100]].tolist() == pytest.approx([5 / 6] * 4)


def test_the_histogram_counts_every_pair_but_junk(made: tuple[Features, tuple[Trial, ...]], found: Evaluation) -> None:
    features, _ = made
    pairs = spread(features, found, "same-camera")
    assert pairs.same.sum() == 3  # a: g1, g3 (g4 is junk); b: g2
    assert pairs.other.sum() == 2 * 5 - 3 - 1
    assert pairs.same[np.digitize(np.cos(np.radians(20)), BINS) - 1] >= 1
    kept = spread(features, found, "same-file")
    assert kept.same.sum() == 4
    assert kept.other.sum() == 6


def test_queries_are_chosen_by_average_precision_or_name(found: Evaluation) -> None:
    assert choose_queries(found, "worst", 1) == [Query(0, 0)]
    assert choose_queries(found, "best", 1) == [Query(0, 1)]
    assert sorted(one.number for one in choose_queries(found, "random", 5, seed=3)) == [0, 1]
    assert choose_queries(found, "random", 1, seed=3) == choose_queries(found, "random", 1, seed=3)
    assert choose_queries(found, "qb.png, qa.png", 9) == [Query(0, 1), Query(0, 0)]
    with pytest.raises(UsageError, match=r"no query 'g0\.png': give worst, best, random, or the file of a query"):
        choose_queries(found, "g0.png", 1)


def test_a_query_without_a_match_is_not_chosen_and_not_found(made: tuple[Features, tuple[Trial, ...]]) -> None:
    features, _ = made
    trial = Trial(np.array([0, 2]), np.array([3, 4, 5]))
    lonely = search(features, (trial,), Protocol())["same-camera"]
    assert choose_queries(lonely, "worst", 9) == [Query(0, 0)]
    with pytest.raises(ClipsenetError, match=r"query g0\.png has no match in the gallery"):
        choose_queries(lonely, "g0.png", 1)
    with pytest.raises(ClipsenetError, match="nothing to show"):
        draw_rank_lists([("x", lonely)], [])


@pytest.mark.parametrize("first", [1, 5, 50])
def test_rank_lists_frame_right_and_wrong_ones_in_order(found: Evaluation, first: int) -> None:
    image = draw_rank_lists([("run", found)], [Query(0, 0)], first=first, side=40)
    pixels = np.asarray(image)
    corner = pixels[10, 8:]  # through the frames' upper edges
    changes = [tuple(one) for one in corner[np.any(np.diff(corner.astype(int), axis=0, prepend=-1) != 0, axis=1)]]
    frames = [colour for colour in changes if colour in (ASKED, RIGHT, WRONG)]
    wanted = [ASKED, WRONG, RIGHT, RIGHT, WRONG]  # query; c, a, a, b; the junk picture is not there
    assert frames == wanted[: first + 1]
    two = draw_rank_lists([("a", found), ("b", found)], [Query(0, 0), Query(0, 1)], first=first, side=40)
    assert two.height > 3 * image.height
    assert two.width > image.width


def test_signs_tell_without_colour(found: Evaluation) -> None:
    """The discs of a right and a wrong picture differ in grey, too: tick and cross are other shapes."""
    grey = np.asarray(draw_rank_lists([("run", found)], [Query(0, 0)], side=40).convert("L")).astype(int)
    cell = 40 + 8 + 8
    discs = [grey[12:34, 8 + place * cell + 8 + 4 : 8 + place * cell + 8 + 26] > 200 for place in (1, 2)]
    assert (discs[0] != discs[1]).sum() > 20


def test_a_look_is_what_evaluate_scores(toy_benchmark: Benchmark, toy_run: Run, tmp_path: Path) -> None:
    from clipsenet.evaluation import evaluate

    seen = look(toy_run, toy_benchmark)
    card = evaluate(toy_run, toy_benchmark, toy_run.recipe.evaluation.model_copy(update={"reference": "none"}))
    assert seen.found.scores()["mAP"] == card.scores["mAP"]
    assert 100 * cmc(seen.found)[0] == pytest.approx(100 * card.scores["R1"])
    look(toy_run, toy_benchmark, features=tmp_path / "features")  # written
    again = look(toy_run, toy_benchmark, features=tmp_path / "features")
    assert again.found.scores() == seen.found.scores()
    assert [name for name, _ in with_own_names([seen])] == ["toy"]
    for words in (
        toy_benchmark.fingerprint,
        "junk: same vehicle in the same camera",
        "plain",
        "last, epoch 2",
        "no labels told",
    ):
        assert words in caption([("toy", seen)])
    with pytest.raises(UsageError, match=f"{toy_run.folder} is named twice"):
        with_own_names([seen, seen])


def test_a_caption_says_once_what_runs_share_and_apart_what_they_do_not(toy_benchmark: Benchmark, toy_run: Run) -> None:
    seen = look(toy_run, toy_benchmark)
    other = replace(seen, state="best, epoch 1, camera or view told")
    assert caption([("a", seen), ("b", seen)]) == f"{seen.protocol}; {seen.state}"
    assert caption([("a", seen), ("b", other)]) == f"{seen.protocol}; a: {seen.state}; b: {other.state}"


def test_no_two_runs_have_one_name() -> None:
    folders = [Path("x/first"), Path("x/second"), Path("y/first")]
    assert own_names(["a", "b", "c"], folders) == ["a", "b", "c"]
    assert own_names(["a", "a"], folders[:2]) == ["first", "second"]
    assert own_names(["a", "b", "a"], folders) == ["x/first", "x/second", "y/first"]
    deep = [Path("/home/ann/one/seed-0"), Path("/home/ann/two/seed-0")]
    assert own_names(["a", "a"], deep) == ["one/seed-0", "two/seed-0"], "no more of a path than it takes"
    with pytest.raises(UsageError, match=r"y/\.\./x/first is named twice"):
        own_names(["a", "b"], [Path("x/first"), Path("y/../x/first")])


def test_slices_are_drawn_with_those_of_every_run(tmp_path: Path) -> None:
    def found(score: float) -> dict:
        shown = [
            {
                "kind": kind,
                "name": str(name),
                "queries": 12,
                "mAP": score + name / 100,
                "intervals": {"mAP": [score, score + 0.2]},
            }
            for kind in ("camera pair", "type")
            for name in range(12)
        ]
        return {"shown": shown, "fewest": 10, "left_out": {}}

    chosen = choose_slices(found(0.1))
    assert [one["kind"] for one in chosen] == ["type"] * 12 + ["camera pair"] * 10
    assert [one["name"] for one in chosen[12:]] == [str(name) for name in range(10)], "the weakest ten"
    draw_slices([("a", found(0.1)), ("b", found(0.4))], tmp_path / "slices.png", "by what")
    pixels = np.asarray(Image.open(tmp_path / "slices.png").convert("RGB")).astype(int)
    for colour in ((0, 114, 178), (213, 94, 0)):
        assert (((pixels - colour) ** 2).sum(axis=2) < 200).sum() > 300, "a mark for each run"
    with pytest.raises(ClipsenetError, match="no slice to show: none of them has 10 queries"):
        draw_slices([("a", {"shown": [], "fewest": 10, "left_out": {}})], tmp_path / "none.png")


def test_a_dark_page_gets_dark_figures(found: Evaluation, made: tuple[Features, tuple[Trial, ...]], tmp_path: Path) -> None:
    pairs = spread(made[0], found, "same-camera")
    draw_curves([("a", found, pairs)], tmp_path / "light.png")
    with on_dark_paper():
        draw_curves([("a", found, pairs)], tmp_path / "dark.png")
    light, dark = (np.asarray(Image.open(tmp_path / f"{name}.png").convert("L")) for name in ("light", "dark"))
    assert np.median(light) > 240
    assert np.median(dark) < 40
    assert (dark > 180).sum() > 300, "its words are light"


def test_the_commands_write_pictures(run, toy_folder: Path, toy_run: Run, tmp_path: Path) -> None:
    for kind, words in (
        ("ranks", ["--data", toy_folder, "--first", 3, "--count", 2, "--queries", "random"]),
        ("curves", ["--data", toy_folder, "--similarity", "k-reciprocal:k1=4,k2=2,original=0.3"]),
        ("embedding", ["--data", toy_folder, "--vehicles", 4]),
        ("slices", ["--data", toy_folder]),
        ("confusion", ["--data", toy_folder, "--vehicles", 6]),
        ("history", []),
    ):
        result = run("figure", kind, toy_run.folder, "--to", tmp_path / f"{kind}.png", *words)
        assert result.code == 0, result.err
        with Image.open(tmp_path / f"{kind}.png") as image:
            assert image.width > 300
            assert len(np.unique(np.asarray(image.convert("L")))) > 10, "not an empty page"
    for kind, ending in (("ranks", ".gif"), ("maps", ""), ("curves", ".jpg"), ("history", ".svg")):
        file = tmp_path / f"a{ending}"
        words = [] if kind == "history" else ["--data", toy_folder]
        refused = run("figure", kind, toy_run.folder, *words, "--to", file)
        assert (refused.code, f"found the ending '{ending}', wanted .png" in refused.err) == (2, True), refused.err
        assert not file.exists(), "a PNG under another name"
    wrong = run("figure", "ranks", toy_run.folder, "--data", toy_folder, "--to", "a.png", "--set", "optimiser.rate=1")
    assert wrong.code == 2
    assert "a figure takes data.* only" in wrong.err


def test_pictures_can_be_blurred(run, toy_folder: Path, toy_run: Run, tmp_path: Path) -> None:
    for kind, rows in (("ranks", 2), ("maps", 1)):
        words = ("--data", toy_folder, "--count", rows, "--queries", "random")
        told = run("figure", kind, toy_run.folder, "--to", tmp_path / "sharp.png", *words)
        assert "number plates and faces too (--blur)" in told.out
        hidden = run("figure", kind, toy_run.folder, "--to", tmp_path / "soft.png", "--blur", *words)
        assert hidden.code == 0, hidden.err
        assert "--blur" not in hidden.out
        sharp, soft = (np.asarray(Image.open(tmp_path / f"{one}.png").convert("L"), dtype=float) for one in ("sharp", "soft"))
        assert sharp.shape == soft.shape
        assert (sharp != soft).mean() > 0.02


def test_another_reader_of_the_pictures(run, toy_folder: Path, toy_run: Run, tmp_path: Path) -> None:
    words = ("figure", "curves", toy_run.folder, "--data", toy_folder / "pictures.csv", "--to", tmp_path / "a.png")
    wrong = run(*words, "--benchmark", "veri776")
    assert wrong.code == 1
    right = run(*words, "--benchmark", "manifest")
    assert right.code == 0, right.err


def test_a_history_that_is_empty_is_refused(run, toy_run: Run, tmp_path: Path) -> None:
    draw_history({"toy": toy_run.folder}, tmp_path / "a.png")
    empty = tmp_path / "run"
    empty.mkdir()
    (empty / "recipe.yaml").write_text((toy_run.folder / "recipe.yaml").read_text())
    result = run("figure", "history", empty, "--to", tmp_path / "b.png")
    assert result.code == 1
    assert "has no history: no epoch was finished" in result.err


def test_the_ratio_of_distances_is_that_of_its_formula() -> None:
    vectors = np.array([[1, 0], [0, 1], [-1, 0], [-1, 0]], dtype=np.float32)
    vehicle = np.array([0, 0, 1, 1])
    within = (np.sqrt(2) + 0) / 2
    between = (2 + 2 + np.sqrt(2) + np.sqrt(2)) / 4
    assert distance_ratio(vectors, vehicle) == pytest.approx(within / between)


def test_vehicles_of_the_map_have_pictures_to_compare() -> None:
    sightings = Sightings.of(list("abcdefg"), vehicle=[*list("xxyyyz"), ""])
    rows = choose_rows(sightings, 9)
    assert rows.tolist() == [0, 1, 2, 3, 4]
    assert len(choose_rows(sightings, 1)) in (2, 3)
    with pytest.raises(ClipsenetError, match="1 tested vehicles have two pictures or more, wanted two"):
        choose_rows(sightings[np.array([0, 1, 5])], 9)
