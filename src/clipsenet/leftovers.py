"""What killed processes left half written beside the files that they were writing."""

from pathlib import Path

from clipsenet.errors import ClipsenetError


def remove_leftovers(folder: Path) -> None:
    """Remove the half files of ``write_whole`` from a folder that belongs to this process alone.

    Each writer has names of its own, so that no later one replaces what an earlier one left.

    Raises:
        ClipsenetError: the folder cannot be written.
    """
    try:
        for path in folder.glob(".*.partial"):
            if path.is_file():
                path.unlink(missing_ok=True)
    except OSError as error:
        raise ClipsenetError(f"cannot remove what was left half written: {error}; let {folder} be written") from error
