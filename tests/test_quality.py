"""Quality: a fixed measure of size and sharpness."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from clipsenet.quality import PERCENT, SHARPNESS, SIDE, measure_qualities, quality_of, sharpness_of
from clipsenet.sightings import Sightings


def noise(width: int, height: int, seed: int = 0, spread: float = 40) -> Image.Image:
    rng = np.random.default_rng(seed)
    values = rng.normal(128, spread, (height, width, 3)).clip(0, 255)
    return Image.fromarray(values.astype(np.uint8))


def slow_sharpness(picture: Image.Image) -> float:
    luma = np.asarray(picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR), dtype=np.float64)
    found = []
    for y in range(1, SIDE - 1):
        for x in range(1, SIDE - 1):
            found.append(luma[y - 1, x] + luma[y + 1, x] + luma[y, x - 1] + luma[y, x + 1] - 4 * luma[y, x])
    return float(np.var(found))


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    for picture in (noise(200, 140), noise(50, 70, seed=1), noise(128, 128, seed=2).filter(ImageFilter.GaussianBlur(2))):
        assert sharpness_of(picture) == pytest.approx(slow_sharpness(picture), rel=1e-4)


def test_blur_and_fewer_pixels_lower_the_quality() -> None:
    sharp = noise(200, 160, spread=20).filter(ImageFilter.GaussianBlur(0.8))
    values = [quality_of(sharp.filter(ImageFilter.GaussianBlur(radius))) for radius in (0, 1, 2)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[2]
    # the same pixels, so that only the side differs: 64 of 128 are half
    flat = Image.new("RGB", (64, 64), "grey")
    assert quality_of(flat) == pytest.approx(0.5 * 0.01)


@given(st.integers(1, 300), st.integers(1, 300), st.floats(0, 120), st.integers(0, 3))
def test_quality_is_above_0_to_1(width: int, height: int, spread: float, seed: int) -> None:
    assert 0 < quality_of(noise(width, height, seed, spread)) <= 1


def test_the_reference_rises() -> None:
    assert len(PERCENT) == len(SHARPNESS)
    assert list(SHARPNESS) == sorted(SHARPNESS)
    assert (PERCENT[0], PERCENT[-1]) == (1, 100)


def test_frames_are_opened_once_and_crops_measured_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = noise(300, 200)
    frame.save(tmp_path / "f.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    names = ["f.png", "broken.png", "f.png", "f.png", "missing.png", "f.png"]
    boxes = [(0, 0, 100, 90), (0, 0, 9, 9), (50, 60, 70, 80), (250, 0, 100, 90), (-1, -1, -1, -1), (-1, -1, -1, -1)]
    opened = []

    def watched(path, *rest):  # type: ignore[no-untyped-def]
        opened.append(str(path))
        return original(path, *rest)

    from clipsenet import quality

    original = quality.open_picture
    monkeypatch.setattr("clipsenet.quality.open_picture", watched)
    told: list[tuple[int, int]] = []
    pictures = Sightings.of([str(tmp_path / name) for name in names], box=boxes)
    found, broken = measure_qualities(pictures, tick=lambda done, total: told.append((done, total)))
    assert sorted(told)[-1] == (6, 6)
    assert opened == [str(tmp_path / "f.png")]
    assert [row for row, _ in broken] == [1, 3, 4]
    assert "leaves the picture of 300 x 200" in broken[1][1]
    assert np.isnan(found[[1, 3, 4]]).all()
    for row in (0, 2):
        x, y, width, height = boxes[row]
        assert found[row] == pytest.approx(quality_of(frame.crop((x, y, x + width, y + height))))
    assert found[5] == pytest.approx(quality_of(frame))


def test_nothing_has_no_quality() -> None:
    found, broken = measure_qualities(Sightings.of([]))
    assert (len(found), broken) == (0, [])
