"""calibrate, and what search and compare say with it; searches of drawn galleries against a slow loop."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clipsenet.calibrating.asked import prepare
from clipsenet.calibrating.calibration import Calibration, load_calibration
from clipsenet.calibrating.disjoint import require_unlearned, require_untouched
from clipsenet.calibrating.evidence import FIRST, SIGNS, evidence_of, track_numbers
from clipsenet.calibrating.goals import parse_goal
from clipsenet.calibrating.nested import judge_nested
from clipsenet.calibrating.searches import search_drawn, sizes_up_to
from clipsenet.chain import PLAIN, Chain
from clipsenet.datasets.manifest import ManifestSettings, read
from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.gallery.asking import ask, search_picture
from clipsenet.gallery.embedding import embed_queries, embedding_of, note_run
from clipsenet.gallery.hits import Found
from clipsenet.gallery.ingesting import index
from clipsenet.gallery.local import create_gallery, open_gallery
from clipsenet.protocol import Benchmark
from clipsenet.quality import measure_qualities
from clipsenet.runs import Run
from clipsenet.sightings import Sightings
from clipsenet.trials import all_against_all
from conftest import Result

Call = Callable[..., Result]
CPU = ("--device", "cpu", "--threads", 1)


def made_up(vehicles: int, pictures: int, seed: int = 0, dim: int = 8) -> Features:
    rng = np.random.default_rng(seed)
    rows = [(v, p) for v in range(vehicles) for p in range(pictures)]
    centre = rng.normal(size=(vehicles, dim))
    vectors = np.stack([centre[v] + 0.8 * rng.normal(size=dim) for v, _ in rows]).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    some = Sightings.of(
        [f"{v}_{p}.png" for v, p in rows],
        vehicle=[f"v{v}" for v, _ in rows],
        camera=[str(p % 2) for _, p in rows],
        track=[f"v{v}t{p // 2}" for v, p in rows],
    )
    return Features(some, vectors, "r" * 64)


@pytest.mark.parametrize("chain", ["cosine", "k-reciprocal:k1=4,k2=2,original=0.3"])
def test_drawn_searches_hold_exactly_their_size_and_tell_the_truth(chain: str) -> None:
    features = made_up(12, 4)
    quality = np.linspace(0.1, 1, 48, dtype=np.float32)
    found = search_drawn(features, features, quality, "same-camera", Chain.parse(chain), [1, 20, 40], shares=(0.0, 0.5, 1.0))
    assert len(found) == 48 * 9
    assert np.exp(found.evidence[:, 3]).round().astype(int).tolist() == found.size.tolist()
    by_share = found.present.reshape(48, 3, 3)  # queries, sizes, shares
    assert not by_share[:, :, 2].any()
    assert by_share[:, 2, 0].mean() > 0.9  # 40 of 46 pictures: both of its own are rarely missed
    assert 0.3 < by_share[:, 2, 1].mean() < 0.7
    assert not (found.right & ~found.present).any()
    alone = found.size == 1
    assert np.isnan(found.evidence[alone][:, [1, 2]]).all()
    again = search_drawn(features, features, quality, "same-camera", Chain.parse(chain), [1, 20, 40], shares=(0.0, 0.5, 1.0))
    assert np.array_equal(again.evidence, found.evidence, equal_nan=True)


def test_a_full_gallery_is_searched_as_a_slow_loop_does() -> None:
    features = made_up(30, 4, seed=2)
    sightings, quality = features.sightings, np.full(120, 0.5, dtype=np.float32)
    found = search_drawn(features, features, quality, "same-camera", PLAIN, [118], shares=(0.0,))
    track = track_numbers(sightings)
    vehicle, camera = sightings.column("vehicle"), sightings.column("camera")
    for row in range(120):
        rows = [other for other in range(120) if vehicle[other] != vehicle[row] or camera[other] != camera[row]]
        assert len(rows) == 118
        cosines = features.embeddings[rows] @ features.embeddings[row]
        order = np.argsort(-cosines, kind="stable")[:FIRST]
        wanted = evidence_of(cosines[order].astype(float), track[np.array(rows)[order]], 118, 0.5)
        assert found.evidence[row] == pytest.approx(wanted, abs=1e-5)
        assert found.right[row] == (vehicle[rows[order[0]]] == vehicle[row])


def test_a_constant_embedding_is_never_right() -> None:
    features = made_up(6, 4)
    flat = Features(features.sightings, np.tile(features.embeddings[:1], (24, 1)), features.run_id)
    found = search_drawn(flat, flat, np.full(24, 0.5, dtype=np.float32), "same-camera", PLAIN, [18], shares=(0.0,))
    assert found.present.all()
    assert not found.right.any()


def test_sizes_go_up_in_even_steps() -> None:
    assert sizes_up_to(4000) == [100, 251, 632, 1591, 4000]
    assert sizes_up_to(8) == [2, 4, 8]
    assert sizes_up_to(2) == [2]
    with pytest.raises(ClipsenetError, match="finds 1 pictures of other vehicles"):
        sizes_up_to(1)


@pytest.fixture(scope="module")
def own_run(tmp_path_factory: pytest.TempPathFactory, toy_run: Run) -> Run:
    """A copy, since a calibration is written into it."""
    folder = tmp_path_factory.mktemp("calibrated") / "run"
    shutil.copytree(toy_run.folder, folder)
    return Run.open(folder)


@pytest.fixture(scope="module")
def calibrated(own_run: Run, toy_benchmark: Benchmark) -> Calibration:
    from clipsenet.calibrating.fitting import fit

    validation = toy_benchmark.validation
    asked = prepare("toy validation", own_run, validation, all_against_all(validation), "same-camera")
    examples = asked.search(PLAIN, sizes_up_to(asked.largest), 0)
    found = fit(examples, asked.source(PLAIN), parse_goal("f1+tnr"))
    found.save(own_run.folder)
    return found


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory, toy_folder: Path, own_run: Run) -> Path:
    folder = tmp_path_factory.mktemp("galleries") / "g"
    with create_gallery(folder, embedding_of(own_run), dtype="float32") as opened:
        index(own_run, read(toy_folder / "pictures.csv", ManifestSettings()), opened)
        note_run(opened, own_run)
    return folder


def test_calibrate_learns_judges_and_keeps(run: Call, own_run: Run, toy_folder: Path, tmp_path: Path) -> None:
    words = ("calibrate", own_run.folder, "--data", toy_folder, "--draws", 20, *CPU)
    result = run(*words, "--figures", tmp_path / "figures", "--goal", "false-alarms<=10%")
    assert result.code == 0, result.err
    for text in (
        "learned from toy validation",
        "galleries of",
        "Brier score",
        "0.7 F1 + 0.3 TNR",
        "similarity alone",
        "kept in",
    ):
        assert text in result.out
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"reliability.png", "det.png"}
    kept = load_calibration(own_run.folder)
    assert kept is not None
    assert (kept.run_id, kept.similarity, kept.goal) == (own_run.id, "cosine", "false-alarms<=10%")
    told = json.loads(run(*words, "--judge-only", "--json").out)
    assert told["judged"][0]["title"] == "all"
    assert told["judged"][0]["figures"].keys() == {"calibrated", "similarity alone", "difference"}
    assert 0 < told["judged"][0]["absent"] < told["judged"][0]["searches"]


def test_folds_judge_vehicles_that_their_calibration_never_saw(
    run: Call, own_run: Run, toy_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import clipsenet.calibrating.nested as nested

    seen: list[tuple[set[str], set[str]]] = []
    fit, judge = nested.fit, nested.judge
    learned: list[set[str]] = []

    def spy_fit(examples, *rest):
        learned.append(set(examples.vehicle.tolist()))
        return fit(examples, *rest)

    def spy_judge(examples, calibration):
        seen.append((learned[-1], set(examples.vehicle.tolist())))
        return judge(examples, calibration)

    monkeypatch.setattr(nested, "fit", spy_fit)
    monkeypatch.setattr(nested, "judge", spy_judge)
    features = made_up(20, 4, seed=5)
    from clipsenet.calibrating.asked import Asked

    asked = Asked("made up", features, np.full(80, 0.5, dtype=np.float32), all_against_all(features.sightings), "same-camera")
    judged = judge_nested(asked, PLAIN, parse_goal("f1+tnr"), folds=4)
    assert len(seen) == 4
    for learned_from, tested in seen:
        assert learned_from
        assert tested
        assert not learned_from & tested
    assert set(judged.examples.vehicle.tolist()) == {f"v{number}" for number in range(20)}
    with pytest.raises(ClipsenetError, match="wanted 2 to 20, the number of vehicles"):
        judge_nested(asked, PLAIN, parse_goal("f1+tnr"), folds=21)
    result = run("calibrate", own_run.folder, "--data", toy_folder, "--folds", 2, "--draws", 0, *CPU)
    assert result.code == 0, result.err
    assert "judged in 2 nested folds" in result.out


def test_vehicles_that_meet_are_refused(
    run: Call, own_run: Run, toy_benchmark: Benchmark, calibrated: Calibration, tmp_path: Path
) -> None:
    train = toy_benchmark.train
    with pytest.raises(ClipsenetError, match=r"was trained on .* of the validation pictures"):
        require_unlearned(own_run, train, "validation")
    renamed = Sightings.of(["else/a.png"], vehicle=[str(train.column("vehicle")[0])])
    with pytest.raises(ClipsenetError, match="pass --other-vehicles"):
        require_unlearned(own_run, renamed, "test")
    (note,) = require_unlearned(own_run, renamed, "test", other_vehicles=True)
    assert "said to be others" in note
    assert require_unlearned(own_run, toy_benchmark.test, "test") == []
    require_untouched(calibrated, toy_benchmark.test)
    with pytest.raises(ClipsenetError, match="pictures made the calibration"):
        require_untouched(calibrated, toy_benchmark.validation)


def test_what_cannot_be_calibrated_is_explained(
    run: Call, own_run: Run, toy_run: Run, toy_folder: Path, tmp_path: Path
) -> None:
    with (toy_folder / "pictures.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] in ("query", "gallery")]
    lines = [f"{toy_folder / row['path']},{row['vehicle']},{row['camera']},{row['split']}" for row in rows]
    (tmp_path / "test.csv").write_text("\n".join(["path,vehicle,camera,split", *lines]) + "\n")
    base = ("calibrate", own_run.folder, "--data", tmp_path / "test.csv", "--benchmark", "manifest", *CPU)
    for words, code, message in (
        ((), 1, "has no validation part to learn from"),
        (("--goal", "yes"), 2, "wanted f1+tnr"),
        (("--sizes", "10,x"), 2, "wanted whole numbers from 1"),
        (("--expect-absent", "1"), 1, "has no validation part"),
        (("--folds", "2", "--judge-only"), 2, "leave one of them out"),
        (("--goal", "f1+tnr", "--judge-only"), 2, "--goal with --judge-only"),
        (("--set", "model.dim=3"), 2, "calibrate takes data.* only"),
    ):
        result = run(*base, *words)
        assert (result.code, message in result.err) == (code, True), result.err
    bare = run("calibrate", toy_run.folder, "--data", tmp_path / "test.csv", "--benchmark", "manifest", "--judge-only", *CPU)
    assert bare.code == 1
    assert "has no calibration" in bare.err


def test_a_search_gives_confidences_and_a_verdict(
    run: Call, own_run: Run, gallery: Path, calibrated: Calibration, toy_benchmark: Benchmark
) -> None:
    calibrated.save(own_run.folder)
    picture = toy_benchmark.test.file(0)
    result = run("search", gallery, picture, "--top", 3, *CPU)
    assert result.code == 0, result.err
    assert "confidence" in result.out
    assert f"threshold {calibrated.belief.threshold:.3f} for f1+tnr, where 50 %" in result.out
    assert "144 candidates, calibrated on galleries of" in result.out
    told = json.loads(run("search", gallery, picture, "--top", 144, "--json", *CPU).out)
    (query,) = embed_queries(own_run, Sightings.of([picture]))
    quality, _ = measure_qualities(query.sightings)
    cosines = np.array([hit["similarity"] for hit in told["answers"]])
    first, track = cosines[:FIRST], np.arange(FIRST)
    evidence = evidence_of(first, track, 144, float(quality[0]))
    p = float(calibrated.probability(evidence[None])[0])
    assert told["verdict"]["confidence"] == pytest.approx(p, abs=1e-4)
    assert told["verdict"]["seen"] == (p >= calibrated.belief.threshold)
    assert told["answers"][0]["confidence"] == told["verdict"]["confidence"]
    sure = [hit["confidence"] for hit in told["answers"]]
    assert sure == sorted(sure, reverse=True)  # without tracks every picture stands for itself
    rarer = json.loads(run("search", gallery, picture, "--expect-absent", 0.9, "--json", *CPU).out)
    assert rarer["verdict"]["confidence"] < told["verdict"]["confidence"]
    assert rarer["verdict"]["seen"] == told["verdict"]["seen"]


def test_lists_of_queries_have_verdicts_too(
    run: Call, own_run: Run, gallery: Path, calibrated: Calibration, toy_benchmark: Benchmark, tmp_path: Path
) -> None:
    calibrated.save(own_run.folder)
    (tmp_path / "q.csv").write_text("path\n" + "\n".join(toy_benchmark.test.files()[:4]) + "\n")
    result = run("search", gallery, tmp_path / "q.csv", "--top", 2, "--out", tmp_path / "a.csv", *CPU)
    assert result.code == 0, result.err
    assert "verdicts: accepted from" in result.out
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert all(0 <= float(row["confidence"]) <= 1 and row["seen"] in ("True", "False") for row in rows)


def test_another_similarity_or_run_gets_no_verdict(
    run: Call, own_run: Run, gallery: Path, calibrated: Calibration, toy_benchmark: Benchmark
) -> None:
    calibrated.save(own_run.folder)
    picture = toy_benchmark.test.file(0)
    other = run("search", gallery, picture, "--similarity", "k-reciprocal:k1=4,k2=2,original=0.3", *CPU)
    assert other.code == 0, other.err
    assert "no verdict: the calibration is for similarity 'cosine'" in other.out
    (query,) = embed_queries(own_run, Sightings.of([picture]))
    strange = calibrated.model_copy(update={"run_id": "0" * 64})
    with open_gallery(gallery) as opened, pytest.raises(ClipsenetError, match="the calibration is of run 0000"):
        ask(opened, query, calibration=strange)
    strange.save(own_run.folder)
    result = run("search", gallery, picture, "--json", *CPU)
    assert json.loads(result.out)["verdict"] is None
    assert run("search", gallery, picture, "--expect-absent", 0.2, *CPU).code == 2


def test_tracks_and_cameras_are_judged_by_their_pictures(
    own_run: Run, calibrated: Calibration, toy_folder: Path, tmp_path: Path
) -> None:
    pictures = read(toy_folder / "pictures.csv", ManifestSettings())
    named = Sightings.of(
        pictures.files(),
        camera=pictures.column("camera").tolist(),
        track=[f"{v}-{c}" for v, c in zip(pictures.column("vehicle"), pictures.column("camera"), strict=True)],
    )
    weights = tuple(one.model_copy(update={"weight": float(SIGNS[one.name])}) for one in calibrated.belief.features)
    calibrated = calibrated.model_copy(update={"belief": calibrated.belief.model_copy(update={"features": weights})})
    with create_gallery(tmp_path / "g", embedding_of(own_run), dtype="float32") as opened:
        index(own_run, named, opened)
        (query,) = embed_queries(own_run, Sightings.of([pictures.file(3)]))
        (pictures_,), (tracks,), (cameras,) = (
            ask(opened, query, top=72, group=group, calibration=calibrated) for group in (None, "track", "camera")
        )
    sure = {hit.id: hit.confidence for hit in pictures_.hits}

    def same(found: Found) -> None:
        for hit in found.hits:
            if hit.id in sure:
                assert hit.confidence == pytest.approx(sure[hit.id], rel=1e-2)

    same(tracks)
    same(cameras)
    assert tracks.verdict is not None
    assert tracks.verdict.confidence == tracks.hits[0].confidence
    assert pictures_.hits[0].confidence == pytest.approx(max(filter(None, sure.values())))


def test_one_picture_in_the_gallery_is_asked_of(
    own_run: Run, calibrated: Calibration, toy_benchmark: Benchmark, tmp_path: Path
) -> None:
    with create_gallery(tmp_path / "g", embedding_of(own_run), dtype="float32") as opened:
        index(own_run, toy_benchmark.test[np.array([0])], opened)
        picture = toy_benchmark.test.file(5)
        (hit,) = search_picture(opened, picture, run=own_run, calibration=calibrated)
        (query,) = embed_queries(own_run, Sightings.of([picture]))
        (found,) = ask(opened, query, calibration=calibrated)
    assert found.verdict is not None
    assert found.verdict.warnings[0].startswith("1 candidates, calibrated on galleries of")
    assert hit.confidence == pytest.approx(found.verdict.confidence, abs=1e-4)


def test_compare_says_how_sure(run: Call, own_run: Run, calibrated: Calibration, toy_benchmark: Benchmark) -> None:
    (weighed,) = calibrated.plain.features  # two epochs on toys: more similarity need not mean anything
    plain = calibrated.plain.model_copy(update={"features": (weighed.model_copy(update={"weight": 2.0}),)})
    calibrated.model_copy(update={"plain": plain}).save(own_run.folder)
    a, b = toy_benchmark.test.file(0), toy_benchmark.test.file(9)
    same = json.loads(run("compare", own_run.folder, a, a, "--json").out)["verdict"]
    other = json.loads(run("compare", own_run.folder, a, b, "--json").out)["verdict"]
    assert same["confidence"] > other["confidence"]
    text = run("compare", own_run.folder, a, b).out
    assert "warning: 1 candidates" in text
    assert "verdict: " in text
