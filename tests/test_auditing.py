from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsenet.auditing import FEWEST, audit, camera_shortcut, measure, slices
from clipsenet.features import Features
from clipsenet.protocol import Protocol
from clipsenet.scores import score_queries
from clipsenet.sightings import Labels, Sightings, Trial
from clipsenet.trials import Evaluation, search


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def pictures(folder: Path, vehicles: int = 30, cameras: int = 3) -> Sightings:
    """One picture of each vehicle before each camera; camera c is darker the larger c, and vehicles grow."""
    folder.mkdir(exist_ok=True)
    rows = [(v, c) for v in range(vehicles) for c in range(cameras)]
    for v, c in rows:
        Image.new("L", (20 + v, 40), 200 - 60 * c).save(folder / f"{v}_{c}.png")
    return Sightings.of(
        [str(folder / f"{v}_{c}.png") for v, c in rows],
        vehicle=[f"v{v:02d}" for v, _ in rows],
        camera=[f"c{c}" for _, c in rows],
        extra={"colour": ["red" if v % 3 else "blue" for v, _ in rows]},
    )


def with_camera(sightings: Sightings, strength: float, seed: int = 0) -> Features:
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((len(sightings.vehicle.names), 16))[sightings.vehicle.numbers]
    cast = rng.standard_normal((len(sightings.camera.names), 16))[sightings.camera.numbers]
    return Features(sightings, unit(own + strength * cast + 0.5 * rng.standard_normal((len(sightings), 16))), "r")


def searched(features: Features) -> Evaluation:
    rows = np.arange(len(features))
    return search(features, (Trial(rows, rows, "all"),), Protocol())["same-camera"]


def test_an_embedding_that_knows_the_camera_is_told_from_one_that_does_not(tmp_path: Path) -> None:
    shots = pictures(tmp_path / "p")
    found = camera_shortcut(with_camera(shots, 3.0))
    assert found is not None
    assert found["accuracy"] > 0.95
    assert found["largest_share"] == pytest.approx(1 / 3)
    assert (found["pictures"], found["cameras"]) == (90, 3)
    blind = camera_shortcut(with_camera(shots, 0.0))
    assert blind is not None
    low, high = blind["interval"]
    assert low < 1 / 3 < high
    assert low <= blind["accuracy"] <= high


def test_the_vehicles_own_pictures_do_not_help_to_tell_its_camera() -> None:
    """Each vehicle stands before one camera and looks like nothing else: its own pictures would make it easy."""
    sightings = Sightings.of(
        [f"{i}.jpg" for i in range(8)], vehicle=["a", "a", "b", "b", "c", "c", "d", "d"], camera=["1", "1", "1", "1", *"2222"]
    )
    vectors = np.repeat(np.eye(4), 2, axis=0)
    found = camera_shortcut(Features(sightings, vectors.astype(np.float32), "r"))
    assert found is not None
    # without a: camera 1 is b, camera 2 the mean of c and d, which is nearer to a than b is
    assert found["accuracy"] == 0


def test_equals_the_slow_obvious_way(tmp_path: Path) -> None:
    features = with_camera(pictures(tmp_path / "p", vehicles=12), 0.7)
    camera, vehicle = features.sightings.camera.numbers, features.sightings.vehicle.numbers
    right = []
    for row in range(len(features)):
        others = vehicle != vehicle[row]
        means = np.stack([features.embeddings[others & (camera == c)].mean(axis=0) for c in range(3)])
        right.append(np.linalg.norm(features.embeddings[row] - means, axis=1).argmin() == camera[row])
    found = camera_shortcut(features)
    assert found is not None
    assert found["accuracy"] == pytest.approx(np.mean(right))


def test_one_camera_cannot_be_told() -> None:
    one = Sightings.of(["a", "b"], vehicle=["x", "y"], camera=["1", ""])
    assert camera_shortcut(Features(one, np.eye(2, dtype=np.float32), "r")) is None


def test_slices_hold_what_they_say(tmp_path: Path) -> None:
    features = with_camera(pictures(tmp_path / "p"), 0.3)
    found = searched(features)
    values = slices(found, Protocol())
    shown = {(one["kind"], one["name"]): one for one in values["shown"]}
    (result,) = found.results
    red = features.sightings.extra["colour"].texts() == "red"
    assert shown["colour", "red"]["queries"] == 60
    assert shown["colour", "red"]["mAP"] == pytest.approx(result.per_query["mAP"][red].mean())
    assert shown["colour", "red"]["R1"] == pytest.approx(result.per_query["R1"][red].mean())
    dark = [one for (kind, name), one in shown.items() if kind == "brightness" and name.startswith("at most")]
    assert dark[0]["queries"] == 30  # the pictures of the darkest camera
    third = features.sightings.camera.numbers == 2
    assert dark[0]["mAP"] == pytest.approx(result.per_query["mAP"][third].mean())
    assert sum(one["queries"] for (kind, _), one in shown.items() if kind == "short side") == 90
    for one in values["shown"]:
        for score in ("mAP", "R1"):
            low, high = one["intervals"][score]
            assert low <= one[score] <= high


def test_a_camera_pair_counts_the_matches_of_its_second_camera_alone(tmp_path: Path) -> None:
    features = with_camera(pictures(tmp_path / "p"), 0.3)
    shown = {(one["kind"], one["name"]): one for one in slices(searched(features), Protocol())["shown"]}
    camera = features.sightings.camera.numbers
    # the slow way: a gallery without the other cameras' pictures of the vehicle
    vehicle = features.sightings.vehicle.numbers
    places = []
    for row in np.flatnonzero(camera == 0):
        kept = np.flatnonzero((vehicle != vehicle[row]) | (camera == 1))
        order = kept[np.argsort(-(features.embeddings[kept] @ features.embeddings[row]), kind="stable")]
        places.append(np.flatnonzero(vehicle[order] == vehicle[row]))
    slow = score_queries(places).per_query()
    pair = shown["camera pair", "c0 to c1"]
    assert pair["queries"] == 30
    assert pair["mAP"] == pytest.approx(slow["mAP"].mean())
    assert pair["R1"] == pytest.approx(slow["R1"].mean())


def test_small_slices_are_counted_not_shown(tmp_path: Path) -> None:
    shots = pictures(tmp_path / "p")
    colour = np.array(["red"] * 90, dtype=np.str_)
    colour[: FEWEST - 1] = "pink"
    few = replace(shots, extra={"colour": Labels.from_texts(colour)})
    values = slices(searched(with_camera(few, 0.3)), Protocol())
    assert [one["name"] for one in values["shown"] if one["kind"] == "colour"] == ["red"]
    assert values["left_out"] == {"colour": 1}


def test_brightness_and_size_are_measured_within_the_box(tmp_path: Path) -> None:
    picture = Image.new("L", (40, 30), 10)
    picture.paste(210, (20, 0, 40, 30))
    picture.save(tmp_path / "p.png")
    path = str(tmp_path / "p.png")
    both = Sightings.of([path, path], box=[[-1, -1, -1, -1], [20, 0, 12, 30]])
    brightness, size = measure(both, lambda done, total: None)
    assert brightness.tolist() == pytest.approx([110, 210], abs=1)
    assert size.tolist() == [30, 12]


def test_an_audit_is_plain_values(tmp_path: Path) -> None:
    features = with_camera(pictures(tmp_path / "p"), 0.3)
    values = audit(features, searched(features), Protocol())
    assert set(values) == {"camera", "slices"}
