"""Lists of pictures: texts with one entry a line, as the published data sets come with them."""

import codecs
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from clipsenet.errors import ClipsenetError


@dataclass(frozen=True, eq=False)
class WordList:
    """A list whose every line has the same number of words.

    Attributes:
        file: where it was read.
        words: per column ``n`` words.
        line: ``(n,)`` the line of each entry, from 1.
    """

    file: Path
    words: tuple[list[str], ...]
    line: Int[np.ndarray, " n"]


def decode(raw: bytes, file: Path, line: int = 0) -> str:
    """A text in UTF-8, or else in GB 18030, which holds GB 2312: whatever the file says of itself.

    Raises:
        ClipsenetError: neither.
    """
    try:
        return raw.decode()
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode("gb18030")
    except UnicodeDecodeError as error:
        place = f"{file}, line {line}" if line else str(file)
        raise ClipsenetError(f"{place}: found bytes that are no text, wanted UTF-8; save the file as UTF-8") from error


def entries(file: Path, blank: bool = False) -> Iterator[tuple[int, str]]:
    """Each line's number, from 1, and its text without the blanks around it; one line in memory at a time.

    Args:
        file: any line endings, with or without a byte order mark and a last newline.
        blank: yield lines without text, too.

    Raises:
        ClipsenetError: the file cannot be read.
    """
    try:
        with file.open("rb") as lines:
            for number, raw in enumerate(lines, 1):
                bare = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
                text = decode(bare, file, number).strip()
                if text or blank:
                    yield number, text
    except OSError as error:
        raise ClipsenetError(f"cannot read {file}: {error}; look whether it is there and may be read") from error


def read_words(file: Path, number: int, wanted: str) -> WordList:
    """A list of ``number`` words a line.

    Args:
        file: the list.
        number: words on each line.
        wanted: what a line holds, with an example, for messages.

    Raises:
        ClipsenetError: a line with more or fewer words, or no entry at all.
    """
    words: tuple[list[str], ...] = tuple([] for _ in range(number))
    lines: list[int] = []
    for line, text in entries(file):
        found = text.split()
        if len(found) != number:
            raise malformed(file, line, text, wanted)
        for column, word in zip(words, found, strict=True):
            column.append(word)
        lines.append(line)
    if not lines:
        raise ClipsenetError(f"{file}: found no entry, wanted on each line {wanted}; unpack the file anew")
    return WordList(file, words, np.array(lines, dtype=np.int64))


def malformed(file: Path, line: int, found: str, wanted: str) -> ClipsenetError:
    """The error of a line that is not what it should be."""
    shown = found if len(found) <= 80 else f"{found[:77]}..."
    return ClipsenetError(f"{file}, line {line}: found '{shown}', wanted {wanted}; mend or remove the line")


def refuse_twice(file: Path, names: Sequence[str], lines: Int[np.ndarray, " n"]) -> None:
    """Refuse a list that names one picture twice.

    Raises:
        ClipsenetError: with both lines.
    """
    if len(set(names)) == len(names):
        return
    first: dict[str, int] = {}
    for name, line in zip(names, lines.tolist(), strict=True):
        if name in first:
            raise ClipsenetError(
                f"{file}: lines {first[name]} and {line} both name '{name}', wanted each picture once; remove one"
            )
        first[name] = line


def require_root(root: Path, holds: Callable[[Path], bool], wanted: str) -> None:
    """Refuse a folder that does not hold a data set, and name the folder nearby that does.

    Args:
        root: what the user gave.
        holds: whether a folder is the right one.
        wanted: what it holds then, for the message.

    Raises:
        ClipsenetError: it is not; the message says what lies there.
    """
    if root.is_dir() and holds(root):
        return
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing"
        raise ClipsenetError(f"{root}: found {found}, wanted the folder that holds {wanted}; give the folder that was unpacked")
    names = sorted(path.name + "/" * path.is_dir() for path in root.iterdir())
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    nearby = _folder_that(holds, root)
    advice = f"{nearby} holds them: give that folder" if nearby else "give the folder that was unpacked"
    raise ClipsenetError(f"{root}: found {shown or 'an empty folder'}, wanted {wanted}; {advice}")


def _folder_that(holds: Callable[[Path], bool], root: Path) -> Path | None:
    """The folder above, or up to two below, that is the right one."""
    if holds(root.absolute().parent):
        return root.absolute().parent
    below = [root]
    for _ in range(2):
        below = [inner for folder in below for inner in sorted(folder.iterdir()) if inner.is_dir()]
        for folder in below:
            if holds(folder):
                return folder
    return None
