"""Layouts: the lists that make a folder of drawn pictures a benchmark."""

import json
from collections.abc import Mapping
from pathlib import Path

from clipsenet.files import write_text
from clipsenet.synthetic.contents import Contents
from clipsenet.synthetic.layouts.manifest import MANIFEST, as_csv, make_rows
from clipsenet.synthetic.layouts.mot import write_mot
from clipsenet.synthetic.layouts.veri776 import write_veri776
from clipsenet.synthetic.plan import FORMAT
from clipsenet.synthetic.records import Record

ABOUT = "about.json"


def write_lists(
    contents: Contents, records: Mapping[str, Record], folder: Path, more: Mapping[str, object]
) -> dict[str, object]:
    """Write every list of a set whose pictures are all drawn; about.json comes last.

    Args:
        contents: what was planned.
        records: of all its pictures, by path.
        folder: the set's.
        more: what about.json says besides.

    Returns:
        What about.json says.

    Raises:
        ClipsenetError: a full disk; the same command writes them anew.
    """
    rows = make_rows(contents, records)
    if contents.plan.frames:
        write_mot(contents, records, folder)
    elif contents.plan.layout == "veri776":
        write_veri776(contents, rows, folder)
    write_text(folder / MANIFEST, as_csv(rows))
    about: dict[str, object] = {
        "what": "drawn vehicles: no picture shows a real one",
        "format": FORMAT,
        "command": contents.plan.command(),
        "settings": contents.plan.settings(),
        "parts": _count(contents, rows),
        "cameras": len({row["camera"] for row in rows}),
        "files": len(records.keys() & {exposure.path for exposure in contents.exposures()}),
        **more,
    }
    write_text(folder / ABOUT, json.dumps(about, indent=2) + "\n")
    return about


def _count(contents: Contents, rows: list[dict[str, str]]) -> dict[str, dict[str, int]]:
    """Of each part: vehicles, those with a look-alike, and pictures; a query stands in the gallery and counts once."""
    found = {}
    for part in ("train", "validation", "test"):
        splits = ("gallery",) if part == "test" else (part,)
        found[part] = {
            "vehicles": sum(one == part for one in contents.parts.values()),
            "with a look-alike": sum(
                bool(vehicle.lookalikes) for vehicle in contents.vehicles if contents.parts[vehicle.number] == part
            ),
            "pictures": sum(row["split"] in splits for row in rows),
        }
    found["test"]["queries"] = sum(row["split"] == "query" for row in rows)
    return found
