"""Records: what the drawing of each picture came to, kept line by line, so that a kill loses none that is whole."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

NAME = "drawn.jsonl"


@dataclass(frozen=True)
class Sight:
    """A vehicle as a picture shows it.

    Attributes:
        view: the side, by VeRi-776's names.
        plate: x, y, width, height of the number plate in the picture's pixels, or none where it is not seen.
        box: x, y, width, height of the vehicle in a frame's pixels; none where it fills the picture.
        visibility: the share of the vehicle that nothing hides, 0 to 1; none where it was not asked for.
    """

    view: str
    plate: tuple[int, int, int, int] | None
    box: tuple[float, float, float, float] | None = None
    visibility: float | None = None


@dataclass(frozen=True)
class Record:
    """A picture that was drawn.

    Attributes:
        path: from the set's folder on.
        bytes, checksum: of its file, so that a broken one is found.
        light, weather: as they were.
        sights: one a shot; none where the vehicle is out of the picture.
    """

    path: str
    bytes: int
    checksum: int
    light: str
    weather: str
    sights: tuple[Sight | None, ...]

    def holds(self, folder: Path) -> bool:
        """Whether the file is there and as it was drawn."""
        try:
            data = (folder / self.path).read_bytes()
        except OSError:
            return False
        return len(data) == self.bytes and crc32(data) == self.checksum


def append(folder: Path, record: Record) -> None:
    """One write at the file's end, so that lines of two processes do not mix."""
    line = json.dumps(asdict(record), separators=(",", ":"))
    descriptor = os.open(folder / NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


def read(folder: Path) -> dict[str, Record]:
    """A path to its last record. A line that was torn counts for nothing: its picture is drawn anew."""
    found: dict[str, Record] = {}
    if not (folder / NAME).is_file():
        return found
    for line in (folder / NAME).read_bytes().split(b"\n"):
        try:
            record = _parse(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        found[record.path] = record
    return found


def mend(folder: Path) -> None:
    """End a torn last line, so that the next one begins on its own."""
    file = folder / NAME
    if file.is_file() and file.stat().st_size and not file.read_bytes().endswith(b"\n"):
        with file.open("ab") as lines:
            lines.write(b"\n")


def _parse(values: dict[str, Any]) -> Record:
    def four(numbers: Sequence[Any] | None) -> Any:
        return None if numbers is None else tuple(numbers)

    sights = tuple(
        None if one is None else Sight(one["view"], four(one["plate"]), four(one["box"]), one["visibility"])
        for one in values.pop("sights")
    )
    return Record(sights=sights, **values)
