"""Frame: what fittings need to know of a shell."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Roof:
    """The roof that things stand on, without its rounded ends.

    Attributes:
        rear: x of its rear end, in metres.
        front: x of its front end.
        half_width: from the middle to where it begins to fall off at the sides; rails stand there.
        rear_z: height of its middle line at the rear end.
        front_z: height of its middle line at the front end; in between it is a little higher, by ``rise``.
        rise: how much higher the middle line is halfway than on the straight line between the ends.
        camber: how much lower the roof is at ``half_width`` than in the middle.
    """

    rear: float
    front: float
    half_width: float
    rear_z: float
    front_z: float
    rise: float = 0.02
    camber: float = 0.03

    def z(self, x: float, y: float = 0.0) -> float:
        """Height of the roof at a place on it; beside it, of its nearest place.

        Args:
            x: metres, forward.
            y: metres, to the left.
        """
        along = min(max((x - self.rear) / max(self.front - self.rear, 1e-6), 0.0), 1.0)
        across = min(abs(y) / max(self.half_width, 1e-6), 1.0)
        straight = self.rear_z + along * (self.front_z - self.rear_z)
        return straight + 4 * along * (1 - along) * self.rise - across**2 * self.camber


@dataclass(frozen=True)
class Mirror:
    """Where the outside mirrors are fixed.

    Attributes:
        x: of the foot, in metres.
        half_width: from the middle to the body's side at that height.
        z: height of the mirror's middle.
    """

    x: float
    half_width: float
    z: float


@dataclass(frozen=True)
class Tail:
    """The rear end.

    Attributes:
        x: of the bumper's rearmost point, in metres.
        half_width: of the body there.
        bumper_z: height of the bumper's middle.
        spoiler_x: x of the edge that a spoiler sits on: the roof's rear edge, of a saloon the boot's.
        spoiler_z: height of that edge.
        spoiler_half_width: half the length of that edge.
    """

    x: float
    half_width: float
    bumper_z: float
    spoiler_x: float
    spoiler_z: float
    spoiler_half_width: float


@dataclass(frozen=True)
class Bed:
    """An open bed.

    Attributes:
        rear: x of its inner rear end, in metres.
        front: x of its inner front end.
        half_width: inside.
        floor: height of its floor.
        rail: height of its upper edge.
    """

    rear: float
    front: float
    half_width: float
    floor: float
    rail: float


@dataclass(frozen=True)
class Frame:
    """What fittings need to know of a shell.

    Attributes:
        roof: what carries racks and boxes.
        mirror: where the mirrors are fixed; of lorries and buses they are large.
        tail: the rear end.
        bed: of a pickup.
        axles: x of each, in metres.
        wheel_radius: metres.
        track: distance between the wheels' outer faces, in metres.
    """

    roof: Roof
    mirror: Mirror
    tail: Tail
    bed: Bed | None
    axles: tuple[float, ...]
    wheel_radius: float
    track: float
