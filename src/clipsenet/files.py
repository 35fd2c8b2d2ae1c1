"""Files and folders that are whole or not there: written beside, synced, then renamed."""

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from clipsenet.errors import ClipsenetError

_UMASK = os.umask(0)  # it can only be read by setting it; once, before there are threads
os.umask(_UMASK)


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file so that a kill or a full disk leaves the old one, or none, but never half of one.

    Args:
        path: the file.
        write: fills the path that it is given.

    Raises:
        ClipsenetError: the disk is full or the folder cannot be written; an older file is still whole.
    """
    path = Path(os.path.realpath(path))  # a link stays a link
    partial = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.partial")  # of this writer alone
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            write(path)  # a device or a pipe is written to, not replaced
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        move_into_place(partial, path)
    except Exception as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        if _is_disk_error(error):
            raise ClipsenetError(
                f"cannot write {path}: {error}; what was there before is untouched. Free some space or give another folder"
            ) from error
        raise


def move_into_place(partial: Path, path: Path) -> None:
    """Give a file that was written whole beside ``path`` its name, so that it lasts.

    Raises:
        OSError: the disk's.
    """
    _settle(partial)
    partial.replace(path)
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """``write_whole`` for a text in UTF-8."""
    write_whole(path, lambda partial: _put(partial, text))


def write_folder(path: Path, write: Callable[[Path], None]) -> None:
    """Write a folder under another name and rename it when it is whole; a folder that is there is refused.

    Raises:
        ClipsenetError: the folder exists and is not empty, the disk is full or cannot be written.
    """
    path = Path(os.path.abspath(path))  # '.' has no name to put another one beside
    require_new_folder(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        if partial.exists():  # left by a process that was killed
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
        write(partial)
        for file in partial.rglob("*"):
            if file.is_file():
                _settle(file)
        if path.exists():
            path.rmdir()
        partial.replace(path)
        sync_folder(path.parent)
    except Exception as error:
        shutil.rmtree(partial, ignore_errors=True)
        if _is_disk_error(error):
            raise ClipsenetError(f"cannot write {path}: {error}; free some space or give another folder") from error
        raise


def require_new_folder(path: Path) -> None:
    """Refuse a folder that holds something, before hours are spent on what is to be written there.

    Raises:
        ClipsenetError: it exists and is not empty.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ClipsenetError(f"{path} exists and is not empty; give another folder, or remove it first")


def short_name(path: str) -> str:
    """A file with its folder: what stays when a data set is moved."""
    return "/".join(Path(path).parts[-2:])


def _settle(path: Path) -> None:
    """Sync a file, and let others read it as the user's umask has it (safetensors writes for the owner alone)."""
    path.chmod(0o666 & ~_UMASK)
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _put(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _is_disk_error(error: Exception) -> bool:
    """Safetensors and Arrow tell of a full disk in words of their own."""
    return isinstance(error, OSError) or "os error" in str(error).lower() or "No space left" in str(error)


def sync_folder(folder: Path) -> None:
    """A rename lasts only when its folder is synced, too (where the system can)."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
