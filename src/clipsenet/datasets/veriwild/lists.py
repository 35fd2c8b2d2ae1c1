"""VeRi-Wild's lists of pictures, of its first or its second release."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from clipsenet.datasets.lists import malformed, read_words, refuse_twice
from clipsenet.errors import ClipsenetError
from clipsenet.sightings import TEXT, Texts

WANTED = "a vehicle's folder and a picture, such as '31388/321973'"
WANTED_SECOND = "picture, number of the vehicle and camera, such as '00001/000001.jpg 0 23'"


@dataclass(frozen=True, eq=False)
class PictureList:
    """One list, in blocks without a Python object for each text.

    Attributes:
        file: where it was read.
        picture: ``(n,)`` vehicle's folder and picture, without an ending.
        line: ``(n,)`` of each, from 1.
        camera: ``(n,)`` of each, where the list says it.
    """

    file: Path
    picture: Texts
    line: Int[np.ndarray, " n"]
    camera: Texts | None = None

    def vehicles(self) -> Texts:
        """``(n,)`` folders; a vehicle's number counts in its own list only, and is not its name."""
        return _block((picture.partition("/")[0] for picture in self.picture), self.picture)

    def paths(self) -> Texts:
        """``(n,)`` files, from the data set's folder on."""
        return _block((f"images/{picture}.jpg" for picture in self.picture), self.picture, longer=len("images/.jpg"))


def read_list(file: Path) -> PictureList:
    """A list of the first release: a picture on each line.

    Raises:
        ClipsenetError: a line that cannot be read, or a picture twice.
    """
    words = read_words(file, 1, WANTED)
    return PictureList(file, _pictures(file, words.words[0], words.line, WANTED), words.line)


def read_second_list(file: Path) -> PictureList:
    """A list of the second release: picture, number of the vehicle, camera.

    Raises:
        ClipsenetError: a line that cannot be read, a picture twice, or a folder and a number that are not one to one.
    """
    words = read_words(file, 3, WANTED_SECOND)
    pictures = _pictures(file, words.words[0], words.line, WANTED_SECOND)
    _, numbers, cameras = words.words
    for camera, line in zip(cameras, words.line.tolist(), strict=True):
        if not camera.isdecimal():
            raise malformed(file, line, f"camera {camera}", WANTED_SECOND)
    found = PictureList(file, pictures, words.line, np.array(cameras, dtype=TEXT))
    _refuse_mixed(file, found.vehicles().tolist(), numbers, words.line)
    return found


def _block(texts: Iterable[str], like: Texts, longer: int = 0) -> Texts:
    """``(n,)`` texts put into their block one by one: a list of them would take more memory than the block."""
    return np.fromiter(texts, f"U{like.dtype.itemsize // 4 + longer}", len(like))


def _pictures(file: Path, names: Sequence[str], lines: Int[np.ndarray, " n"], wanted: str) -> Texts:
    """``(n,)`` names without an ending."""
    pictures = [name.removesuffix(".jpg") for name in names]
    for picture, line in zip(pictures, lines.tolist(), strict=True):
        if picture.count("/") != 1 or picture[0] == "/" or picture[-1] == "/":
            raise malformed(file, line, picture, wanted)
    refuse_twice(file, pictures, lines)
    return np.array(pictures, dtype=TEXT)


def _refuse_mixed(file: Path, folders: Sequence[str], numbers: Sequence[str], lines: Int[np.ndarray, " n"]) -> None:
    """Refuse a list in which a folder has two numbers, or a number two folders."""
    number_of: dict[str, tuple[str, int]] = {}
    folder_of: dict[str, tuple[str, int]] = {}
    for folder, number, line in zip(folders, numbers, lines.tolist(), strict=True):
        for known, what, key, value in ((number_of, "folder", folder, number), (folder_of, "vehicle", number, folder)):
            other, first = known.setdefault(key, (value, line))
            if other != value:
                raise ClipsenetError(
                    f"{file}: lines {first} and {line} contradict each other: {what} {key} goes with {other} and with {value}, "
                    "wanted one number for each folder; mend the list"
                )
