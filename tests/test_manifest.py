from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clipsenet.datasets.manifest import ManifestSettings, benchmark, read
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.protocol import fingerprint
from clipsenet.sightings import NO_TIME, WHOLE

SPLIT = """path,vehicle,camera,split
a1.jpg,a,1,train
a2.jpg,a,2,train
b1.jpg,b,1,validation
b2.jpg,b,2,validation
c1.jpg,c,1,query
c2.jpg,c,2,gallery
d2.jpg,d,2,gallery
e.jpg,e,1,
"""


def write(folder: Path, text: str, name: str = "pictures.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_splits_become_the_parts_of_a_benchmark(tmp_path: Path) -> None:
    found = benchmark(write(tmp_path, SPLIT, "mine.csv"), ManifestSettings(both_directions=True))
    assert found.name == "mine"
    assert found.train.vehicle.texts().tolist() == ["a", "a"]
    assert found.validation.vehicle.texts().tolist() == ["b", "b"]
    assert [str(p).rsplit("/", 1)[-1] for p in found.test.path] == ["c1.jpg", "c2.jpg", "d2.jpg"]
    there, back = found.trials
    assert (there.query.tolist(), there.gallery.tolist()) == ([0], [1, 2])
    assert (back.query.tolist(), back.gallery.tolist()) == ([1, 2], [0])


def test_every_column_arrives(tmp_path: Path) -> None:
    text = (
        "\ufeffpath,vehicle,camera,view,track,time,x,y,width,height,colour\n"
        '"with, comma.jpg",a,1,rear,t1,2026-05-01T08:30:00+02:00,1,2,3,4,red\n'
        "/abs/q.jpg,,,,,,,,,,\n"
        "r.jpg,b,2,front,t2,1777617000000001,1.5,2.5,3.2,4,blue\n"
    )
    found = read(write(tmp_path, text), ManifestSettings())
    assert found.path.tolist() == [f"{tmp_path}/with, comma.jpg", "/abs/q.jpg", f"{tmp_path}/r.jpg"]
    assert found.view.texts().tolist() == ["rear", "", "front"]
    assert found.track.texts().tolist() == ["t1", "", "t2"]
    assert found.time.tolist() == [1_777_617_000_000_000, NO_TIME, 1_777_617_000_000_001]
    assert found.box is not None
    # broken pixels grow outwards: 1.5 to 4.7 is 1 to 5, 2.5 to 6.5 is 2 to 7
    assert found.box.tolist() == [[1, 2, 3, 4], list(WHOLE), [1, 2, 4, 5]]
    assert found.column("colour").tolist() == ["red", "", "blue"]
    assert found.describe(2).endswith("pictures.csv, line 4)")


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    csv = read(write(tmp_path, SPLIT), ManifestSettings())
    rows = [line.split(",") for line in SPLIT.strip().splitlines()]
    table = pa.table({name: [row[i] or None for row in rows[1:]] for i, name in enumerate(rows[0])})
    pq.write_table(table, tmp_path / "pictures.parquet")
    parquet = read(tmp_path / "pictures.parquet", ManifestSettings())
    assert parquet.path.tolist() == csv.path.tolist()
    assert parquet.column("split").tolist() == csv.column("split").tolist()
    assert parquet.vehicle.numbers.tolist() == csv.vehicle.numbers.tolist()


def test_columns_can_be_named_otherwise(tmp_path: Path) -> None:
    path = write(tmp_path, "file,id\na.jpg,7\n")
    found = read(path, ManifestSettings(columns={"path": "file", "vehicle": "id"}))
    assert found.vehicle.names == ("7",)
    with pytest.raises(ClipsenetError, match=r"no column 'plate' in .*wanted as vehicle: found file, id"):
        read(path, ManifestSettings(columns={"vehicle": "plate"}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,file\n1,a.jpg\n", r"no path column in .*pictures.csv \(line 1\): found id, file; rename"),
        ("path,vehicle\na.jpg,1\na.jpg,1\n", r"lines 2 and 3 are the same picture"),
        ("path,vehicle\na.jpg\n", r"line 2: found 1 cells, wanted 2"),
        ("path;vehicle\na.jpg;1\n", r"found one column 'path;vehicle'; wanted columns separated by commas"),
        ("path,path\na,b\n", r"column 'path' stands twice"),
        ("path,vehicle\n,1\n", r"line 2, column path: empty"),
        ("path,time\na.jpg,2026-05-01 08:30\n", r"line 2, column time: found '2026-05-01 08:30', wanted a time with its zone"),
        ("path,time\na.jpg,1777617000\n", r"found '1777617000', .* not of the years 1973 to 9999: seconds, or a date"),
        ("path,time\na.jpg,20260501\n", r"found '20260501', wanted a time with its zone"),
        ("path,time\na.jpg,1777617000000000000\n", r"found '1777617000000000000', wanted a time with its zone"),
        ("path,x,y\na.jpg,1,2\n", r"a box needs x, y, width, height; width, height missing"),
        ("path,x,y,width,height\na.jpg,1,2,three,4\n", r"line 2, columns x, y, width, height: found"),
        ("path,x,y,width,height\na.jpg,1,2,0,4\n", r"wanted x and y from 0 and width and height from 1"),
        ("path,vehicle,split\na.jpg,1,test\n", r"line 2\), column split: found 'test', wanted train, validation"),
        ("path,x,y,width,height\na.jpg,1e30,2,3,4\n", r"line 2, columns x, y, width, height: found '1e30'"),
        ("path,vehicle\n", r"no rows"),
        ('path,vehicle\n"a.jpg,1\n', r"unexpected end of data"),
    ],
)
def test_a_bad_manifest_names_file_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ClipsenetError, match=message):
        benchmark(write(tmp_path, text), ManifestSettings())


def test_no_vehicle_column_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ClipsenetError, match=r"no vehicle column in .*found path, id; rename 'id'.*data.columns.vehicle"):
        benchmark(write(tmp_path, "path,id\na.jpg,1\n"), ManifestSettings())


def test_a_vehicle_in_train_and_validation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipsenetError, match="1 vehicles stand in train and in validation, for instance 'a'"):
        benchmark(write(tmp_path, SPLIT.replace("b1.jpg,b", "b1.jpg,a")), ManifestSettings())


def test_a_vehicle_in_validation_and_test_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipsenetError, match="1 vehicles stand in validation and in the test, for instance 'c'"):
        benchmark(write(tmp_path, SPLIT.replace("b1.jpg,b", "b1.jpg,c")), ManifestSettings())


def test_a_training_picture_without_a_vehicle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipsenetError, match=r"line 2\): a train picture without a vehicle"):
        benchmark(write(tmp_path, SPLIT.replace("a1.jpg,a", "a1.jpg,")), ManifestSettings())


def test_one_file_has_one_name(tmp_path: Path) -> None:
    found = read(write(tmp_path, "path\n./sub/../a.jpg\nb.jpg\n"), ManifestSettings())
    assert found.path.tolist() == [f"{tmp_path}/a.jpg", f"{tmp_path}/b.jpg"]
    with pytest.raises(ClipsenetError, match="lines 2 and 3 are the same picture"):
        read(write(tmp_path, "path\na.jpg\n./a.jpg\n"), ManifestSettings())


def test_columns_are_named_once_and_are_ours(tmp_path: Path) -> None:
    path = write(tmp_path, "path,id\na.jpg,1\n")
    with pytest.raises(UsageError, match=r"data.columns.vehicel: no column of ours; did you mean 'vehicle'"):
        read(path, ManifestSettings(columns={"vehicel": "id"}))
    with pytest.raises(UsageError, match="name each once"):
        read(path, ManifestSettings(columns={"vehicle": "id", "track": "id"}))


def test_without_splits_everything_is_both_unless_something_is_held_out(tmp_path: Path) -> None:
    path = write(tmp_path, "path,vehicle\n" + "".join(f"{v}{i}.jpg,{v}\n" for v in "abcd" for i in range(2)))
    everything = benchmark(path, ManifestSettings())
    assert len(everything.train) == len(everything.test) == 8
    assert "all vehicles train, and all are searched for" in everything.notes[0]
    held = benchmark(path, ManifestSettings(validation_vehicles=1))
    assert (len(held.train), len(held.validation), len(held.test)) == (6, 2, 0)
    assert held.trials == ()


def test_vehicles_are_held_out_whole_and_by_seed(tmp_path: Path) -> None:
    text = "path,vehicle\n" + "".join(f"{v}{i}.jpg,{v}\n" for v in "abcdefgh" for i in range(3)) + "x.jpg,x\n"
    path = write(tmp_path, text)
    settings = ManifestSettings(test_vehicles=3, validation_vehicles=2)
    found = benchmark(path, settings)
    parts = [set(part.vehicle.texts().tolist()) for part in (found.train, found.validation, found.test)]
    assert [len(part) for part in parts] == [4, 2, 3]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert "x" in parts[0]  # a single picture is no test
    assert benchmark(path, settings).test.path.tolist() == found.test.path.tolist()
    other = benchmark(path, ManifestSettings(test_vehicles=3, validation_vehicles=2, split_seed=1))
    assert other.test.path.tolist() != found.test.path.tolist()
    with pytest.raises(ClipsenetError, match="only 8 vehicles have two pictures"):
        benchmark(path, ManifestSettings(test_vehicles=8))


def test_holding_out_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, SPLIT)
    for settings in (ManifestSettings(test_vehicles=1), ManifestSettings(validation_vehicles=1)):
        with pytest.raises(UsageError, match="unset one of them"):
            benchmark(path, settings)


def test_a_folder_is_read_by_its_names(tmp_path: Path) -> None:
    for name in ("cam1/car_0003_7.jpg", "cam1/bus_1_8.png", "cam2/car_0003_9.JPG", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = read(tmp_path, ManifestSettings(pattern="cam{camera}/{vehicle}_{*}.{*}"))
    assert found.camera.texts().tolist() == ["1", "1", "2"]
    # a field takes as little as it can: the vehicle ends before the first '_' that lets the rest fit
    assert found.vehicle.texts().tolist() == ["bus", "car", "car"]
    by_type = read(tmp_path, ManifestSettings(pattern="cam{camera}/{type}_{vehicle}_{number}.{*}"))
    assert by_type.vehicle.texts().tolist() == ["1", "0003", "0003"]
    assert by_type.column("type").tolist() == ["bus", "car", "car"]
    assert len(read(tmp_path, ManifestSettings())) == 3


def test_a_folder_that_does_not_fit_its_pattern_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipsenetError, match="no picture in folder"):
        read(tmp_path, ManifestSettings())
    (tmp_path / "a.jpg").touch()
    with pytest.raises(ClipsenetError, match=r"1 of 1 names .* do not fit the pattern"):
        read(tmp_path, ManifestSettings(pattern="{vehicle}_{camera}.jpg"))
    for pattern in ("{vehicle", "{vehicle}_{vehicle}.jpg", "{path}.jpg", "{a b}.jpg"):
        with pytest.raises(UsageError, match="pattern"):
            read(tmp_path, ManifestSettings(pattern=pattern))


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipsenetError, match="no such file or folder"):
        read(tmp_path / "none.csv", ManifestSettings())
    with pytest.raises(ClipsenetError, match=r"found '.txt', wanted a folder or a file that ends in .csv or .parquet"):
        read(write(tmp_path, "x", "list.txt"), ManifestSettings())
    with pytest.raises(ClipsenetError, match="not a readable Parquet"):
        read(write(tmp_path, "x", "list.parquet"), ManifestSettings())
    (tmp_path / "latin.csv").write_bytes(b"path\n\xe9.jpg\n")
    with pytest.raises(ClipsenetError, match="wanted a CSV file in UTF-8"):
        read(tmp_path / "latin.csv", ManifestSettings())


def test_the_fingerprint_does_not_depend_on_order_or_place(tmp_path: Path) -> None:
    header, *rows = SPLIT.strip().splitlines()
    (tmp_path / "sub").mkdir()
    a = benchmark(write(tmp_path, SPLIT), ManifestSettings())
    b = benchmark(write(tmp_path / "sub", "\n".join([header, *rows[::-1]])), ManifestSettings())
    assert a.fingerprint == b.fingerprint
    assert a.fingerprint != fingerprint(a.train)


def test_the_real_list_has_its_numbers(two_cameras: Path) -> None:
    found = benchmark(two_cameras, ManifestSettings())
    assert found.name == "two-cameras"
    assert (len(found.train), found.train.vehicle.count()) == (690, 345)
    assert (len(found.validation), len(found.test)) == (120, 204)
    assert np.unique(found.test.camera.texts()).tolist() == ["1", "2"]
