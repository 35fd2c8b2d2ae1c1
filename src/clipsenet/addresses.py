"""Addresses: where pictures lie, in a few buffers that a worker process takes cheaply.

A worker that is forked shares its parent's memory page by page until somebody writes there, and Python writes into every
object that it touches (its count of references); a worker that is spawned gets a copy of all that its data set holds. So it
holds numbers and bytes only, and none of the labels. Measured by hand on 400,000 rows with boxes, labels and lines (private
memory in /proc/PID/smaps_rollup, beside the libraries'): a spawned worker takes 31 MB, with the Sightings themselves it took
171 MB; a forked one 1 MB after walking through all rows, which was 2 MB.
"""

import os
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt8

from clipsenet.sightings import WHOLE, Sightings, describe_picture


@dataclass(frozen=True, eq=False)
class Addresses:
    """The columns of Sightings that opening a picture needs; numpy arrays without Python objects, and two texts.

    Attributes:
        text: the paths' UTF-8 one after another.
        end: ``(n,)`` where each path ends in ``text``.
        line: ``(n,)`` as in Sightings.
        box: ``(n, 4)`` as in Sightings, or none.
        folder: where relative paths start.
        source: the list, for messages.
    """

    text: UInt8[np.ndarray, " bytes"]
    end: Int[np.ndarray, " n"]
    line: Int[np.ndarray, " n"]
    box: Int[np.ndarray, "n 4"] | None
    folder: str
    source: str

    @classmethod
    def of(cls, sightings: Sightings) -> "Addresses":
        """The addresses of pictures."""
        # 'surrogatepass': a name that is no valid text comes back as it was
        paths = [path.encode("utf-8", "surrogatepass") for path in sightings.path.tolist()]
        end = np.cumsum([len(path) for path in paths], dtype=np.int64)
        assert sightings.line is not None
        return cls(
            np.frombuffer(b"".join(paths), dtype=np.uint8),
            end,
            _small(sightings.line),
            None if sightings.box is None else _small(sightings.box),
            sightings.folder,
            sightings.source,
        )

    def __len__(self) -> int:
        return len(self.end)

    def file(self, row: int) -> str:
        """The file of one picture."""
        start = int(self.end[row - 1]) if row else 0
        return os.path.join(self.folder, self.text[start : int(self.end[row])].tobytes().decode("utf-8", "surrogatepass"))

    def box_of(self, row: int) -> tuple[int, int, int, int]:
        """The box of one picture, ``WHOLE`` for all of it."""
        if self.box is None:
            return WHOLE
        x, y, width, height = self.box[row].tolist()
        return x, y, width, height

    def describe(self, row: int) -> str:
        """One picture for a message, as ``Sightings.describe``."""
        return describe_picture(self.file(row), self.source, int(self.line[row]))


def _small(numbers: Int[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
    """Half the memory wherever the numbers allow it: lines and pixels do."""
    bounds = np.iinfo(np.int32)
    fits = not numbers.size or (numbers.min() >= bounds.min and numbers.max() <= bounds.max)
    return numbers.astype(np.int32) if fits else numbers
