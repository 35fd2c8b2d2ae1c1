"""What VeRi-776's optional files say of its pictures: colour, type, view, track."""

import codecs
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from clipsenet.datasets.lists import decode, entries, malformed
from clipsenet.errors import ClipsenetError

COLOURS = ("yellow", "orange", "green", "gray", "red", "blue", "white", "golden", "brown", "black")
"""colorID counts them from 1."""

TYPES = ("sedan", "suv", "van", "hatchback", "mpv", "pickup", "bus", "truck", "estate")
"""typeID counts them from 1; early copies have 0 where nobody had said it yet."""

VIEWS = ("front", "rear", "left", "left-front", "left-rear", "right", "right-front", "right-rear")
"""An orientation counts them from 0."""


@dataclass(frozen=True)
class Item:
    """What an XML file says of one picture; an empty text is unknown."""

    vehicle: str
    camera: str
    colour: str
    type: str


def read_items(file: Path) -> dict[str, tuple[Item, int]]:
    """A picture's name to what an XML file says of it, and the line; nothing where there is no file.

    The declared encoding is not believed: these files say gb2312, and some are UTF-8.

    Raises:
        ClipsenetError: not XML, an item without a name, a number that no colour or type has, or one picture twice with
            different labels.
    """
    found: dict[str, tuple[Item, int]] = {}
    if not file.is_file():
        return found

    def add(tag: str, attributes: dict[str, str]) -> None:
        if tag != "Item":
            return
        line = parser.CurrentLineNumber
        name = attributes.get("imageName", "")
        if not name:
            raise malformed(file, line, str(attributes), "an item with an imageName")
        item = Item(
            attributes.get("vehicleID", ""),
            attributes.get("cameraID", ""),
            _label(attributes, "colorID", COLOURS, file, line),
            _label(attributes, "typeID", TYPES, file, line),
        )
        other, first = found.setdefault(name, (item, line))
        if other != item:
            raise _contradiction(file, first, line, name, str(other), str(item))

    def refuse(*_: object) -> None:
        raise ClipsenetError(f"{file}, line {parser.CurrentLineNumber}: found an entity, wanted items only; remove it")

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = add
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(decode(file.read_bytes().removeprefix(codecs.BOM_UTF8), file).encode(), True)
    except expat.ExpatError as error:
        raise ClipsenetError(f"{file}: {error}; wanted XML. Unpack it anew, or remove it: labels are then unknown") from error
    return found


def read_views(file: Path) -> dict[str, str]:
    """A picture's name to its view, from a file of key points; nothing where there is no file.

    Raises:
        ClipsenetError: not 42 fields, an orientation that is none, or one picture with two.
    """
    found: dict[str, tuple[str, int]] = {}
    wanted = f"42 fields separated by blanks: a picture, 20 x and y, an orientation from 0 to {len(VIEWS) - 1}"
    for line, text in entries(file) if file.is_file() else ():
        fields = text.split()
        if len(fields) != 42 or fields[-1] not in map(str, range(len(VIEWS))):
            raise malformed(file, line, text if len(fields) != 42 else f"orientation {fields[-1]}", wanted)
        name, view = fields[0].replace("\\", "/").rsplit("/", 1)[-1], VIEWS[int(fields[-1])]
        other, first = found.setdefault(name, (view, line))
        if other != view:
            raise _contradiction(file, first, line, name, other, view)
    return {name: view for name, (view, _) in found.items()}


def read_tracks(file: Path) -> dict[str, str]:
    """A picture's name to its track; nothing where there is no file.

    Raises:
        ClipsenetError: a picture in two tracks.
    """
    found: dict[str, tuple[str, int]] = {}
    for line, text in entries(file) if file.is_file() else ():
        track, *names = text.split()
        for name in names:
            other, first = found.setdefault(name, (track, line))
            if other != track:
                raise _contradiction(file, first, line, name, other, track)
    return {name: track for name, (track, _) in found.items()}


def _label(attributes: dict[str, str], name: str, texts: tuple[str, ...], file: Path, line: int) -> str:
    number = attributes.get(name, "0").strip() or "0"
    if not (number.isdecimal() and int(number) <= len(texts)):
        raise malformed(file, line, f'{name}="{number}"', f"1 to {len(texts)}, or 0 where nobody knows")
    return ("", *texts)[int(number)]


def _contradiction(file: Path, first: int, line: int, name: str, one: str, other: str) -> ClipsenetError:
    return ClipsenetError(
        f"{file}: lines {first} and {line} contradict each other about {name}: found {one} and {other}, wanted one of them; "
        "remove the wrong line, or the file: what it says is then unknown"
    )
