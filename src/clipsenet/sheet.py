"""A contact sheet: vehicles in rows, cameras in columns, look-alikes marked."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int
from PIL import Image, ImageDraw, ImageFont

from clipsenet.errors import ClipsenetError
from clipsenet.files import write_whole
from clipsenet.images import open_sighting
from clipsenet.sightings import Sightings

PAPER, INK, MARK = (250, 250, 248), (40, 40, 44), (0, 114, 178)
"""Colours of the sheet; the mark is a blue that colour-blind readers tell from the ink."""

MARGIN = 120
HEAD = 26


def choose_vehicles(sightings: Sightings, vehicles: int) -> list[str]:
    """Vehicles for a sheet: two thirds of its rows for whole groups of look-alikes; those seen by most cameras first.

    Args:
        sightings: with vehicles; where they have a column ``lookalikes`` it names them, separated by blanks.
        vehicles: how many at most.

    Returns:
        Their names, from top to bottom.
    """
    cameras: dict[str, int] = {}
    for name in sightings.vehicle.names:
        rows = np.flatnonzero(sightings.vehicle.texts() == name)
        if len(rows):
            cameras[name] = len(np.unique(sightings.camera.numbers[rows]))
    groups: dict[frozenset[str], int] = {}
    for name, seen in cameras.items():
        group = frozenset((name, *(other for other in _alike(sightings, name) if other in cameras)))
        groups[group] = min(groups.get(group, seen), seen)
    order = sorted(groups, key=lambda group: (-groups[group], sorted(group)))
    together = [group for group in order if len(group) > 1]
    alone = [group for group in order if len(group) == 1]
    room = -(-2 * vehicles // 3) if alone else vehicles
    chosen: list[str] = []
    for group in together:
        if len(chosen) + len(group) <= room:
            chosen += sorted(group)
    if not chosen and not alone:  # no whole group has room
        chosen = sorted(together[0])[:vehicles] if together else []
    return [*chosen, *(name for group in alone[: vehicles - len(chosen)] for name in group)]


def choose_cameras(sightings: Sightings, vehicles: Sequence[str], cameras: int) -> list[str]:
    """The cameras that saw most of the vehicles, in the order of their names.

    Raises:
        ClipsenetError: a vehicle that is not there.
    """
    for name in vehicles:
        _rows(sightings, name)
    shown = np.isin(sightings.vehicle.texts(), list(vehicles))
    pairs = {
        (str(v), str(c)) for v, c in zip(sightings.vehicle.texts()[shown], sightings.camera.texts()[shown], strict=True) if c
    }
    count: dict[str, int] = {}
    for _, camera in pairs:
        count[camera] = count.get(camera, 0) + 1
    return sorted(sorted(count, key=lambda name: (-count[name], name))[:cameras])


def draw_sheet(sightings: Sightings, vehicles: Sequence[str], cameras: Sequence[str], side: int = 128) -> Image.Image:
    """One picture of each vehicle in each camera: the one in the middle of what there is.

    Args:
        sightings: with vehicles and cameras.
        vehicles: names, from top to bottom.
        cameras: names, from left to right.
        side: of a cell, in pixels.

    Raises:
        ClipsenetError: no vehicle or camera of these names.
        PictureError: a picture that cannot be opened.
    """
    if not vehicles or not cameras:
        raise ClipsenetError("nothing to show: the list names no vehicle or no camera; it needs both columns")
    sheet = Image.new("RGB", (MARGIN + side * len(cameras), HEAD + side * len(vehicles)), PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    small = ImageFont.load_default(11)
    for column, camera in enumerate(cameras):
        draw.text((MARGIN + column * side + side / 2, HEAD / 2), camera, INK, font=font, anchor="mm")
    groups = [frozenset((name, *_alike(sightings, name))) for name in vehicles]
    for row, name in enumerate(vehicles):
        top = HEAD + row * side
        rows = _rows(sightings, name)
        draw.text((10, top + side / 2 - 16), name, INK, font=font)
        for line, text in enumerate(_facts(sightings, int(rows[0]))):
            draw.text((10, top + side / 2 + line * 14), text, INK, font=small)
        _mark(draw, groups, row, top, side)
        for column, camera in enumerate(cameras):
            seen = rows[sightings.camera.texts()[rows] == camera]
            if len(seen):
                image = open_sighting(sightings, int(seen[len(seen) // 2]))
                factor = (side - 6) / max(image.size)
                image = image.resize([max(1, round(edge * factor)) for edge in image.size], Image.Resampling.LANCZOS)
                left = MARGIN + column * side + (side - image.width) // 2
                sheet.paste(image, (left, top + (side - image.height) // 2))
    return sheet


def save_picture(image: Image.Image, file: Path) -> None:
    """Write it whole, as PNG or JPEG by its ending.

    Raises:
        ClipsenetError: another ending, or a disk that is full.
    """
    kinds = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
    kind = kinds.get(file.suffix.lower())
    if kind is None:
        raise ClipsenetError(f"{file}: found the ending '{file.suffix}', wanted .png or .jpg")
    write_whole(file, lambda partial: image.save(partial, kind, quality=88, optimize=True))


def _rows(sightings: Sightings, vehicle: str) -> Int[np.ndarray, " rows"]:
    rows = np.flatnonzero(sightings.vehicle.texts() == vehicle)
    if not len(rows):
        raise ClipsenetError(f"no vehicle '{vehicle}' in the list; it has {', '.join(sightings.vehicle.names[:12])} ...")
    return rows


def _alike(sightings: Sightings, vehicle: str) -> list[str]:
    if "lookalikes" not in sightings.extra:
        return []
    return str(sightings.extra["lookalikes"].texts()[_rows(sightings, vehicle)[0]]).split()


def _facts(sightings: Sightings, row: int) -> list[str]:
    return [str(sightings.extra[name].texts()[row]) for name in ("colour", "type") if name in sightings.extra]


def _mark(draw: ImageDraw.ImageDraw, groups: Sequence[frozenset[str]], row: int, top: int, side: int) -> None:
    """A bracket that joins look-alikes which stand below each other."""
    above = row > 0 and groups[row - 1] == groups[row]
    below = row + 1 < len(groups) and groups[row + 1] == groups[row]
    x = MARGIN - 12
    if above or below:
        draw.line((x, top if above else top + side * 0.2, x, top + side if below else top + side * 0.8), MARK, width=3)
        for tick, is_end in ((top + side * 0.2, not above), (top + side * 0.8, not below)):
            if is_end:
                draw.line((x, tick, x + 8, tick), MARK, width=3)
