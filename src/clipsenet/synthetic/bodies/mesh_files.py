"""Mesh files: OBJ, glTF, GLB and PLY as triangles; read by a process of its own, since a broken file can bring VTK down."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from clipsenet.errors import ClipsenetError

SUFFIXES = (".obj", ".glb", ".gltf", ".ply")
PATIENCE = 180
"""Seconds that one file may take."""


@dataclass(frozen=True, eq=False)
class Piece:
    """Triangles of one material, as they stand in the file.

    Attributes:
        points: ``(n, 3)`` in the file's own units and axes.
        normals: ``(n, 3)`` unit.
        faces: ``(m, 3)`` rows of points.
        uv: ``(n, 2)``; (0, 0) is the texture's lower left corner; zeros where there is no texture.
        colour: sRGB of the material, 0 to 1.
        opacity: 0 to 1.
        texture: sRGB, top row first, or none.
    """

    points: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    faces: Int[np.ndarray, "m 3"]
    uv: Float[np.ndarray, "n 2"]
    colour: tuple[float, float, float]
    opacity: float
    texture: UInt8[np.ndarray, "height width 3"] | None


def read_pieces(path: Path) -> tuple[Piece, ...]:
    """Read a mesh in a process of its own.

    Args:
        path: a file with one of SUFFIXES.

    Raises:
        ClipsenetError: it is no mesh, empty, broken or takes too long.
    """
    advice = f"expected a mesh as {', '.join(SUFFIXES)}: export it again, or take the file out of the folder"
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "pieces.npz"
        program = Path(__file__).with_name("mesh_reading.py")
        command = [sys.executable, "-P", str(program), str(path.absolute()), str(kept)]  # as a file: its package takes longer
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=False)  # noqa: S603
        except subprocess.TimeoutExpired:
            raise ClipsenetError(f"{path.name}: not read within {PATIENCE} seconds; {advice}") from None
        if done.returncode != 0 or not kept.is_file():
            raise ClipsenetError(f"{path.name}: {_reason(done.stderr, done.returncode)}; {advice}")
        with np.load(kept) as arrays:
            return tuple(_unpack(arrays, number) for number in range(int(arrays["count"])))


def _reason(errors: str, code: int) -> str:
    """What this program said, and VTK first, without their marks."""
    if code < 0:
        return "broken: the reader crashed on it"
    lines = errors.replace("\x1b[0m", "").splitlines()
    own = [line.removeprefix("! ") for line in lines if line.startswith("! ")]
    said = [line.split("): ", 1)[-1] for line in lines if "ERR|" in line and "Algorithm" not in line]
    return "; ".join([*own, *said[:1]]) or "broken"


def _unpack(arrays: Any, number: int) -> Piece:
    points, normals, faces, uv, material = (
        arrays[f"{name}{number}"] for name in ("points", "normals", "faces", "uv", "material")
    )
    texture = arrays[f"texture{number}"]
    red, green, blue, opacity = (float(value) for value in material)
    return Piece(points, normals, faces, uv, (red, green, blue), opacity, texture if texture.size else None)
