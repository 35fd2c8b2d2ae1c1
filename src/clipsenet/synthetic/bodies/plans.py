"""Plans: where a model's windows, doors and lamps are."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """What is painted where, in metres; x forward, z up.

    Attributes:
        sill: z of the side windows' lower edge.
        rise: how much higher it is at the rear end.
        drop: how far their upper edge lies below the roof.
        pillars: horizontal distance of the glass from the windscreen's and the rear window's middle lines.
        glass_rear: x where the side glass ends, if before the rear pillar.
        posts: x of the posts between the panes.
        doors: x of rear and front edge of each door.
        right_doors: the same of the right side, where it differs.
        door_foot: z of the doors' lower edge.
        screen: z of the windscreen's lower edge in its middle and of its upper edge.
        window: z of the rear window's lower and upper edge; none: no window there.
        nose: z of the bonnet's front edge: lamps and grille are below it.
        lamp: z of the head lamps' middle, their height.
        tail_lamp: z of the tail lamps' lower and upper edge.
        bumper: z of the upper edges of front and rear bumper.
        plate: z of front and rear plate's middle.
        style: how it is painted: car, rough (high, clad arches), van, bus or cab.
    """

    sill: float
    rise: float
    drop: float
    pillars: tuple[float, float]
    glass_rear: float | None
    posts: tuple[float, ...]
    doors: tuple[tuple[float, float], ...]
    right_doors: tuple[tuple[float, float], ...] | None
    door_foot: float
    screen: tuple[float, float]
    window: tuple[float, float] | None
    nose: float
    lamp: tuple[float, float]
    tail_lamp: tuple[float, float]
    bumper: tuple[float, float]
    plate: tuple[float, float]
    style: str
