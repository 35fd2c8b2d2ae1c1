"""Readers of the three published data sets; each of their traps is a test of its own."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clipsenet.datasets import DATASETS, DataSettings, copies, summary
from clipsenet.datasets.copies import KNOWN, PRINTED, Split
from clipsenet.datasets.veriwild import info
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.images import missing_files, open_sighting
from clipsenet.protocol import Benchmark, JunkRule
from clipsenet.ranking import rank
from clipsenet.sightings import NO_TIME
from drawn_layouts import (
    VEHICLEID_TEST,
    VEHICLEID_TRAIN,
    VERI_GALLERY,
    VERI_QUERY,
    VERI_TRAIN,
    WILD_GALLERY,
    WILD_INFO,
    WILD_QUERY,
    WILD_TRAIN,
    draw_pictures,
    draw_vehicleid,
    draw_veri776,
    draw_veriwild,
    write_index_files,
    write_info,
    write_key_points,
    write_labels,
    write_lines,
)

COLOURS = {"0001": 1, "0002": 10, "0003": 7, "0005": 4}
TYPES = {"0001": 1, "0002": 9, "0003": 0, "0005": 2}


def read(name: str, root: Path, **settings: object) -> Benchmark:
    return DATASETS[name](root, DataSettings.from_values(settings | {"benchmark": name}, "test"))


def matches(benchmark: Benchmark, junk: JunkRule) -> tuple[list[int], list[int]]:
    """Per query of the first trial: how many matches it has, and how many candidates."""
    trial = benchmark.trials[0]
    query, gallery = benchmark.test[trial.query], benchmark.test[trial.gallery]
    block = np.zeros((len(query), len(gallery)), dtype=np.float32)
    found = rank([(slice(0, len(query)), block)], query, gallery, junk)
    return found.matches.tolist(), found.candidates.tolist()


def replace_in(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture
def veri(tmp_path: Path) -> Path:
    return draw_veri776(tmp_path / "VeRi")


@pytest.fixture
def vehicleid(tmp_path: Path) -> Path:
    return draw_vehicleid(tmp_path / "VehicleID_V1.0")


@pytest.fixture
def wild(tmp_path: Path) -> Path:
    return draw_veriwild(tmp_path / "VeRI-Wild")


# -- all three ---------------------------------------------------------------------------------------------------------------

DRAW: dict[str, Callable[[Path], Path]] = {
    "veri776": draw_veri776,
    "vehicleid:small": draw_vehicleid,
    "veriwild:large": draw_veriwild,
}
LISTS = {
    "veri776": ("name_train.txt", "name_test.txt", "name_query.txt", "test_track.txt", "keypoint_test.txt", "gt_index.txt"),
    "vehicleid:small": (
        *("train_test_split/train_list.txt", "train_test_split/test_list_800.txt"),
        *("attribute/img2vid.txt", "attribute/color_attr.txt", "attribute/model_attr.txt"),
    ),
    "veriwild:large": tuple(
        f"train_test_split/{name}.txt" for name in ("train_list", "test_10000", "test_10000_query", "vehicle_info")
    ),
}


def same(a: Benchmark, b: Benchmark) -> bool:
    """Whether two benchmarks show the same pictures with the same labels, wherever their lines stand."""

    def texts(benchmark: Benchmark) -> list[object]:
        found: list[object] = [benchmark.fingerprint, benchmark.copy, benchmark.notes]
        for part in (benchmark.train, benchmark.test):
            found += [
                part.path.tolist(),
                *(part.column(n).tolist() for n in ("vehicle", "camera", "view", "track", *part.extra)),
            ]
        return [*found, *((one.name, one.query.tolist(), one.gallery.tolist()) for one in benchmark.trials)]

    return texts(a) == texts(b)


SPOIL: dict[str, Callable[[bytes], bytes]] = {
    "CRLF": lambda text: text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    "LF": lambda text: text.replace(b"\r\n", b"\n"),
    "no newline at the end": lambda text: text.rstrip(b"\r\n"),
    "blank lines at the end": lambda text: text + b"\n  \n\n",
    "trailing blanks": lambda text: text.replace(b"\n", b" \t\n"),
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
}


@pytest.mark.parametrize("spoil", SPOIL.values(), ids=SPOIL.keys())
@pytest.mark.parametrize("name", DRAW)
def test_lists_are_read_however_they_were_saved(name: str, spoil: Callable[[bytes], bytes], tmp_path: Path) -> None:
    root = DRAW[name](tmp_path)
    plain = read(name, root)
    for file in LISTS[name]:
        (root / file).write_bytes(spoil((root / file).read_bytes()))
    assert same(read(name, root), plain)


@pytest.mark.parametrize("name", DRAW)
def test_blank_lines_between_entries_are_nothing(name: str, tmp_path: Path) -> None:
    root = DRAW[name](tmp_path)
    plain = read(name, root)
    for file in LISTS[name]:
        if file != "gt_index.txt":  # there an empty line is a query without a good picture
            (root / file).write_bytes((root / file).read_bytes().replace(b"\n", b"\n\n"))
    assert same(read(name, root), plain)


@pytest.mark.parametrize("name", DRAW)
def test_paths_start_at_the_root_and_lead_to_pictures(name: str, tmp_path: Path) -> None:
    found = read(name, DRAW[name](tmp_path / "data"))
    for part in (found.train, found.test):
        assert part.folder == str(tmp_path / "data")
        assert not any(path.startswith("/") for path in part.path)
        assert missing_files(part) == []
        assert open_sighting(part, len(part) - 1).size == (8, 6)


@pytest.mark.parametrize(
    ("name", "file", "line", "wanted"),
    [
        ("veri776", "name_train.txt", "0001_c001.jpg", "vehicle, camera, time stamp and number"),
        ("veri776", "name_test.txt", "two words", "vehicle, camera, time stamp and number"),
        ("veri776", "keypoint_train.txt", "a.jpg 1 2 3", "42 fields separated by blanks"),
        ("veri776", "keypoint_test.txt", f"a.jpg {'1 ' * 40}8", "an orientation from 0 to 7"),
        ("vehicleid:small", "train_test_split/train_list.txt", "0279029", "a picture and its vehicle"),
        ("vehicleid:small", "train_test_split/test_list_800.txt", "a b", "a picture and its vehicle"),
        ("vehicleid:small", "attribute/img2vid.txt", "1 2 3", "a picture and its vehicle"),
        ("vehicleid:small", "attribute/color_attr.txt", "23 red", "a vehicle and a number"),
        ("veriwild:large", "train_test_split/train_list.txt", "321973", "a vehicle's folder and a picture"),
        ("veriwild:large", "train_test_split/test_10000.txt", "/321973", "a vehicle's folder and a picture"),
        ("veriwild:large", "train_test_split/vehicle_info.txt", "00007/000010", "a picture and its camera"),
        ("veriwild:large", "train_test_split/vehicle_info.txt", "00007/000010;first", "a picture and its camera"),
    ],
)
def test_a_malformed_line_is_named(name: str, file: str, line: str, wanted: str, tmp_path: Path) -> None:
    root = DRAW[name](tmp_path)
    before = (root / file).read_text(encoding="utf-8")
    number = len(before.splitlines()) + 1
    (root / file).write_text(f"{before}{line}\n", encoding="utf-8")
    with pytest.raises(ClipsenetError, match=rf"{re.escape(file)}, line {number}: found '.*', wanted .*{wanted}"):
        read(name, root)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        (name, file)
        for name, files in LISTS.items()
        for file in files
        if any(word in file for word in ("name_", "_list", "test_1"))
    ],
)
def test_the_same_entry_twice_is_refused_with_both_lines(name: str, file: str, tmp_path: Path) -> None:
    root = DRAW[name](tmp_path)
    lines = (root / file).read_text(encoding="utf-8").splitlines()
    write_lines(root / file, [*lines, lines[0]])
    with pytest.raises(ClipsenetError, match=rf"{re.escape(file)}: lines 1 and {len(lines) + 1} both name '"):
        read(name, root)


@pytest.mark.parametrize(("name", "file"), [("veri776", "name_test.txt"), ("vehicleid:small", LISTS["vehicleid:small"][0])])
def test_an_empty_list_is_refused(name: str, file: str, tmp_path: Path) -> None:
    root = DRAW[name](tmp_path)
    (root / file).write_text("\n\n", encoding="utf-8")
    with pytest.raises(ClipsenetError, match="found no entry, wanted on each line"):
        read(name, root)


@pytest.mark.parametrize("name", DRAW)
def test_a_wrong_root_says_what_lies_there_and_where_the_right_one_is(name: str, tmp_path: Path) -> None:
    root = DRAW[name](tmp_path / "a" / "b")
    with pytest.raises(
        ClipsenetError, match=rf"found a/, wanted .*\.txt.*; {re.escape(str(root))} holds them: give that folder"
    ):
        read(name, tmp_path)
    inside = next(path for path in sorted(root.iterdir()) if path.is_dir())
    with pytest.raises(ClipsenetError, match=rf"; {re.escape(str(root))} holds them"):
        read(name, inside)
    empty = tmp_path / "x" / "empty"
    empty.mkdir(parents=True)
    with pytest.raises(ClipsenetError, match=r"found an empty folder, wanted .*; give the folder that was unpacked"):
        read(name, empty)
    with pytest.raises(ClipsenetError, match="found nothing, wanted the folder that holds"):
        read(name, tmp_path / "none")
    with pytest.raises(ClipsenetError, match="found a file, wanted the folder that holds"):
        read(name, root / LISTS[name][0])


@pytest.mark.parametrize("name", DRAW)
def test_vehicles_are_held_out_of_training_whole_and_by_seed(name: str, tmp_path: Path) -> None:
    root = DRAW[name](tmp_path)
    everything = read(name, root)
    drawn = {seed: read(name, root, validation_vehicles=1, split_seed=seed) for seed in range(8)}
    for seed, found in drawn.items():
        assert found.validation.vehicle.count() == 1
        assert sorted([*found.train.path, *found.validation.path]) == sorted(everything.train.path)
        assert f"1 training vehicles held out for validation, drawn with seed {seed}" in found.notes
        assert found.copy == everything.copy
    assert len({found.validation.vehicle.texts()[0] for found in drawn.values()}) > 1
    again = read(name, root, validation_vehicles=1, split_seed=3)
    assert again.validation.path.tolist() == drawn[3].validation.path.tolist()


def test_the_protocol_is_the_data_sets_own_until_another_is_asked_for(veri: Path, vehicleid: Path, wild: Path) -> None:
    own = {
        "veri776": (veri, "same-camera"),
        "vehicleid:small": (vehicleid, "same-file"),
        "veriwild:small": (wild, "same-camera"),
    }
    for name, (root, junk) in own.items():
        assert read(name, root).protocol.junk == junk
        assert read(name, root).protocol.ap == "step"
        asked = read(name, root, junk="all-same-camera", ap="trapezoid").protocol
        assert (asked.junk, asked.ap) == ("all-same-camera", "trapezoid")
    assert read("veriwild:small", wild).protocol.beside == ("same-file",)
    assert read("veri776", veri).protocol.similarities == (
        "cosine",
        "k-reciprocal:k1=50,k2=15,original=0.5",
        "k-reciprocal:k1=80,k2=16,original=0.3",
        "k-reciprocal:k1=20,k2=6,original=0.3",
    )


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        (name, setting)
        for name in ("veri776", "vehicleid:medium", "veriwild:small")
        for setting in (
            {"columns": {"path": "p"}},
            {"pattern": "{vehicle}.jpg"},
            {"test_vehicles": 1},
            {"both_directions": True},
        )
    ]
    + [
        (name, setting)
        for name in ("veri776", "veriwild:large", "manifest", "toy")
        for setting in ({"trials": 3}, {"trial_seed": 1}, {"swapped": True})
    ],
)
def test_settings_that_a_reader_does_not_read_are_refused(name: str, setting: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"data.{next(iter(setting))} is .*, but the reader {name} does not read it: set data"):
        read(name, tmp_path, **setting)


def test_every_reader_says_what_it_reads() -> None:
    names = [f"{name}:{size}" for name in ("vehicleid", "veriwild") for size in ("small", "medium", "large")]
    assert list(DATASETS) == ["manifest", "drawn", "toy", "veri776", *names]
    assert "2,400" in summary("vehicleid:large")
    assert len({summary(name) for name in DATASETS}) == len(DATASETS)


# -- what is known of the official copies ------------------------------------------------------------------------------------


def test_the_known_counts_and_fingerprints_are_written_down_right() -> None:
    """Against the table of design/benchmarks.md, typed a second time."""
    table = """
        veri776 train 37778 576 20 d248af0ce367757a
        veri776 query 1678 200 19 a1988dac9b1ba7a8
        veri776 gallery 11579 200 19 ca1453e2260b0940
        vehicleid train 113346 13164 - 885b7a00699d1283
        vehicleid small 6493 800 - 6d3833dc15d32681
        vehicleid medium 13377 1600 - 0931f2ee02883151
        vehicleid large 19777 2400 - f101d81014d5dc70
        veriwild train 277797 30671 - 3c461a5ee3e2f2d0
        veriwild small_gallery 38861 3000 - c9da6fa8c79c4cb2
        veriwild small_query 3000 3000 - 1d2a381542869093
        veriwild medium_gallery 64389 5000 - b684006a60a6f9e0
        veriwild medium_query 5000 5000 - 67012face8412a03
        veriwild large_gallery 128517 10000 - 01d91c46e08cae80
        veriwild large_query 10000 10000 - 2f745fc07f391e75
    """
    known = [
        f"{data} {part.replace(' ', '_')} {one.pictures} {one.vehicles} {one.cameras or '-'} {one.fingerprint}"
        for data, parts in KNOWN.items()
        for part, one in parts.items()
    ]
    assert sorted(known) == sorted(" ".join(line.split()) for line in table.strip().splitlines())
    assert KNOWN["veri776"]["train"].older == "efae10da5d5da1b1"
    hashes = [one for parts in KNOWN.values() for split in parts.values() for one in (split.fingerprint, split.older) if one]
    assert all(re.fullmatch(r"[0-9a-f]{16}", one) for one in hashes)
    assert len(set(hashes)) == len(hashes)
    wild = KNOWN["veriwild"]
    assert (
        wild["train"].pictures + wild["large query"].pictures + wild["large gallery"].pictures == PRINTED["veriwild"].pictures
    )
    assert sum(one.pictures for one in KNOWN["veri776"].values()) == PRINTED["veri776"].pictures  # the queries counted twice


def hashed(names: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]


def drawn_splits(name: str) -> dict[str, tuple[list[str], list[str]]]:
    """Names and vehicles of each split, as the official fingerprints take them."""
    if name == "veri776":
        veri = {"train": VERI_TRAIN, "query": VERI_QUERY, "gallery": VERI_GALLERY}
        return {part: (list(names), [name[:4] for name in names]) for part, names in veri.items()}
    if name == "vehicleid:small":
        of_part = {"train": VEHICLEID_TRAIN, "small": VEHICLEID_TEST}
        return {part: ([f"{picture}.jpg" for picture in one], list(one.values())) for part, one in of_part.items()}
    wild = {"train": WILD_TRAIN, "large query": WILD_QUERY, "large gallery": WILD_GALLERY}
    return {part: (list(names), [name[:5] for name in names]) for part, names in wild.items()}


def know(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Split]:
    """Make the drawn copy the official one."""
    known = {}
    for part, (names, vehicles) in drawn_splits(name).items():
        cameras = {one[5:9] for one in names} if name == "veri776" else set()
        known[part] = Split(len(names), len(set(vehicles)), len(cameras) or None, hashed(names))
    monkeypatch.setitem(copies.KNOWN, name.partition(":")[0], known)
    return known


@pytest.mark.parametrize("name", DRAW)
def test_an_official_copy_is_recognised(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = DRAW[name](tmp_path)
    modified = read(name, root)
    assert modified.copy.startswith("modified: train, ")
    assert any(re.match(r"train: [45] pictures, .* \(officially [\d,]+ / ", note) for note in modified.notes)
    known = know(name, monkeypatch)
    found = read(name, root)
    assert found.copy == "official"
    assert not any("officially" in note for note in found.notes)
    for part, split in known.items():
        assert part == "train" or split.fingerprint in found.fingerprint


@pytest.mark.parametrize(
    ("name", "file", "old", "new"),
    [
        ("veri776", "name_train.txt", "00016450", "00016451"),
        ("vehicleid:small", "train_test_split/train_list.txt", "0000020 140", "0000021 140"),
        ("veriwild:large", "train_test_split/train_list.txt", "000010", "000019"),
    ],
)
def test_other_names_with_the_official_counts_are_a_modified_copy(
    name: str, file: str, old: str, new: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = DRAW[name](tmp_path)
    know(name, monkeypatch)
    replace_in(root / file, old, new)
    found = read(name, root)
    assert found.copy == "modified: train"
    assert "train: official counts, but other names" in found.notes


def test_the_same_names_of_other_vehicles_are_a_modified_copy(vehicleid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    know("vehicleid:small", monkeypatch)
    (vehicleid / "attribute" / "img2vid.txt").unlink()
    replace_in(vehicleid / "train_test_split" / "train_list.txt", "0000020 140", "0000020 23")
    found = read("vehicleid:small", vehicleid)
    assert found.copy == "modified: train"
    assert "train: 2 vehicles (officially 3)" in found.notes


def test_pictures_taken_out_are_counted(veri: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    know("veri776", monkeypatch)
    write_lines(veri / "name_train.txt", VERI_TRAIN[:-1])
    found = read("veri776", veri)
    assert found.copy == "modified: train"
    assert "train: 3 pictures, 2 cameras (officially 4 / 3)" in found.notes


# -- VeRi-776 ----------------------------------------------------------------------------------------------------------------


def test_veri776_is_read_with_all_its_columns(veri: Path) -> None:
    found = read("veri776", veri)
    test, train = found.test, found.train
    assert found.name == "veri776"
    assert test.path.tolist() == [f"image_test/{name}" for name in VERI_GALLERY]
    assert test.vehicle.texts().tolist() == [name[:4] for name in VERI_GALLERY]
    assert test.camera.texts().tolist() == [name[5:9] for name in VERI_GALLERY]
    assert test.column("frame").tolist() == [name[10:18] for name in VERI_GALLERY]
    assert test.column("colour").tolist() == ["black"] * 3 + ["gray"] * 3
    assert test.column("type").tolist() == ["estate"] * 3 + ["suv"] * 3
    assert test.view.texts().tolist() == ["front", "rear", "left", "left-front", "left-rear", "right"]
    assert test.track.texts().tolist()[:3] == ["0002_c002_t0175"] * 2 + ["0002_c003_t0000"]
    assert (test.time == NO_TIME).all()
    assert train.path.tolist() == [f"image_train/{name}" for name in VERI_TRAIN]
    assert train.camera.names == ("c001", "c002", "c020")
    assert train.column("colour").tolist() == ["yellow"] * 2 + ["white"] * 2
    assert not train.track.known.any()
    assert test.describe(2).endswith("name_test.txt, line 3)")
    assert found.fingerprint == f"query {hashed(list(VERI_QUERY))}, gallery {hashed(list(VERI_GALLERY))}"


def test_a_query_is_its_own_row_of_the_gallery_and_always_junk(veri: Path) -> None:
    found = read("veri776", veri)
    (trial,) = found.trials
    assert trial.gallery.tolist() == list(range(6))
    assert [found.test.path[row] for row in trial.query] == [f"image_test/{name}" for name in VERI_QUERY]
    assert found.notes[0].startswith("each query's own picture stands in the gallery: junk when scored, but part of re-ranking")
    # query 0002_c002: junk are itself and the other picture of c002; query 0005_c001: itself
    assert matches(found, "same-camera") == ([1, 2], [4, 5])
    # the rule same-file spares the own camera, never the own file
    assert matches(found, "same-file") == ([2, 2], [5, 5])


def test_a_query_that_is_not_in_the_gallery_comes_from_its_own_folder(veri: Path) -> None:
    alone = "0005_c004_00050000_0.jpg"
    write_lines(veri / "name_query.txt", [alone, *VERI_QUERY])
    draw_pictures(veri / "image_query", [alone])
    for name in ("gt_index.txt", "jk_index.txt"):
        (veri / name).unlink()
    found = read("veri776", veri)
    assert found.test.path[6] == f"image_query/{alone}"
    assert found.trials[0].query.tolist() == [6, 0, 3]
    assert found.trials[0].gallery.tolist() == list(range(6))
    assert missing_files(found.test) == []
    assert found.notes[0].startswith("2 of 3 queries' own pictures stand in the gallery")
    write_lines(veri / "name_query.txt", [alone])
    assert not any("own picture" in note for note in read("veri776", veri).notes)


def test_names_of_pictures_suffice_where_every_text_file_is_absent(tmp_path: Path) -> None:
    root = draw_veri776(tmp_path, texts=False)
    (root / "image_test" / "Thumbs.db").touch()
    found = read("veri776", root)
    assert found.test.path.tolist() == sorted(f"image_test/{name}" for name in VERI_GALLERY)
    assert [found.test.path[row] for row in found.trials[0].query] == [f"image_test/{name}" for name in VERI_QUERY]
    assert found.train.vehicle.texts().tolist() == ["0001", "0001", "0003", "0003"]
    assert not found.test.extra["colour"].known.any()
    assert not found.test.view.known.any()
    assert matches(found, "same-camera") == ([1, 2], [4, 5])
    assert found.test.describe(0) == str(root / "image_test" / VERI_GALLERY[0])
    (root / "image_test" / "cover.jpg").touch()
    with pytest.raises(
        ClipsenetError, match=r"image_test: found 'cover.jpg', wanted vehicle, camera.*; rename or remove the file"
    ):
        read("veri776", root)


def test_lists_without_pictures_are_read_too(veri: Path) -> None:
    for part in ("train", "test", "query"):
        for file in (veri / f"image_{part}").iterdir():
            file.unlink()
        (veri / f"image_{part}").rmdir()
    found = read("veri776", veri)
    assert missing_files(found.test) == list(range(6))
    (veri / "name_query.txt").unlink()
    with pytest.raises(ClipsenetError, match=r"wanted name_train.txt or image_train/, .*name_query.txt or image_query/"):
        read("veri776", veri)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    root = draw_veri776(tmp_path, texts=False)
    for file in (root / "image_query").iterdir():
        file.unlink()
    with pytest.raises(ClipsenetError, match=r"image_query: found no picture and no name_query.txt beside it"):
        read("veri776", root)


@pytest.mark.parametrize(("encoding", "comment"), [("ascii", "labels"), ("gb2312", "红色 轿车"), ("utf-8", "红色 轿车")])
def test_label_files_that_declare_gb2312_are_read(veri: Path, encoding: str, comment: str) -> None:
    write_labels(veri / "test_label.xml", VERI_GALLERY, COLOURS, TYPES, encoding, comment)
    assert b'encoding="gb2312"' in (veri / "test_label.xml").read_bytes()
    assert read("veri776", veri).test.column("colour").tolist() == ["black"] * 3 + ["gray"] * 3


def test_type_0_of_early_copies_is_unknown(veri: Path) -> None:
    assert read("veri776", veri).train.column("type").tolist() == ["sedan", "sedan", "", ""]


@pytest.mark.parametrize(("label", "number"), [("typeID", 10), ("colorID", 11)])
def test_a_number_that_no_label_has_is_refused(veri: Path, label: str, number: int) -> None:
    file = veri / "test_label.xml"
    file.write_text(
        re.sub(rf'{label}="\d+"', f'{label}="{number}"', file.read_text(encoding="utf-8"), count=1), encoding="utf-8"
    )
    with pytest.raises(
        ClipsenetError, match=rf"""test_label.xml, line 5: found '{label}="{number}"', wanted 1 to {number - 1}, or 0"""
    ):
        read("veri776", veri)


def test_a_picture_labelled_twice_is_refused_where_the_labels_differ(veri: Path) -> None:
    write_labels(veri / "test_label.xml", [*VERI_GALLERY, VERI_GALLERY[0]], COLOURS, TYPES)
    assert read("veri776", veri).test.column("type")[0] == "estate"
    text = (veri / "test_label.xml").read_text(encoding="utf-8")
    (veri / "test_label.xml").write_text(text.replace('typeID="9"', 'typeID="8"', 1), encoding="utf-8")
    with pytest.raises(ClipsenetError, match=rf"test_label.xml: lines 5 and 11 contradict each other about {VERI_GALLERY[0]}"):
        read("veri776", veri)


@pytest.mark.parametrize(
    "text", ["<TrainingImages><Items>", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "<a><Item x='1'/></a>"]
)
def test_a_label_file_that_is_no_xml_of_items_is_refused(veri: Path, text: str) -> None:
    (veri / "train_label.xml").write_text(text, encoding="utf-8")
    with pytest.raises(ClipsenetError, match=r"train_label.xml.*(wanted XML|wanted items only|an item with an imageName)"):
        read("veri776", veri)


def test_labels_that_contradict_the_name_are_refused(veri: Path) -> None:
    for part, names in (("train", VERI_TRAIN), ("test", VERI_GALLERY)):
        write_labels(veri / f"{part}_label.xml", names, COLOURS, TYPES, vehicle={names[1]: "0041"})
        with pytest.raises(
            ClipsenetError, match=rf"{part}_label.xml, line 6: found vehicleID='0041' for {names[1]}, wanted what"
        ):
            read("veri776", veri)
        write_labels(veri / f"{part}_label.xml", names, COLOURS, TYPES)
        replace_in(veri / f"{part}_label.xml", f'cameraID="{names[0][5:9]}"', 'cameraID="c011"')
        with pytest.raises(ClipsenetError, match=rf"{part}_label.xml, line 5: found cameraID='c011'"):
            read("veri776", veri)
        write_labels(veri / f"{part}_label.xml", names, COLOURS, TYPES)


def test_the_older_release_may_contradict_its_training_labels(veri: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = know("veri776", monkeypatch)
    known["train"] = Split(4, 2, 3, "0" * 16, hashed(list(VERI_TRAIN)), "12 pictures bear vehicle 0040")
    write_labels(veri / "train_label.xml", VERI_TRAIN, COLOURS, TYPES, vehicle={VERI_TRAIN[1]: "0041"})
    found = read("veri776", veri)
    assert found.copy == "older release: train"
    assert "train: the older release, 12 pictures bear vehicle 0040" in found.notes
    assert "1 training names contradict train_label.xml, as in the older release: names count" in found.notes
    assert found.train.vehicle.texts()[1] == "0001"
    write_labels(veri / "test_label.xml", VERI_GALLERY, COLOURS, TYPES, vehicle={VERI_GALLERY[1]: "0041"})
    with pytest.raises(ClipsenetError, match=r"test_label.xml, line 6"):
        read("veri776", veri)


def test_key_points_with_a_prefix_crlf_and_500_lines_twice(veri: Path) -> None:
    views = {name: number for number, name in enumerate(VERI_GALLERY)}
    write_key_points(veri / "keypoint_test.txt", views, prefix="VeRi/image_test/", end="\r\n", twice=4)
    assert read("veri776", veri).test.view.texts().tolist() == ["front", "rear", "left", "left-front", "left-rear", "right"]
    write_key_points(veri / "keypoint_test.txt", views, prefix="VeRi\\image_test\\")
    assert read("veri776", veri).test.view.known.all()


def test_two_views_of_one_picture_are_refused(veri: Path) -> None:
    with (veri / "keypoint_test.txt").open("a", encoding="utf-8") as file:
        file.write(f"VeRi/image_test/{VERI_GALLERY[1]} {'0 ' * 40}6\n")
    with pytest.raises(
        ClipsenetError, match=r"keypoint_test.txt: lines 2 and 7 contradict each other about 0002.*found rear and right"
    ):
        read("veri776", veri)


def test_pictures_without_a_view_stay(veri: Path) -> None:
    assert read("veri776", veri).train.view.texts().tolist() == ["front", "right-rear", "", "left-front"]
    write_key_points(veri / "keypoint_test.txt", {VERI_GALLERY[0]: 0})
    found = read("veri776", veri)
    assert len(found.test) == 6
    assert found.test.view.known.sum() == 1


def test_a_picture_in_two_tracks_is_refused(veri: Path) -> None:
    with (veri / "test_track.txt").open("a", encoding="utf-8") as file:
        file.write(f"0002_c002_t0999 {VERI_GALLERY[0]}\n")
    with pytest.raises(
        ClipsenetError, match=r"test_track.txt: lines 1 and 6 contradict each other about 0002_c002_00030600_0.jpg"
    ):
        read("veri776", veri)


def test_the_index_files_agree_with_our_rule(veri: Path) -> None:
    assert (veri / "gt_index.txt").read_bytes() == b"3 \r\n5 6 \r\n"
    assert (veri / "jk_index.txt").read_bytes() == b"1 2 \r\n4 \r\n"
    assert "the junk rule agrees with gt_index.txt and jk_index.txt for all 2 queries" in read("veri776", veri).notes
    (veri / "jk_index.txt").write_bytes(b"")  # as some copies have it
    assert "the junk rule agrees with gt_index.txt for all 2 queries" in read("veri776", veri).notes


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "gt_index.txt",
            "3 \n5 \n",
            r"line 2: for the query .*0005_c001\S* the picture .*0005_c003\S* \(number 6\) is good by the names",
        ),
        (
            "jk_index.txt",
            "1 2 3 \n4 \n",
            r"line 1: for the query .*0002_c002_00030600\S* the picture .*0002_c003\S* \(number 3\) is junk by jk",
        ),
        (
            "gt_index.txt",
            "3 \n5 7 \n",
            r"line 2: found '5 7' for the query .*0005_c001.*, wanted numbers of gallery pictures, from 1 to 6",
        ),
        ("gt_index.txt", "3 \n5 x \n", r"line 2: found '5 x' for the query .*, wanted numbers"),
        ("gt_index.txt", "3 \n", r"found 1 lines, wanted 2, one for each query"),
        ("jk_index.txt", "1 2 \n\n4 \n", r"found 3 lines, wanted 2"),
    ],
)
def test_index_files_that_contradict_our_rule_are_refused(veri: Path, file: str, text: str, message: str) -> None:
    (veri / file).write_text(text, encoding="utf-8")
    with pytest.raises(ClipsenetError, match=rf"{file}.*{message}"):
        read("veri776", veri)


def test_the_error_of_the_index_files_says_what_to_do(veri: Path) -> None:
    write_lines(veri / "name_test.txt", VERI_GALLERY[:-1])
    with pytest.raises(ClipsenetError, match=r"If pictures were taken out on purpose, remove gt_index.txt and jk_index.txt"):
        read("veri776", veri)
    for name in ("gt_index.txt", "jk_index.txt"):
        (veri / name).unlink()
    assert len(read("veri776", veri).test) == 5


def test_queries_without_a_good_picture_may_leave_empty_lines(veri: Path) -> None:
    gallery = [name for name in VERI_GALLERY if name[:4] != "0005" or "c001" in name]
    write_lines(veri / "name_test.txt", gallery)
    write_lines(veri / "gt_index.txt", ["3 ", " "], "\r\n")
    write_lines(veri / "jk_index.txt", ["1 2 ", "4 "], "\r\n")
    found = read("veri776", veri)
    assert matches(found, "same-camera")[0] == [1, 0]


def test_index_files_mean_nothing_without_the_lists_that_they_count(veri: Path) -> None:
    write_lines(veri / "gt_index.txt", ["1 ", "1 "])
    (veri / "name_test.txt").unlink()
    assert not any("agrees" in note for note in read("veri776", veri).notes)


def test_ids_of_veri776_may_stand_in_any_order(veri: Path) -> None:
    plain = read("veri776", veri)
    write_lines(veri / "name_test.txt", VERI_GALLERY[::-1])
    for name in ("gt_index.txt", "jk_index.txt"):
        (veri / name).unlink()
    found = read("veri776", veri)
    assert found.fingerprint == plain.fingerprint
    assert found.test.path[::-1].tolist() == plain.test.path.tolist()
    assert [found.test.path[row] for row in found.trials[0].query] == [f"image_test/{name}" for name in VERI_QUERY]


def test_the_drawn_index_files_can_be_drawn_again(veri: Path) -> None:
    before = (veri / "gt_index.txt").read_bytes()
    write_index_files(veri)
    assert (veri / "gt_index.txt").read_bytes() == before


# -- VehicleID ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["small", "medium", "large"])
def test_vehicleid_is_read_with_all_its_columns(vehicleid: Path, size: str) -> None:
    found = read(f"vehicleid:{size}", vehicleid)
    assert found.name == f"vehicleid:{size}"
    assert found.train.path.tolist() == [f"image/{picture}.jpg" for picture in VEHICLEID_TRAIN]
    assert found.train.vehicle.texts().tolist() == list(VEHICLEID_TRAIN.values())
    assert found.test.vehicle.texts().tolist() == list(VEHICLEID_TEST.values())
    # attributes are known of some training vehicles only
    assert found.train.column("colour").tolist() == ["4", "0", "4", "0", ""]
    assert found.train.column("model").tolist() == ["118", "", "118", "", ""]
    assert not found.test.extra["colour"].known.any()
    assert found.train.describe(1).endswith("train_list.txt, line 2)")
    number = {"small": 800, "medium": 1600, "large": 2400}[size]
    assert found.test.describe(0).endswith(f"test_list_{number}.txt, line 1)")


def test_vehicleid_has_no_cameras_and_only_the_same_file_is_junk(vehicleid: Path) -> None:
    found = read("vehicleid:small", vehicleid)
    for part in (found.train, found.test):
        assert not part.camera.known.any()
    assert matches(found, "same-file") == ([1] * 7, [4] * 7)
    assert matches(found, "same-camera") == ([1] * 7, [4] * 7)


def test_each_trial_draws_one_picture_of_every_vehicle(vehicleid: Path) -> None:
    found = read("vehicleid:small", vehicleid)
    assert [trial.name for trial in found.trials] == [f"draw {number}" for number in range(1, 11)]
    vehicles = found.test.vehicle.texts()
    for trial in found.trials:
        assert sorted(vehicles[trial.gallery]) == sorted(set(vehicles))
        assert sorted([*trial.query, *trial.gallery]) == list(range(len(found.test)))
    assert len({tuple(trial.gallery.tolist()) for trial in found.trials}) > 1
    assert found.notes[0] == "10 random galleries of one picture of each vehicle, drawn with seed 0"
    # a vehicle with one picture cannot ask
    assert all("77" not in vehicles[trial.query] for trial in found.trials)


def test_a_draw_is_what_the_slow_obvious_way_draws(vehicleid: Path) -> None:
    found = read("vehicleid:small", vehicleid, trials=3, trial_seed=5)
    vehicles = sorted(set(VEHICLEID_TEST.values()))
    pictures = {vehicle: sorted(name for name, of in VEHICLEID_TEST.items() if of == vehicle) for vehicle in vehicles}
    for number, trial in enumerate(found.trials, 1):
        rng = np.random.default_rng((5, number))
        drawn = rng.integers([len(pictures[vehicle]) for vehicle in vehicles])
        wanted = {f"image/{pictures[vehicle][place]}.jpg" for vehicle, place in zip(vehicles, drawn, strict=True)}
        assert set(found.test.path[trial.gallery]) == wanted


def test_draws_depend_on_the_seed_and_not_on_the_order_of_lines(vehicleid: Path) -> None:
    def galleries(**settings: object) -> list[list[str]]:
        found = read("vehicleid:small", vehicleid, **settings)
        return [sorted(found.test.path[trial.gallery].tolist()) for trial in found.trials]

    plain = galleries()
    assert galleries() == plain
    assert galleries(trials=4) == plain[:4]
    assert galleries(trial_seed=1) != plain
    assert galleries(split_seed=1) == plain
    file = vehicleid / "train_test_split" / "test_list_800.txt"
    lines = file.read_text(encoding="utf-8").splitlines()
    for order in (lines[::-1], sorted(lines)):
        write_lines(file, order)
        assert galleries() == plain


def test_swapped_exchanges_query_and_gallery(vehicleid: Path) -> None:
    plain, swapped = (read("vehicleid:small", vehicleid, swapped=value) for value in (False, True))
    for one, other in zip(plain.trials, swapped.trials, strict=True):
        assert (one.query.tolist(), one.gallery.tolist()) == (other.gallery.tolist(), other.query.tolist())
    assert any(note.startswith("SWAPPED") for note in swapped.notes)
    assert not any(note.startswith("SWAPPED") for note in plain.notes)
    assert sorted(matches(swapped, "same-file")[0]) == [0, 2, 2, 3]  # vehicle 77 has no other picture


def test_img2vid_that_contradicts_a_list_is_refused(vehicleid: Path) -> None:
    replace_in(vehicleid / "attribute" / "img2vid.txt", "0000054 31", "0000054 32")
    with pytest.raises(
        ClipsenetError,
        match=r"img2vid.txt, line \d+: picture 0000054 shows vehicle 32, but vehicle 31 in .*test_list_800.txt, line 2",
    ):
        read("vehicleid:small", vehicleid)


def test_lists_that_contradict_each_other_are_refused(vehicleid: Path) -> None:
    write_lines(vehicleid / "train_test_split" / "test_list_1600.txt", ["0000007 24", "0000008 24"])
    with pytest.raises(
        ClipsenetError, match=r"test_list_1600.txt, line 1: picture 0000007 shows vehicle 24, but vehicle 23 in .*train"
    ):
        read("vehicleid:medium", vehicleid)


def test_two_colours_of_one_vehicle_are_refused(vehicleid: Path) -> None:
    write_lines(vehicleid / "attribute" / "color_attr.txt", ["23 4", "5 0", "23 4"])
    assert read("vehicleid:small", vehicleid).train.column("colour")[0] == "4"
    write_lines(vehicleid / "attribute" / "color_attr.txt", ["23 4", "5 0", "23 5"])
    with pytest.raises(
        ClipsenetError, match=r"color_attr.txt: lines 1 and 3 contradict each other about vehicle 23: found 4 and 5"
    ):
        read("vehicleid:small", vehicleid)


def test_attribute_files_may_be_absent(vehicleid: Path) -> None:
    for name in ("img2vid", "color_attr", "model_attr"):
        (vehicleid / "attribute" / f"{name}.txt").unlink()
    assert read("vehicleid:small", vehicleid).train.extra == {}


# -- VeRi-Wild ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["small", "medium", "large"])
def test_veriwild_is_read_with_all_its_columns(wild: Path, size: str) -> None:
    found = read(f"veriwild:{size}", wild)
    names = [*WILD_QUERY, *WILD_GALLERY]
    assert found.name == f"veriwild:{size}"
    assert found.train.path.tolist() == [f"images/{name}.jpg" for name in WILD_TRAIN]
    assert found.test.path.tolist() == [f"images/{name}.jpg" for name in names]
    assert found.test.vehicle.texts().tolist() == [name[:5] for name in names]
    assert found.test.camera.texts().tolist() == [WILD_INFO[name] for name in names]
    assert found.train.camera.texts().tolist() == [WILD_INFO[name] for name in WILD_TRAIN]
    assert set(found.test.extra) == {"colour", "type", "model"}
    assert found.train.column("type").tolist() == ["Bus / Coach"] * 4 + ["Large-sized Truck"]
    assert found.train.column("model").tolist() == ["Brand A4"] * 5
    assert (found.train.time == NO_TIME).all()
    (trial,) = found.trials
    assert (trial.query.tolist(), trial.gallery.tolist()) == ([0, 1], [2, 3, 4, 5])
    assert found.fingerprint == f"query {hashed(list(WILD_QUERY))}, gallery {hashed(list(WILD_GALLERY))}"
    assert found.test.describe(3).endswith(f"{copies.KNOWN['veriwild'][size + ' query'].pictures}.txt, line 2)")


def test_the_rule_leaves_a_query_of_veriwild_without_a_match(wild: Path) -> None:
    found = read("veriwild:small", wild)
    assert matches(found, "same-camera") == ([1, 0], [3, 2])
    assert matches(found, "same-file") == ([2, 2], [4, 4])


def test_without_a_header_only_the_camera_is_certain(wild: Path) -> None:
    plain = read("veriwild:small", wild)
    write_info(wild, header=False)
    found = read("veriwild:small", wild)
    assert found.test.extra == {}
    assert found.test.camera.texts().tolist() == plain.test.camera.texts().tolist()
    assert found.train.camera.texts().tolist() == plain.train.camera.texts().tolist()


@pytest.mark.parametrize("header", [True, False])
def test_blanks_around_fields_are_nothing(wild: Path, header: bool) -> None:
    write_info(wild, header=header)
    plain = read("veriwild:small", wild)
    write_info(wild, header=header, blanks="  ")
    assert same(read("veriwild:small", wild), plain)


def test_a_header_names_its_columns_in_any_order_and_lines_may_be_short(wild: Path) -> None:
    write_lines(
        wild / "train_test_split" / "vehicle_info.txt",
        ["ID/image;Camera ID;COLOR ;Something", "00007/000010;3;Red;x", "00007/000011;4", "00003/000001; ;Blue"],
    )
    found = read("veriwild:small", wild).train
    assert set(found.extra) == {"colour"}
    assert found.column("colour").tolist() == ["Red", "", "Blue", "", ""]
    assert found.camera.texts().tolist() == ["3", "4", "", "", ""]


@pytest.mark.parametrize("chunk", [2, 100])
def test_the_information_is_read_in_chunks(wild: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(info, "CHUNK", chunk)
    write_info(wild, WILD_INFO | {"99999/999999": "7"})  # a picture that no list has
    found = read("veriwild:small", wild)
    assert found.train.camera.texts().tolist() == [WILD_INFO[name] for name in WILD_TRAIN]
    file = wild / "train_test_split" / "vehicle_info.txt"
    before = file.read_text(encoding="utf-8")
    for again, refused in (("00007/000010;0;", False), ("00007/000010;1;", True)):
        file.write_text(f"{before}{again}\n", encoding="utf-8")
        if refused:
            message = r"vehicle_info.txt: lines 2 and 14 contradict each other about 00007/000010: found camera 0 and camera 1"
            with pytest.raises(ClipsenetError, match=message):
                read("veriwild:small", wild)
        else:
            assert read("veriwild:small", wild).train.camera.texts()[0] == "0"


def test_pictures_without_a_camera_are_counted_and_never_equal(wild: Path) -> None:
    write_info(
        wild, {name: camera for name, camera in WILD_INFO.items() if not name.startswith("00200") and name != WILD_TRAIN[0]}
    )
    found = read("veriwild:small", wild)
    assert found.test.camera.texts().tolist() == ["5", "", "5", "", "6", ""]
    assert found.train.camera.texts()[0] == ""
    assert "no camera is known for 1 training and 3 test pictures: of those only the same file is junk" in found.notes
    assert matches(found, "same-camera") == ([1, 2], [3, 4])
    (wild / "train_test_split" / "vehicle_info.txt").unlink()
    assert not read("veriwild:small", wild).test.camera.known.any()


def test_the_information_may_lie_beside_the_lists_folder(wild: Path) -> None:
    plain = read("veriwild:small", wild)
    (wild / "train_test_split" / "vehicle_info.txt").rename(wild / "vehicle_info.txt")
    assert same(read("veriwild:small", wild), plain)


def test_the_second_release_names_a_vehicle_by_its_folder(tmp_path: Path) -> None:
    first = read("veriwild:medium", draw_veriwild(tmp_path / "first"))
    found = read("veriwild:medium", draw_veriwild(tmp_path / "second", second=True))
    for name in ("train", "test"):
        one, other = getattr(first, name), getattr(found, name)
        for column in ("vehicle", "camera"):
            assert one.column(column).tolist() == other.column(column).tolist()
        assert one.path.tolist() == other.path.tolist()
    assert found.fingerprint == first.fingerprint
    assert "the lists are those of the second release" in found.notes


def test_of_two_releases_the_first_is_read(tmp_path: Path) -> None:
    root = draw_veriwild(draw_veriwild(tmp_path, second=True))
    found = read("veriwild:small", root)
    assert "the lists of both releases are there: those of the first are read" in found.notes
    assert set(found.test.extra) == {"colour", "type", "model"}
    (root / "train_test_split" / "test_3000_query.txt").unlink()
    assert "the lists are those of the second release" in read("veriwild:small", root).notes


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("00001/000001.jpg 7 23", r"lines 1 and 5 contradict each other: vehicle 7 goes with 00200 and with 00001"),
        ("00200/000009.jpg 8 23", r"lines 1 and 5 contradict each other: folder 00200 goes with 7 and with 8"),
        ("00001/000001.jpg 5", r"line 5: found '00001/000001.jpg 5', wanted picture, number of the vehicle and camera"),
        ("00001/000001.jpg 5 c4", r"line 5: found 'camera c4', wanted picture"),
    ],
)
def test_a_bad_line_of_the_second_release_is_refused(tmp_path: Path, line: str, message: str) -> None:
    root = draw_veriwild(tmp_path, second=True)
    lines = ["00200/000601.jpg 7 7", "00100/000501.jpg 0 5", "00200/000602.jpg 7 7", "00100/000502.jpg 0 6", line]
    write_lines(root / "train_test_split" / "test_3000_id.txt", lines)
    with pytest.raises(ClipsenetError, match=rf"test_3000_id.txt.*{message}"):
        read("veriwild:small", root)


def test_endings_are_added_where_they_are_missing(wild: Path) -> None:
    plain = read("veriwild:small", wild)
    write_lines(wild / "train_test_split" / "train_list.txt", (f"{name}.jpg" for name in WILD_TRAIN))
    assert same(read("veriwild:small", wild), plain)


def test_bytes_that_are_no_text_are_refused(wild: Path) -> None:
    with (wild / "train_test_split" / "train_list.txt").open("ab") as file:
        file.write(b"\xff\xff\xff\n")
    with pytest.raises(ClipsenetError, match=r"train_list.txt, line 6: found bytes that are no text, wanted UTF-8"):
        read("veriwild:small", wild)
