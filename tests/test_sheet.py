from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsenet.datasets.manifest import ManifestSettings, read
from clipsenet.errors import ClipsenetError
from clipsenet.sheet import HEAD, MARGIN, MARK, choose_cameras, choose_vehicles, draw_sheet
from clipsenet.sightings import Sightings


@pytest.fixture
def alike(tmp_path: Path) -> Sightings:
    """Vehicles a, b, c of which a and c are look-alikes; b was seen by all three cameras, the others by two."""
    rows = ["path,vehicle,camera,colour,lookalikes"]
    seen = {"a": ("1", "2"), "b": ("1", "2", "3"), "c": ("2", "3")}
    for number, (vehicle, cameras) in enumerate(seen.items()):
        for camera in cameras:
            name = f"{vehicle}{camera}.png"
            Image.new("RGB", (40, 10 + 10 * number), (200 * (number == 0), 200 * (number == 1), 250)).save(tmp_path / name)
            rows.append(f"{name},{vehicle},{camera},blue,{ {'a': 'c', 'b': '', 'c': 'a'}[vehicle] }")
    (tmp_path / "list.csv").write_text("\n".join(rows) + "\n")
    return read(tmp_path / "list.csv", ManifestSettings())


def test_look_alikes_stand_together_and_others_below_them(alike: Sightings) -> None:
    assert choose_vehicles(alike, 3) == ["a", "c", "b"]
    assert choose_vehicles(alike, 2) == ["a", "c"]
    assert choose_vehicles(alike, 1) == ["b"]  # a look-alike without the other says nothing
    assert choose_cameras(alike, ["a", "c", "b"], 1) == ["2"]
    assert choose_cameras(alike, ["a", "c", "b"], 9) == ["1", "2", "3"]


def test_each_picture_stands_in_its_cell_and_the_bracket_joins_look_alikes(alike: Sightings) -> None:
    side = 64
    sheet = np.asarray(draw_sheet(alike, ["a", "c", "b"], ["1", "2", "3"], side))
    assert sheet.shape == (HEAD + 3 * side, MARGIN + 3 * side, 3)

    def middle(row: int, column: int) -> tuple[int, ...]:
        return tuple(int(v) for v in sheet[HEAD + row * side + side // 2, MARGIN + column * side + side // 2])

    assert middle(0, 0) == (200, 0, 250)  # a before camera 1
    assert middle(0, 2) == (250, 250, 248)  # a was not seen by camera 3
    assert middle(1, 2) == (0, 0, 250)
    assert middle(2, 1) == (0, 200, 250)
    marked = (sheet == MARK).all(axis=2).any(axis=1)
    assert marked[HEAD + side - 4 : HEAD + side + 4].all()  # from a to c
    assert not marked[HEAD + 2 * side :].any()  # b has no bracket


def test_it_says_what_is_missing(alike: Sightings) -> None:
    with pytest.raises(ClipsenetError, match="no vehicle 'z' in the list; it has a, b, c"):
        draw_sheet(alike, ["z"], ["1"])
    with pytest.raises(ClipsenetError, match="names no vehicle or no camera"):
        draw_sheet(alike, [], ["1"])


def test_the_command(run, alike: Sightings, tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    result = run("sheet", listed, "--to", tmp_path / "sheet.png", "--vehicles", 3, "--cameras", 3)
    assert (result.code, result.out.strip()) == (0, f"3 vehicles in 3 cameras, in {tmp_path}/sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (MARGIN + 3 * 128, HEAD + 3 * 128)
    assert "wanted .png or .jpg" in run("sheet", listed, "--to", tmp_path / "sheet.gif").err
    assert "no vehicle 'z'" in run("sheet", listed, "--to", tmp_path / "sheet.png", "--vehicle", "z").err
    bad = run("sheet", listed, "--to", tmp_path / "sheet.png", "--leave-out", "kind=van")
    assert bad.code == 2
    assert "has the columns colour, lookalikes" in bad.err
    assert "no picture has it; found blue" in run("sheet", listed, "--to", tmp_path / "s.png", "--leave-out", "colour=red").err
