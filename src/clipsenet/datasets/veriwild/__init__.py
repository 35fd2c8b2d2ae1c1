"""VeRi-Wild: 416,314 pictures of 174 cameras."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from clipsenet.datasets.copies import Split, compare, measure
from clipsenet.datasets.holding_out import HoldOutSettings
from clipsenet.datasets.lists import require_root
from clipsenet.datasets.published import as_benchmark, as_sightings
from clipsenet.datasets.veriwild.info import read_info
from clipsenet.datasets.veriwild.lists import PictureList, read_list, read_second_list
from clipsenet.protocol import Benchmark, Protocol
from clipsenet.sightings import Labels, Sightings, Trial

Size = Literal["small", "medium", "large"]
SIZES: dict[Size, int] = {"small": 3000, "medium": 5000, "large": 10000}
"""A test's name to its number of vehicles, and so to its lists."""

OWN = Protocol(junk="same-camera", beside=("same-file",))
LISTS = "train_test_split"
FIRST = ("train_list.txt", "test_{}_query.txt", "test_{}.txt")
SECOND = ("train_list_start0.txt", "test_{}_id_query.txt", "test_{}_id.txt")
INFO = "vehicle_info.txt"


def load(root: Path, settings: HoldOutSettings, size: Size) -> Benchmark:
    """VeRi-Wild: the folder with images and train_test_split, tested on 3,000, 5,000 or 10,000 vehicles.

    Args:
        root: that folder.
        settings: what is held out, and what of the protocol is asked for otherwise.
        size: which test; the training set is the same.

    Raises:
        ClipsenetError: not that folder, a line that cannot be read, files that contradict each other.
    """
    first, second = ([f"{LISTS}/{name.format(SIZES[size])}" for name in names] for names in (FIRST, SECOND))
    require_root(
        root,
        lambda folder: _all_there(folder, first) or _all_there(folder, second),
        f"{', '.join(first)} (or {', '.join(second)})",
    )
    is_first = _all_there(root, first)
    train, test, splits = _read(root, first if is_first else second, is_first)
    copy = compare("veriwild", dict(zip(("train", f"{size} query", f"{size} gallery"), splits, strict=True)))
    notes = _notes(train, test, is_first, both=is_first and _all_there(root, second))
    query, gallery = np.split(np.arange(len(test)), [splits[1].pictures])
    return as_benchmark(
        f"veriwild:{size}",
        train,
        test,
        (Trial(query, gallery, "query to gallery"),),
        OWN,
        settings,
        copy,
        f"query {splits[1].fingerprint}, gallery {splits[2].fingerprint}",
        notes,
    )


def _all_there(root: Path, names: Sequence[str]) -> bool:
    return all((root / name).is_file() for name in names)


def _read(root: Path, names: Sequence[str], is_first: bool) -> tuple[Sightings, Sightings, list[Split]]:
    """Training pictures, test pictures (all queries, then the gallery), and what train, query and gallery amount to."""
    lists = [(read_list if is_first else read_second_list)(root / name) for name in names]
    splits = [measure(one.picture.tolist(), one.vehicles().tolist()) for one in lists]
    train, query, gallery = lists
    of_train, of_test = _labels(root, lists)
    tested = PictureList(
        gallery.file,
        np.concatenate([query.picture, gallery.picture]),
        np.concatenate([np.zeros_like(query.line), gallery.line]),
    )
    return _sightings(root, train, of_train), _sightings(root, tested, of_test), splits


def _labels(root: Path, lists: Sequence[PictureList]) -> list[dict[str, Labels]]:
    """Camera, and what else is known, of the pictures of the first list and of all others, one list after the other."""
    pictures = np.concatenate([one.picture for one in lists])
    info = next((file for file in (root / LISTS / INFO, root / INFO) if file.is_file()), None)
    found = {} if info is None else read_info(info, pictures)
    cameras = [one.camera for one in lists if one.camera is not None]
    if cameras:
        found["camera"] = Labels.from_texts(np.concatenate(cameras))
    rows = np.split(np.arange(len(pictures)), [len(lists[0].picture)])
    return [{name: labels[some] for name, labels in found.items()} for some in rows]


def _sightings(root: Path, pictures: PictureList, labels: dict[str, Labels]) -> Sightings:
    return as_sightings(
        root,
        pictures.paths(),
        Labels.from_texts(pictures.vehicles()),
        camera=labels.get("camera"),
        extra={name: one for name, one in labels.items() if name != "camera"},
        source=pictures.file,
        line=pictures.line,
    )


def _notes(train: Sightings, test: Sightings, is_first: bool, both: bool) -> list[str]:
    notes = []
    if both:
        notes.append("the lists of both releases are there: those of the first are read")
    if not is_first:
        notes.append("the lists are those of the second release")
    unknown = {name: int((~part.camera.known).sum()) for name, part in (("training", train), ("test", test))}
    if any(unknown.values()):
        counts = " and ".join(f"{number:,} {name}" for name, number in unknown.items())
        notes.append(f"no camera is known for {counts} pictures: of those only the same file is junk")
    return notes
