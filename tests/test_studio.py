"""What a drawn picture shows: projection, views, light, shadows, lamps, lenses; and that it depends on its shot alone."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label

from clipsenet.errors import ClipsenetError
from clipsenet.synthetic import lens
from clipsenet.synthetic.body import Body, Lamp, Part
from clipsenet.synthetic.identity import Vehicle, make_vehicles
from clipsenet.synthetic.light import ZONE, Light, light_at
from clipsenet.synthetic.schedule import make_shots
from clipsenet.synthetic.sites import make_sites
from clipsenet.synthetic.viewing import VIEWS, Eye, moved, view_of

DAY = Light("day", "clear", (0.0, 0.0, 1.0), (0.8,) * 3, (0.3,) * 3, (0.5,) * 3, (0.2,) * 3, 0.0, 0.0, False, 0.9)


def microseconds(hour: float) -> int:
    import datetime as dt

    return int((dt.datetime(2026, 5, 11, tzinfo=ZONE).timestamp() + hour * 3600) * 1e6)


# --- identity


@pytest.mark.parametrize("seed", range(4))
def test_half_of_the_vehicles_have_a_lookalike_that_differs_in_details(seed: int) -> None:
    vehicles = make_vehicles(100, seed)
    by_number = {vehicle.number: vehicle for vehicle in vehicles}
    assert sum(bool(vehicle.lookalikes) for vehicle in vehicles) == 50
    for vehicle in vehicles:
        for other in (by_number[number] for number in vehicle.lookalikes):
            assert vehicle.number in other.lookalikes
            assert (vehicle.model, vehicle.colour, vehicle.group) == (other.model, other.colour, other.group)
            assert len(vehicle.details.differences(other.details)) >= 3
    shared = {(vehicle.model, vehicle.colour) for vehicle in vehicles}
    assert len(shared) < 75  # others share model and colour by chance, as in life


def test_at_least_a_third_have_a_lookalike_in_sets_of_any_size() -> None:
    for count in range(3, 60):
        assert sum(bool(vehicle.lookalikes) for vehicle in make_vehicles(count, 0)) >= count / 3


def test_more_vehicles_and_cameras_begin_with_the_same_ones() -> None:
    assert make_vehicles(200, 3)[:50] == make_vehicles(50, 3)
    assert make_sites(12, 3)[:5] == make_sites(5, 3)
    assert make_vehicles(50, 3) != make_vehicles(50, 4)


# --- where things fall


@pytest.mark.parametrize(
    ("heading", "view"),
    [
        (0.0, "front"),
        (-45.0, "left-front"),
        (-90.0, "left"),
        (-135.0, "left-rear"),
        (180.0, "rear"),
        (135.0, "right-rear"),
        (90.0, "right"),
        (45.0, "right-front"),
    ],
)
def test_the_view_is_the_side_that_the_camera_sees(heading: float, view: str) -> None:
    # the camera stands at x = 10; a vehicle that drives towards x shows its front, one that has turned right (-90) its left
    assert view_of((10.0, 0.0, 5.0), (0.0, 0.0), heading) == view
    assert view_of((10.0, 4.0, 5.0), (0.0, 4.0), heading + 20) == view
    assert view in VIEWS


def test_twelve_cameras_see_all_eight_views() -> None:
    for seed in range(3):
        sites = make_sites(12, seed)
        shots = make_shots(make_vehicles(10, seed), sites, 20, seed)
        assert {view_of(sites[shot.camera - 1].eye, shot.place, shot.heading) for shot in shots} == set(VIEWS)


def cube(x: float, y: float, z: float, half: float = 0.06) -> Part:
    """A small white cube."""
    signs = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)], dtype=np.float32)
    faces = [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4]]
    faces += [[1, 5, 7], [1, 7, 3]]
    unit = signs / np.sqrt(3, dtype=np.float32)
    return Part(signs * half + np.float32([x, y, z]), unit, np.zeros((8, 2), np.float32), np.array(faces), "white")


def test_what_is_drawn_falls_where_the_eye_projects_it(renderer: None) -> None:
    from clipsenet.synthetic.renderer import Renderer

    drawing = Renderer(120, 80)
    eye = Eye((9.0, 5.0, 4.0), (0.0, 0.5, 0.5), 30.0, 1.5)
    white = {"white": np.full((2, 2, 4), (255, 255, 255, 0), dtype=np.uint8)}
    for point in ((0.0, 0.0, 0.5), (1.5, -1.0, 0.2), (-2.0, 2.0, 1.4)):
        picture = drawing.draw([drawing.prop([cube(*point)], white)], eye, replace(DAY, horizon=(0.0, 0.0, 0.0)))
        rows, columns = np.nonzero(picture.mean(axis=2) > 0.1)
        ((x, y, distance),) = eye.project(np.array([point]))
        assert np.mean(columns) + 0.5 == pytest.approx(x * 120, abs=0.7)
        assert np.mean(rows) + 0.5 == pytest.approx(y * 80, abs=0.7)
        assert drawing.depth()[int(y * 160), int(x * 240)] == pytest.approx(distance, abs=0.15)
    drawing.close()


def test_a_point_through_the_picture_falls_there_again() -> None:
    eye = Eye((9.0, 5.0, 4.0), (0.0, 0.5, 0.5), 30.0, 1.5)
    assert eye.project(np.array([eye.through(0.3, 0.8)]))[0, :2] == pytest.approx([0.3, 0.8])


def test_a_vehicle_that_turns_left_points_to_greater_y() -> None:
    assert moved(np.array([[2.0, 0.0, 1.0]]), (5.0, 1.0), 90.0)[0] == pytest.approx([5.0, 3.0, 1.0])


# --- light


def test_night_is_darker_than_noon_and_lamps_burn() -> None:
    noon, night = (light_at(microseconds(hour), 0, 1) for hour in (12, 20.5))
    assert (noon.part, night.part) == ("day", "night")
    assert night.on_the_ground < 0.5 * noon.on_the_ground
    assert night.lamps
    for hour in np.arange(6, 21, 0.5):
        assert np.linalg.norm(light_at(microseconds(hour), 0, 1).towards) == pytest.approx(1, abs=1e-4)


def test_the_weather_is_the_whole_citys_and_lasts_half_an_hour() -> None:
    assert {light_at(microseconds(9.6), 0, site).weather for site in range(9)} == {light_at(microseconds(9.9), 0, 1).weather}
    assert {light_at(microseconds(hour), 0, 1).weather for hour in np.arange(6, 21, 0.5)} == {"clear", "cloudy", "rain", "fog"}


def test_a_shadow_lies_away_from_the_sun_and_darkens_the_street(renderer: None) -> None:
    from clipsenet.synthetic.bodies import build
    from clipsenet.synthetic.renderer import Renderer
    from clipsenet.synthetic.shadows import Stand, cast_shadow

    body = build(make_vehicles(1, 0)[0])
    low = replace(DAY, towards=(0.0, 0.8, 0.6))  # the sun stands at y: the shadow reaches to -y
    dark, corners = cast_shadow(Stand(body, (0.0, 0.0), 0.0), low)
    rows = np.nonzero(dark.max(axis=1) > 60)[0]
    y = corners[2, 1] - (rows + 0.5) / len(dark) * (corners[2, 1] - corners[0, 1])
    height = body.size[2]
    assert y.min() == pytest.approx(-body.size[1] / 2 - height * 0.8 / 0.6, abs=0.7)
    assert y.max() < body.size[1] / 2 + 0.6

    drawing = Renderer(64, 64)
    ground = Part(
        np.array([[-9, -9, 0], [9, -9, 0], [9, 9, 0], [-9, 9, 0]], dtype=np.float32),
        np.tile(np.float32([0, 0, 1]), (4, 1)),
        np.zeros((4, 2), np.float32),
        np.array([[0, 1, 2], [0, 2, 3]]),
        "grey",
    )
    grey = drawing.prop([ground], {"grey": np.full((2, 2, 4), (128, 128, 128, 0), dtype=np.uint8)})
    above = Eye((0.0, 0.01, 30.0), (0.0, 0.0, 0.0), 25.0)
    lit = drawing.draw([grey], above, low)
    shaded = drawing.draw([grey, drawing.shadow(dark, corners)], above, low)
    drawing.close()
    assert shaded.min() < 0.5 * lit.min()
    assert shaded.max() == pytest.approx(lit.max(), rel=0.02)


# --- lens


@given(amount=st.floats(0.001, 0.1), x=st.floats(0.15, 0.85), y=st.floats(0.15, 0.85))
@settings(max_examples=20, deadline=None)
def test_points_bend_as_the_picture_does(amount: float, x: float, y: float) -> None:
    side = 201
    straight = np.zeros((side, side, 3), dtype=np.float32)
    rows, columns = np.mgrid[:side, :side]
    straight += np.exp(-((columns - x * (side - 1)) ** 2 + (rows - y * (side - 1)) ** 2) / 18.0)[..., None]
    picture = lens.bend(straight, amount)[..., 0]
    found = [(picture * axis).sum() / picture.sum() / (side - 1) for axis in (columns, rows)]
    assert lens.bent(np.array([[x, y]]), amount)[0] == pytest.approx(found, abs=0.004)


def test_a_cast_and_an_exposure_change_a_grey_picture_as_they_say() -> None:
    sensor = replace(
        make_sites(1, 0)[0].sensor, cast=(1.2, 1.0, 0.8), exposure=1.0, contrast=1.0, saturation=1.0, vignette=0.0, noise=0.0
    )
    grey = np.full((8, 8, 3), 0.3, dtype=np.float32)
    picture = lens.expose(grey, sensor, 1.0, 1.0, np.random.default_rng(0))
    assert (picture[0, 0] / 255) ** 2.2 == pytest.approx([0.36, 0.3, 0.24], abs=0.005)
    assert lens.expose(grey, sensor, 0.5, 1.0, np.random.default_rng(0))[0, 0, 1] < picture[0, 0, 1]
    flat = lens.expose(grey, replace(sensor, saturation=0.0), 1.0, 1.0, np.random.default_rng(0))
    assert np.ptp(flat[0, 0]) <= 1


# --- the studio


@pytest.fixture(scope="module")
def studio(renderer: None) -> Iterator[object]:
    from clipsenet.synthetic.studio import Studio

    made = Studio(0, make_vehicles(8, 0), make_sites(4, 0), size=96)
    yield made
    made.close()


def test_a_picture_depends_on_its_shot_alone(studio: object) -> None:
    from clipsenet.synthetic.studio import Studio

    shots = make_shots(make_vehicles(8, 0), make_sites(4, 0), 2, 0)
    first = [studio.photograph(shot) for shot in shots[:6]]  # type: ignore[attr-defined]
    more = Studio(0, make_vehicles(12, 0), make_sites(6, 0), size=96)  # a larger city, in another order
    for shot, photograph in reversed(list(zip(shots[:6], first, strict=True))):
        again = more.photograph(shot)
        assert (again.image == photograph.image).all()
        assert (again.view, again.plate, again.light) == (photograph.view, photograph.plate, photograph.light)
    more.close()


def test_the_plates_box_is_where_the_plate_is(renderer: None) -> None:
    """A magenta sheet on each plate is drawn by VTK; its pixels are the oracle of the box."""
    from clipsenet.synthetic.bodies import build
    from clipsenet.synthetic.studio import Studio

    def with_sheets(vehicle: Vehicle) -> Body:
        body = build(vehicle)
        if vehicle not in vehicles:  # traffic has plates of its own
            return body
        sheets = []
        for corners in body.plates.values():
            normal = np.cross(corners[1] - corners[0], corners[3] - corners[0])
            normal /= np.linalg.norm(normal)
            points, faces = (corners + 0.02 * normal).astype(np.float32), np.array([[0, 1, 2], [0, 2, 3]])
            sheets.append(
                Part(points, np.tile(normal, (4, 1)).astype(np.float32), np.zeros((4, 2), np.float32), faces, "sheet")
            )
        skins = {**body.skins, "sheet": np.full((2, 2, 4), (255, 0, 255, 0), dtype=np.uint8)}
        return replace(body, parts=(*body.parts, *sheets), skins=skins)

    clean = {"cast": (1.0, 1.0, 1.0), "saturation": 1.0, "blur": 0.1, "noise": 0.0, "bend": 0.06, "pixels": 400}
    sites = [replace(site, sensor=replace(site.sensor, **clean)) for site in make_sites(6, 0)]
    vehicles = make_vehicles(12, 0)
    studio = Studio(0, vehicles, sites, size=256)
    studio.make_body = with_sheets
    found = 0
    for shot in make_shots(vehicles, sites, 6, 0)[::3]:
        shot = replace(shot, time=microseconds(12))  # noqa: PLW2901
        if light_at(shot.time, 0, shot.camera).weather not in ("clear", "cloudy"):
            pytest.fail("another weather at noon: choose another hour")
        photograph = studio.photograph(shot)
        height, width = photograph.image.shape[:2]
        assert min(height, width) >= 24
        assert max(height, width) <= 256
        red, green, blue = (photograph.image[..., channel].astype(int) for channel in range(3))
        pink = (np.minimum(red, blue) > 2 * green + 20) & (abs(red - blue) < 50)
        pieces, count = label(pink)  # red lamps on blue paint are pink along their edge: the largest piece counts
        largest = 1 + int(np.argmax(np.bincount(pieces.ravel())[1:])) if count else 1
        rows, columns = np.nonzero(pieces == largest)
        if photograph.plate is None:
            assert len(rows) < 60  # none, or little of one that something hides
        elif len(rows) > 30:
            x, y, wide, high = photograph.plate
            assert (x, y) == pytest.approx((columns.min(), rows.min()), abs=2.5)
            assert (x + wide, y + high) == pytest.approx((columns.max() + 1, rows.max() + 1), abs=2.5)
            found += 1
    studio.close()
    assert found >= 6


def test_a_dead_lamp_does_not_burn() -> None:
    from clipsenet.synthetic.developing import burn
    from clipsenet.synthetic.shadows import Stand

    def lit(works: bool) -> Body:
        return Body((), {}, (Lamp("head", (2.0, 0.6, 0.7), "left", works),), {}, (4.0, 1.8, 1.5))

    eye = Eye((12.0, 0.0, 3.0), (0.0, 0.0, 0.7), 25.0)
    depth = np.full((64, 64), 1e3)
    for works in (True, False):
        picture = np.zeros((64, 64, 3), dtype=np.float32)
        burn(picture, [Stand(lit(works), (0.0, 0.0), 0.0)], eye, depth, (0, 0), 64)
        assert (picture.max() > 1) == works
    away = np.zeros((64, 64, 3), dtype=np.float32)
    burn(away, [Stand(lit(True), (0.0, 0.0), 180.0)], eye, depth, (0, 0), 64)
    assert away.max() == 0


def test_a_frame_has_each_vehicle_in_its_box(studio: object) -> None:
    site = make_sites(4, 0)[0]
    shots = [shot for shot in make_shots(make_vehicles(8, 0), make_sites(4, 0), 4, 0) if shot.camera == 1][:1]
    beside = replace(shots[0], vehicle=5, place=(shots[0].place[0] + 40.0, shots[0].place[1] + 300.0))
    frame = studio.frame(site, [*shots, beside], shots[0].time, 3)  # type: ignore[attr-defined]
    empty = studio.frame(site, [], shots[0].time, 3)  # type: ignore[attr-defined]
    assert frame.image.shape == (540, 960, 3)
    seen, absent = frame.seen
    assert absent is None
    assert seen.visibility > 0.7
    x, y, wide, high = (round(value) for value in seen.box)
    changed = abs(frame.image.astype(int) - empty.image.astype(int)).max(axis=2) > 60
    assert changed[y : y + high, x : x + wide].mean() > 0.15
    changed[max(0, y - 90) : y + high + 90, max(0, x - 90) : x + wide + 90] = False  # shadow and glow
    assert changed.mean() < 0.01


def test_without_a_display_library_it_says_which_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("vtkmodules")
    from clipsenet.synthetic.renderer import Renderer

    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    with pytest.raises(ClipsenetError, match="apt-get install libegl1 libgl1-mesa-dri, or: apt-get install libosmesa6"):
        Renderer(8, 8)


def test_a_display_library_without_a_driver_is_told_of_and_nothing_crashes(renderer: None) -> None:
    program = "from clipsenet.synthetic.renderer import Renderer; Renderer(8, 8)"
    environment = {**os.environ, "__EGL_VENDOR_LIBRARY_FILENAMES": os.devnull}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1)  # 0 where OSMesa serves instead
    if done.returncode:
        assert "libEGL.so.1 finds no driver" in done.stderr
        assert "apt-get install libegl1 libgl1-mesa-dri" in done.stderr


def test_rain_and_smear_stay_within_the_picture() -> None:
    light = np.zeros((9, 9, 3), dtype=np.float32)
    light[:, -1] = 1.0
    smeared = lens.blurred(light, 0.0, 3.0)
    assert smeared[:, 0].max() == 0.0
    assert smeared[:, -2].min() > 0.2


# --- the whole


@pytest.mark.slow
def test_from_drawn_vehicles_to_a_scorecard(run, drawn_vehicles: Path, tmp_path: Path) -> None:
    small = (
        "schedule.epochs=1",
        "schedule.warmup_epochs=0",
        "images.size=[32, 32]",
        "sampler.vehicles=4",
        "model.trunk=resnet10t",
    )
    small += ("training.workers=0", "training.precision=32-true", "evaluation.intervals=50")
    words = [word for one in small for word in ("--set", one)]
    trained = run("train", "demo", "--data", drawn_vehicles, "--run", tmp_path / "run", *words)
    assert trained.code == 0, trained.err
    scored = run("evaluate", tmp_path / "run", "--data", drawn_vehicles)
    assert scored.code == 0, scored.err
    for text in (
        "has_lookalike=yes",
        "k-reciprocal 20/6/0.3",
        "colour histogram, plain",
        "labels at test     none",
        "DRAWN vehicles: no picture shows a real one",
        "drawn vehicles, format 1, seed 0",
    ):
        assert text in scored.out
