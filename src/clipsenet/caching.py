"""PictureCache: decoded pictures on disk, so that an epoch reads what an earlier one opened, cropped and resized.

One file a picture, in 256 folders, raw pixels behind a checksum. A packed file with an index would save 40,000 small
look-ups and cost locks between writers, a rule for what a kill leaves of either, and a way to replace one entry; file
systems have all of that, reading 300 kB takes as long in either, and whoever wants the room back deletes the folder.

No library: diskcache has had no release since 2023 and unpickles what it finds; lmdb is alive, but has no checksums, maps
its file into memory (a damaged page ends the process), forbids an environment that is carried over a fork, and would leave
the key, the stamp, the limit and the full disk to us all the same. The lock around the limit is filelock's.
"""

import errno
import hashlib
import json
import logging
import os
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import PIL
import torch
from filelock import FileLock
from PIL import Image
from pydantic import Field

from clipsenet.errors import ClipsenetError
from clipsenet.settings import Settings

log = logging.getLogger("clipsenet")

FORMAT = 1
"""Raised when an entry's bytes change, or when opening or resizing gives other pixels than before."""

CARD = "clipsenet-cache.json"
USED = "used"
LOCK = "used.lock"

UNSETTLED = 2.0
"""Seconds for which a file that was changed is not stored: a second change within the clock's tick (2 s on FAT) would have
the same time, and perhaps the same size."""

STALE = 3600.0
"""Seconds after which what a killed process left half written is removed: nobody writes one picture for an hour."""

PATIENCE = 10.0
"""Seconds to wait for another process that holds the lock, which it does for microseconds."""

_HEAD = struct.Struct("<4s16sII")
_CHECK = struct.Struct("<I")
_MAGIC = b"clpc"

Box = tuple[int, int, int, int]


class CacheSettings(Settings):
    """Where decoded pictures are kept; the tensors, and so the run, are the same with and without."""

    folder: Path | None = Field(
        default=None, description="Keeps decoded pictures for later epochs and trainings; any may share it; none: no cache."
    )
    limit_gb: float = Field(
        default=16.0,
        gt=0,
        description="Size of that folder at which nothing more is stored; the default holds VeRi-776's 37,746 training "
        "pictures at 320 x 320 (11.6 GB).",
    )


def make_cache(settings: CacheSettings) -> "PictureCache | None":
    """The cache that settings ask for; none where they name no folder.

    Raises:
        ClipsenetError: as ``PictureCache``.
    """
    return None if settings.folder is None else PictureCache(settings.folder, settings.limit_gb)


class PictureCache:
    """Pictures by file, box and what was made of them; any number of processes and trainings may share a folder.

    * An entry has the file's time and size, and Pillow's version, as its stamp: a file that has changed is opened again,
      and its entry replaced. A file changed less than ``UNSETTLED`` ago is not stored yet.
    * An entry is written beside and renamed when it is whole, so that a kill leaves no half one. Nothing is synced: after
      a power cut the checksum tells what was lost, and it is made again.
    * At the limit nothing more is stored, and nothing is thrown out: epochs walk through all pictures in turn, so that
      the one which was used longest ago, which is what caches usually throw out, is the next to be asked for.
    * The size is counted under a lock, and counted anew whenever a training opens the folder; it is exact up to the
      pictures that workers are writing at that moment.
    * A disk that is full, or fails, costs the cache and not the training: one warning, then nothing more is stored.

    Args:
        folder: new, empty, or a cache.
        limit_gb: the most that may lie there, in units of 10^9 bytes.

    Raises:
        ClipsenetError: the folder holds something else, has a newer format, or cannot be made.
    """

    def __init__(self, folder: Path, limit_gb: float) -> None:
        self.folder = Path(os.path.abspath(folder))
        self.limit = int(limit_gb * 1e9)
        # in memory that all workers share: what one has said, or found out, the others need not
        self._off, self._full, self._damage = (_flag() for _ in range(3))
        try:
            _claim(self.folder)
            self._recount()
        except OSError as error:
            if error.errno != errno.ENOSPC and not self.folder.is_dir():
                raise ClipsenetError(
                    f"cannot make the cache {folder}: {error}; give another training.cache.folder, or none"
                ) from error
            self._give_up(error)

    def fetch(self, file: str, box: Box, prepared: str, make: Callable[[], Image.Image]) -> Image.Image:
        """A picture from the cache, or made and stored.

        Args:
            file: the picture's file.
            box: the part of it that is cut out.
            prepared: what ``make`` makes of it, in words: ``Transform.prepared``.
            make: opens, cuts and prepares it; always the same RGB picture for the same file, box and words.

        Raises:
            PictureError: as ``make``.
        """
        try:
            before = Path(file).stat()
        except (OSError, ValueError):
            return make()  # which knows how to say what is wrong with it
        entry, stamp = self._entry(file, box, prepared), _stamp(before)
        found = self._read(entry, stamp)
        if found is not None:
            return found
        image = make()
        if not self._off and _is_settled(file, before):
            try:
                self._store(entry, _pack(stamp, image))
            except OSError as error:
                self._give_up(error)
        return image

    def find(self, file: str, box: Box, prepared: str) -> Image.Image | None:
        """A picture, if it is there and its file unchanged."""
        try:
            return self._read(self._entry(file, box, prepared), _stamp(Path(file).stat()))
        except (OSError, ValueError):
            return None

    def _entry(self, file: str, box: Box, prepared: str) -> Path:
        name = _digest(os.path.abspath(file), box, prepared).hex()
        return self.folder / name[:2] / f"{name}.rgb"

    def _read(self, entry: Path, stamp: bytes) -> Image.Image | None:
        try:
            data = entry.read_bytes()
        except OSError:
            return None
        found = _unpack(data)
        if found is None:
            if _first_time(self._damage):
                log.warning("%s in the picture cache is damaged and is made again; others will be without a word", entry)
            return None
        return found[1] if found[0] == stamp else None

    def _store(self, entry: Path, data: bytes) -> None:
        """Write an entry if there is room for it.

        Raises:
            OSError: the disk is full or fails.
        """
        entry.parent.mkdir(exist_ok=True)  # not its parents: a cache that was deleted meanwhile stays deleted
        try:
            more = len(data) - entry.stat().st_size
        except FileNotFoundError:
            more = len(data)
        if more > 0 and (self._full or not self._reserve(more)):
            if _first_time(self._full):
                log.warning(
                    "the picture cache %s is full (%.3g GB): the pictures that are not in it are opened each time; "
                    "raise training.cache.limit_gb, or delete the folder if other data fill it",
                    self.folder,
                    self.limit / 1e9,
                )
            return
        _put(entry, data)

    def _reserve(self, more: int) -> bool:
        """Count so many bytes as used, unless that is more than the limit."""
        with self._lock():
            if not (self.folder / USED).is_file():
                _put(self.folder / USED, b"")
            with (self.folder / USED).open("r+b") as file:
                try:
                    used = int(file.read())
                except ValueError:  # empty or zeros: what a power cut leaves
                    used = _size_of(self.folder)
                if used + more > self.limit:
                    return False
                file.seek(0)
                file.write(b"%020d" % (used + more))  # in one piece and in place: a rename costs ten times as much
        return True

    def _recount(self) -> None:
        """Set the count right: a process that was killed may have counted what it did not write."""
        with self._lock():
            _put(self.folder / USED, b"%020d" % _size_of(self.folder))

    def _lock(self) -> AbstractContextManager[object]:
        lock = FileLock(self.folder / LOCK)  # a new one each time: it may not be carried over a fork
        return lock.acquire(timeout=PATIENCE, poll_interval=0.002)

    def _give_up(self, error: OSError) -> None:
        if _first_time(self._off):
            log.warning(
                "the picture cache %s stores nothing more: %s; the training goes on without. Free some space, or give "
                "another training.cache.folder",
                self.folder,
                error,
            )


def _claim(folder: Path) -> None:
    """Make the folder a cache, or see that it is one."""
    folder.mkdir(parents=True, exist_ok=True)
    card = folder / CARD
    if not card.exists():
        others = [name for name in sorted(os.listdir(folder)) if CARD not in name]  # the card may be on its way
        if others and not card.exists():
            raise ClipsenetError(
                f"{folder} is no picture cache: found {others[0]!r} and no {CARD}; give a new or empty folder as "
                "training.cache.folder"
            )
        text = json.dumps({"format": FORMAT, "what": "decoded pictures of clipsenet; delete the folder at any time"})
        _put(card, text.encode() + b"\n")
        return
    try:
        values: Any = json.loads(card.read_text(encoding="utf-8"))
        found = int(values["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise ClipsenetError(
            f"{card} is damaged ({type(error).__name__}: {error}), wanted a cache's format; delete {folder} if it is one"
        ) from error
    if found > FORMAT:
        raise ClipsenetError(
            f"{folder} has format {found}, this version reads up to {FORMAT}: update clipsenet, or give another "
            "training.cache.folder"
        )


def _digest(*parts: object) -> bytes:
    return hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _stamp(file: os.stat_result) -> bytes:
    """What must be as it was for an entry to count; another Pillow may decode or resize to other pixels."""
    return _digest(FORMAT, PIL.__version__, file.st_mtime_ns, file.st_size)


def _is_settled(file: str, before: os.stat_result) -> bool:
    """Whether what was read is what its time and size tell."""
    try:
        after = Path(file).stat()
    except OSError:
        return False
    return _stamp(after) == _stamp(before) and abs(time.time() - after.st_mtime) >= UNSETTLED


def _pack(stamp: bytes, image: Image.Image) -> bytes:
    assert image.mode == "RGB"
    head, pixels = _HEAD.pack(_MAGIC, stamp, *image.size), image.tobytes()
    return b"".join((head, _CHECK.pack(zlib.crc32(pixels, zlib.crc32(head))), pixels))


def _unpack(data: bytes) -> tuple[bytes, Image.Image] | None:
    """Stamp and picture of an entry; none: it is damaged."""
    start = _HEAD.size + _CHECK.size
    if len(data) < start:
        return None
    magic, stamp, width, height = _HEAD.unpack_from(data)
    (check,) = _CHECK.unpack_from(data, _HEAD.size)
    pixels = data[start:]
    if magic != _MAGIC or len(pixels) != width * height * 3:
        return None
    if zlib.crc32(pixels, zlib.crc32(data[: _HEAD.size])) != check:
        return None
    return stamp, Image.frombuffer("RGB", (width, height), pixels, "raw", "RGB", 0, 1)


def _put(path: Path, data: bytes) -> None:
    """Write beside, under a name that no other process has, and rename."""
    partial = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.partial")  # no draw from random's state
    try:
        with partial.open("xb") as file:
            file.write(data)
        partial.replace(path)
    except OSError:
        try:
            partial.unlink(missing_ok=True)
        except OSError:
            log.debug("%s stays until the cache is opened again", partial)
        raise


def _size_of(folder: Path) -> int:
    """Bytes of all entries."""
    used = 0
    with os.scandir(folder) as outer:
        for one in outer:
            if one.is_dir(follow_symlinks=False):
                with os.scandir(one.path) as inner:
                    used += sum(_size_or_removed(file) for file in inner)
            elif one.name.endswith(".partial"):
                used += _size_or_removed(one)
    return used


def _size_or_removed(file: "os.DirEntry[str]") -> int:
    """Bytes of a file; 0 where it is gone, or was left half written long ago and is removed."""
    try:
        found = file.stat(follow_symlinks=False)
        if file.name.endswith(".partial") and abs(time.time() - found.st_mtime) > STALE:
            Path(file.path).unlink()
            return 0
        return found.st_size
    except OSError:
        return 0


def _flag() -> torch.Tensor:
    flag: torch.Tensor = torch.zeros(1, dtype=torch.uint8).share_memory_()  # type: ignore[no-untyped-call]
    return flag


def _first_time(flag: torch.Tensor) -> bool:
    """Set a flag that all workers share; whether it was not set before."""
    before = bool(flag)
    flag.fill_(1)
    return not before
