"""What search and compare say of a calibrated run's answers, computed a second time by hand; the query's own picture."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from calibrating_cases import by_hand, curve
from clipsenet.calibrating.calibration import Calibration
from clipsenet.calibrating.deciding import Looked, Shown, decide
from clipsenet.calibrating.evidence import FIRST, evidence_of
from clipsenet.contents import contents_of
from clipsenet.datasets.manifest import ManifestSettings, read
from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.gallery.asking import ask, search_picture
from clipsenet.gallery.believing import INEXACT, OWN, with_verdicts
from clipsenet.gallery.embedding import embed_queries, embedding_of, note_run
from clipsenet.gallery.hits import Found
from clipsenet.gallery.ingesting import index
from clipsenet.gallery.interface import NOBODY, Filter, Group
from clipsenet.gallery.local import create_gallery, open_gallery
from clipsenet.quality import measure_qualities
from clipsenet.runs import Run
from clipsenet.sightings import Sightings
from conftest import Result

Call = Callable[..., Result]
CPU = ("--device", "cpu", "--threads", 1)
NO_TRACKS = Looked(np.array([0.9, 0.8, 0.6]), np.array([1, 1, 2]), 50, 0.7, tracks=False)


@pytest.fixture(scope="module")
def own_run(tmp_path_factory: pytest.TempPathFactory, toy_run: Run) -> Run:
    """A copy, since a calibration is written into it."""
    folder = tmp_path_factory.mktemp("calibrated") / "run"
    shutil.copytree(toy_run.folder, folder)
    return Run.open(folder)


@pytest.fixture
def calibration(own_run: Run) -> Calibration:
    """By hand, in the run's folder: two epochs on toys need not mean anything."""
    found = by_hand(own_run.id)
    found.save(own_run.folder)
    return found


@pytest.fixture(scope="module")
def pictures(toy_folder: Path) -> Sightings:
    """All of the toys, with a track for each vehicle's passage of a camera."""
    found = read(toy_folder / "pictures.csv", ManifestSettings())
    return Sightings.of(
        found.files(),
        vehicle=found.column("vehicle").tolist(),
        camera=found.column("camera").tolist(),
        track=[f"{v}-{c}" for v, c in zip(found.column("vehicle"), found.column("camera"), strict=True)],
    )


def gallery_of(folder: Path, run: Run, sightings: Sightings) -> Path:
    with create_gallery(folder, embedding_of(run), dtype="float32") as opened:
        index(run, sightings, opened)
        note_run(opened, run)
    return folder


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory, own_run: Run, toy_folder: Path) -> Path:
    """All of the toys, without tracks."""
    return gallery_of(
        tmp_path_factory.mktemp("galleries") / "g", own_run, read(toy_folder / "pictures.csv", ManifestSettings())
    )


def query_of(run: Run, file: str, box: tuple[int, int, int, int] | None = None) -> Features:
    (query,) = embed_queries(run, Sightings.of([file], **({} if box is None else {"box": [box]})))
    return query


def asked(folder: Path, query: Features, calibration: Calibration, **words: object) -> Found:
    with open_gallery(folder) as opened:
        (found,) = ask(opened, query, calibration=calibration, **words)  # type: ignore[arg-type]
    return found


def sure(found: Found) -> dict[str, float | None]:
    return {hit.path: hit.confidence for hit in found.hits}


def restated(p: float, wrong: float, share: float, other: float) -> float:
    k, m = (1 - other) / (1 - share), other / share
    return k * p / (k * p + (1 - p) * (m * wrong + k * (1 - wrong)))


def test_a_search_gives_the_confidences_of_the_others_and_a_verdict(
    run: Call, own_run: Run, gallery: Path, calibration: Calibration, pictures: Sightings
) -> None:
    """Of 144 pictures, of which one is the query itself."""
    picture = pictures.file(120)
    result = run("search", gallery, picture, "--top", 3, *CPU)
    assert result.code == 0, result.err
    for text in ("confidence", "(the query itself)", f"warning: {OWN}", "143 candidates, calibrated on galleries of 20 to 100"):
        assert text in " ".join(result.out.split())
    told = json.loads(run("search", gallery, picture, "--top", 144, "--json", *CPU).out)
    assert told["candidates"] == 144
    own, *others = told["answers"]
    assert (own["path"], own["own"], own["confidence"]) == (picture, True, None)
    assert not any(hit["own"] for hit in others)
    quality = float(measure_qualities(Sightings.of([picture]))[0][0])
    cosines = np.array([hit["similarity"] for hit in others])
    looked, alone = cosines[:FIRST], np.arange(FIRST)
    evidence = dict(zip(("similarity", "gap", "sharpness"), evidence_of(looked, alone, 143, 0.0), strict=False))
    p = curve(calibration.belief, **evidence, size=float(np.log(143)), quality=quality)
    assert 0.05 < p < 0.95
    verdict = told["verdict"]
    assert (verdict["confidence"], verdict["threshold"]) == (pytest.approx(p, abs=1e-5), 0.55)
    assert verdict["seen"] == (p >= 0.55)
    assert others[0]["confidence"] == verdict["confidence"]
    assert calibration.later is not None
    for number in (1, 20, 49, 50, 142):  # beyond those looked at an answer stands beside them
        beside = np.delete(looked, number) if number < FIRST else looked
        later = curve(
            calibration.later,
            similarity=cosines[number],
            behind=cosines[0] - cosines[number],
            sharpness=cosines[number] - beside.mean(),
            size=float(np.log(143)),
            quality=quality,
        )
        assert others[number]["confidence"] == pytest.approx(min(p, later), abs=1e-5)
    below = [hit["confidence"] for hit in others]
    assert below == sorted(below, reverse=True)  # without tracks every picture stands for itself
    assert len(set(below)) > 100


def test_the_share_of_absent_queries_is_restated_with_its_threshold_and_said_in_words(
    run: Call, gallery: Path, calibration: Calibration, pictures: Sightings
) -> None:
    words = ("search", gallery, pictures.file(120), *CPU)
    once, rarer = (json.loads(run(*words, *more, "--json").out)["verdict"] for more in ((), ("--expect-absent", 0.9)))
    p, at = (restated(once[name], 0.6, 0.5, 0.9) for name in ("confidence", "threshold"))
    assert (rarer["confidence"], rarer["threshold"]) == pytest.approx((p, at))
    assert rarer["seen"] == once["seen"]
    assert (once["expect_absent"], rarer["expect_absent"]) == (0.5, 0.9)
    assert rarer["goal"] == once["goal"] == "f1+tnr at 50 % absent"
    text = " ".join(run(*words, "--expect-absent", 0.9).out.split())
    said = "seen: the first answer is believed" if once["seen"] else "not seen: the first answer is not believed"
    assert f"verdict: {said}; confidence {p:.3f} where 90 % of the queries are absent" in text
    assert f"threshold {at:.3f} chosen for f1+tnr at 50 % absent" in text
    refused = run(*words, "--expect-absent", 1)
    assert (refused.code, "wanted a share from 0 to below 1" in refused.err) == (2, True)


@pytest.mark.parametrize("top", [1, 2, 60])
def test_the_query_s_own_picture_changes_nothing_but_its_own_line(
    own_run: Run, calibration: Calibration, pictures: Sightings, tmp_path: Path, top: int
) -> None:
    """A vehicle that is nowhere else: with its own picture in the gallery the verdict is as without."""
    picture, vehicle = pictures.file(120), pictures.column("vehicle")
    elsewhere = np.flatnonzero(vehicle != vehicle[120])[::2]
    without = gallery_of(tmp_path / "without", own_run, pictures[elsewhere])
    within = gallery_of(tmp_path / "within", own_run, pictures[np.append(elsewhere, 120)])
    query = query_of(own_run, picture)
    plain, own = (asked(folder, query, calibration, top=top) for folder in (without, within))
    assert (plain.candidates, own.candidates) == (len(elsewhere), len(elsewhere) + 1)
    assert plain.verdict is not None
    assert own.verdict == replace(plain.verdict, warnings=(*plain.verdict.warnings, OWN))
    mine, *others = own.hits
    assert (mine.path, mine.own, mine.confidence) == (picture, True, None)
    assert [(hit.path, hit.confidence) for hit in others] == [(hit.path, hit.confidence) for hit in plain.hits[: top - 1]]
    assert not any(hit.own for hit in plain.hits)


def test_a_copy_under_another_name_is_the_same_picture_and_another_box_is_not(
    run: Call, own_run: Run, gallery: Path, calibration: Calibration, pictures: Sightings, tmp_path: Path
) -> None:
    copy = tmp_path / "renamed.png"
    shutil.copy(pictures.file(120), copy)
    first, *others = json.loads(run("search", gallery, copy, "--json", *CPU).out)["answers"]
    assert (first["path"], first["own"], first["confidence"]) == (pictures.file(120), True, None)
    assert not any(hit["own"] for hit in others)
    part = json.loads(run("search", gallery, copy, "--box", "0,0,40,48", "--json", *CPU).out)
    assert not any(hit["own"] for hit in part["answers"])
    assert part["answers"][0]["confidence"] == part["verdict"]["confidence"]
    assert OWN not in part["verdict"]["warnings"]
    boxed = Sightings.of([pictures.file(120), pictures.file(120)], box=[(0, 0, 40, 48), (4, 0, 40, 48)])
    folder = gallery_of(tmp_path / "boxes", own_run, boxed)
    found = asked(folder, query_of(own_run, str(copy), (0, 0, 40, 48)), calibration)
    assert [(hit.box, hit.own, hit.confidence is None) for hit in found.hits] == [
        ((0, 0, 40, 48), True, True),
        ((4, 0, 40, 48), False, False),
    ]


def test_an_own_picture_that_the_filter_leaves_out_is_not_counted(
    own_run: Run, gallery: Path, calibration: Calibration, pictures: Sightings
) -> None:
    other = next(name for name in ("1", "2") if name != pictures.column("camera")[120])
    found = asked(gallery, query_of(own_run, pictures.file(120)), calibration, where=Filter(cameras=(other,)), top=48)
    assert not any(hit.own for hit in found.hits)
    assert found.verdict is not None
    assert found.verdict.warnings == ()
    cosines = np.array([hit.similarity for hit in found.hits])
    quality = float(measure_qualities(Sightings.of([pictures.file(120)]))[0][0])
    wanted = calibration.believe(evidence_of(cosines, np.arange(48), 48, quality)[None]).p[0]
    assert found.hits[0].confidence == found.verdict.confidence == pytest.approx(wanted, abs=1e-5)


def test_where_nothing_but_the_own_picture_is_there_is_no_verdict_and_that_is_said(
    run: Call, own_run: Run, calibration: Calibration, pictures: Sightings, tmp_path: Path
) -> None:
    folder = gallery_of(tmp_path / "g", own_run, pictures[np.array([120])])
    picture = pictures.file(120)
    told = json.loads(run("search", folder, picture, "--json", *CPU).out)
    assert told["verdict"] is None
    assert [(hit["own"], hit["confidence"]) for hit in told["answers"]] == [(True, None)]
    said = "no verdict: nothing but the query's own picture was found"
    text = run("search", folder, picture, *CPU).out
    assert said in text
    assert "confidence" not in text
    (tmp_path / "q.csv").write_text(f"path\n{picture}\n")
    assert said in run("search", folder, tmp_path / "q.csv", "--out", tmp_path / "a.csv", *CPU).out
    (row,) = table(tmp_path / "a.csv")
    assert (row["own"], row["seen"], row["confidence"], row["threshold"]) == ("True", "", "", "")


@pytest.mark.parametrize("group", ["track", "camera"])
@pytest.mark.parametrize("top", [1, 72])
def test_groups_do_not_change_the_verdict_of_a_query_whose_own_picture_is_in(
    own_run: Run, calibration: Calibration, pictures: Sightings, tmp_path: Path, group: Group, top: int
) -> None:
    """Its picture stands for its group and hides the next of its passage, where that is the one most alike."""
    folder = gallery_of(tmp_path / "g", own_run, pictures)
    for row in range(90, 144):
        query = query_of(own_run, pictures.file(row))
        alone = asked(folder, query, calibration, top=144)
        own, next_, *_ = alone.hits
        if getattr(own, group) == getattr(next_, group):
            break
    else:
        pytest.fail("of no query the most alike is of its own group: the case is not tested")
    grouped = asked(folder, query, calibration, top=top, group=group)
    assert alone.verdict is not None
    assert alone.verdict.warnings == (*calibration.warnings(143, tracks=True), OWN)
    assert grouped.verdict == alone.verdict
    assert [hit.own for hit in grouped.hits] == [True] + [False] * (len(grouped.hits) - 1)
    by_path = sure(alone)
    for hit in grouped.hits:
        assert hit.confidence == (None if hit.own else pytest.approx(by_path[hit.path], abs=1e-5))


def test_tracks_and_cameras_are_judged_by_their_pictures(
    own_run: Run, calibration: Calibration, pictures: Sightings, tmp_path: Path
) -> None:
    folder = gallery_of(tmp_path / "g", own_run, pictures[np.flatnonzero(np.arange(144) != 3)])
    query = query_of(own_run, pictures.file(3))
    single, tracks, cameras = (asked(folder, query, calibration, top=143, group=group) for group in (None, "track", "camera"))
    of_picture = sure(single)
    assert single.verdict is not None
    assert single.hits[0].confidence == single.verdict.confidence == max(filter(None, of_picture.values()))
    for found in (tracks, cameras):
        assert found.verdict is not None
        assert found.verdict.confidence == found.hits[0].confidence
    assert cameras.verdict == single.verdict
    same_first = tracks.hits[0].path == single.hits[0].path
    assert same_first, "the case is meant to have the same first picture"
    for found in (tracks, cameras):
        for hit in found.hits:
            assert hit.confidence == pytest.approx(of_picture[hit.path], abs=1e-5)
    first = [hit for hit in single.hits if (hit.track, hit.camera) == (single.hits[0].track, single.hits[0].camera)]
    assert {hit.confidence for hit in first} == {single.verdict.confidence}


def test_a_gallery_without_tracks_is_warned_of_where_they_were_learned_with(
    own_run: Run, gallery: Path, calibration: Calibration, pictures: Sightings, tmp_path: Path
) -> None:
    calibration = calibration.model_copy(update={"tracks": True})
    query = query_of(own_run, pictures.file(120))
    within = gallery_of(tmp_path / "g", own_run, pictures[np.arange(60, 144)])
    without, with_ = (asked(folder, query, calibration).verdict for folder in (gallery, within))
    assert without is not None
    assert with_ is not None
    assert without.warnings == (*calibration.warnings(143, tracks=False), OWN)
    assert with_.warnings == (OWN,)


def test_one_picture_in_the_gallery_is_a_pair(
    own_run: Run, calibration: Calibration, pictures: Sightings, tmp_path: Path
) -> None:
    folder = gallery_of(tmp_path / "g", own_run, pictures[np.array([120])])
    query = query_of(own_run, pictures.file(125))
    with open_gallery(folder) as opened:
        (hit,) = search_picture(opened, pictures.file(125), run=own_run, calibration=calibration)
        own, *_ = search_picture(opened, pictures.file(120), run=own_run, calibration=calibration)
    found = asked(folder, query, calibration)
    assert found.verdict is not None
    assert found.verdict.warnings == ()
    assert found.verdict.threshold == calibration.pair.threshold
    assert found.verdict.confidence == pytest.approx(curve(calibration.pair, similarity=hit.similarity), abs=1e-5)
    assert hit.confidence == pytest.approx(found.verdict.confidence, abs=1e-4)
    assert (own.own, own.confidence) == (True, None)
    # with its own picture beside it, what is left is a pair, too
    both = gallery_of(tmp_path / "both", own_run, pictures[np.array([120, 125])])
    again = asked(both, query, calibration)
    assert again.verdict is not None
    assert again.verdict.confidence == pytest.approx(found.verdict.confidence)
    assert replace(again.verdict, confidence=found.verdict.confidence) == replace(found.verdict, warnings=(OWN,))


def test_an_index_that_may_miss_some_is_warned_of(
    own_run: Run, gallery: Path, calibration: Calibration, pictures: Sightings
) -> None:
    query = query_of(own_run, pictures.file(120))
    found = asked(gallery, query, calibration)
    first = np.array([hit.id for hit in found.hits]), np.array([hit.similarity for hit in found.hits])
    with open_gallery(gallery) as opened:
        own = np.array([NOBODY])
        (missed,) = with_verdicts(opened, query, [replace(found, exact=False)], [first], own, calibration, group=None)
        (exact,) = with_verdicts(opened, query, [found], [first], own, calibration, group=None)
    assert exact.verdict is not None
    assert missed.verdict == replace(exact.verdict, warnings=(*exact.verdict.warnings, INEXACT))


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_lists_of_queries_have_verdicts_with_all_that_they_stand_on(
    run: Call, own_run: Run, gallery: Path, calibration: Calibration, pictures: Sightings, tmp_path: Path
) -> None:
    files = [*pictures.files()[120:123], str(tmp_path / "strange.png")]
    shutil.copy(pictures.file(50), files[3])
    with Path(files[3]).open("ab") as file:
        file.write(b"\0")  # the same picture, and another file
    (tmp_path / "q.csv").write_text("path\n" + "\n".join(files) + "\n")
    for name in ("a.csv", "a.parquet"):
        result = run("search", gallery, tmp_path / "q.csv", "--top", 2, "--out", tmp_path / name, *CPU)
        assert result.code == 0, result.err
    text = " ".join(result.out.split())
    assert "verdicts on 4 of them; threshold and goal stand beside each" in text
    assert f"warning, of 3 queries: {OWN}" in text
    assert "warning, of 1 queries: 144 candidates, calibrated on galleries of 20 to 100" in text
    rows = table(tmp_path / "a.csv")
    assert [row["own"] for row in rows] == ["True", "False"] * 3 + ["False"] * 2
    for number, file in enumerate(files):
        one = json.loads(run("search", gallery, file, "--top", 2, "--json", *CPU).out)
        for row, hit in zip(rows[2 * number : 2 * number + 2], one["answers"], strict=True):
            assert (row["query"], row["path"]) == (file, hit["path"])
            told = float(row["confidence"]) if row["confidence"] else None
            assert told == (None if hit["confidence"] is None else pytest.approx(hit["confidence"], abs=1e-5))
            assert float(row["threshold"]) == one["verdict"]["threshold"] == 0.55
            assert (row["seen"], row["goal"]) == (str(one["verdict"]["seen"]), "f1+tnr at 50 % absent")
            assert row["warnings"] == "; ".join(one["verdict"]["warnings"])
    parquet = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert [(row["own"], row["goal"], row["warnings"]) for row in parquet] == [
        (row["own"] == "True", row["goal"], row["warnings"]) for row in rows
    ]
    assert [row["threshold"] for row in parquet] == pytest.approx([0.55] * 8)


def test_another_similarity_or_run_gets_no_verdict(
    run: Call, own_run: Run, gallery: Path, calibration: Calibration, pictures: Sightings
) -> None:
    picture = pictures.file(120)
    other = run("search", gallery, picture, "--similarity", "k-reciprocal:k1=4,k2=2,original=0.3", *CPU)
    assert other.code == 0, other.err
    assert "no verdict: the calibration is for similarity 'cosine'" in other.out
    query = query_of(own_run, picture)
    strange = calibration.model_copy(update={"run_id": "0" * 64})
    with pytest.raises(ClipsenetError, match="the calibration is of run 0000"):
        asked(gallery, query, strange)
    strange.save(own_run.folder)
    result = run("search", gallery, picture, "--json", *CPU)
    assert json.loads(result.out)["verdict"] is None
    assert json.loads(result.out)["answers"][0]["own"] is True
    assert run("search", gallery, picture, "--expect-absent", 0.2, *CPU).code == 2


def test_a_re_ranked_search_is_judged_by_its_own_numbers(
    run: Call, own_run: Run, gallery: Path, calibration: Calibration, pictures: Sightings
) -> None:
    chain = "k-reciprocal:k1=4,k2=2,original=0.3,queries=alone,limit=0"
    words = ("search", gallery, pictures.file(120), "--similarity", chain, "--top", 60, "--json", *CPU)
    name = json.loads(run(*words).out)["similarity"].split(", among")[0]
    calibration.model_copy(update={"similarity": name}).save(own_run.folder)
    told = json.loads(run(*words).out)
    (own,) = [hit for hit in told["answers"] if hit["own"]]
    assert (own["path"], own["confidence"]) == (pictures.file(120), None)
    numbers = np.array([hit["similarity"] for hit in told["answers"] if not hit["own"]])[:FIRST]
    quality = float(measure_qualities(Sightings.of([pictures.file(120)]))[0][0])
    wanted = calibration.believe(evidence_of(numbers, np.arange(FIRST), 143, quality)[None]).p[0]
    assert told["verdict"]["confidence"] == pytest.approx(wanted, abs=1e-5)


def test_compare_asks_the_curve_of_pairs(
    run: Call, own_run: Run, gallery: Path, calibration: Calibration, pictures: Sightings
) -> None:
    a, b = pictures.file(120), pictures.file(130)
    same, other = (json.loads(run("compare", own_run.folder, a, one, "--json").out) for one in (a, b))
    for told in (same, other):
        p = curve(calibration.pair, similarity=told["cosine"])
        assert told["verdict"]["confidence"] == pytest.approx(p)
        assert told["verdict"]["threshold"] == calibration.pair.threshold
        assert told["verdict"]["seen"] == (p >= calibration.pair.threshold)
        assert told["verdict"]["warnings"] == []
    assert same["verdict"]["confidence"] > other["verdict"]["confidence"]
    text = " ".join(run("compare", own_run.folder, a, b, "--expect-absent", 0.9).out.split())
    p, at = restated(curve(calibration.pair, similarity=other["cosine"]), 1.0, 0.5, 0.9), restated(0.7, 1.0, 0.5, 0.9)
    assert f"confidence {p:.3f} where 90 % of the pairs are of two vehicles, threshold {at:.3f} chosen for f1+tnr" in text
    assert "warning" not in text
    assert "verdict: " in text


def test_those_of_the_first_one_s_track_are_as_sure_as_it_and_none_is_surer() -> None:
    calibration = by_hand("r" * 64)
    assert calibration.later is not None
    shown = [Shown(0, 0.9, 1), Shown(1, 0.8, 1), Shown(2, 0.6, 2), Shown(None, 0.5, 1), Shown(None, 0.4, 7)]
    confidences, verdict = decide(calibration, NO_TRACKS, shown)
    size = float(np.log(50))
    p = curve(calibration.belief, similarity=0.9, gap=0.3, sharpness=0.2, size=size, quality=0.7)
    of_third = curve(calibration.later, similarity=0.6, behind=0.3, sharpness=0.6 - 0.85, size=size, quality=0.7)
    of_last = curve(calibration.later, similarity=0.4, behind=0.5, sharpness=0.4 - 2.3 / 3, size=size, quality=0.7)
    assert of_last < of_third < p
    assert confidences == pytest.approx([p, p, of_third, p, of_last])
    assert (verdict.confidence, verdict.seen) == (pytest.approx(p), p >= 0.55)
    surer = calibration.model_copy(update={"later": calibration.later.model_copy(update={"intercept": 30.0})})
    assert decide(surer, NO_TRACKS, shown)[0] == pytest.approx([p] * 5)


def test_answers_of_which_nothing_was_learned_have_no_confidence() -> None:
    shown = [Shown(0, 0.9, 1), Shown(1, 0.8, 1), Shown(2, 0.6, 2)]
    (p, same, other), _ = decide(by_hand("r" * 64, later=False), NO_TRACKS, shown)
    assert p == same
    assert other is None


def test_a_content_is_that_of_the_file_and_its_box(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    (tmp_path / "b.png").write_bytes(b"one")
    (tmp_path / "c.png").write_bytes(b"two")
    files = [str(tmp_path / name) for name in ("a.png", "b.png", "c.png", "gone.png")]
    a, b, c, gone = contents_of(Sightings.of(files))
    assert a == b != c
    assert gone == ""
    assert len({a, *contents_of(Sightings.of([files[0]] * 2, box=[(0, 0, 2, 2), (0, 0, 2, 3)]))}) == 3
