"""Shots: one vehicle before one camera at one moment."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shot:
    """What is to be drawn.

    Attributes:
        vehicle: its number, from 1.
        camera: its site's number, from 1.
        track: the passage that it belongs to, ``0002_c002_t0175``.
        time: microseconds since 1970, UTC.
        number: of the picture within its vehicle and camera, from 0.
        place: x and y of the vehicle's middle on the site's road, in metres.
        heading: degrees, counter-clockwise from x.
    """

    vehicle: int
    camera: int
    track: str
    time: int
    number: int
    place: tuple[float, float]
    heading: float

    @property
    def key(self) -> tuple[int, int, int]:
        """Seeds whatever else happens to this picture."""
        return self.vehicle, self.camera, self.number
