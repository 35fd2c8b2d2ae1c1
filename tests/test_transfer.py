"""bench colours, bench transfer, and a trunk that begins with a run's weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from clipsenet.benchmarking.colours import measure as measure_colours
from clipsenet.benchmarking.transfer import _deal, _limit
from clipsenet.datasets.manifest import ManifestSettings, read
from clipsenet.errors import ClipsenetError
from clipsenet.models import make_model
from clipsenet.models.baseline import BaselineSettings
from clipsenet.models.clip_senet import ClipSenetSettings
from clipsenet.runs import Run
from clipsenet.sightings import Sightings
from clipsenet.weights import read_state


def flat(folder: Path, colours: dict[tuple[str, str], tuple[int, int, int]]) -> Sightings:
    """A picture of one colour for each vehicle and camera."""
    rows = ["path,vehicle,camera"]
    for (vehicle, camera), colour in colours.items():
        Image.new("RGB", (20, 20), colour).save(folder / f"{vehicle}{camera}.png")
        rows.append(f"{vehicle}{camera}.png,{vehicle},{camera}")
    (folder / "list.csv").write_text("\n".join(rows) + "\n")
    return read(folder / "list.csv", ManifestSettings())


def test_brightness_and_chroma_are_told_apart(tmp_path: Path) -> None:
    # linear light is the 2.2th power: 200 against 100 is 2 ** 2.2 = 4.59 times as bright, in all channels alike
    brighter = flat(tmp_path, {("a", "1"): (100, 100, 100), ("a", "2"): (200, 200, 200), ("b", "1"): (9, 9, 9)})
    found = measure_colours(brighter)
    assert found["pairs"] == 1
    assert found["one vehicle"]["brightness"][0] == pytest.approx(2**2.2, rel=0.01)
    assert found["one vehicle"]["chroma"][0] == pytest.approx(1.0, abs=0.01)
    redder = flat(tmp_path, {("a", "1"): (100, 100, 100), ("a", "2"): (200, 100, 100), ("b", "1"): (9, 9, 9)})
    found = measure_colours(redder)
    assert found["one vehicle"]["chroma"][0] == pytest.approx(2**2.2, rel=0.01)
    assert found["one vehicle"]["brightness"][0] == pytest.approx(2 ** (2.2 / 3), rel=0.01)


def test_colours_need_a_vehicle_before_two_cameras(tmp_path: Path) -> None:
    with pytest.raises(ClipsenetError, match="no vehicle was seen by two cameras"):
        measure_colours(flat(tmp_path, {("a", "1"): (1, 1, 1), ("b", "2"): (1, 1, 1)}))


def test_the_colours_command(run, toy_folder: Path) -> None:
    listed = toy_folder / "pictures.csv"
    figures = json.loads(run("bench", "colours", listed, "--json").out)[str(listed)]
    assert figures["one vehicle"]["histogram"] > figures["two vehicles"]["histogram"]
    assert "one vehicle" in run("bench", "colours", listed, listed).out


def test_whole_vehicles_are_dealt_and_limited() -> None:
    vehicles = np.repeat([f"v{i:02d}" for i in range(12)], 2)
    pictures = Sightings.of([f"{i}.png" for i in range(24)], vehicle=list(vehicles))
    fold = _deal(pictures, 3)
    assert np.bincount(fold).tolist() == [8, 8, 8]
    assert all(len(set(fold[vehicles == one])) == 1 for one in set(vehicles))
    few = _limit(pictures[fold != 0], 5)
    assert few.vehicle.count() == 5
    assert len(few) == 10
    with pytest.raises(ClipsenetError, match="9 training vehicles of 8 a fold"):
        _limit(pictures[fold != 0], 9)
    with pytest.raises(ClipsenetError, match="12 vehicles for 7 folds"):
        _deal(pictures, 7)


@pytest.mark.slow
def test_the_transfer_command_trains_every_fold_once_and_goes_on(run, toy_folder: Path, toy_run: Run, tmp_path: Path) -> None:
    small = ("schedule.epochs=1", "schedule.warmup_epochs=0", "images.size=[32, 32]", "sampler.vehicles=4")
    words = ["bench", "transfer", "toy", "--data", toy_folder / "pictures.csv", "--pretrained", toy_run.folder]
    words += ["--to", tmp_path, "--folds", 2, "--seeds", 1, "--json", *(word for one in small for word in ("--set", one))]
    first = run(*words)
    assert first.code == 0, first.err
    figures = json.loads(first.out)
    assert set(figures["scores"]) == {"colour histogram", "drawn only", "from random", "from drawn"}
    gain = figures["gains"]["from drawn minus from random"]["R1"]
    scores = figures["scores"]
    assert gain["mean"] == pytest.approx(scores["from drawn"]["R1"]["mean"] - scores["from random"]["R1"]["mean"])
    assert gain["interval"][0] <= gain["mean"] <= gain["interval"][1]
    folders = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*/last.safetensors")}
    assert len(list(tmp_path.iterdir())) == 4
    again = run(*words)
    assert json.loads(again.out) == figures
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*/last.safetensors")} == folders
    other = run(*words, "--set", "sampler.vehicles=5")
    assert other.code == 1
    assert "holds a training with another sampler.vehicles; give another folder with --to" in other.err
    dealt = run(*[3 if word == 2 else word for word in words])
    assert dealt.code == 1
    assert "another list, number of folds or of training vehicles" in dealt.err
    ids = {Run.open(path).id for path in tmp_path.iterdir()}
    assert len(ids) == 4  # each another training


def test_a_trunk_begins_with_a_runs_weights(toy_run: Run) -> None:
    file = toy_run.folder / "last.safetensors"
    fresh = make_model(BaselineSettings(trunk="resnet10t", weights=file), (32, 32))
    whole = ClipSenetSettings.model_validate(
        {"appearance": {"trunk": "resnet10t", "weights": file}, "semantics": None, "afem": None, "places": None}
    )
    for model in (fresh, make_model(whole, (32, 32))):
        taken = model.state_dict()
        for name, tensor in read_state(file).items():
            if name.startswith("appearance.network."):
                assert torch.equal(taken[name], tensor)
    with pytest.raises(ClipsenetError, match="the weights of another network"):
        make_model(BaselineSettings(trunk="resnet18", weights=file), (32, 32))
