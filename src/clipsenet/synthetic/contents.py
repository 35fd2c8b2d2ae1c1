"""Contents: all that is known of a drawn set before anything of it is drawn."""

from collections.abc import Iterator
from dataclasses import dataclass

from clipsenet.synthetic.identity import Vehicle, make_vehicles
from clipsenet.synthetic.plan import Plan
from clipsenet.synthetic.schedule import frame_of, make_shots
from clipsenet.synthetic.shots import Shot
from clipsenet.synthetic.sites import Site, make_sites
from clipsenet.synthetic.splits import Part, split_vehicles
from clipsenet.synthetic.traffic import FRAME_TICK, make_traffic

CHUNK = 25
"""Frames that a worker draws at a time."""


@dataclass(frozen=True)
class Exposure:
    """A picture to be drawn.

    Attributes:
        path: of its file, from the set's folder on.
        camera: the site's number, from 1.
        time: microseconds since 1970, UTC.
        frame: its number in the camera's film, from 1; 0 for a picture of one vehicle.
        shots: the vehicles before the camera: one, or in a frame none to many.
    """

    path: str
    camera: int
    time: int
    frame: int
    shots: tuple[Shot, ...]


@dataclass(frozen=True)
class Contents:
    """What a plan comes to.

    Attributes:
        plan: that it was made from.
        vehicles: number n stands at n - 1.
        sites: camera n stands at n - 1.
        parts: a vehicle's number to its part.
        chunks: the pictures in the order of the lists: those that one worker draws together, so that it makes a body once.
    """

    plan: Plan
    vehicles: tuple[Vehicle, ...]
    sites: tuple[Site, ...]
    parts: dict[int, Part]
    chunks: tuple[tuple[Exposure, ...], ...]

    def exposures(self) -> Iterator[Exposure]:
        """All pictures, in the order of the lists."""
        for chunk in self.chunks:
            yield from chunk


def make_contents(plan: Plan) -> Contents:
    """Everything that follows from a plan alone; it takes a second for some hundred vehicles.

    Raises:
        UsageError: too few vehicles for the parts that are asked for.
    """
    vehicles, sites = make_vehicles(plan.vehicles, plan.seed), make_sites(plan.cameras, plan.seed)
    parts = split_vehicles(vehicles, plan.validation, plan.test, plan.seed)
    chunks = _frames(vehicles, sites, plan) if plan.frames else _pictures(vehicles, sites, parts, plan)
    return Contents(plan, vehicles, sites, parts, tuple(chunks))


def _pictures(
    vehicles: tuple[Vehicle, ...], sites: tuple[Site, ...], parts: dict[int, Part], plan: Plan
) -> list[tuple[Exposure, ...]]:
    """A chunk a vehicle; names are VeRi-776's, with frames since the first day as time stamp."""
    chunks: dict[int, list[Exposure]] = {vehicle.number: [] for vehicle in vehicles}
    for shot in make_shots(vehicles, sites, plan.pictures, plan.seed):
        folder = "pictures"
        if plan.layout == "veri776":  # which has no validation: those vehicles train there
            folder = "image_test" if parts[shot.vehicle] == "test" else "image_train"
        name = f"{vehicles[shot.vehicle - 1].name}_{sites[shot.camera - 1].name}_{frame_of(shot.time):08d}_{shot.number}.jpg"
        chunks[shot.vehicle].append(Exposure(f"{folder}/{name}", shot.camera, shot.time, 0, (shot,)))
    return [tuple(chunk) for chunk in chunks.values()]


def _frames(vehicles: tuple[Vehicle, ...], sites: tuple[Site, ...], plan: Plan) -> list[tuple[Exposure, ...]]:
    """The films of the cameras in pieces; a film lasts from the first vehicle to the last one."""
    chunks: list[tuple[Exposure, ...]] = []
    before: dict[int, dict[int, list[Shot]]] = {site.number: {} for site in sites}
    for shot in make_traffic(vehicles, sites, plan.pictures, plan.seed):
        before[shot.camera].setdefault(shot.time, []).append(shot)
    for site in sites:
        moments = before[site.number]
        if not moments:  # more cameras than the few vehicles pass
            continue
        film = [
            Exposure(f"frames/{site.name}/img1/{number:06d}.jpg", site.number, time, number, tuple(moments.get(time, ())))
            for number, time in enumerate(range(min(moments), max(moments) + 1, FRAME_TICK), 1)
        ]
        chunks += [tuple(film[start : start + CHUNK]) for start in range(0, len(film), CHUNK)]
    return chunks
