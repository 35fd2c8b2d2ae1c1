from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from clipsenet.images import PictureError
from clipsenet.loading import Draw, SightingImages, in_order, make_loader
from clipsenet.protocol import Benchmark
from clipsenet.sightings import Sightings
from clipsenet.transforms import ImageSettings, make_test_transform, make_train_transform, seeded

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.2, 0.2)
LIVELY = ImageSettings(size=(24, 20), jitter=(0.3, 0.3, 0.2, 0.05), crop_scale=(0.5, 1.0))
BATCHES = [[Draw(row, 3, 10 * number + row) for row in range(4)] for number in range(3)]


def images(benchmark: Benchmark, settings: ImageSettings = LIVELY, seed: int = 0) -> SightingImages:
    return SightingImages(benchmark.train, make_train_transform(settings, MEAN, STD), seed)


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_makes_the_same_batches(toy_benchmark: Benchmark, workers: int) -> None:
    alone = list(make_loader(images(toy_benchmark), BATCHES, 0))
    helped = list(make_loader(images(toy_benchmark), BATCHES, workers))
    assert len(alone) == len(helped) == 3
    for (a, a_rows), (b, b_rows) in zip(alone, helped, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a_rows, b_rows)


def test_a_picture_depends_on_seed_epoch_and_place_only(toy_benchmark: Benchmark) -> None:
    set_ = images(toy_benchmark)
    first = set_[Draw(0, 1, 2)][0]
    torch.rand(7)
    assert torch.equal(set_[Draw(0, 1, 2)][0], first)
    for other in (set_[Draw(0, 1, 3)][0], set_[Draw(0, 2, 2)][0], images(toy_benchmark, seed=1)[Draw(0, 1, 2)][0]):
        assert not torch.equal(other, first)


def test_drawing_inside_leaves_the_outside_untouched() -> None:
    torch.manual_seed(0)
    wanted = torch.rand(2)
    torch.manual_seed(0)
    first = torch.rand(1)
    with seeded(1, 2, 3):
        inside = torch.rand(1)
    assert torch.equal(torch.cat([first, torch.rand(1)]), wanted)
    with seeded(1, 2, 3):
        assert torch.equal(torch.rand(1), inside)


def test_the_test_transform_squashes_and_normalises() -> None:
    picture = Image.fromarray(np.full((50, 10, 3), 255, np.uint8))
    tensor = make_test_transform(ImageSettings(size=(24, 20)), MEAN, STD)(picture)
    assert tensor.shape == (3, 24, 20)
    assert torch.allclose(tensor[:, 0, 0], (1 - torch.tensor(MEAN)) / torch.tensor(STD))


QUIET = ImageSettings(size=(24, 20), flip=0, pad=0, erase=0)


def test_with_everything_off_training_sees_what_the_test_sees(toy_benchmark: Benchmark) -> None:
    plain = SightingImages(toy_benchmark.train, make_test_transform(QUIET, MEAN, STD))
    assert torch.equal(images(toy_benchmark, QUIET)[Draw(1, 5, 5)][0], plain[1][0])


@pytest.mark.parametrize(
    "change",
    [
        {"flip": 1.0},
        {"pad": 6},
        {"erase": 1.0},
        {"crop_scale": (0.3, 0.5)},
        {"jitter": (0.5, 0.5, 0.5, 0.1)},
        {"interpolation": "bilinear"},
        {"size": (20, 24)},
    ],
)
def test_every_image_setting_changes_the_tensor(toy_benchmark: Benchmark, change: dict) -> None:
    changed = images(toy_benchmark, QUIET.model_copy(update=change))[Draw(0, 0, 1)][0]
    plain = images(toy_benchmark, QUIET)[Draw(0, 0, 1)][0]
    assert changed.shape != plain.shape or not torch.equal(changed, plain)


def test_the_erased_part_is_the_mean_and_has_the_area_and_ratio_asked_for(toy_benchmark: Benchmark) -> None:
    settings = QUIET.model_copy(
        update={"size": (40, 40), "erase": 1.0, "erase_area": (0.25, 0.25), "erase_ratio": (2.25, 2.25)}
    )
    for place in range(5):
        erased = (images(toy_benchmark, settings)[Draw(0, 0, place)][0] == 0).all(dim=0)
        assert erased.any(dim=1).sum() == 30  # height: sqrt(1600 / 4 * 2.25)
        assert erased.any(dim=0).sum() == 13  # width: sqrt(1600 / 4 / 2.25)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_picture_comes_out_as_its_own_error(tmp_path: Path, workers: int) -> None:
    Image.new("RGB", (5, 5)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_text("x")
    both = Sightings.of([str(tmp_path / "good.png"), str(tmp_path / "bad.png")])
    loader = make_loader(SightingImages(both, make_test_transform(QUIET, MEAN, STD)), in_order(2, 1), workers)
    next(loader)
    with pytest.raises(PictureError, match=r"bad\.png: not a readable picture"):
        next(loader)


def test_rows_come_in_order() -> None:
    assert [[draw.row for draw in batch] for batch in in_order(5, 2)] == [[0, 1], [2, 3], [4]]
