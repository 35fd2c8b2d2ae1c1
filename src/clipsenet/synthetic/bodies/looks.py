"""Looks: the colours that a vehicle is painted with."""

from dataclasses import dataclass

from clipsenet.synthetic.bodies.palette import paint_of
from clipsenet.synthetic.identity import Rgb, Vehicle

BLACK: Rgb = (14, 14, 15)
PLASTIC: Rgb = (42, 43, 45)
CHROME: Rgb = (190, 194, 198)
PALE_GLASS: Rgb = (214, 220, 226)
LAMP_RED: Rgb = (158, 16, 20)
AMBER: Rgb = (216, 120, 24)


@dataclass(frozen=True)
class Look:
    """Colours of one vehicle, sRGB.

    Attributes:
        paint: of the body.
        seam: of gaps between panels.
        bumper: of bumpers, and its gloss.
        trim: of strips and grille frames, and its gloss.
        clad: of sills and arches.
        screen: of windscreen and front side windows.
        glass: of the other windows.
    """

    paint: Rgb
    seam: Rgb
    bumper: tuple[Rgb, int]
    trim: tuple[Rgb, int]
    clad: tuple[Rgb, int]
    screen: Rgb
    glass: Rgb


def look_of(vehicle: Vehicle) -> Look:
    """The colours of a vehicle."""
    paint, details = paint_of(vehicle), vehicle.details
    painted = details.trim != "black"
    return Look(
        paint=paint,
        seam=mixed(paint, (0, 0, 0), 0.62),
        bumper=(paint, 140) if painted else (PLASTIC, 40),
        trim=(CHROME, 235) if details.trim == "chrome" else (BLACK, 120),
        clad=(mixed(paint, (0, 0, 0), 0.25), 100) if painted else (PLASTIC, 40),
        screen=mixed((58, 68, 74), (26, 31, 35), details.tint),
        glass=mixed((62, 73, 80), (11, 13, 15), min(max(details.tint, 0), 1)),
    )


def mixed(first: Rgb, second: Rgb, share: float) -> Rgb:
    """A colour between two; ``share`` of the second, 0 to 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue
