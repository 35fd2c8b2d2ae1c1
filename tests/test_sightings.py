import pickle

import numpy as np
import pytest

from clipsenet.errors import ClipsenetError
from clipsenet.sightings import NO_TIME, UNKNOWN, WHOLE, Labels, Sightings, same_file


def test_labels_are_numbered_by_sorted_name_whatever_the_order() -> None:
    assert Labels.from_texts(["b", "", "a", "b"]).numbers.tolist() == [1, UNKNOWN, 0, 1]
    assert Labels.from_texts(["a", "b", "b", ""]).names == ("a", "b")


def test_a_subset_keeps_the_table_of_names_and_gives_sightings_again() -> None:
    all_ = Sightings.of(["p", "q", "r"], vehicle=["x", "", "y"], camera=["1", "2", "1"], extra={"type": ["a", "b", "c"]})
    some = all_[np.array([2, 0])]
    assert some.vehicle.names == ("x", "y")
    assert some.vehicle.texts().tolist() == ["y", "x"]
    assert some.path.tolist() == ["r", "p"]
    assert some.column("type").tolist() == ["c", "a"]
    assert all_[all_.vehicle.known].path.tolist() == ["p", "r"]
    assert all_.vehicle.count() == 2


def test_what_nobody_says_is_unknown() -> None:
    one = Sightings.of(["p"])
    assert one.camera.numbers.tolist() == [UNKNOWN]
    assert one.time.tolist() == [NO_TIME]
    assert one.box is None


def test_columns_cannot_be_written_and_travel_to_other_processes() -> None:
    one = Sightings.of(["p"], vehicle=["x"], box=[[0, 0, 2, 3]])
    with pytest.raises(ValueError, match="read-only"):
        one.vehicle.numbers[0] = 3
    assert pickle.loads(pickle.dumps(one)).path.tolist() == ["p"]


def test_columns_of_other_lengths_and_boxes_without_area_are_refused() -> None:
    with pytest.raises(ClipsenetError, match="'camera' has 1 entries, wanted 2"):
        Sightings.of(["p", "q"], camera=["1"])
    with pytest.raises(ClipsenetError, match="q: box x, y, width, height = 0, 0, 0, 5"):
        Sightings.of(["p", "q"], box=[list(WHOLE), [0, 0, 0, 5]])
    with pytest.raises(ClipsenetError, match="wanted -1"):
        Labels(np.array([2]), ("a",))


def test_the_same_file_is_told_by_path_and_box() -> None:
    whole = Sightings.of(["p", "q", "p"])
    boxes = Sightings.of(["p", "p"], box=[[0, 0, 2, 2], [1, 0, 2, 2]])
    numbers = same_file(whole, boxes)
    assert numbers[0] == numbers[2]
    assert len(set(numbers.tolist())) == 4


def test_an_unknown_column_lists_the_known_ones() -> None:
    with pytest.raises(ClipsenetError, match=r"no column 'colour'.*found vehicle, camera, view, track, type"):
        Sightings.of(["p"], extra={"type": ["a"]}).column("colour")
