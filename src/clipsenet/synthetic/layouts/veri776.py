"""VeRi-776's layout: its folders and every one of its text files."""

from collections.abc import Sequence
from pathlib import Path

from clipsenet.datasets.veri776.labels import COLOURS, TYPES, VIEWS
from clipsenet.files import write_text, write_whole
from clipsenet.synthetic.contents import Contents
from clipsenet.synthetic.layouts.manifest import Row
from clipsenet.synthetic.schedule import ring_length


def write_veri776(contents: Contents, rows: Sequence[Row], folder: Path) -> None:
    """Copy the queries and write the lists. Validation vehicles train: the layout has no place for them.

    Beside the layout's own files stands lookalikes.txt: a vehicle and those that look like it, on each line.

    Args:
        contents: what was planned.
        rows: of pictures.csv.
        folder: the set's, with its pictures in image_train and image_test.

    Raises:
        ClipsenetError: a full disk.
    """
    lists = {
        "train": [row for row in rows if row["split"] in ("train", "validation")],
        "test": [row for row in rows if row["split"] == "gallery"],
        "query": [row for row in rows if row["split"] == "query"],
    }
    for row in lists["query"]:
        copy = folder / "image_query" / _name(row)
        data = (folder / row["path"]).read_bytes()
        if not (copy.is_file() and copy.read_bytes() == data):
            write_whole(copy, lambda partial, data=data: _put(partial, data))  # type: ignore[misc]
    for part, listed in lists.items():
        (folder / f"image_{part}").mkdir(exist_ok=True)
        _write(folder / f"name_{part}.txt", [_name(row) for row in listed])
    for part in ("train", "test"):
        write_text(folder / f"{part}_label.xml", _labels(lists[part]))
        points = " ".join(["-1"] * 40)
        _write(folder / f"keypoint_{part}.txt", [f"{_name(row)} {points} {VIEWS.index(row['view'])}" for row in lists[part]])
    _write_index(folder, lists["query"], lists["test"])
    tracks: dict[str, list[str]] = {}
    for row in lists["test"]:
        tracks.setdefault(row["track"], []).append(_name(row))
    _write(folder / "test_track.txt", [f"{track} {' '.join(names)} " for track, names in tracks.items()])
    _write(folder / "list_color.txt", [f"{number} {name}" for number, name in enumerate(COLOURS, 1)])
    _write(folder / "list_type.txt", [f"{number} {name}" for number, name in enumerate(TYPES, 1)])
    _write(folder / "camera_Dist.txt", _distances(contents))
    names = {vehicle.number: vehicle.name for vehicle in contents.vehicles}
    _write(
        folder / "lookalikes.txt",
        [" ".join([one.name, *(names[number] for number in one.lookalikes)]) for one in contents.vehicles if one.lookalikes],
    )


def _name(row: Row) -> str:
    return row["path"].rsplit("/", 1)[-1]


def _labels(rows: Sequence[Row]) -> str:
    """A label file, which says gb2312 of itself, as VeRi-776's do; all of it is ASCII."""
    items = "".join(
        f'<Item imageName="{_name(row)}" vehicleID="{row["vehicle"]}" cameraID="{row["camera"]}" '
        f'colorID="{COLOURS.index(row["colour"]) + 1}" typeID="{TYPES.index(row["type"]) + 1}" />\n'
        for row in rows
    )
    head = '<?xml version="1.0" encoding="gb2312"?>\n<TrainingImages Version="1.0">\n'
    return f'{head}<Items number="{len(rows)}">\n{items}</Items>\n</TrainingImages>\n'


def _write_index(folder: Path, queries: Sequence[Row], gallery: Sequence[Row]) -> None:
    """What is good and what is junk for each query: numbers of lines of name_test.txt, CRLF, a blank at each line's end."""
    of_vehicle: dict[str, list[tuple[int, str]]] = {}
    for number, row in enumerate(gallery, 1):
        of_vehicle.setdefault(row["vehicle"], []).append((number, row["camera"]))
    for file, good in (("gt_index.txt", True), ("jk_index.txt", False)):
        lines = []
        for query in queries:
            numbers = [number for number, camera in of_vehicle[query["vehicle"]] if (camera != query["camera"]) is good]
            lines.append("".join(f"{number} " for number in numbers))
        _write(folder / file, lines, "\r\n")


def _distances(contents: Contents) -> list[str]:
    """Metres between any two cameras, the shorter way around the ring."""
    ring = ring_length(contents.sites)
    lines = []
    for one in contents.sites:
        ways = [abs(one.along - other.along) for other in contents.sites]
        lines.append(" ".join(f"{min(way, ring - way):.0f}" for way in ways))
    return lines


def _write(file: Path, lines: Sequence[str], end: str = "\n") -> None:
    data = "".join(f"{line}{end}" for line in lines).encode()
    write_whole(file, lambda partial: _put(partial, data))


def _put(path: Path, data: bytes) -> None:
    path.write_bytes(data)
