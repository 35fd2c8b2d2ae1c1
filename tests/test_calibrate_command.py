"""calibrate: what it learns, keeps, prints and refuses."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from calibrating_cases import by_hand
from clipsenet.calibrating import judging
from clipsenet.calibrating.asked import prepare
from clipsenet.calibrating.calibration import Calibration, load_calibration
from clipsenet.calibrating.disjoint import name_digests, require_unlearned, require_untouched
from clipsenet.chain import PLAIN
from clipsenet.contents import contents_of
from clipsenet.errors import ClipsenetError
from clipsenet.protocol import Benchmark
from clipsenet.runs import Run
from clipsenet.sightings import Sightings
from clipsenet.trials import all_against_all
from conftest import Result

Call = Callable[..., Result]
Row = dict[str, str]
CPU = ("--device", "cpu", "--threads", 1)


@pytest.fixture(scope="module")
def own_run(tmp_path_factory: pytest.TempPathFactory, toy_run: Run) -> Run:
    """A copy, since a calibration is written into it."""
    folder = tmp_path_factory.mktemp("calibrated") / "run"
    shutil.copytree(toy_run.folder, folder)
    return Run.open(folder)


@pytest.fixture(scope="module")
def rows(toy_folder: Path) -> list[Row]:
    """The toys' list, with whole paths."""
    with (toy_folder / "pictures.csv").open(newline="") as file:
        return [row | {"path": str(toy_folder / row["path"])} for row in csv.DictReader(file)]


@pytest.fixture
def listed(tmp_path: Path, own_run: Run) -> Callable[..., tuple[object, ...]]:
    """The words that calibrate the run on a list of these rows; quickly."""

    def words(some: list[Row], *more: object) -> tuple[object, ...]:
        path = tmp_path / "list.csv"
        lines = [",".join(row[name] for name in ("path", "vehicle", "camera", "split")) for row in some]
        path.write_text("\n".join(["path,vehicle,camera,split", *lines]) + "\n")
        return ("calibrate", own_run.folder, "--data", path, "--benchmark", "manifest", "--draws", 0, *more, *CPU)

    return words


@pytest.fixture
def kept(run: Call, own_run: Run, toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a calibration that was learned from the toys' validation part, which lies in the run."""
    path = own_run.folder / "calibration.json"
    spare = tmp_path_factory.getbasetemp() / "learned-from-toys.json"
    if not spare.is_file():
        result = run("calibrate", own_run.folder, "--data", toy_folder, "--draws", 0, *CPU)
        assert result.code == 0, result.err
        shutil.copy(path, spare)
    shutil.copy(spare, path)
    return spare.read_bytes()


def of(rows: list[Row], *splits: str) -> list[Row]:
    return [row for row in rows if row["split"] in splits]


def squeezed(text: str) -> str:
    return " ".join(text.split())


def loaded(run: Run) -> Calibration:
    found = load_calibration(run.folder)
    assert found is not None
    return found


def test_calibrate_learns_judges_and_keeps(run: Call, own_run: Run, toy_folder: Path, tmp_path: Path) -> None:
    words = ("calibrate", own_run.folder, "--data", toy_folder, "--draws", 20, *CPU)
    result = run(*words, "--figures", tmp_path / "figures", "--goal", "false-alarms<=10%")
    assert result.code == 0, result.err
    for text in (
        "learned from toy validation",
        "galleries of",
        "chosen for false-alarms<=10%; it rests on",
        "two pictures: accepted from",
        "Brier score",
        "0.7 F1 + 0.3 TNR",
        "similarity alone",
        "first answers: mean confidence",
        "two pictures: 84 pairs, 63 of two vehicles; beside it the threshold of searches",
        "pairs: mean confidence",
        "kept in",
    ):
        assert text in squeezed(result.out)
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"reliability.png", "det.png"}
    kept = loaded(own_run)
    assert (kept.run_id, kept.similarity, kept.goal) == (own_run.id, "cosine", "false-alarms<=10%")
    assert (kept.queries, kept.vehicles, kept.expect_absent) == (18, 3, 0.5)


def test_judging_alone_says_the_same_and_touches_nothing(run: Call, own_run: Run, toy_folder: Path, kept: bytes) -> None:
    path = own_run.folder / "calibration.json"
    path.write_text(json.dumps(json.loads(kept)))  # written otherwise than it would be
    before = path.read_bytes()
    told = json.loads(run("calibrate", own_run.folder, "--data", toy_folder, "--judge-only", "--draws", 9, "--json", *CPU).out)
    assert path.read_bytes() == before != kept
    assert told.keys() == {
        "calibration",
        "judged",
        "reliability",
        "pairs",
        "reliability_of_pairs",
        "reliability_of_later",
        "notes",
    }
    assert told["calibration"] == {name: value for name, value in json.loads(kept).items() if name not in ("pictures", "named")}
    (all_, *sizes), (pairs,) = told["judged"], told["pairs"]
    assert [all_["title"], pairs["title"]] == ["all", "all"]
    assert [one["title"] for one in sizes] == ["3", "6", "12", "18"]  # as learned, and all there are; of 30 there are none
    for one in (all_, pairs):
        assert one["figures"].keys() == {"calibrated", "similarity alone", "difference"}
        assert len(one["intervals"]["calibrated"]["brier"]) == 2
        assert 0 < one["absent"] < one["searches"]
    assert (pairs["searches"], pairs["absent"]) == (21 * 4, 21 * 3)
    for name in ("reliability", "reliability_of_pairs", "reliability_of_later"):
        assert sum(one["share"] for one in told[name]) == pytest.approx(1)
    assert told["notes"] == []


@pytest.mark.parametrize(("share", "of_pairs"), [(0.2, 0.2), (0.0, 0.5)])
def test_what_is_shown_is_weighed_by_the_expected_share(
    run: Call, own_run: Run, toy_folder: Path, monkeypatch: pytest.MonkeyPatch, share: float, of_pairs: float
) -> None:
    seen: list[tuple[str, bool, float]] = []
    for name in ("sections", "reliability"):
        made = getattr(judging, name)

        def spy(judged: judging.Judged, absent_share: float, draws: int, name: str = name, made: Callable = made) -> object:
            seen.append((name, bool((judged.examples.size == 1).all()), absent_share))
            return made(judged, absent_share, draws)

        monkeypatch.setattr(judging, name, spy)
    result = run("calibrate", own_run.folder, "--data", toy_folder, "--draws", 0, "--expect-absent", share, *CPU)
    assert result.code == 0, result.err
    assert loaded(own_run).expect_absent == share
    assert [(name, at) for name, is_pair, at in seen if is_pair] == [("sections", of_pairs), ("reliability", of_pairs)]
    assert [(name, at) for name, is_pair, at in seen if not is_pair] == [
        ("sections", share), ("reliability", share), ("reliability", share)
    ]  # fmt: skip


def test_folds_keep_what_they_judged(run: Call, own_run: Run, toy_folder: Path, toy_benchmark: Benchmark) -> None:
    words = ("calibrate", own_run.folder, "--data", toy_folder, "--folds", 2, "--draws", 0, "--json", *CPU)
    for more, sizes in (((), None), (("--sizes", "2,5"), (2, 5))):
        told = json.loads(run(*words, *more).out)
        kept = loaded(own_run)
        assert [one["title"] for one in told["judged"]] == ["all", *map(str, kept.sizes)]
        assert sizes in (None, kept.sizes)
        assert told["notes"] == [
            "judged in 2 nested folds of the test part; the calibration that is kept learned from all of it"
        ]
        assert kept.named == name_digests(toy_benchmark.test)
        assert (kept.queries, kept.vehicles) == (21, 7)
        assert kept.examples == 21 * 3 * len(kept.sizes)


def test_vehicles_that_were_trained_on_are_refused(
    run: Call, own_run: Run, toy_benchmark: Benchmark, listed: Callable[..., tuple[object, ...]], rows: list[Row], kept: bytes
) -> None:
    train = toy_benchmark.train
    renamed = Sightings.of(["else/a.png"], vehicle=[str(train.column("vehicle")[0])])
    with pytest.raises(ClipsenetError, match="pass --other-vehicles"):
        require_unlearned(own_run, renamed, "test")
    (note,) = require_unlearned(own_run, renamed, "test", other_vehicles=True)
    assert "said to be others" in note
    assert require_unlearned(own_run, toy_benchmark.test, "test") == []
    trained = of(rows, "train")[:36]
    for part in (("validation",), ("query", "gallery")):
        moved = [row | {"split": part[number % len(part)]} for number, row in enumerate(trained)]
        rest = [row for row in of(rows, "validation", "query", "gallery") if row["split"] not in part]
        for more in ((), ("--other-vehicles",)):
            result = run(*listed([*rest, *moved], *more))
            name = "validation" if part == ("validation",) else "test"
            assert (result.code, f"was trained on 36 of the {name} pictures" in result.err) == (1, True), result.err
    judged = run(*listed([row | {"split": ("query", "gallery")[n % 2]} for n, row in enumerate(trained)], "--judge-only"))
    assert (judged.code, "was trained on 36 of the test pictures" in judged.err) == (1, True), judged.err
    assert (own_run.folder / "calibration.json").read_bytes() == kept


def renamed(rows: list[Row], folder: Path, vehicle: str = "stranger-") -> list[Row]:
    """Copies of pictures under other names, of vehicles with other names."""
    found = []
    for number, row in enumerate(rows):
        path = folder / f"copy{number}.png"
        shutil.copy(row["path"], path)
        found.append(row | {"path": str(path), "vehicle": vehicle + row["vehicle"]})
    return found


def halves(rows: list[Row]) -> list[Row]:
    return [row | {"split": ("query", "gallery")[number % 2]} for number, row in enumerate(rows)]


def test_a_renamed_copy_of_a_calibrated_picture_may_not_judge(
    run: Call, own_run: Run, listed: Callable[..., tuple[object, ...]], rows: list[Row], kept: bytes, tmp_path: Path
) -> None:
    copies = halves(renamed(of(rows, "validation"), tmp_path))
    mixed = [*of(rows, "query", "gallery"), *copies]
    for more in ((), ("--other-vehicles",)):
        for some, asking in ((copies, 9), (mixed, 30)):
            result = run(*listed(some, "--judge-only", *more))
            assert result.code == 1
            assert f"9 of the {asking} pictures that ask made the calibration: a test needs other vehicles" in result.err
    # as strangers they may be there; nobody can learn from them who he is
    strangers = [*of(rows, "query", "gallery"), *({**row, "split": "gallery"} for row in copies)]
    assert run(*listed(strangers, "--judge-only")).code == 0
    # and when it learns, the two parts are held against each other in the same way
    result = run(*listed([*of(rows, "validation"), *mixed]))
    assert (result.code, "9 of the 30 pictures that ask made the calibration" in result.err) == (1, True), result.err
    assert (own_run.folder / "calibration.json").read_bytes() == kept


def test_a_vehicle_of_the_calibration_may_not_judge_unless_it_is_said_to_be_another(
    run: Call, own_run: Run, listed: Callable[..., tuple[object, ...]], rows: list[Row], kept: bytes
) -> None:
    names = sorted({row["vehicle"] for row in of(rows, "validation")})
    others = {row["vehicle"] for row in of(rows, "query")}
    as_calibrated = dict(zip(sorted(others)[:3], names, strict=True))
    taken = [row | {"vehicle": as_calibrated.get(row["vehicle"], row["vehicle"])} for row in of(rows, "query", "gallery")]
    result = run(*listed(taken, "--judge-only"))
    assert result.code == 1
    said = f"3 test vehicles bear the name of one that made the calibration, such as '{names[0]}'"
    assert said in result.err
    passed = json.loads(run(*listed(taken, "--judge-only", "--other-vehicles", "--json")).out)
    assert passed["notes"] == ["3 test vehicles bear a calibrated one's name and were said to be others"]
    learned = run(*listed([*of(rows, "validation"), *taken]))
    assert (learned.code, "3 vehicles stand in validation and in the test" in learned.err) == (1, True), learned.err
    assert (own_run.folder / "calibration.json").read_bytes() == kept


def test_who_made_a_calibration_is_known_by_content_and_by_name(own_run: Run, toy_benchmark: Benchmark) -> None:
    validation = toy_benchmark.validation
    asked = prepare("toy validation", own_run, validation, all_against_all(validation), "same-camera")
    assert asked.digests.tolist() == [content[:16] for content in contents_of(validation)]
    quiet = Sightings.of(["gone.png"], vehicle=["somebody"])
    pictures, named = asked.digests.tolist(), name_digests(validation)
    assert require_untouched(pictures, named, ["", "f" * 16], quiet) == []
    assert require_untouched(["", *pictures], named, [""], quiet) == []  # what cannot be read is nobody's
    with pytest.raises(ClipsenetError, match="1 of the 2 pictures that ask made the calibration"):
        require_untouched(pictures, named, ["", pictures[0], "f" * 16], quiet, other_vehicles=True)
    assert asked.source(PLAIN).pictures == tuple(sorted(pictures))


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("one vehicle", "a query finds 0 pictures of other vehicles, wanted 2 or more"),
        ("sizes", "galleries of 400, 1000: every query can be asked of 2 to 12 of these 18 pictures"),
        ("test sizes", "galleries of 19, 39: every query can be asked of 2 to 18 of these 21"),
        ("no test", "has no test part to judge on"),
    ],
)
def test_what_fails_is_explained_and_leaves_the_calibration_that_was_there(
    run: Call,
    own_run: Run,
    listed: Callable[..., tuple[object, ...]],
    rows: list[Row],
    kept: bytes,
    case: str,
    message: str,
) -> None:
    validation, test = of(rows, "validation"), of(rows, "query", "gallery")
    some, words = {
        "one vehicle": ([row for row in test if row["vehicle"] == test[0]["vehicle"]], ()),
        "sizes": (test, ("--sizes", "1000,10,400")),
        "test sizes": (test, ("--test-sizes", "39,18,19")),
        "no test": ([], ()),
    }[case]
    before = sorted(path.name for path in own_run.folder.iterdir())
    result = run(*listed([*validation, *some], *words))
    assert (result.code, message in result.err) == (1, True), result.err
    assert "Traceback" not in result.err
    assert (own_run.folder / "calibration.json").read_bytes() == kept
    assert sorted(path.name for path in own_run.folder.iterdir()) == before
    if case in ("one vehicle", "test sizes"):
        judged = run(*listed(some, "--judge-only", *words))
        assert (judged.code, message in judged.err) == (1, True), judged.err


def test_a_calibration_that_goes_is_told(run: Call, own_run: Run, toy_folder: Path, kept: bytes) -> None:
    path = own_run.folder / "calibration.json"
    words = ("calibrate", own_run.folder, "--data", toy_folder, "--draws", 0, "--json", *CPU)
    assert json.loads(run(*words).out)["notes"] == []  # the same run and similarity
    assert path.read_bytes() == kept
    for other in ({"similarity": "k-reciprocal:k1=4"}, {"run_id": "0" * 64}):
        by_hand(own_run.id).model_copy(update=other).save(own_run.folder)
        (note,) = json.loads(run(*words).out)["notes"]
        similarity, of_run = other.get("similarity", "cosine"), other.get("run_id", own_run.id)[:16]
        assert note.startswith(f"the calibration for similarity {similarity} of run {of_run} was replaced")
        assert path.read_bytes() == kept
    path.write_text("{")
    (note,) = json.loads(run(*words).out)["notes"]
    assert "a calibration that could not be read was replaced" in note
    path.unlink()
    assert json.loads(run(*words).out)["notes"] == []


def test_what_cannot_be_calibrated_is_explained(
    run: Call, own_run: Run, toy_run: Run, listed: Callable[..., tuple[object, ...]], rows: list[Row], kept: bytes
) -> None:
    test = of(rows, "query", "gallery")
    for words, code, message in (
        ((), 1, "has no validation part to learn from"),
        (("--goal", "yes"), 2, "wanted f1+tnr"),
        (("--sizes", "10,x"), 2, "--sizes 10,x: wanted whole numbers from 2"),
        (("--sizes", "1,10"), 2, "wanted whole numbers from 2"),
        (("--test-sizes", "0"), 2, "--test-sizes 0: wanted whole numbers from 2"),
        (("--expect-absent", "1"), 2, "--expect-absent 1: wanted a share from 0 to below 1"),
        (("--expect-absent", "-0.1"), 2, "wanted a share from 0 to below 1"),
        (("--folds", "2", "--test-sizes", "10"), 2, "--test-sizes with --folds: each fold is judged in galleries of the sizes"),
        (("--folds", "2", "--judge-only"), 2, "leave one of them out"),
        (("--goal", "f1+tnr", "--judge-only"), 2, "--goal with --judge-only"),
        (("--expect-absent", "0.5", "--judge-only"), 2, "--expect-absent with --judge-only"),
        (("--set", "model.dim=3"), 2, "calibrate takes data.* only"),
    ):
        result = run(*listed(test, *words))
        assert (result.code, message in result.err) == (code, True), result.err
    assert (own_run.folder / "calibration.json").read_bytes() == kept
    bare = run(*(toy_run.folder if word == own_run.folder else word for word in listed(test, "--judge-only")))
    assert bare.code == 1
    assert "has no calibration" in bare.err
    by_hand("0" * 64).save(own_run.folder)
    strange = run(*listed(test, "--judge-only"))
    assert (strange.code, "the calibration is of run 0000" in strange.err) == (1, True)


def test_features_are_kept_for_each_part(run: Call, own_run: Run, toy_folder: Path, tmp_path: Path, kept: bytes) -> None:
    words = ("calibrate", own_run.folder, "--data", toy_folder, "--draws", 0, "--features", tmp_path / "f", *CPU)
    assert run(*words).code == 0
    assert {path.name for path in (tmp_path / "f").iterdir()} == {"validation", "test"}
    assert (own_run.folder / "calibration.json").read_bytes() == kept
    assert run(*words).code == 0
    assert (own_run.folder / "calibration.json").read_bytes() == kept
    assert len(np.unique(json.loads(kept)["pictures"])) == 18
