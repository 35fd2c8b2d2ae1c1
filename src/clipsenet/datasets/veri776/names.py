"""VeRi-776's lists of pictures, whose names say vehicle, camera and time stamp."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from clipsenet.datasets.lists import malformed, read_words, refuse_twice
from clipsenet.errors import ClipsenetError

PARTS = ("train", "test", "query")
NAME = re.compile(r"(\d+)_(c\d+)_(\d+)_\d+\.jpg")
WANTED = "vehicle, camera, time stamp and number, such as '0002_c002_00030600_0.jpg'"


@dataclass(frozen=True, eq=False)
class Names:
    """The pictures of one list, or of one folder where there is no list, and what their names say.

    Attributes:
        source: that list or folder.
        names: ``n`` file names.
        line: ``(n,)`` the line of each, from 1; 0 in a folder.
        vehicle: ``n`` texts such as ``0002``.
        camera: ``n`` texts such as ``c002``.
        frame: ``n`` time stamps such as ``00030600``, whose zero nobody knows.
    """

    source: Path
    names: list[str]
    line: Int[np.ndarray, " n"]
    vehicle: list[str]
    camera: list[str]
    frame: list[str]

    @classmethod
    def of(cls, source: Path, names: list[str], line: Int[np.ndarray, " n"]) -> "Names":
        """Read the names; each must say all three."""
        matches = [_match(source, name, number) for name, number in zip(names, line.tolist(), strict=True)]
        vehicle, camera, frame = ([match[group] for match in matches] for group in (1, 2, 3))
        return cls(source, names, line, vehicle, camera, frame)


def has_parts(folder: Path) -> bool:
    """Whether a folder has a list or a folder of pictures for each part."""
    return all((folder / f"name_{part}.txt").is_file() or (folder / f"image_{part}").is_dir() for part in PARTS)


def read_names(root: Path, part: str) -> Names:
    """The names of the list, or of the folder in the order of the names.

    Raises:
        ClipsenetError: a name that says nothing, a name twice, or none at all.
    """
    file, folder = root / f"name_{part}.txt", root / f"image_{part}"
    if file.is_file():
        words = read_words(file, 1, WANTED)
        refuse_twice(file, words.words[0], words.line)
        return Names.of(file, words.words[0], words.line)
    names = sorted(name for name in os.listdir(folder) if name.lower().endswith(".jpg"))
    if not names:
        raise ClipsenetError(f"{folder}: found no picture and no {file.name} beside it, wanted {WANTED}; unpack it anew")
    return Names.of(folder, names, np.zeros(len(names), dtype=np.int64))


def _match(source: Path, name: str, line: int) -> re.Match[str]:
    match = NAME.fullmatch(name)
    if match is None:
        if line:
            raise malformed(source, line, name, WANTED)
        raise ClipsenetError(f"{source}: found '{name}', wanted {WANTED}; rename or remove the file")
    return match
