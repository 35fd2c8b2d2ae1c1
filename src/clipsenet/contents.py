"""Contents: what a picture and its box hold, as a digest: the same picture under another name is the same picture."""

from hashlib import file_digest
from pathlib import Path
from typing import Any

from clipsenet.sightings import Sightings


def digest_file(file: str) -> Any:
    """SHA-256 over a file's bytes, to be gone on with.

    Raises:
        OSError: it cannot be read.
    """
    with Path(file).open("rb") as opened:
        return file_digest(opened, "sha256")


def with_box(digest: Any, box: tuple[int, int, int, int]) -> str:
    """The content of one box of a file that was digested, as 64 hex digits."""
    whole = digest.copy()
    whole.update(f" box {box}".encode())
    return str(whole.hexdigest())


def contents_of(sightings: Sightings) -> list[str]:
    """The content of each picture, empty where it cannot be read."""
    found = []
    for row in range(len(sightings)):
        try:
            found.append(with_box(digest_file(sightings.file(row)), sightings.box_of(row)))
        except OSError:
            found.append("")
    return found
