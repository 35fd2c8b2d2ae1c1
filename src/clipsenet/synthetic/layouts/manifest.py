"""The manifest: pictures.csv, a row a picture, or in frames a row a vehicle that is seen."""

import csv
import io
from collections.abc import Mapping, Sequence

from clipsenet.synthetic.contents import Contents, Exposure
from clipsenet.synthetic.records import Record, Sight
from clipsenet.synthetic.shots import Shot
from clipsenet.tables import time_text

MANIFEST = "pictures.csv"

FEWEST_SEEN = 0.3
"""A vehicle of a frame that is hidden more than this has a row without a split."""

Row = dict[str, str]


def make_rows(contents: Contents, records: Mapping[str, Record]) -> list[Row]:
    """The rows of pictures.csv, by vehicle and time; those of one vehicle in a frame have boxes.

    Of each test vehicle one picture in each camera is a query, where a second camera sees it, so that it has a match. A query
    stands in the gallery, too, in a second row, as in VeRi-776: else the other cameras' queries would lose a match, and where
    each camera has one picture of a vehicle there would be no gallery at all. Its own file is junk when it is scored.

    Args:
        contents: what was planned.
        records: of all its pictures, by path.
    """
    seen: list[tuple[Shot, Exposure, Record, Sight]] = []
    for exposure in contents.exposures():
        record = records[exposure.path]
        for shot, sight in zip(exposure.shots, record.sights, strict=True):
            if sight is not None:
                seen.append((shot, exposure, record, sight))
    seen.sort(key=lambda one: (one[0].vehicle, one[0].time))
    queries = _choose_queries(contents, [(shot, sight) for shot, _, _, sight in seen])
    rows: list[Row] = []
    for shot, exposure, record, sight in seen:
        row = _row(contents, shot, exposure, record, sight)
        if _is_hidden(sight):
            rows.append(row)
            continue
        part = contents.parts[shot.vehicle]
        if shot.key in queries:
            rows.append({**row, "split": "query"})
        rows.append({**row, "split": "gallery" if part == "test" else part})
    return rows


def as_csv(rows: Sequence[Row]) -> str:
    """The text of pictures.csv."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["path"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _choose_queries(contents: Contents, seen: Sequence[tuple[Shot, Sight]]) -> set[tuple[int, int, int]]:
    """The middle one of the pictures of each test vehicle in each camera, where there are two cameras."""
    pictures: dict[int, dict[int, list[Shot]]] = {}
    for shot, sight in seen:
        if contents.parts[shot.vehicle] == "test" and not _is_hidden(sight):
            pictures.setdefault(shot.vehicle, {}).setdefault(shot.camera, []).append(shot)
    return {shots[len(shots) // 2].key for cameras in pictures.values() if len(cameras) > 1 for shots in cameras.values()}


def _is_hidden(sight: Sight) -> bool:
    return sight.visibility is not None and sight.visibility < FEWEST_SEEN


def _row(contents: Contents, shot: Shot, exposure: Exposure, record: Record, sight: Sight) -> Row:
    vehicle = contents.vehicles[shot.vehicle - 1]
    box = {} if sight.box is None else dict(zip(("x", "y", "width", "height"), map(str, sight.box), strict=True))
    seen = {} if sight.visibility is None else {"visibility": str(sight.visibility)}
    return {
        "path": exposure.path,
        "vehicle": vehicle.name,
        "camera": contents.sites[shot.camera - 1].name,
        "view": sight.view,
        "time": time_text(shot.time),
        "track": shot.track,
        "split": "",
        **box,
        **seen,
        "colour": vehicle.colour,
        "type": vehicle.type,
        "model": f"{vehicle.model.family} {'-'.join(map(str, vehicle.model.key[2:]))}",
        "light": record.light,
        "weather": record.weather,
        "plate": "" if sight.plate is None else " ".join(map(str, sight.plate)),
        "lookalikes": " ".join(contents.vehicles[number - 1].name for number in vehicle.lookalikes),
        "has_lookalike": "yes" if vehicle.lookalikes else "no",
    }
