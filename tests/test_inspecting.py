"""What `clipsenet inspect` counts, and how it says it."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsenet.cli.inspecting import inspect as command
from clipsenet.datasets import DATASETS, DataSettings
from clipsenet.datasets.copies import PRINTED, Counts
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.inspecting import Inspection, LabelFigures, PartFigures, Spread, TrialFigures, inspect
from clipsenet.matches import count_matches
from clipsenet.protocol import JunkRule
from clipsenet.ranking import rank
from clipsenet.sightings import Sightings, Trial
from drawn_layouts import VERI_GALLERY, VERI_QUERY, draw_pictures, draw_vehicleid, draw_veri776, draw_veriwild, write_info


def inspected(name: str, root: Path, pictures: int = 8, **settings: object) -> Inspection:
    return inspect(DATASETS[name](root, DataSettings.from_values(settings | {"benchmark": name}, "test")), pictures)


def rows_of(printed: str) -> list[list[str]]:
    """The cells of all tables."""
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if "│" in line]


def test_the_figures_of_veri776_are_those_of_the_drawn_tree(tmp_path: Path) -> None:
    found = inspected("veri776", draw_veri776(tmp_path), pictures=2)
    assert found.benchmark == "veri776"
    assert found.copy == "modified: train, query, gallery"
    assert found.printed == Counts(51_035, 776, 20, 9, 10)
    # 4 training and 6 gallery pictures; the queries are files of the gallery
    assert found.found == Counts(pictures=10, vehicles=4, cameras=4, types=3, colours=4)
    train, validation, query, gallery = found.parts
    assert train == PartFigures("train", 4, 2, 3, 0, Spread(2, 2.0, 2), Spread(1, 1.0, 2), single=0, missing=0)
    assert validation == PartFigures("validation", 0, 0, 0, 0, None, None, single=0, missing=0)
    assert query == PartFigures("query", 2, 2, 2, 0, Spread(1, 1.0, 1), Spread(1, 1.0, 1), single=2, missing=0)
    assert gallery == PartFigures("gallery", 6, 2, 3, 0, Spread(3, 3.0, 3), Spread(1, 2.0, 3), single=0, missing=0)
    assert found.trials == (TrialFigures("query to gallery", 2, 6, 0),)
    assert LabelFigures("view", 7, train=3, validation=0, test=6) in found.labels
    assert (found.few, found.missing, found.first_missing, found.other_sizes) == (0, 0, "", ())


def test_training_vehicles_with_too_few_pictures_are_counted(tmp_path: Path) -> None:
    root = draw_vehicleid(tmp_path)
    assert [inspected("vehicleid:small", root, pictures).few for pictures in (1, 2, 3)] == [0, 1, 3]
    assert inspected("vehicleid:small", root, validation_vehicles=1).parts[1].vehicles == 1


def test_vehicleid_has_unknown_cameras_and_a_row_for_each_trial(tmp_path: Path) -> None:
    found = inspected("vehicleid:small", draw_vehicleid(tmp_path))
    assert found.found == Counts(pictures=16, vehicles=7, cameras=None, types=1, colours=2)
    assert [one.trial for one in found.trials] == [f"draw {number}" for number in range(1, 11)]
    assert {(one.queries, one.gallery, one.without_match) for one in found.trials} == {(7, 4, 0)}
    assert [one.part for one in found.parts] == ["train", "validation", "query, trial 1", "gallery, trial 1"]
    assert found.parts[0].without_camera == 5
    assert {one.without_match for one in inspected("vehicleid:small", tmp_path, swapped=True).trials} == {1}


def test_queries_without_a_match_depend_on_the_junk_rule(tmp_path: Path) -> None:
    root = draw_veriwild(tmp_path)
    assert inspected("veriwild:small", root).trials[0].without_match == 1
    assert inspected("veriwild:small", root, junk="same-file").trials[0].without_match == 0
    write_info(root, {})
    unknown = inspected("veriwild:small", root)
    assert unknown.trials[0].without_match == 0
    assert unknown.found.cameras is None


@given(st.data())
@settings(deadline=None)
def test_matches_are_counted_as_rank_counts_them(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 12))
    one = st.sampled_from
    test = Sightings.of(
        data.draw(st.lists(one(["f", "g", "h", "i", "j"]), min_size=n, max_size=n)),  # one file may stand in several rows
        vehicle=data.draw(st.lists(one(["a", "b", ""]), min_size=n, max_size=n)),
        camera=data.draw(st.lists(one(["1", "2", ""]), min_size=n, max_size=n)),
    )
    rows = st.lists(st.integers(0, n - 1), min_size=1, unique=True)
    trial = Trial(np.array(data.draw(rows)), np.array(data.draw(rows)))
    junk: JunkRule = data.draw(one(["same-camera", "same-file", "all-same-camera"]))
    block = np.zeros((len(trial.query), len(trial.gallery)), dtype=np.float32)
    ranked = rank([(slice(0, len(block)), block)], test[trial.query], test[trial.gallery], junk)
    assert count_matches(test, trial, junk).tolist() == ranked.matches.tolist()


@pytest.mark.parametrize("name", ["veri776", "vehicleid:small", "veriwild:small"])
def test_missing_files_are_counted_not_refused(name: str, tmp_path: Path) -> None:
    draw = {"veri776": draw_veri776, "vehicleid:small": draw_vehicleid, "veriwild:small": draw_veriwild}[name]
    root = draw(tmp_path)
    whole = inspected(name, root)
    pictures = [path for path in sorted(root.rglob("*.jpg")) if path.parent.name != "image_query"]
    for path in pictures:
        path.unlink()
    found = inspected(name, root)
    assert found.missing == found.found.pictures == len(pictures)
    assert [one.missing for one in found.parts] == [one.pictures for one in found.parts]
    assert Path(found.first_missing) in pictures
    assert found.trials == whole.trials


def test_a_query_whose_two_files_differ_is_named(tmp_path: Path) -> None:
    root = draw_veri776(tmp_path)
    draw_pictures(root / "image_query", [VERI_QUERY[1]], width=30)
    assert inspected("veri776", root).other_sizes == (VERI_QUERY[1],)
    (root / "image_test" / VERI_GALLERY[3]).unlink()  # a file that is missing is not another one
    assert inspected("veri776", root).other_sizes == ()


def test_your_own_pictures_and_the_toy_are_inspected_too(tmp_path: Path, toy_folder: Path) -> None:
    toy = inspected("toy", toy_folder, pictures=6)
    assert (toy.printed, toy.remarks, toy.copy) == (None, (), "drawn")
    assert toy.found.pictures == 144
    assert toy.found.types == 3
    assert (toy.few, toy.missing) == (0, 0)
    (tmp_path / "list.csv").write_text("path,vehicle,split\na.jpg,1,train\nb.jpg,1,train\nc.jpg,2,train\n", encoding="utf-8")
    own = inspected("manifest", tmp_path / "list.csv", pictures=2)
    assert (own.few, own.trials, own.missing) == (1, (), 3)
    assert [one.part for one in own.parts] == ["train", "validation"]
    assert own.parts[0].single == 1
    assert own.labels == ()


def test_pictures_that_train_and_are_tested_count_once(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path,vehicle\na.jpg,1\nb.jpg,1\n", encoding="utf-8")
    found = inspected("manifest", tmp_path / "list.csv")
    assert found.found.pictures == found.missing == 2
    assert [one.pictures for one in found.parts] == [2, 0, 2, 2]


def test_the_real_list_has_its_numbers(two_cameras: Path) -> None:
    found = inspected("manifest", two_cameras, both_directions=True)
    assert found.found == Counts(pictures=1014, vehicles=507, cameras=2, types=4, colours=None)
    assert [one.without_match for one in found.trials] == [0, 0]
    assert (found.few, found.missing) == (345, 0)


def test_the_command_prints_what_was_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = draw_veri776(tmp_path)
    draw_pictures(root / "image_query", [VERI_QUERY[0]], width=30)
    (root / "image_train" / "0001_c001_00016450_0.jpg").unlink()
    command("veri776", root, pictures=3)
    printed = capsys.readouterr().out
    for text in (
        "benchmark    veri776 (modified: train, query, gallery)",
        "note 2       the junk rule agrees with gt_index.txt and jk_index.txt for all 2 queries",
        "Table II counts the queries twice",
        "training vehicles with fewer than 3 pictures: 2 of 2; a batch shows some of their pictures more than once",
        f"missing files: 1, the first {root}/image_train/0001_c001_00016450_0.jpg; training and evaluation refuse that",
        f"which is read: 1, such as {VERI_QUERY[0]}",
    ):
        assert text in printed
    rows = rows_of(printed)
    assert ["Table II of the paper", "51,035", "776", "20", "9", "10"] in rows
    assert ["these lists, each file once", "10", "4", "4", "3", "4"] in rows
    assert ["train", "4", "1", "2", "0", "2 / 2 / 2", "3", "1 / 1 / 2"] in rows
    assert ["view", "7", "3", "0", "6"] in rows
    assert ["query to gallery", "2", "6", "0"] in rows


def test_the_command_says_unknown_and_gathers_equal_trials(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command("vehicleid:small", draw_vehicleid(tmp_path), pictures=1)
    printed = capsys.readouterr().out
    rows = rows_of(printed)
    assert ["Table II of the paper", "221,763", "26,267", "1", "250", "7"] in rows
    assert ["these lists, each file once", "16", "7", "unknown", "1", "2"] in rows
    assert ["train", "5", "0", "3", "1", "1 / 2 / 2", "unknown", ""] in rows
    assert ["each of 10", "7", "4", "0"] in rows
    assert printed.splitlines()[-1].strip() == "nothing of what was looked for"
    command("vehicleid:small", tmp_path, pictures=1, set_=["data.swapped=true", "data.trials=1"])
    printed = capsys.readouterr().out
    assert "queries without a match under the junk rule: 1 in a trial; they are left out of the means" in printed
    assert ["draw 1", "4", "7", "1"] in rows_of(printed)


def test_the_command_counts_unknown_cameras(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = draw_veriwild(tmp_path)
    write_info(root, {"00007/000010": "3", "00100/000500": "4"})
    command("veriwild:small", root)
    assert ["train", "5", "0", "3", "1", "1 / 2 / 2", "1 (4 unknown)", "1 / 1 / 1"] in rows_of(capsys.readouterr().out)


def test_the_command_of_a_list_without_a_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "list.csv").write_text("path,vehicle,split\na.jpg,1,train\nb.jpg,1,train\n", encoding="utf-8")
    command("manifest", tmp_path / "list.csv")
    printed = capsys.readouterr().out
    assert "no query or no gallery: nothing can be evaluated" in printed
    assert "Table II" not in printed


def test_json_has_the_same_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = draw_veriwild(tmp_path)
    command("veriwild:large", root, json_=True)
    values = json.loads(capsys.readouterr().out)
    assert values["printed"] == {"pictures": 416_314, "vehicles": 40_671, "cameras": 174, "types": 8, "colours": 11}
    assert values["found"]["pictures"] == 11
    assert values["parts"][0]["per_vehicle"] == {"least": 1, "median": 2.0, "most": 2}
    assert values["trials"][0]["without_match"] == 1
    assert values["notes"] == list(inspected("veriwild:large", root).notes)


def test_table_ii_is_printed_as_the_paper_has_it() -> None:
    assert {name: tuple(vars(one).values()) for name, one in PRINTED.items()} == {
        "veri776": (51_035, 776, 20, 9, 10),
        "vehicleid": (221_763, 26_267, 1, 250, 7),
        "veriwild": (416_314, 40_671, 174, 8, 11),
    }


def test_wrong_words_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown benchmark 'veri': choose from drawn, manifest, toy, vehicleid:large"):
        command("veri", tmp_path)
    for word in ("optimiser.rate=1", "data.benchmark=toy"):
        with pytest.raises(UsageError, match=r"inspect takes data.* only, and its first word is the benchmark"):
            command("veri776", tmp_path, set_=[word])
    with pytest.raises(UsageError, match=r"unknown setting 'seed'"):
        command("veri776", tmp_path, set_=["data.seed=1"])
    with pytest.raises(ClipsenetError, match="found an empty folder"):
        command("veri776", tmp_path)
