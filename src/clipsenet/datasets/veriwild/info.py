"""What VeRi-Wild's vehicle_info.txt says of its pictures: the longest list there is, read in chunks."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np
from jaxtyping import Int, Shaped

from clipsenet.datasets.lists import entries, malformed
from clipsenet.errors import ClipsenetError
from clipsenet.sightings import TEXT, UNKNOWN, Labels, Texts

COLUMNS = {"color": "colour", "colour": "colour", "type": "type", "model": "model"}
"""A header's name to our column; a time has no zone there, and is left out."""

WANTED = "a picture and its camera, separated by ';', such as '31388/321973;23'"
CHUNK = 20_000
"""Lines in memory at once."""


class _Coded:
    """One label of many pictures, told in any order: a small number for each, and its text once."""

    def __init__(self, n: int) -> None:
        self.code = np.full(n, UNKNOWN, dtype=np.int32)
        self.code_of: dict[str, int] = {}

    def encode(self, texts: Sequence[str]) -> Int[np.ndarray, " n"]:
        """``(n,)`` numbers of the texts; an empty one is unknown."""
        codes = [self.code_of.setdefault(text, len(self.code_of)) if text else UNKNOWN for text in texts]
        return np.array(codes, dtype=np.int32)

    def labels(self) -> Labels:
        """As Labels, whose numbers follow the order of the texts."""
        names = list(self.code_of)
        order = sorted(range(len(names)), key=names.__getitem__)
        number = np.full(len(names) + 1, UNKNOWN, dtype=np.int64)  # its last entry is that of UNKNOWN
        number[order] = np.arange(len(names))
        return Labels(number[self.code], tuple(names[code] for code in order))


def read_info(file: Path, pictures: Texts) -> dict[str, Labels]:
    """``camera``, and those of ``colour``, ``type`` and ``model`` that the header names, for each picture.

    Args:
        file: a line a picture, separated by ';': picture and camera, and further fields that only a header can tell.
        pictures: ``(n,)`` those that are wanted, such as ``31388/321973``; others are passed over.

    Raises:
        ClipsenetError: a line without picture and camera, or one picture in two cameras.
    """
    names, row = np.unique(pictures, return_inverse=True)
    lines: Iterator[tuple[int, str]] = entries(file)
    first = next(lines, (1, ""))
    place_of = _read_header(first[1])
    if place_of is None:
        place_of, lines = {}, chain([first], lines)
    columns = {name: _Coded(len(names)) for name in ("camera", *place_of)}
    line_of = np.zeros(len(names), dtype=np.int64)
    while chunk := list(islice(lines, CHUNK)):
        fields = [_split(file, line, text) for line, text in chunk]
        asked = np.array([one[0] for one in fields], dtype=TEXT)
        found = np.minimum(np.searchsorted(names, asked), len(names) - 1)
        known = np.flatnonzero(names[found] == asked)
        place, told = found[known], [fields[number] for number in known.tolist()]
        _put_cameras(
            file,
            names,
            columns["camera"],
            line_of,
            place,
            columns["camera"].encode([one[1] for one in told]),
            np.array([line for line, _ in chunk], dtype=np.int64)[known],
        )
        for name, column in place_of.items():
            texts = [one[column].strip() if column < len(one) else "" for one in told]
            columns[name].code[place] = columns[name].encode(texts)
    return {name: coded.labels()[row] for name, coded in columns.items()}


def _read_header(text: str) -> dict[str, int] | None:
    """Our columns to their places among the fields; none where the line is no header."""
    titles = [title.strip().lower() for title in text.split(";")]
    if titles[0] != "id/image":
        return None
    return {COLUMNS[title]: place for place, title in enumerate(titles) if place > 1 and title in COLUMNS}


def _split(file: Path, line: int, text: str) -> list[str]:
    """The fields of a line: a picture without its ending, its camera, and the others as they are."""
    fields = text.split(";")
    if len(fields) < 2:
        raise malformed(file, line, text, WANTED)
    fields[0], fields[1] = fields[0].strip().removesuffix(".jpg"), fields[1].strip()
    if fields[0].count("/") != 1 or not (fields[1].isdecimal() or not fields[1]):
        raise malformed(file, line, text, WANTED)
    return fields


def _put_cameras(
    file: Path,
    names: Shaped[np.ndarray, " pictures"],
    cameras: _Coded,
    line_of: Int[np.ndarray, " pictures"],
    place: Int[np.ndarray, " n"],
    camera: Int[np.ndarray, " n"],
    line: Int[np.ndarray, " n"],
) -> None:
    """Write the cameras of one chunk down, and refuse a picture that has another one, of this chunk or an earlier one."""
    before = cameras.code[place], line_of[place]
    cameras.code[place], line_of[place] = camera, line
    for other, other_line in (before, (cameras.code[place], line_of[place])):
        wrong = np.flatnonzero((other_line > 0) & (other != camera))
        if len(wrong):
            one = wrong[0]
            texts = [*cameras.code_of, "unknown"]
            (first, here), (last, there) = sorted([(other_line[one], texts[other[one]]), (line[one], texts[camera[one]])])
            raise ClipsenetError(
                f"{file}: lines {first} and {last} contradict each other about {names[place[one]]}: found camera {here} and "
                f"camera {there}, wanted one; remove the wrong line"
            )
