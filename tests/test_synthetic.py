"""Drawn sets: who is seen where and when, splits, layouts, resuming; drawn by a studio that needs no VTK."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from datetime import datetime
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsenet.datasets import DATASETS, DataSettings
from clipsenet.errors import ClipsenetError, Interrupted, UsageError
from clipsenet.images import open_sighting
from clipsenet.matches import count_matches
from clipsenet.reporting import Watch
from clipsenet.synthetic import workers
from clipsenet.synthetic.drawing import draw
from clipsenet.synthetic.identity import COLOURS, FAMILIES, make_vehicles
from clipsenet.synthetic.plan import Plan
from clipsenet.synthetic.schedule import FIRST_DAY, SPEEDS, make_shots, ring_length
from clipsenet.synthetic.sites import make_sites
from clipsenet.synthetic.splits import split_vehicles
from clipsenet.synthetic.traffic import FRAME_TICK, HEADWAY, begin, make_traffic
from conftest import ROOT
from fake_studio import HEIGHT, WIDTH, DyingStudio, FakeStudio

SMALL = Plan(vehicles=14, cameras=4, pictures=6)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small set drawn without a break, in this process."""
    folder = tmp_path_factory.mktemp("drawn") / "set"
    draw(SMALL, folder, processes=1, opening=FakeStudio)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """All files but the records, whose lines stand in the order in which the workers were ready."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "drawn.jsonl")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "pictures.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


# --- schedule


@cache
def shots(vehicles: int = 25, cameras: int = 8, pictures: int = 20, seed: int = 0):
    return make_shots(make_vehicles(vehicles, seed), make_sites(cameras, seed), pictures, seed)


@pytest.mark.parametrize(("cameras", "pictures"), [(2, 2), (2, 40), (3, 7), (12, 20), (12, 3), (20, 1000), (12, 1)])
def test_every_vehicle_has_its_pictures_in_enough_cameras(cameras: int, pictures: int) -> None:
    of_vehicle = defaultdict(list)
    for shot in shots(6, cameras, pictures):
        of_vehicle[shot.vehicle].append(shot)
    assert sorted(of_vehicle) == [1, 2, 3, 4, 5, 6]
    for found in of_vehicle.values():
        assert len(found) == pictures
        assert len({shot.camera for shot in found}) >= min(cameras, 4, pictures)
        numbers = defaultdict(list)
        for shot in found:
            numbers[shot.camera].append(shot.number)
        assert all(ours == list(range(len(ours))) for ours in numbers.values()), "in the order of time"


def test_vehicles_drive_in_the_rings_order_and_never_too_fast() -> None:
    sites = {site.number: site for site in make_sites(8, 0)}
    ring = ring_length(list(sites.values()))
    directions, slow = set(), []
    for vehicle in range(1, 26):
        found = [shot for shot in shots() if shot.vehicle == vehicle]
        for one, other in pairwise(found):
            seconds = (other.time - one.time) / 1e6
            assert seconds > 0
            if one.camera == other.camera or seconds > 900:  # within a passage, or the next trip
                continue
            forward = one.heading < 90 or one.heading > 270
            way = sites[other.camera].along + other.place[0] - sites[one.camera].along - one.place[0]
            metres = (way if forward else -way) % ring
            assert metres / seconds <= SPEEDS[1]
            slow.append(metres / seconds)
            if forward:
                assert (other.camera - one.camera) % 8 == 1, "the next camera"
            directions.add(forward)
    assert directions == {True, False}
    assert 5 < np.mean(slow) < 12, "stops and lights take their time"


def test_a_passage_is_a_track_along_a_lane_within_the_stretch() -> None:
    sites = {site.number: site for site in make_sites(8, 0)}
    tracks, turned = defaultdict(list), 0
    for shot in shots():
        tracks[shot.track].append(shot)
    for name, found in tracks.items():
        site = sites[found[0].camera]
        assert name.startswith(f"{found[0].vehicle:04d}_{site.name}_t")
        assert {(shot.vehicle, shot.camera) for shot in found} == {(found[0].vehicle, found[0].camera)}
        assert len(found) <= 4
        direction = min((1, -1), key=lambda sign: abs((found[0].heading - (0 if sign > 0 else 180) + 180) % 360 - 180))
        for one, other in pairwise(found):
            assert 0.3 <= (other.time - one.time) / 1e6 <= 0.8
            assert (other.place[0] - one.place[0]) * direction > 0
        for shot in found:
            assert site.stretch[0] <= shot.place[0] <= site.stretch[1]
            off = abs((shot.heading - (0 if direction > 0 else 180) + 180) % 360 - 180)
            assert off < 80
            turned += off > 10
            assert site.turning > 0 or off < 10
            assert min(abs(shot.place[1] - lane.across) for lane in site.lanes if lane.direction == direction) < 3.7
            clock = datetime.fromtimestamp(shot.time / 1e6, FIRST_DAY.tzinfo)
            assert 6 <= clock.hour < 21
            assert 0 <= (clock - FIRST_DAY).days <= 1
    assert turned


def test_shots_depend_on_seed_and_vehicle_alone() -> None:
    vehicles, sites = make_vehicles(25, 0), make_sites(8, 0)
    assert make_shots(vehicles, sites, 20, 0) == shots()
    assert make_shots(vehicles[:10], sites, 20, 0) == shots()[:200]
    assert make_shots(vehicles, sites, 20, 1)[0] != shots()[0]
    assert len({(shot.track, shot.time) for shot in shots()}) == len(shots())


def test_traffic_keeps_its_distance() -> None:
    sites = {site.number: site for site in make_sites(5, 0)}
    found = make_traffic(make_vehicles(40, 0), list(sites.values()), 20, 0)
    assert found == make_traffic(make_vehicles(40, 0), list(sites.values()), 20, 0)
    moments, tracks = defaultdict(list), defaultdict(list)
    for shot in found:
        assert (shot.time - begin(0)) % FRAME_TICK == 0
        moments[shot.camera, shot.time].append(shot)
        tracks[shot.vehicle, shot.camera].append(shot)
    assert max(map(len, moments.values())) > 2, "several at once"
    speed = {key: (t[-1].place[0] - t[0].place[0]) / (t[-1].time - t[0].time) * 1e6 for key, t in tracks.items()}
    assert max(speed.values()) <= SPEEDS[1]
    for together in moments.values():
        for one in together:
            for other in together:
                if one.vehicle < other.vehicle and abs(one.place[1] - other.place[1]) < 1.75:
                    gap = abs(one.place[0] - other.place[0]) / speed[one.vehicle, one.camera]
                    assert gap > HEADWAY, "from middle to middle even more"
    for vehicle in range(1, 41):
        mine = sorted((t[0].time, t[-1].time, camera) for (number, camera), t in tracks.items() if number == vehicle)
        assert len(mine) >= 2
        for (_, left, camera), (entered, _, following) in pairwise(mine):
            assert following == camera + 1
            way = sites[following].along - sites[camera].along - 40
            assert way / (entered - left) * 1e6 <= SPEEDS[1]


# --- splits


@pytest.mark.parametrize(("count", "validation", "test"), [(12, 0.1, 0.4), (60, 0.1, 0.4), (200, 0.1, 0.4), (200, 0.0, 0.5)])
@pytest.mark.parametrize("seed", [0, 1])
def test_lookalikes_are_never_parted_and_shares_hold(count: int, validation: float, test: float, seed: int) -> None:
    vehicles = make_vehicles(count, seed)
    found = split_vehicles(vehicles, validation, test, seed)
    assert found == split_vehicles(vehicles, validation, test, seed)
    assert list(found) == list(range(1, count + 1))
    for vehicle in vehicles:
        assert {found[other] for other in vehicle.lookalikes} <= {found[vehicle.number]}
    for part, share in (("train", 1 - validation - test), ("validation", validation), ("test", test)):
        members = [vehicle for vehicle in vehicles if found[vehicle.number] == part]
        assert abs(len(members) - share * count) <= 4
        groups = sum(map(len, {vehicle.lookalikes for vehicle in vehicles if vehicle.lookalikes}))
        if share and groups > 9:
            assert any(vehicle.lookalikes for vehicle in members), part


def test_a_share_may_be_all_or_nothing() -> None:
    vehicles = make_vehicles(20, 0)
    assert set(split_vehicles(vehicles, 0.0, 0.0, 0).values()) == {"train"}
    assert set(split_vehicles(vehicles, 0.0, 1.0, 0).values()) == {"test"}
    assert set(split_vehicles(vehicles, 0.5, 0.5, 0).values()) == {"validation", "test"}
    assert set(split_vehicles(vehicles[:6], 0.1, 0.4, 0).values()) == {"train", "validation", "test"}
    with pytest.raises(UsageError, match="none is left for validation; ask for more vehicles"):
        split_vehicles(make_vehicles(3, 0), 0.1, 0.4, 0)


# --- layouts


def test_the_manifest_is_what_our_reader_wants(drawn: Path) -> None:
    benchmark = DATASETS["manifest"](drawn / "pictures.csv", DataSettings())
    test, (trial,) = benchmark.test, benchmark.trials
    assert len(benchmark.train) + len(benchmark.validation) + len(trial.gallery) == 14 * 6
    assert count_matches(test, trial, "same-camera").min() >= 1, "every query has a match in another camera"
    asked = {(test.vehicle.numbers[row], test.camera.numbers[row]) for row in trial.query}
    assert len(asked) == len(trial.query), "one of each vehicle and camera"
    assert asked == {(test.vehicle.numbers[row], test.camera.numbers[row]) for row in trial.gallery}
    assert {str(test.path[row]) for row in trial.query} < {str(test.path[row]) for row in trial.gallery}
    assert (test.time > 0).all()
    names = {
        str(Path(str(path)).relative_to(drawn)) for part in (benchmark.train, benchmark.validation, test) for path in part.path
    }
    assert names == {str(path.relative_to(drawn)) for path in drawn.glob("pictures/*")}


def test_the_reader_of_drawn_vehicles_says_what_they_are(tmp_path: Path, drawn: Path, run) -> None:
    found = DATASETS["drawn"](drawn, DataSettings())
    assert (found.name, found.copy) == ("drawn", "drawn vehicles, format 1, seed 0")
    assert "DRAWN vehicles: no picture shows a real one" in found.notes[0]
    assert len(found.test) == len(DATASETS["drawn"](drawn / "pictures.csv", DataSettings()).test)
    assert "DRAWN" in run("inspect", "drawn", drawn).out
    (tmp_path / "half").mkdir()
    for begun, advice in ((False, "draw one with: clipsenet synthesize OUT"), (True, "the drawing there was stopped")):
        if begun:
            (tmp_path / "half" / "plan.json").write_text("{}")
        with pytest.raises(ClipsenetError, match=advice):
            DATASETS["drawn"](tmp_path / "half", DataSettings())
    (tmp_path / "half" / "pictures.csv").write_text("path\n")
    (tmp_path / "half" / "about.json").write_text("[]")
    with pytest.raises(ClipsenetError, match="is not what a drawing left there"):
        DATASETS["drawn"](tmp_path / "half", DataSettings())


def test_the_manifest_says_what_is_known(drawn: Path) -> None:
    vehicles = {vehicle.name: vehicle for vehicle in make_vehicles(14, 0)}
    alike = 0
    for row in table(drawn):
        vehicle = vehicles[row["vehicle"]]
        assert (row["colour"], row["type"]) == (vehicle.colour, vehicle.type)
        assert row["model"].split()[0] == vehicle.model.family
        assert row["lookalikes"].split() == [f"{number:04d}" for number in vehicle.lookalikes]
        assert row["has_lookalike"] == ("yes" if vehicle.lookalikes else "no")
        assert row["plate"] in ("", "1 2 3 4")
        assert (row["light"], row["weather"]) == ("day", "clear")
        name, camera, frame, _ = Path(row["path"]).stem.split("_")
        assert (name, camera) == (row["vehicle"], row["camera"])
        moment = datetime.fromisoformat(row["time"])
        assert moment.utcoffset() is not None
        assert round((moment - FIRST_DAY).total_seconds() * 25) == int(frame)
        assert row["track"].startswith(f"{name}_{camera}_t")
        alike += bool(vehicle.lookalikes)
    assert alike
    about = json.loads((drawn / "about.json").read_text())
    assert about["files"] == 14 * 6
    assert sum(part["pictures"] for part in about["parts"].values()) == 14 * 6
    assert sum(part["with a look-alike"] for part in about["parts"].values()) == sum(
        bool(v.lookalikes) for v in vehicles.values()
    )
    assert about["parts"]["test"]["queries"] == sum(row["split"] == "query" for row in table(drawn))
    assert about["command"].startswith("clipsenet synthesize OUT --vehicles 14 --cameras 4 --pictures 6 --seed 0")


def test_the_real_layout_is_read_and_its_index_files_agree(tmp_path: Path, run, drawn: Path) -> None:
    plan = Plan(vehicles=14, cameras=4, pictures=6, layout="veri776")
    draw(plan, tmp_path / "veri", processes=1, opening=FakeStudio)
    root = tmp_path / "veri"
    benchmark = DATASETS["veri776"](root, DataSettings(benchmark="veri776"))
    query = len(benchmark.trials[0].query)
    assert f"the junk rule agrees with gt_index.txt and jk_index.txt for all {query} queries" in benchmark.notes
    assert len(list((root / "image_query").iterdir())) == query
    assert (root / "gt_index.txt").read_bytes().count(b" \r\n") == query
    for part in (benchmark.train, benchmark.test):
        for column in (part.view, part.extra["colour"], part.extra["type"]):
            assert column.known.all()
    assert benchmark.test.track.known.all()
    rows = {row["path"].split("/")[1]: row for row in table(root)}
    for number, path in enumerate(benchmark.test.path):
        row = rows[Path(str(path)).name]
        for column, told in (("view", benchmark.test.view), ("track", benchmark.test.track)):
            assert told.texts()[number] == row[column]
        for column in ("colour", "type"):
            assert benchmark.test.extra[column].texts()[number] == row[column]
    for row in table(root):
        if row["split"] == "query":
            name = Path(row["path"]).name
            assert (root / "image_query" / name).read_bytes() == (root / "image_test" / name).read_bytes()
    train = {row["vehicle"] for row in rows.values() if row["split"] in ("train", "validation")}
    assert set(benchmark.train.vehicle.names) == train, "validation vehicles train there"
    told = [line.split() for line in (root / "lookalikes.txt").read_text().splitlines()]
    assert told == [[v.name, *(f"{n:04d}" for n in v.lookalikes)] for v in make_vehicles(14, 0) if v.lookalikes]
    distances = np.loadtxt(root / "camera_Dist.txt")
    assert distances.shape == (4, 4)
    assert (distances == distances.T).all()
    assert run("inspect", "veri776", root).code == 0
    same = {Path(row["path"]).name: row["vehicle"] for row in table(drawn)}
    assert same == {Path(row["path"]).name: row["vehicle"] for row in table(root)}, "the same pictures in either layout"


def test_colours_types_and_views_are_veri776s() -> None:
    from clipsenet.datasets.veri776 import labels

    assert set(COLOURS) == set(labels.COLOURS)
    assert {family[0] for family in FAMILIES.values()} <= set(labels.TYPES)


def test_frames_have_boxes_and_mots_lists(tmp_path: Path) -> None:
    root = tmp_path / "frames"
    draw(Plan(vehicles=6, cameras=2, pictures=8, frames=True, validation=0.0), root, processes=1, opening=FakeStudio)
    benchmark = DATASETS["manifest"](root / "pictures.csv", DataSettings())
    test, (trial,) = benchmark.test, benchmark.trials
    assert count_matches(test, trial, "same-camera").min() >= 1
    assert test.box is not None
    assert open_sighting(test, int(trial.query[0])).height == 60
    rows = {(row["path"], row["vehicle"]): row for row in table(root)}
    lines = 0
    for camera in ("c001", "c002"):
        film = root / "frames" / camera
        length = len(list((film / "img1").glob("*.jpg")))
        assert f"frameRate=5\nseqLength={length}\nimWidth={WIDTH}\nimHeight={HEIGHT}\n" in (film / "seqinfo.ini").read_text()
        for line in (film / "gt" / "gt.txt").read_text().splitlines():
            frame, vehicle, left, top, width, height, one, kind, visibility = map(float, line.split(","))
            assert (one, kind) == (1, 3)
            assert 1 <= frame <= length
            row = rows[f"frames/{camera}/img1/{int(frame):06d}.jpg", f"{int(vehicle):04d}"]
            box = (row["x"], row["y"], row["width"], row["height"])
            assert tuple(map(float, box)) == pytest.approx((left - 1, top - 1, width, height))
            assert (row["split"] == "") == (visibility < 0.3), "a hidden vehicle is not used"
            pixel = Image.open(root / row["path"]).getpixel((int(left + width / 2), 230))
            assert abs(pixel[0] - 40 - int(vehicle)) < 6, "the box shows the vehicle"
            lines += 1
    assert lines == len(rows)
    assert any(row["split"] == "" for row in rows.values())
    assert len({row["path"] for row in rows.values()}) < len(rows), "several vehicles in one frame"


# --- going on


def test_processes_and_layout_of_the_work_change_no_byte(tmp_path: Path, drawn: Path) -> None:
    draw(SMALL, tmp_path / "beside", processes=2, opening=FakeStudio)
    assert contents(tmp_path / "beside") == contents(drawn)


def test_a_killed_drawing_goes_on_to_the_same_bytes(tmp_path: Path, drawn: Path) -> None:
    folder = tmp_path / "killed"
    program = (
        "import sys; from pathlib import Path; from clipsenet.synthetic.drawing import draw; "
        "from clipsenet.synthetic.plan import Plan; from fake_studio import FakeStudio; "
        "draw(Plan(vehicles=14, cameras=4, pictures=6), Path(sys.argv[1]), 1, opening=FakeStudio)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests"), "FAKE_STUDIO_SECONDS": "0.05"}
    process = subprocess.Popen([sys.executable, "-c", program, str(folder)], env=environment)
    deadline = time.monotonic() + 30
    while len(list(folder.glob("pictures/*.jpg"))) < 8 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    whole = len(list(folder.glob("pictures/*.jpg")))
    assert 8 <= whole < 84
    assert not (folder / "pictures.csv").exists(), "lists come last"
    said: list[str] = []

    class Told(Watch):
        def say(self, text: str) -> None:
            said.append(text)

    result = draw(SMALL, folder, processes=1, watch=Told(), opening=FakeStudio)
    assert 84 - whole <= result.new <= 84 - whole + 1, "at most the one whose record was not written yet"
    assert said[0].startswith("going on:")
    assert contents(folder) == contents(drawn)
    again = draw(SMALL, folder, processes=1, opening=FakeStudio)
    assert again.new == 0
    assert contents(folder) == contents(drawn)


def test_torn_records_and_broken_pictures_are_drawn_anew(tmp_path: Path, drawn: Path) -> None:
    folder = tmp_path / "torn"
    draw(SMALL, folder, processes=1, opening=FakeStudio)
    pictures = sorted(folder.glob("pictures/*.jpg"))
    records = (folder / "drawn.jsonl").read_bytes()
    lines = records.splitlines(keepends=True)
    (folder / "drawn.jsonl").write_bytes(b"".join(lines[:-2]) + b'{"path": "pictures/x' + lines[-1][:40])
    names = {json.loads(line)["path"] for line in lines[:-2]}
    kept = [picture for picture in pictures if f"pictures/{picture.name}" in names]
    kept[0].write_bytes(kept[0].read_bytes()[:-10])  # cut short
    kept[1].write_bytes(bytes(len(kept[1].read_bytes())))  # as long as it was
    kept[2].unlink()
    result = draw(SMALL, folder, processes=1, opening=FakeStudio)
    assert result.new == 5
    assert contents(folder) == contents(drawn)


def test_another_set_in_the_folder_is_refused_with_what_differs(tmp_path: Path, drawn: Path) -> None:
    before = contents(drawn)
    with pytest.raises(ClipsenetError, match=r"vehicles is 14 there, 15 here; seed is 0 there, 2 here. Give another folder"):
        draw(Plan(vehicles=15, cameras=4, pictures=6, seed=2), drawn, processes=1, opening=FakeStudio)
    assert contents(drawn) == before
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "holiday.jpg").touch()
    with pytest.raises(ClipsenetError, match="exists and is not empty"):
        draw(SMALL, tmp_path / "full", processes=1, opening=FakeStudio)
    (tmp_path / "full" / "plan.json").write_text("not a plan")
    with pytest.raises(ClipsenetError, match=r"plan\.json is not what a drawing left there"):
        draw(SMALL, tmp_path / "full", processes=1, opening=FakeStudio)


def test_two_drawings_in_one_folder_at_once_are_refused(tmp_path: Path, drawn: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    draw(SMALL, tmp_path / "set", processes=1, opening=FakeStudio)
    with (tmp_path / "set" / "plan.json").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(ClipsenetError, match="another process draws into"):
            draw(SMALL, tmp_path / "set", processes=1, opening=FakeStudio)
    assert draw(SMALL, tmp_path / "set", processes=1, opening=FakeStudio).new == 0


def test_a_users_bodies_belong_to_the_plan(tmp_path: Path) -> None:
    meshes = tmp_path / "meshes"
    with pytest.raises(ClipsenetError, match="no such folder"):
        Plan(bodies=meshes).settings()
    meshes.mkdir()
    (meshes / "suv.obj").write_text("v 0 0 0")
    draw(Plan(vehicles=6, cameras=2, pictures=2, bodies=meshes), tmp_path / "set", processes=1, opening=FakeStudio)
    meshes.rename(tmp_path / "moved")
    plan = Plan(vehicles=6, cameras=2, pictures=2, bodies=tmp_path / "moved")
    assert draw(plan, tmp_path / "set", processes=1, opening=FakeStudio).new == 0
    (tmp_path / "moved" / "suv.obj").write_text("v 1 0 0")
    with pytest.raises(ClipsenetError, match=r"suv\.obj is .* there"):
        draw(plan, tmp_path / "set", processes=1, opening=FakeStudio)


def test_a_process_that_dies_is_told_of_and_nothing_whole_is_lost(tmp_path: Path, drawn: Path) -> None:
    with pytest.raises(ClipsenetError, match=r"a process that draws died.*The same command goes on"):
        draw(SMALL, tmp_path / "set", processes=2, opening=DyingStudio)
    whole = len(list((tmp_path / "set").glob("pictures/*.jpg")))
    assert whole >= 6
    (tmp_path / "set" / "pictures" / ".a.jpg.1-00.partial").write_bytes(b"half")
    assert draw(SMALL, tmp_path / "set", processes=1, opening=FakeStudio).new <= 84 - whole + 1
    assert not list((tmp_path / "set").rglob("*.partial"))
    assert contents(tmp_path / "set") == contents(drawn)


@pytest.mark.parametrize("processes", [1, 2])
def test_ctrl_c_stops_and_says_how_to_go_on(tmp_path: Path, processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_STUDIO_SECONDS", "0.02")

    class Impatient(Watch):
        def stage(self, title: str):
            asked: list[int] = []
            return lambda done, total: None if asked else (asked.append(done), signal.raise_signal(signal.SIGINT))

    with pytest.raises(Interrupted, match=r"stopped with \d+ pictures in .*; the same command goes on"):
        draw(SMALL, tmp_path / "set", processes=processes, watch=Impatient(), opening=FakeStudio)
    assert 0 < len(list((tmp_path / "set").glob("pictures/*.jpg"))) < 84
    assert not list((tmp_path / "set").rglob("*.partial"))


def test_a_full_disk_is_told_of_and_the_drawing_goes_on_later(tmp_path: Path, drawn: Path, monkeypatch) -> None:
    written = 0

    def full(path: Path, data: bytes) -> None:
        nonlocal written
        written += 1
        path.write_bytes(data[:20])
        if written > 5:
            raise OSError(28, "No space left on device")
        path.write_bytes(data)

    with monkeypatch.context() as patched:
        patched.setattr(workers, "_put", full)
        with pytest.raises(ClipsenetError, match=r"cannot write .*No space left on device.*Free some space"):
            draw(SMALL, tmp_path / "set", processes=1, opening=FakeStudio)
    assert draw(SMALL, tmp_path / "set", processes=1, opening=FakeStudio).new == 84 - 5
    assert contents(tmp_path / "set") == contents(drawn)


# --- the command


@pytest.mark.parametrize(
    "words",
    [
        ("--vehicles", 0),
        ("--cameras", 1),
        ("--pictures", 1),
        ("--test", 1.5),
        ("--validation", 0.7, "--test", 0.7),
        ("--layout", "veri"),
        ("--layout", "veri776", "--frames"),
        ("--layout", "veri776", "--test", 0),
        ("--pictures", 100000),
        ("--size", 3),
        ("--vehicles", 3),
    ],
)
def test_bad_words_are_refused(run, tmp_path: Path, words: tuple[object, ...]) -> None:
    result = run("synthesize", tmp_path / "set", *words)
    assert result.code == 2
    assert result.err
    assert not (tmp_path / "set").exists()


def test_without_vtk_the_command_says_what_to_install(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vtkmodules", None)
    result = run("synthesize", tmp_path / "set")
    assert result.code == 1
    assert "pip install 'clipsenet[synthetic]'" in result.err
    assert not (tmp_path / "set").exists(), "or the folder would be another set's once VTK is there"


def test_the_command_prints_a_summary(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipsenet.synthetic.drawing.real_studio", FakeStudio)
    monkeypatch.setattr("clipsenet.synthetic.drawing.look_ahead", lambda bodies: "a fake")
    words = ("synthesize", tmp_path / "set", "--vehicles", 14, "--cameras", 4, "--pictures", 6, "--processes", 1)
    result = run(*words)
    assert result.code == 0
    assert f"84 pictures of 4 cameras in {tmp_path / 'set'}; 84 drawn now, 0.0" in result.out
    assert "validation" in result.out
    assert f"next: clipsenet train demo --data {tmp_path / 'set'}" in result.out
    again = json.loads(run(*words, "--json").out)
    assert (again["new"], again["files"], again["parts"]["test"]["vehicles"]) == (0, 84, 6)
    whole = run("synthesize", tmp_path / "set", "--vehicles", 15, "--cameras", 4, "--pictures", 6)
    assert whole.code == 1
    assert "vehicles is 14 there, 15 here" in whole.err
