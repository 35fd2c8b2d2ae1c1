"""Segments: files of vectors that are only ever appended to, one for each day and size, read through memory maps.

A segment is nothing but rows of numbers, one behind the other. How many of them count, the ledger says; what lies behind
was written by a process that was killed before it could record it.
"""

import os
import zlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt32
from torch import Tensor

from clipsenet.files import sync_folder
from clipsenet.gallery.interface import Dtype
from clipsenet.sightings import NO_TIME

SEGMENT_ROWS = 131_072
"""Rows of the largest segment: 134 MB of 512 halves."""

UNIT = 1e-5
"""By how much a length may miss 1 without being mended: float32 itself misses it by less."""

FOLDER = "vectors"
_SUFFIX = {"float16": "f16", "float32": "f32"}
_TORCH = {"float16": torch.float16, "float32": torch.float32}
_SECONDS_OF_A_DAY = 86_400
UNDATED = "unknown"


@dataclass(frozen=True)
class Layout:
    """How a gallery's vectors lie in their files.

    Attributes:
        folder: the gallery's.
        dim: numbers in a row.
        dtype: of each number.
    """

    folder: Path
    dim: int
    dtype: Dtype

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.dim * np.dtype(self.dtype).itemsize

    def path(self, file: int) -> Path:
        """Where a file of vectors lies."""
        return self.folder / FOLDER / f"{file:08d}.{_SUFFIX[self.dtype]}"

    def stored(self, embeddings: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "n dim"]:
        """Vectors as they are kept; those of a network that computes coarsely are brought to length 1."""
        length = np.linalg.norm(embeddings, axis=1, keepdims=True)
        embeddings = np.where(np.abs(length - 1) > UNIT, embeddings / length, embeddings)
        kept: Float[np.ndarray, "n dim"] = np.ascontiguousarray(embeddings, dtype=self.dtype)
        return kept

    def append(self, file: int, rows: int, vectors: Float[np.ndarray, "n dim"]) -> None:
        """Write vectors behind the first ``rows`` of a file and sync it; whatever was there is cut off.

        Raises:
            OSError: the disk's; the file may hold more than ``rows`` then.
        """
        path = self.path(file)
        path.parent.mkdir(exist_ok=True)
        with path.open("r+b" if rows else "wb") as opened:
            opened.truncate(rows * self.row_bytes)
            opened.seek(rows * self.row_bytes)
            opened.write(vectors.data.cast("B"))
            opened.flush()
            os.fsync(opened.fileno())
        if not rows:
            sync_folder(path.parent)

    def put(self, file: int, rows: Int[np.ndarray, " n"], vectors: Float[np.ndarray, "n dim"]) -> None:
        """Write vectors as these rows of a file, ascending, and sync it; rows that it skips hold nothing that counts.

        Raises:
            OSError: the disk's; some of these rows may be written then.
        """
        path = self.path(file)
        path.parent.mkdir(exist_ok=True)
        new = not path.exists()
        with path.open("wb" if new else "r+b") as opened:
            for part in stretches(rows):
                opened.seek(int(rows[part.start]) * self.row_bytes)
                opened.write(vectors[part].data.cast("B"))
            opened.flush()
            os.fsync(opened.fileno())
        if new:
            sync_folder(path.parent)

    def map(self, file: int, rows: int) -> Tensor:
        """``(rows, dim)`` of a file, mapped: read when it is touched, and readable after the file was unlinked.

        The map is private and holds no descriptor, so that years of days can be open at once.

        Raises:
            OSError: the file is not there, or cannot be read.
            EOFError: it has fewer rows.
        """
        path = self.path(file)
        size = path.stat().st_size
        if size < rows * self.row_bytes:
            raise EOFError(f"{path} has {size} bytes, wanted {rows * self.row_bytes}")
        with path.open("rb"):
            pass  # torch's own words for a file without rights say little
        flat = torch.from_file(str(path), shared=False, size=rows * self.dim, dtype=_TORCH[self.dtype])
        return flat.view(rows, self.dim)

    def files(self) -> list[Path]:
        """Every file of vectors that lies there, recorded or not."""
        folder = self.folder / FOLDER
        return sorted(folder.iterdir()) if folder.is_dir() else []


def stretches(rows: Int[np.ndarray, " n"]) -> list[slice]:
    """Where ascending row numbers follow each other without a gap."""
    edges = [0, *(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
    return [slice(begin, end) for begin, end in pairwise(edges) if begin < end]


def checksums(vectors: Float[np.ndarray, "n dim"]) -> UInt32[np.ndarray, " n"]:
    """A checksum of each row, so that a rotten one can be told from its neighbours."""
    return np.fromiter((zlib.crc32(row) for row in vectors), dtype=np.uint32, count=len(vectors))


def days(time: Int[np.ndarray, " n"]) -> list[str]:
    """The day of each time in UTC, ``unknown`` where there is none."""
    day = np.where(time == NO_TIME, 0, time // (_SECONDS_OF_A_DAY * 1_000_000)).astype("datetime64[D]")
    return [UNDATED if undated else str(name) for undated, name in zip(time == NO_TIME, day, strict=True)]
