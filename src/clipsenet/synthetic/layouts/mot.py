"""MOT's layout: a film a camera, with who is where in each of its frames."""

from collections.abc import Mapping
from pathlib import Path

from clipsenet.files import write_text
from clipsenet.synthetic.contents import Contents, Exposure
from clipsenet.synthetic.photographs import FRAME
from clipsenet.synthetic.records import Record
from clipsenet.synthetic.traffic import FRAME_RATE
from clipsenet.tables import time_text

CLASS = 3
"""MOT16's number of cars; it has none for other motor vehicles of four wheels."""


def write_mot(contents: Contents, records: Mapping[str, Record], folder: Path) -> None:
    """Write gt/gt.txt and seqinfo.ini of each camera's film.

    A line is frame, vehicle, left, top, width, height, 1, class, visibility. Frames, vehicles and pixels count from 1, as MOT16
    has it: the upper left pixel is (1, 1), while pictures.csv has (0, 0) there. ``began``, when the first frame was taken,
    is no key of MOT's, and disturbs nobody who reads the others.

    Args:
        contents: what was planned.
        records: of all its frames, by path.
        folder: the set's.

    Raises:
        ClipsenetError: a full disk.
    """
    films: dict[int, list[Exposure]] = {}
    for exposure in contents.exposures():
        films.setdefault(exposure.camera, []).append(exposure)
    for camera, film in films.items():
        name = contents.sites[camera - 1].name
        lines = []
        for exposure in film:
            for shot, sight in zip(exposure.shots, records[exposure.path].sights, strict=True):
                if sight is not None and sight.box is not None:
                    x, y, width, height = sight.box
                    place = f"{x + 1:.2f},{y + 1:.2f},{width:.2f},{height:.2f}"
                    lines.append(f"{exposure.frame},{shot.vehicle},{place},1,{CLASS},{sight.visibility}\n")
        write_text(folder / "frames" / name / "gt" / "gt.txt", "".join(lines))
        values = {
            "name": name,
            "imDir": "img1",
            "frameRate": FRAME_RATE,
            "seqLength": len(film),
            "imWidth": FRAME[0],
            "imHeight": FRAME[1],
            "imExt": ".jpg",
            "began": time_text(film[0].time),
        }
        text = "".join(f"{key}={value}\n" for key, value in values.items())
        write_text(folder / "frames" / name / "seqinfo.ini", f"[Sequence]\n{text}")
