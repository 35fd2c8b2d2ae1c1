"""Proportions: the lines that a shell is lofted from."""

from dataclasses import dataclass

Line = tuple[tuple[float, float], ...]
"""Points of a smooth line, the first number rising."""


@dataclass(frozen=True)
class Proportions:
    """A model's lines, in metres; x forward, z up, x = 0 in the body's middle.

    Attributes:
        length, width, height: of the shell, without mirrors.
        ground: clearance below the sills.
        axles: x of each, the front one first.
        wheel: its radius.
        arch: radius of the wheel arches; 0 for wheels that stand free.
        deck: ``(x, z)`` of the top of the lower body: boot, belt, bonnet.
        nose: ``(z, x)`` of the front's middle line.
        tail: ``(z, x)`` of the rear's middle line.
        section: ``(z, share)`` of the half width: sill, widest point, shoulder.
        roof: ``(x, z)`` of the roof's middle line.
        screen: ``(z, x)`` of the windscreen.
        window: ``(z, x)`` of the rear window, or of the wall where there is none.
        waist: half width of the upper body at its foot, as a share of the half width.
        tumblehome: how far the sides lean in, metres a metre.
        bow: how far front, rear and windscreen curve back towards the sides.
        corner: radius of the corners in plan, front and rear.
        edge: radius of the bonnet's front edge and of the tail's.
        roof_edge: radius of the roof's edges.
        bed: ``(x rear, x front, z of the floor)`` of an open bed, or none.
    """

    length: float
    width: float
    height: float
    ground: float
    axles: tuple[float, ...]
    wheel: float
    arch: float
    deck: Line
    nose: Line
    tail: Line
    section: Line
    roof: Line
    screen: Line
    window: Line
    waist: float = 0.92
    tumblehome: float = 0.28
    bow: tuple[float, float, float] = (0.14, 0.1, 0.12)
    corner: tuple[float, float] = (0.34, 0.28)
    edge: tuple[float, float] = (0.16, 0.14)
    roof_edge: float = 0.1
    bed: tuple[float, float, float] | None = None

    @property
    def front(self) -> float:
        """The foremost x."""
        return max(x for _, x in self.nose)

    @property
    def rear(self) -> float:
        """The hindmost x."""
        return min(x for _, x in self.tail)
