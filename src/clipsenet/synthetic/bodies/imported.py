"""Imported: the user's own meshes as bodies."""

import logging
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from clipsenet.errors import ClipsenetError
from clipsenet.synthetic.bodies.decals import put_decals
from clipsenet.synthetic.bodies.dressing import Corners, put_details, put_lamps, put_plates
from clipsenet.synthetic.bodies.mesh_files import SUFFIXES, Piece, read_pieces
from clipsenet.synthetic.bodies.palette import dusty, paint_of, palette
from clipsenet.synthetic.bodies.parts import merged, part
from clipsenet.synthetic.bodies.upright import BELIEVED, areas, find_scale, find_turn, looks_backwards, signed_volume
from clipsenet.synthetic.body import Body, Part, Skin
from clipsenet.synthetic.identity import CARS, FAMILIES, Rgb, Vehicle

logger = logging.getLogger(__name__)
PLAIN = "mesh"
"""The skin of the pieces without a texture, one block a piece."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """A user's mesh, upright: x forward, y left, z up, in its own units, on the ground and in the middle.

    Attributes:
        name: of its file.
        family: of vehicles that wear it; none: cars of any family.
        pieces: its triangles by material.
    """

    name: str
    family: str | None
    pieces: tuple[Piece, ...]

    @property
    def length(self) -> float:
        """In its own units."""
        return float(np.ptp(np.concatenate([piece.points[:, 0] for piece in self.pieces])))


def read_bodies(folder: Path) -> list[Mesh]:
    """All meshes of a folder, by name; a name such as ``suv_3.obj`` says the family, others serve any car.

    Args:
        folder: with files of mesh_files.SUFFIXES; others are passed over.

    Raises:
        ClipsenetError: there is no such folder, no mesh in it, or one of them is broken or empty.
    """
    if not folder.is_dir():
        raise ClipsenetError(f"no folder {folder}: --bodies wants a folder with meshes ({', '.join(SUFFIXES)})")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        found = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
        raise ClipsenetError(f"no mesh in {folder}: found {found}; put files with {', '.join(SUFFIXES)} there")
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(read_mesh, paths))


def read_mesh(path: Path) -> Mesh:
    """One mesh, put upright.

    Args:
        path: glTF's y is up by its rule; of OBJ and PLY it is found out (upright.find_turn). Cars and vans whose one end is
            clearly lower have their front there.

    Raises:
        ClipsenetError: it is broken, empty or flat.
    """
    pieces = read_pieces(path)
    turn = find_turn(pieces, True if path.suffix.lower() in (".glb", ".gltf") else None)
    inside_out = signed_volume(pieces) < 0
    turned = [_turned(piece, turn, inside_out) for piece in pieces]
    corners = _corners(turned).reshape(-1, 3)
    low, high = corners.min(axis=0), corners.max(axis=0)
    if (high - low).min() < 0.02 * (high - low).max():
        size = " x ".join(f"{value:.3g}" for value in high - low)
        raise ClipsenetError(f"{path.name}: flat, {size}; a vehicle's mesh has length, width and height")
    ground = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    turned = [replace(piece, points=piece.points - ground) for piece in turned]
    family = _family(path.stem)
    if family in (None, *CARS, "van") and looks_backwards(_corners(turned), tuple((high - low).tolist())):
        turned = [_turned(piece, np.diag([-1.0, -1.0, 1.0]), False) for piece in turned]
    mesh = Mesh(path.name, family, tuple(turned))
    if not BELIEVED[0] <= mesh.length <= BELIEVED[1]:
        logger.warning(
            "%s: %.4g long, which cannot be metres: scaled to the length of its vehicle's family", path.name, mesh.length
        )
    return mesh


def choose_mesh(meshes: Sequence[Mesh], vehicle: Vehicle) -> Mesh | None:
    """Which mesh a vehicle wears: all vehicles of one model the same; none where no mesh serves its family.

    Args:
        meshes: as read_bodies gives them.
        vehicle: its model decides.
    """
    family = vehicle.model.family
    fitting = [mesh for mesh in meshes if mesh.family == family]
    if not fitting and family in CARS:
        fitting = [mesh for mesh in meshes if mesh.family is None]
    return fitting[int(vehicle.model.rng(61).integers(len(fitting)))] if fitting else None


def as_body(mesh: Mesh, vehicle: Vehicle) -> Body:
    """A mesh as the body of a vehicle: scaled, painted, with plates, decals and what is fixed to it.

    Args:
        mesh: its length is believed to be metres between 2 and 20; otherwise it is scaled to the vehicle's family.
        vehicle: its paint is that of the largest material without a texture that is neither glass nor black; textures are
            tinted with it. Trim, sun strip, dents, rims, mud flaps and loads are not seen.
    """
    scale = find_scale(mesh.length, vehicle.model.family)
    pieces = [replace(piece, points=piece.points * scale) for piece in mesh.pieces]
    corners = _corners(pieces)
    low, high = corners.reshape(-1, 3).min(axis=0), corners.reshape(-1, 3).max(axis=0)
    size = (float(high[0] - low[0]), float(high[1] - low[1]), float(high[2]))
    parts, skins = _paint(pieces, vehicle)
    decals, decal_skins = put_decals(vehicle, corners, size)
    details = [*put_details(vehicle, corners, size), *decals]
    skins |= {"palette": palette(vehicle), **decal_skins}
    lamps, plates = put_lamps(vehicle, corners, size), put_plates(corners, size)
    return Body(tuple(merged([*parts, *details])), skins, lamps, plates, size)


def maker(folder: Path) -> Callable[[Vehicle], Body]:
    """What makes bodies of a folder's meshes, and in code those of families that no mesh serves.

    Args:
        folder: read at once.

    Raises:
        ClipsenetError: as read_bodies.
    """
    meshes = read_bodies(folder)

    def make(vehicle: Vehicle) -> Body:
        mesh = choose_mesh(meshes, vehicle)
        if mesh is None:
            from clipsenet.synthetic.bodies import build

            return build(vehicle)
        return as_body(mesh, vehicle)

    return make


def _family(stem: str) -> str | None:
    """The family that a name begins with, as a whole word: ``van_2``, not ``vanilla``."""
    words = stem.lower().replace(" ", "-").replace("_", "-")
    return next((name for name in FAMILIES if re.match(rf"{name}(?![a-z])", words)), None)


def _corners(pieces: Sequence[Piece]) -> Corners:
    return np.concatenate([piece.points[piece.faces] for piece in pieces])


def _turned(piece: Piece, turn: np.ndarray, inside_out: bool) -> Piece:
    normals, faces = piece.normals @ turn.T, piece.faces
    if inside_out:
        normals, faces = -normals, faces[:, ::-1]
    return replace(piece, points=piece.points @ turn.T, normals=normals, faces=faces)


def _paint(pieces: Sequence[Piece], vehicle: Vehicle) -> tuple[list[Part], dict[str, Skin]]:
    """Plain pieces share one skin, a block each; every texture is a skin of its own."""
    main = _main_colour(pieces)
    skins: dict[str, Skin] = {PLAIN: np.zeros((4 * len(pieces), 4, 4), np.uint8)}
    found = []
    for place, piece in enumerate(pieces):
        name, uv = f"{PLAIN}{place}", piece.uv
        if piece.texture is None:
            name, uv = PLAIN, np.tile((0.5, 1 - (place + 0.5) / len(pieces)), (len(piece.points), 1))
            colour, gloss = _look(piece, piece.colour == main, vehicle)
            skins[PLAIN][4 * place : 4 * place + 4] = (*dusty(colour, vehicle.details.dirt), gloss)
        else:
            skins[name] = _tinted(piece.texture, vehicle)
        found.append(part(piece.points, piece.normals, piece.faces, uv, name))
    return found, skins


def _main_colour(pieces: Sequence[Piece]) -> tuple[float, float, float] | None:
    """Of the materials without a texture, the one with most surface that is neither glass nor black."""
    shares: dict[tuple[float, float, float], float] = {}
    for piece in pieces:
        if piece.texture is None and piece.opacity > 0.9 and max(piece.colour) > 0.12:
            shares[piece.colour] = shares.get(piece.colour, 0.0) + float(areas(piece).sum())
    return max(shares, key=lambda colour: shares[colour]) if shares else None


def _look(piece: Piece, painted: bool, vehicle: Vehicle) -> tuple[Rgb, int]:
    if piece.opacity <= 0.9:
        shade = round(60 * (1 - vehicle.details.tint))
        return (12 + shade, 14 + shade, 17 + shade), 255
    if painted:
        return paint_of(vehicle), 140
    red, green, blue = (round(255 * min(max(channel, 0.0), 1.0)) for channel in piece.colour)
    return (red, green, blue), 60


def _tinted(texture: UInt8[np.ndarray, "height width 3"], vehicle: Vehicle) -> Skin:
    """A quarter of the texture's own colours, the rest the paint at the texture's brightness against its usual one."""
    pixels = texture.astype(np.float64)
    bright = pixels @ np.array([0.299, 0.587, 0.114])
    usual = max(float(np.percentile(bright, 75)), 12.0)
    mixed = 0.25 * pixels + 0.75 * (bright / usual)[..., None] * np.array(paint_of(vehicle))
    dirt = 0.3 * vehicle.details.dirt
    mixed = mixed * (1 - dirt) + np.array([128, 112, 92]) * dirt
    gloss = np.full(bright.shape, 110.0)
    skin: Skin = np.rint(np.clip(np.dstack([mixed, gloss]), 0, 255)).astype(np.uint8)
    return skin
