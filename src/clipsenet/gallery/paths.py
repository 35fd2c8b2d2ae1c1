"""Where a picture lies: the path that is recorded of it, and the paths by which one and the same file is known."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path


def full_path(path: Path | str) -> str:
    """The path from the root on without ``..``, as lists have it; where ``..`` leaves a link, the file that is really meant."""
    plain = os.path.abspath(path)
    if ".." in Path(path).parts and os.path.realpath(path) != os.path.realpath(plain):
        return os.path.realpath(path)
    return plain


def known_as(paths: Iterable[str]) -> Iterator[set[str]]:
    """Of each path all that tells its file: as it was given, from the root on without ``..``, and with its links followed.

    Two paths that lead to one file now share one of them. Links are followed as they are now; a file need not be there.
    """
    folders: dict[str, str] = {}  # to follow the links of a folder takes many times as long as all else

    def followed(path: str) -> str:
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        found = os.path.join(folders[folder], name)
        return os.path.realpath(found) if Path(found).is_symlink() else found

    for path in paths:
        plain = os.path.abspath(path)
        try:
            yield {path, plain, followed(plain), os.path.realpath(path) if ".." in path else plain}
        except ValueError:  # a zero byte: no file has such a path
            yield {path, plain}
