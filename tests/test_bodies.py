"""Bodies: primitives are closed and face outwards, every family builds, wheels and cargo fit, users' meshes are read."""

import json
import logging
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from clipsenet.errors import ClipsenetError
from clipsenet.synthetic.bodies.boxes import AREAS
from clipsenet.synthetic.bodies.cargo import cargo
from clipsenet.synthetic.bodies.chassis import rear_plate, tail_lamps
from clipsenet.synthetic.bodies.fittings import fittings
from clipsenet.synthetic.bodies.frame import Bed, Frame, Mirror, Roof, Tail
from clipsenet.synthetic.bodies.loads import LOADS, load
from clipsenet.synthetic.bodies.mesh_files import Piece
from clipsenet.synthetic.bodies.meshes import box, prism
from clipsenet.synthetic.bodies.palette import SWATCHES, paint_of, palette, swatch
from clipsenet.synthetic.bodies.parts import merged, mirrored, moved, turned
from clipsenet.synthetic.bodies.roofs import ROOFS, roof_load
from clipsenet.synthetic.bodies.rounds import ellipsoid, lathe, tube
from clipsenet.synthetic.bodies.wheels import wheels
from clipsenet.synthetic.body import Body, Part
from clipsenet.synthetic.identity import COLOURS, FAMILIES, LORRIES, Model, Sticker, Vehicle, make_vehicles

vtk = pytest.importorskip("vtk", reason="the shells and the readers of meshes need the extra synthetic")

VEHICLES = make_vehicles(120, 0)
TRIANGLES = 12_000


def volume(shape: Part) -> float:
    """By the divergence theorem: positive where faces are counter-clockwise as seen from outside."""
    corners = shape.points[shape.faces]
    return float(np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6)


def is_closed(shape: Part) -> bool:
    """Whether every edge is walked as often one way as the other, points at one place taken as one."""
    _, same = np.unique(np.round(shape.points, 6), axis=0, return_inverse=True)
    faces = same.reshape(-1)[shape.faces]
    edges = Counter((int(a), int(b)) for pair in ((0, 1), (1, 2), (2, 0)) for a, b in faces[:, pair])
    return all(edges[b, a] == count for (a, b), count in edges.items())


def outwardness(shape: Part) -> float:
    """The least cosine between a face's normal and those at its corners."""
    corners = shape.points[shape.faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    return float(np.einsum("ij,ikj->ik", across, shape.normals[shape.faces]).min())


def worn(family: str, number: int = 1, colour: str = "red", **details: object) -> Vehicle:
    """A vehicle of a family that has these details and else those of the first one found."""
    base = next(vehicle for vehicle in VEHICLES if vehicle.model.family == family)
    return replace(base, number=number, colour=colour, details=replace(base.details, **details))  # type: ignore[arg-type]


L_SHAPE = [(0, 0), (2, 0), (2, 1), (1, 1), (1, 3), (0, 3)]


@pytest.mark.parametrize(
    ("shape", "wanted", "tolerance"),
    [
        pytest.param(box((1, 2, 3), (2, 4, 6)), 6.0, 1e-9, id="box"),
        pytest.param(box((1, 2, 3), (2, 4, 6), bevel=0.05), 6.0, 0.005, id="rounded box"),
        pytest.param(tube([(1, 1, 1), (3, 1, 1)], 0.1, sides=48), np.pi * 0.02, 0.01, id="tube"),
        pytest.param(tube([(1, 1, 1), (1, 1, 3)], 0.1, sides=48), np.pi * 0.02, 0.01, id="upright tube"),
        pytest.param(tube([(0, 0, 0), (2, 0, 0), (2, 3, 0)], 0.05, sides=48), np.pi * 0.0025 * 5, 0.02, id="bent tube"),
        pytest.param(lathe([(0.1, 0), (0.1, 0.3), (0.1, 0.3), (-0.1, 0.3), (-0.1, 0.3), (-0.1, 0)], (1, 2, 3), "steel", 64),
                     np.pi * 0.018, 0.01, id="lathe"),
        pytest.param(ellipsoid((1, 1, 1), (1, 2, 0.5), sides=48, rings=24), np.pi * 4 / 3, 0.02, id="ellipsoid"),
        pytest.param(prism(L_SHAPE, 1.0, 2.0), 4.0, 1e-9, id="prism along y"),
        pytest.param(prism(L_SHAPE[::-1], 1.0, 2.0, axis=0), 4.0, 1e-9, id="prism along x, clockwise"),
        pytest.param(prism(L_SHAPE, 1.0, 2.0, axis=2), 4.0, 1e-9, id="prism along z"),
    ],
)  # fmt: skip
def test_a_primitive_is_closed_and_faces_outwards(shape: Part, wanted: float, tolerance: float) -> None:
    assert is_closed(shape)
    assert volume(shape) == pytest.approx(wanted, rel=tolerance)
    assert outwardness(shape) > 0.4  # smooth corners lean, none points inwards
    np.testing.assert_allclose(np.linalg.norm(shape.normals, axis=1), 1, atol=1e-9)


def test_copies_keep_their_outside_outside() -> None:
    shape = prism(L_SHAPE, 0.5, 1.0)
    for copy in (mirrored(shape), moved(shape, (1, 2, 3)), turned(shape, 2, 33.0), turned(shape, 0, -80.0, (1, 1, 1))):
        assert volume(copy) == pytest.approx(2)
        assert outwardness(copy) > 0.999
    np.testing.assert_allclose(turned(shape, 2, 90.0).points, shape.points[:, [1, 0, 2]] * (-1, 1, 1), atol=1e-12)
    assert volume(merged([shape, mirrored(shape)])[0]) == pytest.approx(4)


def test_the_sides_of_a_box_show_their_picture_upright_and_unmirrored() -> None:
    # seen from the left, forward (+x) is on the left hand; from behind, the left side (+y) is
    for side, (axis, at), right in (("left", (1, 1), (0, -1)), ("right", (1, 0), (0, 1)), ("rear", (0, 0), (1, -1))):
        shape = box((0, 0, 0), (2, 1, 1), {side: (0.0, 0.0, 1.0, 1.0)}, skin="cargo")
        assert (shape.points[:, axis] == at).all()
        order = np.argsort(right[1] * shape.points[:, right[0]])
        assert (np.diff(shape.uv[order, 0]) >= 0).all()
        np.testing.assert_allclose(shape.uv[:, 1], shape.points[:, 2])


def test_a_swatch_shows_its_own_colour_and_the_four_of_the_vehicle_differ() -> None:
    red, blue = (worn("suv", colour=colour, dirt=0.0, trim="painted") for colour in ("red", "blue"))
    skins = [palette(vehicle) for vehicle in (red, blue)]

    def seen(skin: np.ndarray, name: str) -> tuple[int, ...]:
        across, up = swatch(name)
        return tuple(int(value) for value in skin[int((1 - up) * len(skin)), int(across * skin.shape[1])])

    for name, (colour, gloss) in SWATCHES.items():
        if name not in ("body", "trim", "load", "rim"):
            assert seen(skins[0], name) == (*colour, gloss)
    assert seen(skins[0], "body")[:3] == paint_of(red) == seen(skins[0], "trim")[:3]
    assert seen(skins[0], "body") != seen(skins[1], "body")
    assert max(abs(a - b) for a, b in zip(paint_of(red), COLOURS["red"][0], strict=True)) < 60


@pytest.mark.parametrize("family", ["saloon", "bus", "tipper"])
def test_wheels_stand_on_the_ground_within_their_track(family: str) -> None:
    large = family != "saloon"
    (part,), skins = wheels(worn(family), (2.0, -2.0), 2.0, 0.5, 0.25)
    assert skins["wheels"].shape == (256, 256, 4)
    assert len(part.faces) <= 600 * (6 if large else 4)
    assert is_closed(part)
    assert outwardness(part) > 0.1
    low, high = part.points.min(axis=0), part.points.max(axis=0)
    assert abs(low[2]) < 0.006
    assert high[2] == pytest.approx(1, abs=0.006)
    assert high[0] == pytest.approx(2.5, abs=0.01)
    assert low[0] == pytest.approx(-2.5, abs=0.01)
    np.testing.assert_allclose([low[1], high[1]], [-1, 1], atol=0.001)
    rear = np.abs(part.points[part.points[:, 0] < 0, 1]).min()
    assert rear == pytest.approx(1 - 0.25 - (0.275 if large else 0), abs=0.01)  # twin tyres are behind only
    assert np.abs(part.points[part.points[:, 0] > 0, 1]).min() == pytest.approx(0.75, abs=0.01)


def test_rims_of_eight_designs_their_colours_and_covers_differ() -> None:
    def face(rims: int, covers: bool = False, shade: int = 180) -> np.ndarray:
        vehicle = worn("suv", rims=rims, covers=covers, dirt=0.0, rim_colour=(shade, shade, shade))
        return wheels(vehicle, (0.0,), 2.0, 0.3, 0.2)[1]["wheels"]

    faces = [*(face(rims) for rims in range(8)), face(0, covers=True), face(0, shade=30)]
    for first, one in enumerate(faces):
        for other in faces[:first]:
            assert np.abs(one[..., :3].astype(int) - other[..., :3]).mean() > 2


FRAME = Frame(
    Roof(-1.9, 0.7, 0.55, 1.5, 1.5),
    Mirror(1.0, 0.85, 1.0),
    Tail(-2.3, 0.85, 0.5, -2.0, 1.5, 0.7),
    Bed(-2.2, -0.5, 0.7, 0.6, 1.0),
    (1.4, -1.4),
    0.32,
    1.7,
)
BARE = {"roof": "none", "spoiler": False, "tow_bar": False, "mud_flaps": False, "load": "none"}


@pytest.mark.parametrize(
    "details",
    [
        *({"roof": name} for name in ROOFS),
        *({"load": name} for name in LOADS),
        *({name: True} for name in ("spoiler", "tow_bar", "mud_flaps")),
    ],
    ids=lambda details: "-".join(f"{name}-{value}" for name, value in details.items()),
)
def test_every_detail_adds_something_where_it_belongs(details: dict[str, object]) -> None:
    (bare,), _ = fittings(worn("pickup", **BARE), FRAME)
    (full,), skins = fittings(worn("pickup", **{**BARE, **details}), FRAME)
    added = full.points[~np.isin(full.points.round(6).view("f8,f8,f8"), bare.points.round(6).view("f8,f8,f8")).ravel()]
    assert set(skins) == {"palette"}
    assert len(bare.faces) < len(full.faces) < 4000
    assert np.isfinite(full.points).all()
    middle, name = added.mean(axis=0), next(iter(details))
    if name == "roof":
        assert added[:, 2].min() > 1.4
        assert added[:, 2].max() < 2.3
        assert np.abs(added[:, 1]).max() < 0.75
    elif name == "load":
        assert added[:, 2].min() > 0.59
        assert np.abs(added[:, 1]).max() < 0.73
        assert -2.25 < middle[0] < -0.4
        assert added[:, 0].max() < -0.4
    elif name == "tow_bar":
        assert added[:, 0].min() < -2.4
        assert added[:, 2].max() < 0.6
    elif name == "mud_flaps":
        assert added[:, 2].max() < 0.4
    else:
        assert added[:, 2].min() > 1.4
        assert middle[0] < -1.8


def test_what_details_leave_open_is_drawn_from_the_vehicle_alone() -> None:
    for make in (lambda vehicle: roof_load(vehicle, FRAME.roof), lambda vehicle: load(vehicle, FRAME.bed)):
        one, same, other = (make(worn("pickup", number=number, roof="luggage", load="boxes"))[0] for number in (3, 3, 4))
        np.testing.assert_array_equal(one.points, same.points)
        assert one.points.shape != other.points.shape or not np.array_equal(one.points, other.points)


@pytest.mark.parametrize("family", LORRIES)
def test_cargo_stands_on_its_floor_within_its_width(family: str) -> None:
    parts, skins = cargo(worn(family, load="sand"), -3.5, 2.0, 2.4, 1.1)
    points = np.concatenate([part.points for part in parts])
    assert {part.skin for part in parts} == set(skins)
    assert sum(len(part.faces) for part in parts) < 6000
    assert points[:, 0].min() > -3.7
    assert points[:, 0].max() < 3.0
    assert 1.15 < np.abs(points[:, 1]).max() < 1.3
    assert points[:, 2].min() > 0.2
    assert 1.8 < points[:, 2].max() < 4.0
    for x, y, z in (*tail_lamps(-3.5, 2.4, 1.1), *rear_plate(-3.5, 1.1)):
        assert -3.6 < x < -3.4
        assert abs(y) < 1.2
        assert 0.3 < z < 1.1


def test_a_box_shows_what_is_painted_on_it() -> None:
    plain = worn("box-lorry", band=None, lettering=None, stickers=(), dents=(), dirt=0.0)
    clean = cargo(plain, -3.5, 2.0, 2.4, 1.1)[1]["cargo"]

    def change(details: dict[str, object], side: str) -> float:
        painted = cargo(replace(plain, details=replace(plain.details, **details)), -3.5, 2.0, 2.4, 1.1)[1]["cargo"]  # type: ignore[arg-type]
        left, low, right, high = (round(share * len(clean)) for share in AREAS[side])
        place = slice(len(clean) - high, len(clean) - low), slice(left, right)
        return float(np.abs(painted[place].astype(int) - clean[place]).mean())

    for details, rear in (({"band": (20, 20, 200)}, False), ({"lettering": 5}, False), ({"dirt": 0.8}, True)):
        assert change(details, "left") > 1
        assert change(details, "right") > 1
        assert (change(details, "rear") > 1) == rear
        assert change(details, "top") == 0


# whole vehicles


def build(vehicle: Vehicle) -> Body:
    from clipsenet.synthetic.bodies import build as make

    return make(vehicle)


LENGTHS = {"bus": (8, 13.5), "van": (4.2, 7.5), "pickup": (4.6, 6.2)} | dict.fromkeys(LORRIES, (5, 11))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_builds(family: str) -> None:
    body = build(worn(family))
    points = np.concatenate([part.points for part in body.parts])
    assert sum(len(part.faces) for part in body.parts) <= TRIANGLES
    assert {part.skin for part in body.parts} == set(body.skins)
    for part in body.parts:
        assert np.isfinite(part.points).all()
        assert np.isfinite(part.uv).all()
        assert part.uv.min() > -1e-6
        assert part.uv.max() < 1 + 1e-6
        np.testing.assert_allclose(np.linalg.norm(part.normals, axis=1), 1, atol=1e-3)
        assert part.faces.min() >= 0
        assert part.faces.max() < len(part.points)
    shortest, longest = LENGTHS.get(family, (3.3, 5.4))
    assert shortest < body.size[0] < longest
    assert 1.5 < body.size[1] < 2.7
    assert 1.2 < body.size[2] < 4.2
    assert -0.03 < points[:, 2].min() < 0.03  # it stands on its wheels
    low, high = points.min(axis=0), points.max(axis=0)
    assert {lamp.kind for lamp in body.lamps} == {"head", "tail"}
    for place in (*(lamp.place for lamp in body.lamps), *np.concatenate([*body.plates.values()])):
        assert (np.asarray(place) > low - 0.1).all()
        assert (np.asarray(place) < high + 0.1).all()
    assert all((lamp.place[0] > 0) == (lamp.kind == "head") for lamp in body.lamps)
    assert all((lamp.place[1] > 0) == (lamp.side == "left") for lamp in body.lamps)


@pytest.mark.parametrize("family", ["saloon", "pickup", "box-lorry"])
def test_two_builds_are_the_same_bit_for_bit(family: str) -> None:
    one, other = build(worn(family)), build(worn(family))
    assert list(one.skins) == list(other.skins)
    assert all(np.array_equal(one.skins[name], other.skins[name]) for name in one.skins)
    for mine, theirs in zip(one.parts, other.parts, strict=True):
        assert all(np.array_equal(getattr(mine, field.name), getattr(theirs, field.name)) for field in fields(Part))


def test_look_alikes_have_the_same_shell_and_other_skins() -> None:
    vehicle = next(vehicle for vehicle in VEHICLES if vehicle.lookalikes)
    one, other = build(vehicle), build(VEHICLES[vehicle.lookalikes[0] - 1])
    np.testing.assert_array_equal(one.parts[0].points, other.parts[0].points)
    assert any(not np.array_equal(one.skins[name], other.skins[name]) for name in one.skins)


# users' meshes


def car() -> Part:
    """4.4 m long, its bonnet at greater x."""
    outline = [(-2.2, 0.2), (2.2, 0.2), (2.2, 0.8), (1.0, 0.9), (0.4, 1.5), (-2.2, 1.5)]
    return prism(outline, -0.9, 0.9)


def write_obj(path: Path, shape: Part, scale: float = 1.0, y_up: bool = True) -> None:
    points = shape.points * scale
    points = points[:, [1, 2, 0]] if y_up else points
    lines = [f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in points] + [f"f {a} {b} {c}" for a, b, c in shape.faces + 1]
    path.write_text("\n".join(lines) + "\n")


def write_ply(path: Path, shape: Part) -> None:
    """z up, along y, the bonnet at lesser y."""
    head = f"ply\nformat ascii 1.0\nelement vertex {len(shape.points)}\nproperty float x\nproperty float y\nproperty float z\n"
    head += f"element face {len(shape.faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    lines = [f"{y:.5f} {-x:.5f} {z:.5f}" for x, y, z in shape.points] + [f"3 {a} {b} {c}" for a, b, c in shape.faces]
    path.write_text(head + "\n".join(lines) + "\n")


def write_glb(path: Path, shape: Part, colour: tuple[float, float, float] = (0.8, 0.8, 0.8)) -> None:
    """As the standard has it: y up, z forward."""
    points = np.ascontiguousarray(shape.points[:, [1, 2, 0]], np.float32)
    blob = points.tobytes() + np.ascontiguousarray(shape.faces, np.uint32).tobytes()
    head = {
        "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorFactor": [*colour, 1.0]}}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(points), "type": "VEC3",
             "min": points.min(axis=0).tolist(), "max": points.max(axis=0).tolist()},
            {"bufferView": 1, "componentType": 5125, "count": shape.faces.size, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteLength": points.nbytes},
            {"buffer": 0, "byteOffset": points.nbytes, "byteLength": shape.faces.size * 4},
        ],
        "buffers": [{"byteLength": len(blob)}],
    }  # fmt: skip
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 4)
    size = 12 + 8 + len(text) + 8 + len(blob)
    path.write_bytes(
        struct.pack("<III", 0x46546C67, 2, size)
        + struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(blob), 0x004E4942) + blob
    )  # fmt: skip


WRITERS: dict[str, Callable[[Path, Part], None]] = {".obj": write_obj, ".ply": write_ply, ".glb": write_glb}


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_users_mesh_stands_upright_on_the_ground_in_the_vehicles_paint(tmp_path: Path, suffix: str) -> None:
    from clipsenet.synthetic.bodies.imported import as_body, read_bodies

    WRITERS[suffix](tmp_path / f"suv_1{suffix}", car())
    (tmp_path / "readme.txt").write_text("not looked at")
    (mesh,) = read_bodies(tmp_path)
    assert mesh.family == "suv"
    vehicle = worn("suv", dirt=0.0, roof="none", stickers=())
    body = as_body(mesh, vehicle)
    np.testing.assert_allclose(body.size, (4.4, 1.8, 1.3), atol=1e-4)
    shell = body.parts[0]
    np.testing.assert_allclose(shell.points.min(axis=0), (-2.2, -0.9, 0), atol=1e-4)
    assert shell.points[shell.points[:, 0] > 1.9, 2].max() < 0.7 < shell.points[shell.points[:, 0] < -1.9, 2].max()  # forwards
    assert volume(shell) == pytest.approx(volume(car()), rel=1e-3)  # not inside out, nothing lost
    assert (body.skins["mesh"][..., :3] == paint_of(vehicle)).all()
    np.testing.assert_allclose([lamp.place[0] for lamp in body.lamps if lamp.kind == "head"], 2.22, atol=1e-3)
    assert body.plates["front"][:, 0].min() > 2.2 > -2.2 > body.plates["rear"][:, 0].max()


def test_millimetres_become_metres_and_it_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from clipsenet.synthetic.bodies.imported import as_body, read_bodies

    write_obj(tmp_path / "big.obj", car(), scale=1000.0, y_up=False)
    with caplog.at_level(logging.WARNING):
        (mesh,) = read_bodies(tmp_path)
    assert "big.obj: 4400 long, which cannot be metres" in caplog.text
    for family, length in (("hatchback", 4.1), ("suv", 4.6)):
        assert as_body(mesh, worn(family)).size == pytest.approx((length, 1.8 * length / 4.4, 1.3 * length / 4.4), abs=1e-3)


def test_materials_keep_their_colours_and_the_largest_is_painted(tmp_path: Path) -> None:
    from clipsenet.synthetic.bodies.imported import as_body, read_bodies

    pane = moved(box((-0.5, -0.5, 0), (0.5, 0.5, 0.05)), (0, 0, 1.5))
    (tmp_path / "car.mtl").write_text(
        "newmtl paint\nKd 0.8 0.8 0.8\nnewmtl glass\nKd 0.5 0.5 0.5\nd 0.4\nnewmtl tyre\nKd 0.02 0.02 0.02\n"
    )
    text, start = ["mtllib car.mtl"], 1
    for material, shape in (("paint", car()), ("glass", pane), ("tyre", moved(pane, (0, 0, -1.4)))):
        text += [f"usemtl {material}", *(f"v {y:.4f} {z:.4f} {x:.4f}" for x, y, z in shape.points)]
        text += [f"f {a} {b} {c}" for a, b, c in shape.faces + start]
        start += len(shape.points)
    (tmp_path / "car.obj").write_text("\n".join(text) + "\n")
    (mesh,) = read_bodies(tmp_path)
    vehicle = worn("saloon", dirt=0.0, tint=0.5)
    looks = {tuple(int(value) for value in block[0]) for block in as_body(mesh, vehicle).skins["mesh"]}
    assert looks == {(*paint_of(vehicle), 140), (42, 44, 47, 255), (5, 5, 5, 60)}


def test_a_large_mesh_is_made_coarser_without_losing_its_shape(tmp_path: Path) -> None:
    from clipsenet.synthetic.bodies.mesh_files import read_pieces
    from clipsenet.synthetic.bodies.mesh_reading import LIMIT

    ball = ellipsoid((0, 0, 1), (2.2, 0.9, 1), sides=160, rings=100)
    write_obj(tmp_path / "ball.obj", ball)
    (piece,) = read_pieces(tmp_path / "ball.obj")
    assert len(ball.faces) > 1.5 * LIMIT
    assert 0.8 * LIMIT < len(piece.faces) <= LIMIT
    assert volume(Part(piece.points, piece.normals, piece.uv, piece.faces, "")) == pytest.approx(volume(ball), rel=0.01)


@pytest.mark.slow
def test_all_vehicles_of_a_model_wear_the_same_mesh_and_families_without_one_are_drawn(tmp_path: Path) -> None:
    from clipsenet.synthetic.bodies.imported import choose_mesh, maker, read_bodies

    for name in ("suv_a", "suv_b", "any"):
        write_obj(tmp_path / f"{name}.obj", car())
    meshes = read_bodies(tmp_path)
    chosen: dict[object, set[str]] = {}
    for vehicle in VEHICLES:
        mesh = choose_mesh(meshes, vehicle)
        chosen.setdefault(vehicle.model, set()).add(mesh.name if mesh else "drawn")
    assert all(len(names) == 1 for names in chosen.values())
    by_family = {
        family: set().union(*(names for model, names in chosen.items() if model.family == family)) for family in FAMILIES
    }
    assert by_family["suv"] | by_family["saloon"] <= {"suv_a.obj", "suv_b.obj", "any.obj"}
    models = [Model("suv", (key,)) for key in range(12)]
    assert {choose_mesh(meshes, replace(worn("suv"), model=model)).name for model in models} == {"suv_a.obj", "suv_b.obj"}
    assert by_family["saloon"] == {"any.obj"}
    assert by_family["van"] == {"drawn"}
    for name in ("suv_b", "any"):
        (tmp_path / f"{name}.obj").unlink()
    make = maker(tmp_path)
    assert "mesh" in make(worn("suv")).skins
    assert "mesh" not in make(worn("van")).skins


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.obj", b"", "no triangles"),
        ("words.obj", b"this is not a mesh\n", "no triangles"),
        ("flat.obj", b"v 0 0 0\nv 4 0 0\nv 0 2 0\nf 1 2 3\n", "flat"),
        ("wrong.obj", b"v 0 0 0\nv 4 0 0\nv 0 2 0\nf 1 2 9\n", "asks for v 9, but there are 3"),
        ("noise.ply", bytes(range(256)) * 4, "no triangles"),
        ("cut.ply", b"ply\nformat ascii 1.0\nelement vertex 9\nproperty float x\nproperty float y\nproperty float z\n"
                    b"element face 9\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n1 0",
         "broken|no triangles|cannot"),
        ("noise.glb", b"glTF" + bytes(range(256)), "cannot be read"),
    ],
)  # fmt: skip
def test_a_broken_mesh_is_refused_with_its_name_and_why(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    from clipsenet.synthetic.bodies.imported import read_bodies

    (tmp_path / name).write_bytes(content)
    with pytest.raises(ClipsenetError, match=f"{name}: .*({reason})"):
        read_bodies(tmp_path)


def test_a_folder_without_meshes_is_refused(tmp_path: Path) -> None:
    from clipsenet.synthetic.bodies.imported import read_bodies

    with pytest.raises(ClipsenetError, match=r"no folder .*absent"):
        read_bodies(tmp_path / "absent")
    (tmp_path / "car.stl").write_text("solid")
    with pytest.raises(ClipsenetError, match=r"no mesh in .*found car\.stl; put files with \.obj"):
        read_bodies(tmp_path)


def car_piece() -> Piece:
    """The car as it stands on the ground, of one grey material."""
    shape = moved(car(), (0, 0, -0.2))
    return Piece(shape.points, shape.normals, shape.faces, np.zeros((len(shape.points), 2)), (0.8, 0.8, 0.8), 1.0, None)


@pytest.mark.parametrize(
    ("details", "axis", "depth"),
    [
        *(({"stickers": (Sticker(place, 0.4, 0.5, 0.2, (190, 30, 34), shape),)}, axis, depth)  # type: ignore[arg-type]
          for place, axis, depth in (("left", 1, 0.9), ("right", 1, -0.9), ("rear", 0, -2.2), ("rear-window", 0, -2.2))
          for shape in ("disc", "block", "wedge")),
        ({"stickers": (Sticker("bonnet", 0.4, 0.5, 0.2, (190, 30, 34), "disc"),)}, 2, 0.65),
        ({"band": (190, 30, 34)}, 1, 0.9),
        ({"lettering": 5, "lettering_colour": (190, 30, 34)}, 1, 0.9),
        ({"sunroof": True}, 2, 1.3),
    ],
)  # fmt: skip
def test_decals_lie_on_a_users_mesh_in_their_own_colour(details: dict[str, object], axis: int, depth: float) -> None:
    from clipsenet.synthetic.bodies.imported import Mesh, as_body

    bare = {"stickers": (), "band": None, "lettering": None, "sunroof": False, "roof": "none", "dirt": 0.0}
    mesh = Mesh("car.obj", None, (car_piece(),))
    assert "decals" not in as_body(mesh, worn("hatchback", **bare)).skins
    body = as_body(mesh, worn("hatchback", **{**bare, **details}))
    (decals,) = (part for part in body.parts if part.skin == "decals")
    both = "band" in details or "lettering" in details
    outside = np.abs(decals.points[:, axis]) if both else np.sign(depth) * decals.points[:, axis]
    assert (outside > abs(depth) - (0.04 if axis == 2 else 0)).all()  # the bonnet slopes
    assert (outside < abs(depth) + (0.04 if axis == 2 else 0.02)).all()
    if both:
        assert (np.unique(np.sign(decals.points[:, axis])) == (-1, 1)).all()
    assert outwardness(decals) > 0.9
    assert np.einsum("ij,j->i", decals.normals, np.eye(3)[axis] * np.sign(depth)).max() > 0.9
    colour = (14, 16, 18) if "sunroof" in details else (190, 30, 34)
    assert (body.skins["decals"][..., :3] == colour).all(axis=2).any()


@pytest.mark.parametrize(
    ("name", "family"),
    [("suv_3.obj", "suv"), ("Box Lorry 2.glb", "box-lorry"), ("box_lorry.ply", "box-lorry"), ("van2.obj", "van"),
     ("vanilla.obj", None), ("business_car.obj", None), ("my_suv.obj", None)],
)  # fmt: skip
def test_a_files_first_word_says_its_family(name: str, family: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    from clipsenet.synthetic.bodies import imported

    monkeypatch.setattr(imported, "read_pieces", lambda path: (car_piece(),))
    assert imported.read_mesh(Path(name)).family == family


@pytest.mark.parametrize("forward", [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)])
def test_any_axes_and_a_mesh_turned_inside_out_give_the_same_car(
    forward: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from clipsenet.synthetic.bodies import imported

    plain = car_piece()
    for up in ((0, 1, 0), (0, 0, 1)):
        if np.dot(forward, up):
            continue  # no vehicle drives upwards
        turn = np.stack([forward, np.cross(up, forward), up], axis=1).astype(float)
        odd = replace(
            plain, points=plain.points @ turn.T + (5, 6, 7), normals=-plain.normals @ turn.T, faces=plain.faces[:, ::-1]
        )
        monkeypatch.setattr(imported, "read_pieces", lambda path, odd=odd: (odd,))
        (found,) = imported.read_mesh(Path("car.ply")).pieces
        np.testing.assert_allclose(found.points, plain.points, atol=1e-9)
        np.testing.assert_allclose(found.normals, plain.normals, atol=1e-9)
        assert volume(Part(found.points, found.normals, found.uv, found.faces, "")) == pytest.approx(volume(car()))
