"""Trees in the real layouts of the three published data sets, drawn with a handful of names and tiny pictures."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

VERI_TRAIN = (
    "0001_c001_00016450_0.jpg",
    "0001_c002_00016480_0.jpg",
    "0003_c001_00020000_0.jpg",
    "0003_c020_00021000_0.jpg",
)
VERI_GALLERY = (
    "0002_c002_00030600_0.jpg",
    "0002_c002_00030605_1.jpg",
    "0002_c003_00031000_0.jpg",
    "0005_c001_00040000_0.jpg",
    "0005_c002_00040010_0.jpg",
    "0005_c003_00040020_0.jpg",
)
VERI_QUERY = ("0002_c002_00030600_0.jpg", "0005_c001_00040000_0.jpg")
"""As in the real set, the queries are pictures of the gallery."""

VEHICLEID_TRAIN = {"0000007": "23", "0000011": "5", "0000003": "23", "0000012": "5", "0000020": "140"}
VEHICLEID_TEST = {
    **{"0000101": "9", "0000054": "31", "0000102": "9", "0000055": "31", "0000001": "9", "0000090": "300"},
    **{"0000091": "300", "0000092": "300", "0000103": "9", "0000056": "31", "0000200": "77"},
}
"""Ids stand in no order, and vehicle 77 has one picture."""

WILD_TRAIN = ("00007/000010", "00007/000011", "00003/000001", "00003/000300", "30000/000002")
WILD_QUERY = ("00100/000500", "00200/000600")
WILD_GALLERY = ("00100/000501", "00200/000601", "00100/000502", "00200/000602")
WILD_INFO = {
    "00007/000010": "0",
    "00007/000011": "12",
    "00003/000001": "173",
    "00003/000300": "12",
    "30000/000002": "1",
    "00100/000500": "5",
    "00100/000501": "5",
    "00100/000502": "6",
    "00200/000600": "7",
    "00200/000601": "7",
    "00200/000602": "7",
}
"""The query 00200/000600 has a picture of its own camera only: under same-camera it has no match."""


def write_lines(file: Path, lines: Iterable[str], end: str = "\n") -> None:
    """A list; ``end`` closes each line, the last one too."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes("".join(f"{line}{end}" for line in lines).encode())


def draw_pictures(folder: Path, names: Sequence[str], width: int = 8) -> None:
    """A tiny picture for each name, of its own colour."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (width, 6), (40 * number % 256, 90, 20 * number % 256)).save(folder / name)


def draw_veri776(root: Path, texts: bool = True) -> Path:
    """VeRi-776: three folders of pictures, and all its text files where they are wanted."""
    for part, names in (("train", VERI_TRAIN), ("test", VERI_GALLERY), ("query", VERI_QUERY)):
        draw_pictures(root / f"image_{part}", names)
        if texts:
            write_lines(root / f"name_{part}.txt", names)
    if texts:
        colours = {"0001": 1, "0002": 10, "0003": 7, "0005": 4}
        write_labels(root / "train_label.xml", VERI_TRAIN, colours, {"0001": 1, "0003": 0})
        write_labels(root / "test_label.xml", VERI_GALLERY, colours, {"0002": 9, "0005": 2})
        write_key_points(root / "keypoint_train.txt", {VERI_TRAIN[0]: 0, VERI_TRAIN[1]: 7, VERI_TRAIN[3]: 3})
        write_key_points(root / "keypoint_test.txt", {name: number for number, name in enumerate(VERI_GALLERY)})
        write_lines(
            root / "test_track.txt",
            [
                f"0002_c002_t0175 {VERI_GALLERY[0]} {VERI_GALLERY[1]} ",
                *(f"{name[:9]}_t000{number} {name} " for number, name in enumerate(VERI_GALLERY[2:])),
            ],
        )
        write_index_files(root)
    return root


def write_labels(
    file: Path,
    names: Sequence[str],
    colours: dict[str, int],
    types: dict[str, int],
    encoding: str = "ascii",
    comment: str = "labels",
    vehicle: dict[str, str] | None = None,
) -> None:
    """A label file, which says gb2312 of itself whatever it is written in."""
    items = "\n".join(
        f'<Item imageName="{name}" vehicleID="{(vehicle or {}).get(name, name[:4])}" cameraID="{name[5:9]}" '
        f'colorID="{colours[name[:4]]}" typeID="{types[name[:4]]}" />'
        for name in names
    )
    head = '<?xml version="1.0" encoding="gb2312"?>'
    text = f'{head}\n<TrainingImages Version="1.0">\n<Items number="{len(names)}">\n<!-- {comment} -->\n{items}\n</Items>\n'
    file.write_bytes(f"{text}</TrainingImages>\n".encode(encoding))


def write_key_points(file: Path, views: dict[str, int], prefix: str = "", end: str = "\n", twice: int = 0) -> None:
    """A file of key points; its first ``twice`` lines stand in it once more, at the end."""
    lines = [f"{prefix}{name} {' '.join(['-1'] * 40)} {view}" for name, view in views.items()]
    write_lines(file, [*lines, *lines[:twice]], end)


def write_index_files(root: Path) -> None:
    """What is good and what is junk for each query, found the slow way, with CRLF and a blank at the end of each line."""
    good, junk = [], []
    for query in VERI_QUERY:
        same = [(number, name) for number, name in enumerate(VERI_GALLERY, 1) if name[:4] == query[:4]]
        good.append("".join(f"{number} " for number, name in same if name[5:9] != query[5:9]))
        junk.append("".join(f"{number} " for number, name in same if name[5:9] == query[5:9]))
    write_lines(root / "gt_index.txt", good, "\r\n")
    write_lines(root / "jk_index.txt", junk, "\r\n")


def draw_vehicleid(root: Path) -> Path:
    """VehicleID: its lists and attributes, and a picture for each line."""
    draw_pictures(root / "image", [f"{picture}.jpg" for picture in (*VEHICLEID_TRAIN, *VEHICLEID_TEST)])
    lists = root / "train_test_split"
    write_lines(lists / "train_list.txt", (f"{picture} {vehicle}" for picture, vehicle in VEHICLEID_TRAIN.items()))
    for number in (800, 1600, 2400):
        write_lines(lists / f"test_list_{number}.txt", (f"{picture} {vehicle}" for picture, vehicle in VEHICLEID_TEST.items()))
    attribute = root / "attribute"
    everything = VEHICLEID_TRAIN | VEHICLEID_TEST
    write_lines(attribute / "img2vid.txt", (f"{picture} {vehicle}" for picture, vehicle in sorted(everything.items())))
    write_lines(attribute / "color_attr.txt", ["23 4", "5 0"])
    write_lines(attribute / "model_attr.txt", ["23 118"])
    return root


def draw_veriwild(root: Path, second: bool = False) -> Path:
    """VeRi-Wild: the lists of one release in three sizes, ``vehicle_info.txt`` for the first, and a picture for each line."""
    draw_pictures(root / "images", [f"{name}.jpg" for name in (*WILD_TRAIN, *WILD_QUERY, *WILD_GALLERY)])
    lists = root / "train_test_split"
    if second:
        write_lines(lists / "train_list_start0.txt", _with_numbers(WILD_TRAIN))
        for number in (3000, 5000, 10000):
            write_lines(lists / f"test_{number}_id_query.txt", _with_numbers(WILD_QUERY))
            write_lines(lists / f"test_{number}_id.txt", _with_numbers(WILD_GALLERY))
        return root
    write_lines(lists / "train_list.txt", WILD_TRAIN)
    for number in (3000, 5000, 10000):
        write_lines(lists / f"test_{number}_query.txt", WILD_QUERY)
        write_lines(lists / f"test_{number}.txt", WILD_GALLERY)
    write_info(root)
    return root


def write_info(root: Path, cameras: dict[str, str] | None = None, header: bool = True, blanks: str = "") -> None:
    """``vehicle_info.txt``, with ``blanks`` around each field."""
    title = "id/image;Camera ID;Time;Model;Type;Color"
    rows = [
        f"{name};{camera};2018-03-21 10:22:11;Brand A4;{'Bus / Coach' if name < '00100' else 'Large-sized Truck'};White"
        for name, camera in (WILD_INFO if cameras is None else cameras).items()
    ]
    lines = [title, *rows] if header else rows
    file = root / "train_test_split" / "vehicle_info.txt"
    write_lines(file, [";".join(f"{blanks}{field}{blanks}" for field in line.split(";")) for line in lines])


def _with_numbers(names: Sequence[str]) -> list[str]:
    """Lines of the second release: vehicles are numbered from 0 in each list."""
    folders = list(dict.fromkeys(name[:5] for name in names))
    return [f"{name}.jpg {folders.index(name[:5])} {WILD_INFO[name]}" for name in names]
