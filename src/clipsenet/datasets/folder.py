"""A folder of pictures whose names say what they show."""

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.sightings import TEXT, Sightings
from clipsenet.tables import BOX, LABELS, from_columns

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def read_folder(root: Path, pattern: str | None) -> Sightings:
    """Sightings of all pictures below a folder, in the order of their names.

    Args:
        root: the folder.
        pattern: how a path below ``root`` is to be read, such as ``{vehicle}/{camera}_{*}.jpg``: a field takes as
            little as it can and never a '/'; ``{*}`` is skipped. None: the paths only.

    Raises:
        ClipsenetError: no pictures, or names that do not fit the pattern.
        UsageError: a pattern that cannot be read.
    """
    names = sorted(
        os.path.relpath(os.path.join(folder, file), root)
        for folder, _, files in os.walk(root)
        for file in files
        if file.lower().endswith(PICTURES)
    )
    if not names:
        raise ClipsenetError(f"no picture in folder {root}: wanted files that end in {', '.join(PICTURES)}")
    columns: dict[str, list[str]] = {"path": names}
    if pattern is not None:
        regex = _regex(pattern)
        matches = [regex.fullmatch(name.replace(os.sep, "/")) for name in names]
        unmatched = [name for name, match in zip(names, matches, strict=True) if match is None]
        if unmatched:
            raise ClipsenetError(
                f"{len(unmatched)} of {len(names)} names in {root} do not fit the pattern '{pattern}', for "
                f"instance '{unmatched[0]}'; mend the pattern, or move them elsewhere"
            )
        for field in regex.groupindex:
            columns[field] = [match[field] for match in matches if match is not None]
    sightings = from_columns(columns, str(root), np.zeros(len(names), dtype=np.int64))
    return replace(sightings, path=np.array([os.path.join(root, name) for name in names], dtype=TEXT))


def _regex(pattern: str) -> re.Pattern[str]:
    """``{vehicle}_cam{camera}.jpg`` as a regular expression: a field takes as little as it can, never a '/'."""
    if not re.fullmatch(r"(?:[^{}]|\{(?:\*|[A-Za-z_]\w*)\})+", pattern):
        raise UsageError(f"pattern '{pattern}': wanted text with fields such as {{vehicle}}, {{camera}}, or {{*}}")
    pieces = re.split(r"(\{[^}]*\})", pattern)
    fields = [piece[1:-1] for piece in pieces if piece.startswith("{") and piece != "{*}"]
    for name in fields:
        if fields.count(name) > 1:
            raise UsageError(f"pattern '{pattern}': field '{name}' stands twice")
        if name in ("path", *BOX):
            raise UsageError(f"pattern '{pattern}': '{name}' cannot be read from a name; choose from {', '.join(LABELS)}")
    return re.compile(
        "".join(
            r"[^/]*?" if piece == "{*}" else f"(?P<{piece[1:-1]}>[^/]+?)" if piece.startswith("{") else re.escape(piece)
            for piece in pieces
        )
    )
