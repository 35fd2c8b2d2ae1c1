"""Open a picture safely: upright, RGB, 8 bit, cropped to its box; or an error that names file and line."""

import os
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from clipsenet.addresses import Addresses
from clipsenet.errors import ClipsenetError
from clipsenet.sightings import WHOLE, Sightings

LARGEST = 100_000_000
"""Pixels above which a picture is refused before it is decoded: a whole frame has 8 million, a bomb has billions."""


class PictureError(ClipsenetError):
    """A picture that cannot be used; the message names its file, and the line of the list that names it."""


def open_picture(path: str | Path, box: tuple[int, int, int, int] = WHOLE) -> Image.Image:
    """Open one picture.

    EXIF rotation is applied, and the box counts in the upright picture. Grey, palette, CMYK and 16-bit pictures become
    8-bit RGB (16 bit by the full range, floating point from 0 to 1); transparency is laid over white; of an animation the
    first frame counts.

    Args:
        path: the file.
        box: x, y, width, height in pixels; ``WHOLE`` for all of it.

    Returns:
        An RGB picture.

    Raises:
        PictureError: not there, not a picture, truncated, more than ``LARGEST`` pixels, a box that leaves the picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own bound is checked below
            image = Image.open(path)
        with image:
            if image.width * image.height > LARGEST:
                raise PictureError(f"{path}: {image.width} x {image.height} pixels, wanted at most {LARGEST:,}; scale it down")
            image.load()
            turn = _TURNS.get(_orientation(image))
            upright = image if turn is None else image.transpose(turn)
            rgb = _to_rgb(upright)
    except (PictureError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise PictureError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise PictureError(f"{path}: a folder; wanted a picture's file") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"{path}: {error}; scale it down") from error
    except Exception as error:  # Pillow has many ways to say: broken; each is this picture's fault
        raise PictureError(f"{path}: not a readable picture ({error}); replace it or leave it out") from error
    if box == WHOLE:
        return rgb
    x, y, width, height = box
    if x + width > rgb.width or y + height > rgb.height:
        raise PictureError(
            f"{path}: box x, y, width, height = {x}, {y}, {width}, {height} leaves the picture of {rgb.width} x {rgb.height}"
        )
    return rgb.crop((x, y, x + width, y + height))


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation tag; a picture whose EXIF cannot be read stands as it is."""
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # a broken tag elsewhere in the EXIF does not lose a good picture
        return 1


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientation to what makes the picture upright."""


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        full = 1 if image.mode == "F" else 65535
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= full):
            raise ValueError(f"values from {values.min():g} to {values.max():g}, wanted 0 to {full} for mode {image.mode}")
        return Image.fromarray((values / full * 255 + 0.5).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        ground = Image.new("RGBA", coloured.size, "white")
        return Image.alpha_composite(ground, coloured).convert("RGB")
    return image.convert("RGB")


def open_sighting(sightings: Sightings | Addresses, row: int) -> Image.Image:
    """Open the picture of one row, cropped to its box.

    Raises:
        PictureError: as ``open_picture``, with file and line of the list.
    """
    try:
        return open_picture(sightings.file(row), sightings.box_of(row))
    except PictureError as error:
        path = sightings.file(row)
        rest = str(error).removeprefix(path)
        raise PictureError(f"{sightings.describe(row)}{rest}") from error


def missing_files(sightings: Sightings) -> list[int]:
    """The rows whose file is not there; each folder is listed once, so that a slow disk is asked seldom."""
    listed: dict[str, set[str]] = {}
    absent = []
    for row, path in enumerate(sightings.files()):
        folder, name = os.path.split(str(path))
        if folder not in listed:
            try:
                listed[folder] = set(os.listdir(folder or "."))
            except OSError:
                listed[folder] = set()
        if name not in listed[folder]:
            absent.append(row)
    return absent


def require_files(*parts: Sightings) -> None:
    """Refuse a list whose files are not all there, before hours are spent on the others.

    Raises:
        PictureError: how many are missing, and the first one with its line.
    """
    for sightings in parts:
        absent = missing_files(sightings)
        if absent:
            raise PictureError(
                f"{len(absent)} of {len(sightings)} files are missing, the first: {sightings.describe(absent[0])}; relative "
                "paths start at the manifest's folder. Mend the list, or pass --skip-broken to go on without them"
            )


def find_broken(sightings: Sightings, threads: int = 2) -> list[tuple[int, str]]:
    """Open every picture once and list those that cannot be used, with the reason."""

    def check(row: int) -> str | None:
        try:
            open_sighting(sightings, row)
        except PictureError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(max_workers=threads) as pool:
        reasons: Iterable[str | None] = pool.map(check, range(len(sightings)))
        return [(row, reason) for row, reason in enumerate(reasons) if reason is not None]
