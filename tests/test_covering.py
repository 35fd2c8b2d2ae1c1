"""Covering parts of pictures, where plates are, and the audit that rests on it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from clipsenet.covering import NOWHERE, Cover, elsewhere, plate_boxes
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.features import Features, extract
from clipsenet.plates import _mask, audit_plates
from clipsenet.protocol import Benchmark, Protocol, fingerprint
from clipsenet.runs import Run
from clipsenet.sightings import Labels, Sightings, Trial


def test_plates_are_read_where_they_are_told() -> None:
    told = Sightings.of(["a.jpg", "b.jpg", "c.jpg"], extra={"plate": ["110 39 18 10", "", "5,6,7,8"]})
    assert plate_boxes(told).tolist() == [[110, 39, 18, 10], list(NOWHERE), [5, 6, 7, 8]]
    assert plate_boxes(Sightings.of(["a.jpg"])).tolist() == [list(NOWHERE)]


def test_a_plate_in_a_frame_counts_within_the_vehicles_box() -> None:
    """A box at 100, 50 of 40 x 30: a plate inside, one that sticks out to the right, one beside it."""
    boxes = [[100, 50, 40, 30]] * 3
    plates = ["110 60 8 4", "135 60 10 4", "10 10 8 4"]
    found = plate_boxes(Sightings.of(["a.jpg", "b.jpg", "c.jpg"], box=boxes, extra={"plate": plates}))
    assert found.tolist() == [[10, 10, 8, 4], [35, 10, 5, 4], list(NOWHERE)]


@pytest.mark.parametrize("text", ["1 2 3", "a b c d", "1 2 0 4", "-1 2 3 4", "1.5 2 3 4"])
def test_a_plate_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(ClipsenetError, match=r"b\.jpg, column plate: '.*'; wanted x y width height in whole pixels"):
        plate_boxes(Sightings.of(["a.jpg", "b.jpg"], extra={"plate": ["", text]}))


def test_covering_paints_the_rectangle_and_nothing_else() -> None:
    picture = Image.new("RGB", (20, 10), (200, 100, 50))
    cover = Cover(np.array([[2, 3, 4, 5], NOWHERE]), (1, 2, 3))
    painted = np.asarray(cover(picture, 0))
    assert (painted[3:8, 2:6] == (1, 2, 3)).all()
    painted = painted.copy()
    painted[3:8, 2:6] = (200, 100, 50)
    assert (painted == np.asarray(picture)).all(), "and the picture that came is as it was"
    assert cover(picture, 1) is picture


def test_elsewhere_is_as_large_and_does_not_touch() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        x, y, width, height = elsewhere((40, 60, 20, 10), (100, 100), rng)
        assert (width, height) == (20, 10)
        assert 10 <= x <= 70
        assert 10 <= y <= 80
        assert x + width <= 40 or x >= 60 or y + height <= 60 or y >= 70
    assert elsewhere((5, 5, 90, 90), (100, 100), rng) == NOWHERE
    assert elsewhere((20, 20, 60, 60), (100, 100), rng) == NOWHERE


def test_a_mask_holds_the_plates_area_in_the_networks_pixels() -> None:
    """A plate of 3 x 2 of a 12 x 8 picture is a sixteenth of it, however coarsely the network sees it."""
    for seen in ((8, 12), (4, 4), (5, 7)):
        assert _mask(np.array([3, 2, 3, 2]), (12, 8), seen).sum() / (seen[0] * seen[1]) == pytest.approx(1 / 16)
    assert _mask(np.array([3, 2, 3, 2]), (12, 8), (8, 12))[2:4, 3:6].min() == 1


class ReadsOnlyPlates(nn.Module):
    """Its embedding is the colour of the picture's lower middle, where the plates of these tests are."""

    def forward(self, images: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        seen = images[:, :, 24:30, 12:20].mean(dim=(2, 3)) + 1e-3
        return nn.functional.normalize(torch.cat([seen, torch.full((len(seen), 1), 0.05)], dim=1))


@pytest.fixture
def plated(tmp_path: Path) -> Benchmark:
    """Four vehicles before two cameras, grey but for a plate of the vehicle's colour."""
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
    paths, vehicles, cameras = [], [], []
    for camera in range(2):
        for number, colour in enumerate(colours):
            picture = Image.new("RGB", (32, 32), (110 + 20 * camera,) * 3)
            picture.paste(colour, (12, 24, 20, 30))
            paths.append(str(tmp_path / f"{number}_{camera}.png"))
            picture.save(paths[-1])
            vehicles.append(str(number))
            cameras.append(str(camera))
    test = Sightings.of(paths, vehicle=vehicles, camera=cameras, extra={"plate": ["12 24 8 6"] * 8})
    empty = test[np.zeros(0, dtype=np.int64)]
    trial = Trial(np.arange(4), np.arange(4, 8))
    return Benchmark("plated", empty, empty, test, (trial,), Protocol(), fingerprint(test), "made")


def test_the_audit_finds_a_network_that_reads_plates(plated: Benchmark, toy_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    transform, none = toy_run.test_transform, np.full(8, -1)
    features = extract(ReadsOnlyPlates(), plated.test, transform, toy_run.id, dim=4)
    monkeypatch.setattr(toy_run.__class__, "dim", 4)
    monkeypatch.setattr("clipsenet.plates.extract", lambda _, *rest, **words: extract(ReadsOnlyPlates(), *rest, **words))
    found = audit_plates(toy_run, plated, features, none)
    assert found is not None
    assert (found["pictures"], found["of"], found["without_room"]) == (8, 8, 0)
    assert found["area"] == pytest.approx(48 / 1024)
    assert found["scores"]["as it is"]["R1"] == 1
    assert found["scores"]["as much covered elsewhere"]["R1"] == 1
    assert found["scores"]["plates covered"]["R1"] < 0.5, "all that it read is gone"
    assert found["cost"]["R1"]["difference"] == pytest.approx(1 - found["scores"]["plates covered"]["R1"])
    low, high = found["cost"]["R1"]["interval"]
    assert low <= found["cost"]["R1"]["difference"] <= high
    assert found["covered"] == 8


@pytest.mark.parametrize(("where", "share"), [((24, 30, 12, 20), 1.0), ((0, 6, 0, 8), 0.0), ((24, 30, 16, 24), 0.5)])
def test_the_share_of_a_map_on_the_plate(
    plated: Benchmark, toy_run: Run, monkeypatch: pytest.MonkeyPatch, where: tuple[int, int, int, int], share: float
) -> None:
    """Heat on the plate alone, away from it, and half beside it; what is below 0 counts for nothing."""
    heat = torch.full((1, 32, 32), -1.0)
    heat[:, where[0] : where[1], where[2] : where[3]] = 2.0
    size = toy_run.recipe.images.size
    large = torch.nn.functional.interpolate(heat[None], size)[0]
    monkeypatch.setattr("clipsenet.plates.activation_maps", lambda *_: {"appearance": large})
    features = extract(toy_run.model, plated.test, toy_run.test_transform, toy_run.id, dim=toy_run.dim)
    found = audit_plates(toy_run, plated, features, np.full(8, -1))
    assert found is not None
    assert found["shares"]["appearance"]["share"] == pytest.approx(share, abs=1e-6)


def test_a_trunk_without_places_and_plates_without_room(
    plated: Benchmark, toy_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UsageError("this trunk's features have no places")

    monkeypatch.setattr("clipsenet.plates.activation_maps", refuse)
    features = extract(toy_run.model, plated.test, toy_run.test_transform, toy_run.id, dim=toy_run.dim)
    found = audit_plates(toy_run, plated, features, np.full(8, -1))
    assert found is not None
    assert (found["shares"], found["no_maps"]) == ({}, "this trunk's features have no places")
    test = replace(plated.test, extra={"plate": Labels.from_texts(["0 0 32 32"] * 8)})
    full = audit_plates(toy_run, replace(plated, test=test), features, np.full(8, -1))
    assert full is not None
    assert (full["covered"], full["without_room"], full["cost"]) == (0, 8, {})


def test_a_list_without_plates_is_not_audited(toy_benchmark: Benchmark, toy_run: Run) -> None:
    features = extract(toy_run.model, toy_benchmark.test, toy_run.test_transform, toy_run.id, dim=toy_run.dim)
    assert audit_plates(toy_run, toy_benchmark, features, np.full(len(features), -1)) is None


def test_a_plate_that_leaves_its_picture_is_named(plated: Benchmark, toy_run: Run) -> None:
    test = Sightings.of(plated.test.files(), vehicle=plated.test.vehicle.texts().tolist(), extra={"plate": ["30 24 8 6"] * 8})
    moved = Benchmark("plated", plated.train, plated.train, test, plated.trials, Protocol(), fingerprint(test), "made")
    features = Features(test, np.eye(8, dtype=np.float32), toy_run.id)
    with pytest.raises(ClipsenetError, match=r"0_0\.png, column plate: 30 24 8 6 leaves the picture of 32 x 32"):
        audit_plates(toy_run, moved, features, np.full(8, -1))


def test_what_is_painted_reaches_the_network_in_other_processes_too(plated: Benchmark, toy_run: Run) -> None:
    cover = Cover(np.tile([12, 24, 8, 6], (8, 1)), (0, 0, 0))
    words = {"dim": 4, "paint": cover}
    here, there = (
        extract(ReadsOnlyPlates(), plated.test, toy_run.test_transform, "x", workers=workers, **words) for workers in (0, 1)
    )
    assert (here.embeddings == there.embeddings).all()
    plain = extract(ReadsOnlyPlates(), plated.test, toy_run.test_transform, "x", dim=4)
    assert not np.allclose(plain.embeddings, here.embeddings)
