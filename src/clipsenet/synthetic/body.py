"""Body: a vehicle as triangles with skins; what bodies/ makes and the renderer draws."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, UInt8

Skin = UInt8[np.ndarray, "height width 4"]
"""sRGB, and in the fourth channel the gloss: 0 cloth and rubber, 40 plastic, 140 paint, 255 glass and chrome."""


@dataclass(frozen=True, eq=False)
class Part:
    """Triangles that share a skin.

    Attributes:
        points: ``(n, 3)`` metres; x forward, y left, z up; the origin is on the ground below the body's middle.
        normals: ``(n, 3)`` unit, outwards; one a point: a sharp edge needs two points there.
        uv: ``(n, 2)`` place in the skin, 0 to 1; (0, 0) is the skin's lower left corner.
        faces: ``(m, 3)`` rows of points, counter-clockwise as seen from outside.
        skin: a key of ``Body.skins``.
    """

    points: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    uv: Float[np.ndarray, "n 2"]
    faces: Int[np.ndarray, "m 3"]
    skin: str


@dataclass(frozen=True)
class Lamp:
    """A lamp: where it is, where it shines, whether it burns when lamps are on.

    Attributes:
        kind: white in front, red behind.
        place: metres, on the body.
        side: as the driver sees it.
        works: a dead lamp does not burn.
    """

    kind: Literal["head", "tail"]
    place: tuple[float, float, float]
    side: Literal["left", "right"]
    works: bool


@dataclass(frozen=True, eq=False)
class Body:
    """A whole vehicle.

    Attributes:
        parts: what is drawn.
        skins: by name.
        lamps: two in front and two behind, or more.
        plates: ``front`` and ``rear`` to the ``(4, 3)`` corners of the number plate, where there is one.
        size: length, width, height in metres.
    """

    parts: tuple[Part, ...]
    skins: Mapping[str, Skin]
    lamps: tuple[Lamp, ...]
    plates: Mapping[str, Float[np.ndarray, "4 3"]]
    size: tuple[float, float, float]
