import gc
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from clipsenet.benchmarking import evaluation, made_up, training
from clipsenet.benchmarking.evaluation import measure, rows_of
from clipsenet.benchmarking.first_batches import fill_cache
from clipsenet.benchmarking.made_up import SCALES, Scale, draw
from clipsenet.benchmarking.peaks import peak_memory, watching_memory
from clipsenet.cli.timing import assignments_of
from clipsenet.datasets import toy
from clipsenet.datasets.copies import KNOWN
from clipsenet.datasets.manifest import ManifestSettings
from clipsenet.errors import UsageError
from conftest import tiny_recipe

TINY = {
    "inside": Scale(30, 200, 20, 5, inside=True),
    "outside": Scale(20, 210, 20, 5, inside=False),
}


def test_the_scales_are_the_benchmarks_true_counts() -> None:
    for name, dataset, query, gallery in (
        ("veri776", "veri776", "query", "gallery"),
        ("veriwild-small", "veriwild", "small query", "small gallery"),
        ("veriwild-large", "veriwild", "large query", "large gallery"),
    ):
        known = KNOWN[dataset]
        assert (SCALES[name].queries, SCALES[name].gallery) == (known[query].pictures, known[gallery].pictures)
        assert SCALES[name].vehicles == known[gallery].vehicles
    assert SCALES["veri776"].cameras == KNOWN["veri776"]["gallery"].cameras


@pytest.mark.parametrize("name", list(TINY))
def test_made_up_features_have_the_counts_and_the_clusters(name: str) -> None:
    scale = TINY[name]
    features, trial = draw(scale, 64, seed=1)
    assert (len(trial.query), len(trial.gallery)) == (scale.queries, scale.gallery)
    assert len(features) == scale.gallery + (0 if scale.inside else scale.queries)
    assert np.isin(trial.query, trial.gallery).all() == scale.inside
    vehicle = features.sightings.vehicle.numbers
    assert np.bincount(vehicle[trial.gallery], minlength=scale.vehicles).min() >= 2
    assert features.sightings.camera.count() == scale.cameras
    cosine = features.embeddings @ features.embeddings.T
    own = (vehicle[:, None] == vehicle[None]) & ~np.eye(len(vehicle), dtype=bool)
    alike = (vehicle[:, None] // 5 == vehicle[None] // 5) & ~own & ~np.eye(len(vehicle), dtype=bool)
    strangers = vehicle[:, None] // 5 != vehicle[None] // 5
    assert cosine[own].mean() > cosine[alike].mean() > cosine[strangers].mean() + 0.2
    again, _ = draw(scale, 64, seed=1)
    assert (again.embeddings == features.embeddings).all()


def test_it_measures_every_similarity_against_the_bare_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "SCALES", TINY)
    result = measure("outside", 32, ["k-reciprocal:k1=5,k2=2", "expansion:k=3"], rounds=2)
    assert [line["similarity"] for line in result["lines"]] == [
        "cosine",
        "k-reciprocal:k1=5,k2=2,original=0.3",
        "expansion:k=3,alpha=0,sides=query,queries=alone + cosine",
    ]
    for line in result["lines"]:
        assert line["ratio"] == pytest.approx(line["seconds"] / result["product_seconds"][line["against"]])
        assert 0 < line["mAP"] <= 1
        assert line["gb_estimated"] > 0
    assert [line["against"] for line in result["lines"]] == ["queries x gallery", "all x all", "all x all"]
    assert len(rows_of(result)) == 5
    with pytest.raises(UsageError, match="unknown scale 'market': choose from inside, outside"):
        measure("market", 32, [])


def test_the_peak_of_a_piece_of_work_is_seen() -> None:
    gc.collect()  # what earlier tests left may be freed meanwhile, and hide as much
    with watching_memory() as peak:
        np.ones(200_000_000, dtype=np.uint8).sum()
    if peak.above_gb is None:
        pytest.skip("only Linux forgets an earlier peak on request")
    assert 0.1 < peak.above_gb < 0.5
    assert peak_memory() > 0.2


def test_the_command(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "SCALES", TINY)
    words = ("bench", "evaluation", "--scale", "inside", "--dim", "16", "--similarity", "k-reciprocal:k1=4,k2=2")
    printed = run(*words)
    assert printed.code == 0
    assert "30 queries, 200 pictures, 20 vehicles, 5 cameras, 16-d" in printed.out
    assert "ratio to the bare product" in printed.out
    assert json.loads(run(*words, "--json").out)["queries"] == 30


def test_a_generator_that_runs_in_chunks_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SCALES["veri776"].gallery > made_up.CHUNK, "the real scales are drawn in several chunks"
    features, _ = draw(Scale(10, made_up.CHUNK + 5, 40, 4, inside=True), 4)
    assert np.abs(np.linalg.norm(features.embeddings, axis=1) - 1).max() < 1e-5


# ---- training and its variants

SMALL = ("--set", "images.size=[32, 32]", "--set", "sampler.vehicles=4", "--set", "training.workers=0")


@pytest.fixture
def old_pictures(toy_folder: Path, tmp_path: Path) -> Path:
    """The toy pictures, drawn long enough ago for a cache to keep them."""
    folder = tmp_path / "pictures"
    shutil.copytree(toy_folder, folder)
    for path in folder.rglob("*.*"):
        os.utime(path, (1.6e9, 1.6e9))
    return folder


def test_variants_are_measured_beside_the_recipe_as_it_is(run, old_pictures: Path, tmp_path: Path) -> None:
    flat, cached = "training.channels_last=true images.size=[24,32]", f"training.cache.folder={tmp_path / 'cache'}"
    words = ("bench", "training", "toy", "--data", old_pictures, "--steps", 2, "--rounds", 2, *SMALL)
    found = run(*words, "--variant", flat, "--variant", cached, "--json")
    assert found.code == 0, found.err
    result = json.loads(found.out)
    assert [line["variant"] for line in result["variants"]] == [flat, cached]
    for line in result["variants"]:
        assert len(line["ratios"]) == 2
        assert min(line["ratios"]) <= line["ratio_to_recipe"] <= max(line["ratios"])
        assert line["train_pictures_per_second"] == pytest.approx(line["pictures_per_step"] / line["train_step_seconds"])
    assert [result["cached"], *(line["cached"] for line in result["variants"])] == [None, None, 1.0]
    assert len(list((tmp_path / "cache").glob("??/*.rgb"))) > 4


def test_the_table_has_a_line_for_each_variant(run, toy_folder: Path) -> None:
    words = ("bench", "training", "toy", "--data", toy_folder, "--steps", 2, "--rounds", 1, *SMALL)
    printed = run(*words, "--variant", "sampler.pictures=2")
    assert printed.code == 0, printed.err
    first, second = (line.split() for line in printed.out.splitlines() if "no cache" in line)
    assert {"as", "it", "is", "16"} < set(first)
    assert {"sampler.pictures=2", "8"} < set(second)
    assert "ratio: train step / reference" in printed.out
    assert "ratio to the recipe as it is" not in run(*words).out


def test_the_turns_and_the_ratios_of_the_same_round(monkeypatch: pytest.MonkeyPatch, toy_folder: Path) -> None:
    turns: list[int] = []

    class Took:
        parts: dict[str, list[float]] = {"load": [0.1]}  # noqa: RUF012

        def __init__(self, seconds: float) -> None:
            self.took = seconds

    def pretend(recipe, benchmark, device: str, steps: int) -> Took:
        """The second round runs on a machine that is ten times as slow; a variant takes its number's multiple."""
        turns.append(recipe.sampler.pictures)
        return Took(recipe.sampler.pictures * steps * (10 if len(turns) > 3 else 1))

    monkeypatch.setattr(training, "_watch_training", pretend)
    recipes = [tiny_recipe(f"sampler.pictures={number}", "training.workers=0") for number in (1, 2, 4)]
    variants = {"two": recipes[1], "four": recipes[2]}
    benchmark = toy.load(toy_folder, ManifestSettings())
    result = training.measure(recipes[0], benchmark, device="cpu", steps=2, rounds=3, variants=variants)
    assert turns == [1, 2, 4, 2, 4, 1, 4, 1, 2]
    assert [line["ratios"] for line in result["variants"]] == [[2.0] * 3, [4.0] * 3]
    assert [line["ratio_to_recipe"] for line in result["variants"]] == [2.0, 4.0]
    assert [line["train_step_seconds"] for line in result["variants"]] == [20.0, 40.0]


def test_a_cache_that_is_too_small_says_how_much_it_has(old_pictures: Path, tmp_path: Path) -> None:
    benchmark = toy.load(old_pictures, ManifestSettings())
    size = 32 + 32 * 32 * 3
    place = f"training.cache.folder={tmp_path / 'cache'}"
    recipe = tiny_recipe("training.workers=0", place, f"training.cache.limit_gb={4.5 * size / 1e9:.9f}")
    share = fill_cache(recipe, benchmark, 2)
    assert share is not None
    assert 0 < share < 1
    assert len(list((tmp_path / "cache").glob("??/*.rgb"))) == 4


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ("data.benchmark=manifest", "changes data"),
        ("training.workers", "'training.workers' assigns nothing; wanted 'KEY=VALUE ...'"),
        (" ", "empty; wanted"),
        ("seed='1", "No closing quotation"),
        ("training.worker=1", "unknown setting 'training.worker': did you mean 'workers'"),
    ],
)
def test_a_variant_that_cannot_be_is_refused(run, toy_folder: Path, variant: str, message: str) -> None:
    result = run("bench", "training", "toy", "--data", toy_folder, "--steps", 2, "--rounds", 1, *SMALL, "--variant", variant)
    assert result.code == 2
    assert message in " ".join(result.err.split())


def test_a_variant_is_split_as_by_a_shell() -> None:
    assert assignments_of("a.b=1 c=[2,3]  'd=[4, 5]' e='x y'") == ["a.b=1", "c=[2,3]", "d=[4, 5]", "e=x y"]


def test_bench_gallery_tells_what_it_measured(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clipsenet import open_gallery
    from clipsenet.gallery import neighbourhood

    monkeypatch.setattr(neighbourhood, "INDEXED_FROM", 100)
    words = ("bench", "gallery", "--rows", 3000, "--dim", 64, "--rounds", 3)
    shown = run(*words, "--to", tmp_path / "g")
    assert shown.code == 0, shown.err
    assert "3000 made-up sightings of" in shown.out
    assert "of the bare product" in shown.out
    again = run(*words, "--to", tmp_path / "g")
    assert (again.code, "exists and is not empty" in again.err) == (1, True)
    result = json.loads(run(*words, "--json", "--no-neighbours").out)
    assert "neighbours" not in result
    assert result["same_vehicle_mean"] == pytest.approx(0.7, abs=0.03)
    assert result["same_vehicle_deviation"] == pytest.approx(0.1, abs=0.03)
    assert result["strangers_p999"] > 0.6
    lines = {(line["filter"], line["group"], line["queries"]): line for line in result["searches"]}
    assert len(lines) == 10
    assert {line["candidates"] for line in result["searches"] if line["filter"] == "none"} == {3000}
    for name in ("camera and time", "another column"):
        assert 10 < lines[name, None, 1]["candidates"] < 60, "one in a hundred"
    assert lines["none", None, 1]["ratio"] == lines["none", None, 1]["p50"] / result["bare"]["1"]["p50"]
    day, column = result["forgetting"]
    assert 50 < day["sightings"] < 150, "one of thirty days"
    assert 10 < column["sightings"] <= lines["another column", None, 1]["candidates"]
    with open_gallery(tmp_path / "g") as left:
        assert left.count() == 3000 - day["sightings"] - column["sightings"], "the same seed, the same sightings"
    assert result["vectors_bytes"] == 3000 * 64 * 2
