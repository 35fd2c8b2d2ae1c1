import json

import numpy as np
import pytest

from clipsenet.benchmarking import evaluation, made_up
from clipsenet.benchmarking.evaluation import measure, rows_of
from clipsenet.benchmarking.made_up import SCALES, Scale, draw
from clipsenet.benchmarking.peaks import peak_memory, watching_memory
from clipsenet.datasets.copies import KNOWN
from clipsenet.errors import UsageError

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
    with watching_memory() as peak:
        np.ones(50_000_000, dtype=np.uint8).sum()
    if peak.above_gb is None:
        pytest.skip("only Linux forgets an earlier peak on request")
    assert 0.03 < peak.above_gb < 0.5
    assert peak_memory() > 0.05


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
