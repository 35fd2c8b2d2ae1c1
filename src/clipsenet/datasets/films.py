"""Films: whole frames with boxes and tracks, in the columns of MOT."""

import configparser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipsenet.datasets.lists import entries
from clipsenet.errors import ClipsenetError
from clipsenet.sightings import Sightings
from clipsenet.tables import BOX, from_columns, microseconds_of, time_text

ABOUT = "seqinfo.ini"
LISTS = ("gt/gt.txt", "det/det.txt")
"""Where a film's boxes stand; the first that is there is read."""

LEAST_SEEN = 0.3
"""A box of gt.txt that shows less of its vehicle is left out, where the list tells it (column 9)."""


@dataclass(frozen=True)
class Film:
    """What ``seqinfo.ini`` says of a film.

    Attributes:
        folder: that holds it.
        frames: the folder of its frames.
        ending: of their names.
        rate: frames a second.
        size: width and height in pixels.
        began: when its first frame was taken, in microseconds since 1970 UTC; none where nobody says.
    """

    folder: Path
    frames: str
    ending: str
    rate: float
    size: tuple[int, int]
    began: int | None

    @property
    def name(self) -> str:
        """Its folder's name, which is its camera's."""
        return self.folder.resolve().name


def films_in(root: Path) -> list[Path]:
    """The folders of films: this one, or those in it, or in its folder ``frames``, in the order of their names."""
    if (root / ABOUT).is_file():
        return [root]
    return sorted(path.parent for pattern in (f"*/{ABOUT}", f"frames/*/{ABOUT}") for path in root.glob(pattern))


def read_films(root: Path, began: int | None = None) -> Sightings:
    """The boxes of films as sightings.

    A line of ``gt/gt.txt`` or ``det/det.txt`` is frame, track, left, top, width, height, confidence, class, visibility; frames
    and pixels count from 1, a track of -1 is none, a confidence of 0 in gt.txt means that the line does not count. A box is
    cut at the frame's edge. The film's folder is its camera. A track's name is made of camera, the film's beginning and its
    number, so that other films of that camera may count from 1 again.

    Args:
        root: a folder of films, or one film.
        began: when the first frame of each film was taken that does not say so itself (``began`` in seqinfo.ini), in
            microseconds since 1970 UTC; none: such films have no times.

    Raises:
        ClipsenetError: no films, a list or ``seqinfo.ini`` that is missing or cannot be read, a beginning without a zone, a box
            outside of its frame; each with its line.
    """
    folders = films_in(root)
    if not folders:
        raise ClipsenetError(f"no film in {root}: wanted folders with {ABOUT}, img1 and gt/gt.txt, as MOT has them")
    columns: dict[str, list[str]] = {name: [] for name in ("path", "camera", "track", "time", *BOX, "frame", "class")}
    for folder in folders:
        for row in _rows(_about(folder, began)):
            for name, text in row.items():
                columns[name].append(text)
    if not columns["path"]:
        raise ClipsenetError(f"no box in the films of {root}; wanted lines of frame, track, left, top, width, height, ...")
    return from_columns(columns, str(root), np.zeros(len(columns["path"]), dtype=np.int64))


def _about(folder: Path, began: int | None) -> Film:
    file = folder / ABOUT
    try:
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(file.read_text(encoding="utf-8"))
        about = parser["Sequence"]
        rate, size = float(about["frameRate"]), (int(about["imWidth"]), int(about["imHeight"]))
        if not rate > 0:
            raise ValueError(f"frameRate={about['frameRate']}, wanted more than 0")
        own = about.get("began", "")
        return Film(folder, about["imDir"], about["imExt"], rate, size, microseconds_of(own) if own else began)
    except (OSError, UnicodeDecodeError, configparser.Error, KeyError, ValueError) as error:
        raise ClipsenetError(
            f"{file}: {error}; wanted [Sequence] with imDir, imExt, frameRate, imWidth, imHeight, and began (if at all) with "
            "its zone, such as 2026-05-01T08:30:00+02:00"
        ) from error


def _rows(film: Film) -> Iterator[dict[str, str]]:
    """The columns of each box that counts."""
    list_ = next((film.folder / name for name in LISTS if (film.folder / name).is_file()), None)
    if list_ is None:
        raise ClipsenetError(f"{film.folder}: found none of {', '.join(LISTS)}; wanted the film's boxes in one of them")
    judged = list_.name == "gt.txt"
    since = "" if film.began is None else time_text(film.began).replace("-", "").replace(":", "")[:15]  # 20260511T083000
    passage = "_".join(filter(None, (film.name, since)))
    for line, text in entries(list_):
        try:
            values = [float(word) for word in text.split(",")]
            frame, track = int(values[0]), int(values[1])
            x, y, width, height = values[2] - 1, values[3] - 1, values[4], values[5]
            if frame < 1 or not np.isfinite(values).all():
                raise ValueError("wanted a frame from 1, and finite numbers")
        except (ValueError, IndexError, OverflowError) as error:
            raise ClipsenetError(
                f"{list_}, line {line}: found {text!r} ({error}); wanted frame, track, left, top, width, height, "
                "confidence, ..."
            ) from error
        left, top = max(0.0, x), max(0.0, y)
        right, bottom = min(float(film.size[0]), x + width), min(float(film.size[1]), y + height)
        if right - left <= 0 or bottom - top <= 0:
            raise ClipsenetError(
                f"{list_}, line {line}: the box {', '.join(text.split(',')[2:6])} has no part in the frame of {film.size[0]} x "
                f"{film.size[1]} pixels; remove the line"
            )
        if judged and ((len(values) > 6 and values[6] == 0) or (len(values) > 8 and 0 <= values[8] < LEAST_SEEN)):
            continue
        time = "" if film.began is None else str(film.began + round((frame - 1) * 1_000_000 / film.rate))
        yield {
            "path": str(film.folder.resolve() / film.frames / f"{frame:06d}{film.ending}"),
            "camera": film.name,
            "track": f"{passage}_{track}" if track >= 0 else "",
            "time": time,
            **dict(zip(BOX, map(repr, (left, top, right - left, bottom - top)), strict=True)),
            "frame": str(frame),
            "class": str(int(values[7])) if judged and len(values) > 7 and values[7] >= 0 else "",
        }
