import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsenet.broken import check_benchmark, leave_out_broken
from clipsenet.images import PictureError, find_broken, missing_files, open_picture, open_sighting, require_files
from clipsenet.protocol import Benchmark, Protocol, fingerprint
from clipsenet.sightings import Sightings, Trial

RED = (200, 30, 20)


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def corner(path: Path) -> tuple[int, int, int]:
    image = open_picture(path)
    assert image.mode == "RGB"
    return image.getpixel((0, 0))  # type: ignore[return-value]


def test_rotation_by_exif_is_applied_before_the_box(tmp_path: Path) -> None:
    image = Image.new("RGB", (4, 2), "black")
    image.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees to the right
    path = save(tmp_path / "a.png", image, exif=exif)
    upright = open_picture(path)
    assert upright.size == (2, 4)
    assert upright.getpixel((1, 0)) == RED
    assert open_picture(path, (1, 0, 1, 1)).getpixel((0, 0)) == RED


def test_every_mode_becomes_rgb(tmp_path: Path) -> None:
    grey = save(tmp_path / "grey.png", Image.new("L", (2, 2), 77))
    assert corner(grey) == (77, 77, 77)
    palette = Image.new("RGB", (2, 2), RED).convert("P", palette=Image.Palette.ADAPTIVE)
    assert corner(save(tmp_path / "p.png", palette)) == RED
    cmyk = save(tmp_path / "cmyk.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), quality=95)
    assert np.abs(np.subtract(corner(cmyk), (255, 0, 0))).max() < 4
    assert corner(save(tmp_path / "one.png", Image.new("1", (2, 2), 1))) == (255, 255, 255)


def test_sixteen_bits_keep_the_full_range(tmp_path: Path) -> None:
    values = np.array([[0, 65535], [32768, 257]], dtype=np.uint16)
    path = save(tmp_path / "deep.png", Image.fromarray(values))
    image = np.asarray(open_picture(path))
    assert image[:, :, 0].tolist() == [[0, 255], [128, 1]]
    path = save(tmp_path / "float.tiff", Image.fromarray(np.array([[0.0, 1.0]], dtype=np.float32)))
    assert np.asarray(open_picture(path))[0, :, 0].tolist() == [0, 255]


def test_values_out_of_range_are_refused_rather_than_guessed(tmp_path: Path) -> None:
    for values in ([[0.2, 200.0]], [[float("nan"), 0.5]], [[-0.1, 0.5]]):
        path = save(tmp_path / "odd.tiff", Image.fromarray(np.array(values, dtype=np.float32)))
        with pytest.raises(PictureError, match=r"values from .*wanted 0 to 1"):
            open_picture(path)


def test_a_broken_exif_does_not_lose_a_good_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    path = save(tmp_path / "a.jpg", Image.new("RGB", (16, 8)), exif=exif)
    whole = path.read_bytes()
    start = whole.index(b"Exif\0\0") + 6
    for position in range(start, start + 40):
        for value in (0, 255):
            path.write_bytes(whole[:position] + bytes([value]) + whole[position + 1 :])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow's about the EXIF
                assert sorted(open_picture(path).size) == [8, 16]


@pytest.mark.parametrize(
    ("orientation", "corner_at"),
    [(1, (0, 0)), (2, (3, 0)), (3, (3, 1)), (4, (0, 1)), (5, (0, 0)), (6, (1, 0)), (7, (1, 3)), (8, (0, 3))],
)
def test_all_eight_orientations(tmp_path: Path, orientation: int, corner_at: tuple[int, int]) -> None:
    image = Image.new("RGB", (4, 2), "black")
    image.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert open_picture(save(tmp_path / "a.png", image, exif=exif)).getpixel(corner_at) == RED


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    clear = save(tmp_path / "clear.png", Image.new("RGBA", (2, 2), (*RED, 0)))
    assert corner(clear) == (255, 255, 255)
    half = save(tmp_path / "half.png", Image.new("LA", (2, 2), (0, 128)))
    assert abs(corner(half)[0] - 127) <= 1
    indexed = Image.new("P", (2, 2), 0)
    indexed.putpalette([*RED, 0, 0, 0])
    assert corner(save(tmp_path / "p.png", indexed, transparency=0)) == (255, 255, 255)
    keyed = save(tmp_path / "key.png", Image.new("RGB", (2, 2), RED), transparency=RED)
    assert corner(keyed) == (255, 255, 255)


def test_broken_truncated_and_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").touch()
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(buffer, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    for name in ("text.jpg", "empty.jpg", "cut.jpg"):
        with pytest.raises(PictureError, match=rf"{name}: not a readable picture"):
            open_picture(tmp_path / name)
    with pytest.raises(PictureError, match=r"none\.jpg: no such file"):
        open_picture(tmp_path / "none.jpg")


def bomb(path: Path, side: int) -> Path:
    """A PNG header that promises a huge picture in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("side", [10_500, 30_000])
def test_an_absurdly_large_picture_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    with pytest.raises(PictureError, match="scale it down"):
        open_picture(bomb(tmp_path / "bomb.png", side))


def test_a_box_outside_the_picture_names_both(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", Image.new("RGB", (4, 3)))
    assert open_picture(path, (1, 1, 3, 2)).size == (3, 2)
    with pytest.raises(PictureError, match=r"= 2, 0, 3, 3 leaves the picture of 4 x 3"):
        open_picture(path, (2, 0, 3, 3))


def three(folder: Path) -> Sightings:
    save(folder / "good.png", Image.new("RGB", (4, 3)))
    (folder / "bad.png").write_text("x")
    lines = np.array([2, 3, 4])
    found = Sightings.of([str(folder / name) for name in ("good.png", "bad.png", "none.png")], vehicle=["a", "a", "b"])
    from dataclasses import replace

    return replace(found, source="list.csv", line=lines)


def test_an_error_names_the_line_of_the_list(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"bad\.png \(list\.csv, line 3\): not a readable picture"):
        open_sighting(three(tmp_path), 1)


def test_missing_files_are_found_before_anything_is_opened(tmp_path: Path) -> None:
    sightings = three(tmp_path)
    assert missing_files(sightings) == [2]
    with pytest.raises(PictureError, match=r"1 of 3 files are missing, the first: .*none\.png \(list\.csv, line 4\)"):
        require_files(sightings)


def test_broken_pictures_are_left_out_and_listed(tmp_path: Path) -> None:
    sightings = three(tmp_path)
    assert [row for row, _ in find_broken(sightings)] == [1, 2]
    kept, reasons = leave_out_broken(sightings)
    assert kept.path.tolist() == [str(tmp_path / "good.png")]
    assert len(reasons) == 2
    assert "line 3" in reasons[0]


def test_trials_point_at_the_same_pictures_after_some_are_left_out(tmp_path: Path) -> None:
    sightings = three(tmp_path)[np.array([1, 0, 2, 0])]  # broken, good, missing, good
    empty = sightings[np.arange(0)]
    trial = Trial(np.array([0, 1]), np.array([1, 2, 3]))
    benchmark = Benchmark("x", empty, empty, sightings, (trial,), Protocol(), "0", "yours")
    checked, reasons = check_benchmark(benchmark, ("train", "test"), skip_broken=True)
    assert len(checked.test) == 2
    assert (checked.trials[0].query.tolist(), checked.trials[0].gallery.tolist()) == ([0], [0, 1])
    assert "2 test pictures LEFT OUT" in checked.notes[0]
    assert checked.copy == "yours, modified"
    assert checked.fingerprint == fingerprint(checked.test)
    assert len(reasons) == 2
    with pytest.raises(PictureError, match="files are missing"):
        check_benchmark(benchmark, ("test",), skip_broken=False)
