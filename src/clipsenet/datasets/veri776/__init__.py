"""VeRi-776: 20 cameras of one city; each query stands in the gallery, too."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from clipsenet.datasets.copies import KNOWN, Split, compare, measure
from clipsenet.datasets.holding_out import HoldOutSettings
from clipsenet.datasets.lists import require_root
from clipsenet.datasets.published import as_benchmark, as_sightings
from clipsenet.datasets.veri776.labels import Item, read_items, read_tracks, read_views
from clipsenet.datasets.veri776.names import PARTS, Names, has_parts, read_names
from clipsenet.datasets.veri776.truth import check_index_files
from clipsenet.errors import ClipsenetError
from clipsenet.protocol import Benchmark, Protocol
from clipsenet.sightings import TEXT, Labels, Sightings, Trial

OWN = Protocol(
    junk="same-camera",
    similarities=(
        "cosine",
        "k-reciprocal:k1=50,k2=15,original=0.5",
        "k-reciprocal:k1=80,k2=16,original=0.3",
        "k-reciprocal:k1=20,k2=6,original=0.3",
    ),
)


def load(root: Path, settings: HoldOutSettings) -> Benchmark:
    """VeRi-776: the folder with image_train, image_test, image_query, and what lists and labels there are.

    Args:
        root: that folder.
        settings: what is held out, and what of the protocol is asked for otherwise.

    Raises:
        ClipsenetError: not that folder, a line that cannot be read, files that contradict each other.
    """
    require_root(root, has_parts, ", ".join(f"name_{part}.txt or image_{part}/" for part in PARTS))
    train, gallery, query = (read_names(root, part) for part in ("train", "test", "query"))
    found = {
        name: measure(one.names, one.vehicle, one.camera)
        for name, one in (("train", train), ("query", query), ("gallery", gallery))
    }
    notes = []
    train_items, test_items = (read_items(root / f"{part}_label.xml") for part in ("train", "test"))
    contradicting = _contradictions(train, train_items)
    if contradicting and found["train"].fingerprint == KNOWN["veri776"]["train"].older:
        notes.append(f"{len(contradicting)} training names contradict train_label.xml, as in the older release: names count")
    else:
        _refuse(root / "train_label.xml", contradicting)
    _refuse(root / "test_label.xml", [*_contradictions(gallery, test_items), *_contradictions(query, test_items)])

    row_of = {name: row for row, name in enumerate(gallery.names)}
    alone = [row for row, name in enumerate(query.names) if name not in row_of]
    row_of |= {query.names[row]: len(gallery.names) + number for number, row in enumerate(alone)}
    tested = Names.of(
        gallery.source,
        [*gallery.names, *(query.names[row] for row in alone)],
        np.concatenate([gallery.line, np.zeros(len(alone), dtype=np.int64)]),
    )
    folders = ["image_test"] * len(gallery.names) + ["image_query"] * len(alone)
    views = {part: read_views(root / f"keypoint_{part}.txt") for part in ("train", "test")}
    tracks = read_tracks(root / "test_track.txt")
    test = _sightings(root, tested, folders, test_items, views["test"], tracks)
    trial = Trial(
        np.array([row_of[name] for name in query.names], dtype=np.int64), np.arange(len(gallery.names)), "query to gallery"
    )
    notes += [*_twice(len(query.names) - len(alone), len(query.names)), *_checked(root, test, trial)]
    return as_benchmark(
        "veri776",
        _sightings(root, train, ["image_train"] * len(train.names), train_items, views["train"], {}),
        test,
        (trial,),
        OWN,
        settings,
        compare("veri776", found),
        _fingerprint(found),
        notes,
    )


def other_sizes(test: Sightings, query: Int[np.ndarray, " q"]) -> list[str]:
    """The queries whose file in ``image_query`` has another size than the copy in ``image_test``.

    Args:
        test: a benchmark's test pictures; of another layout than VeRi-776's nothing is found.
        query: rows that ask.
    """
    folder = Path(test.folder) / "image_query"
    if not (test.folder and folder.is_dir()):
        return []
    with os.scandir(folder) as files:
        size = {file.name: file.stat().st_size for file in files}
    different = []
    for row in query.tolist():
        place, name = os.path.split(str(test.path[row]))
        copy = Path(test.file(row))
        if place == "image_test" and name in size and copy.is_file() and copy.stat().st_size != size[name]:
            different.append(name)
    return different


def _contradictions(names: Names, items: Mapping[str, tuple[Item, int]]) -> list[tuple[int, str]]:
    """Line and text of each item whose vehicle or camera is not that of the picture's name."""
    found = []
    for name, vehicle, camera in zip(names.names, names.vehicle, names.camera, strict=True):
        if name in items:
            item, line = items[name]
            for label, theirs, ours in (("vehicleID", item.vehicle, vehicle), ("cameraID", item.camera, camera)):
                if theirs and theirs.lstrip("c0") != ours.lstrip("c0"):
                    found.append((line, f"{label}='{theirs}' for {name}"))
    return found


def _refuse(file: Path, contradicting: Sequence[tuple[int, str]]) -> None:
    if contradicting:
        line, text = contradicting[0]
        raise ClipsenetError(
            f"{file}, line {line}: found {text}, wanted what the name says ({len(contradicting)} such labels); mend it, or "
            "remove the file: colours and types are then unknown"
        )


def _sightings(
    root: Path,
    names: Names,
    folders: Sequence[str],
    items: Mapping[str, tuple[Item, int]],
    views: Mapping[str, str],
    tracks: Mapping[str, str],
) -> Sightings:
    def told(label: str) -> Labels:
        return Labels.from_texts([getattr(items[name][0], label) if name in items else "" for name in names.names])

    return as_sightings(
        root,
        np.array([f"{folder}/{name}" for folder, name in zip(folders, names.names, strict=True)], dtype=TEXT),
        Labels.from_texts(names.vehicle),
        camera=Labels.from_texts(names.camera),
        view=Labels.from_texts([views.get(name, "") for name in names.names]),
        track=Labels.from_texts([tracks.get(name, "") for name in names.names]),
        extra={"frame": Labels.from_texts(names.frame), "colour": told("colour"), "type": told("type")},
        source=names.source,
        line=names.line,
    )


def _twice(twice: int, queries: int) -> list[str]:
    """What to say where queries stand in the gallery."""
    if not twice:
        return []
    which = "each query's own picture stands" if twice == queries else f"{twice} of {queries} queries' own pictures stand"
    return [f"{which} in the gallery: junk when scored, but part of re-ranking and query expansion, as in published scores"]


def _checked(root: Path, test: Sightings, trial: Trial) -> list[str]:
    """Compare with the index files, whose numbers mean something only with the lists that they count."""
    if not all((root / f"name_{part}.txt").is_file() for part in ("test", "query")):
        return []
    files = check_index_files(root, test, trial)
    return [f"the junk rule agrees with {' and '.join(files)} for all {len(trial.query)} queries"] if files else []


def _fingerprint(found: Mapping[str, Split]) -> str:
    return f"query {found['query'].fingerprint}, gallery {found['gallery'].fingerprint}"
