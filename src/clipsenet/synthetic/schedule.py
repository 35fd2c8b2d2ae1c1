"""Schedule: who passes which camera, and when, in pictures that show one vehicle each."""

import datetime as dt
import math
from collections.abc import Sequence

import numpy as np

from clipsenet.synthetic.identity import Vehicle
from clipsenet.synthetic.shots import Shot
from clipsenet.synthetic.sites import Lane, Site

FIRST_DAY = dt.datetime(2026, 5, 11, tzinfo=dt.timezone(dt.timedelta(hours=8)))
"""Midnight in the drawn city, whose clocks are those of VeRi-776's."""

RATE = 25
"""Frames a second: VeRi-776's time stamps count them; here from FIRST_DAY on."""

TICK = 1_000_000 // RATE
"""Microseconds of a frame."""

OPENING, CLOSING = 6, 21
"""Hours between which vehicles are on the road."""

SPEEDS = (8.0, 15.0)
"""Metres a second between two cameras; stops come on top. Nobody is faster than the second."""

LONGEST_TRIP = 12
"""Passages of a trip."""

TRIPS_A_DAY = 8

CLOSING_GAP = 800.0
"""Metres from the last camera back to the first: the road is a ring."""


def make_shots(vehicles: Sequence[Vehicle], sites: Sequence[Site], pictures: int, seed: int) -> tuple[Shot, ...]:
    """Trips along the ring road, seen by its cameras; the shots of a vehicle depend on no other vehicle.

    A passage of a camera is a track of one to four pictures, 0.3 to 0.8 s apart. Each vehicle is seen by four cameras, or
    by as many as there are cameras or pictures.

    Args:
        vehicles: in the order of the result.
        sites: the cameras, at least one.
        pictures: of each vehicle, at least 1.
        seed: decides everything.

    Returns:
        ``len(vehicles) * pictures`` shots, by vehicle and then by time.
    """
    shots: list[Shot] = []
    for vehicle in vehicles:
        shots += _shots_of(vehicle, sites, pictures, np.random.default_rng((seed, 51, vehicle.number)))
    return tuple(shots)


def ring_length(sites: Sequence[Site]) -> float:
    """Metres once around."""
    return max(site.along for site in sites) + CLOSING_GAP


def frame_of(time: int) -> int:
    """VeRi-776's time stamp of a moment: frames since FIRST_DAY."""
    return (time - _microseconds(FIRST_DAY)) // TICK


def _microseconds(moment: dt.datetime) -> int:
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def _shots_of(vehicle: Vehicle, sites: Sequence[Site], pictures: int, rng: np.random.Generator) -> list[Shot]:
    sizes = _passages(pictures, len(sites), rng)
    trips = _trips(len(sizes), len(sites), rng)
    days = np.array_split(rng.permutation(len(trips)), max(2, math.ceil(len(trips) / TRIPS_A_DAY)))
    bounds = np.cumsum([0, *trips])
    shots: list[Shot] = []
    seen: dict[int, int] = {}
    tracks = 0
    for day, of_the_day in enumerate(days):
        slot = (CLOSING - OPENING) * 3600 * RATE // max(1, len(of_the_day))
        for place, trip in enumerate(of_the_day.tolist()):
            # the first trip passes as many cameras as the vehicle must be seen by, so it goes where every camera looks
            drive = _drive(sites, sizes[bounds[trip] : bounds[trip + 1]], trip == 0, rng)
            duration = drive[-1][1][-1][0]
            begin = (day * 24 + OPENING) * 3600 * RATE + place * slot + int(rng.integers(0, slot - duration))
            for site, moments in drive:
                tracks += 1
                for frame, x, y, heading in moments:
                    number = seen[site.number] = seen.get(site.number, -1) + 1
                    track = f"{vehicle.name}_{site.name}_t{tracks:04d}"
                    time = _microseconds(FIRST_DAY) + (begin + frame) * TICK
                    shots.append(Shot(vehicle.number, site.number, track, time, number, (x, y), heading))
    return shots


def _passages(pictures: int, cameras: int, rng: np.random.Generator) -> list[int]:
    """How many pictures each passage has."""
    sizes: list[int] = []
    while (left := pictures - sum(sizes)) > 0:
        sizes.append(min(left, int(rng.integers(1, 5))))
    while len(sizes) < min(cameras, 4, pictures):
        largest = sizes.index(max(sizes))
        sizes.append(sizes[largest] // 2)
        sizes[largest] -= sizes[-1]
    return sizes


def _trips(passages: int, cameras: int, rng: np.random.Generator) -> list[int]:
    """How many passages each trip has: two to four trips where that can be."""
    wanted = int(rng.integers(2, 5))
    most = min(cameras, LONGEST_TRIP)
    first = min(passages, max(min(cameras, 4), min(most, passages // wanted)))
    rest = passages - first
    others = max(min(wanted - 1, rest), math.ceil(rest / most))
    return [first, *(len(part) for part in np.array_split(np.arange(rest), others) if others)] if others else [first]


Moment = tuple[int, float, float, float]
"""Frame from the trip's beginning, x, y, heading."""


def _drive(
    sites: Sequence[Site], sizes: Sequence[int], forward: bool, rng: np.random.Generator
) -> list[tuple[Site, list[Moment]]]:
    """A trip past neighbouring cameras in the ring's order, or against it where lanes lead there."""
    against = [site for site in sites if any(lane.direction < 0 for lane in site.lanes)]
    direction = -1 if not forward and len(against) >= len(sizes) and rng.random() < 0.35 else 1
    route = against[::-1] if direction < 0 else list(sites)
    start = int(rng.integers(len(route)))
    ring, clock, odometer = ring_length(sites), 0, 0.0
    found: list[tuple[Site, list[Moment]]] = []
    for number, size in enumerate(sizes):
        site = route[(start + number) % len(route)]
        passage = _pass(site, direction, size, rng)
        first = direction * (site.along + passage[0][1])
        if number:
            way = (first - odometer) % ring  # metres
            stops = int(rng.poisson(0.6))
            seconds = way / rng.uniform(*SPEEDS) + float(rng.uniform(5, 45, stops).sum())
            clock += math.ceil(seconds * RATE)
        found.append((site, [(clock + frame, x, y, heading) for frame, x, y, heading in passage]))
        clock, odometer = found[-1][1][-1][0], direction * (site.along + passage[-1][1])
    return found


def _pass(site: Site, direction: int, size: int, rng: np.random.Generator) -> list[Moment]:
    """One passage: ``size`` moments within the watched stretch."""
    lanes: list[Lane] = [lane for lane in site.lanes if lane.direction == direction]
    lane = lanes[int(rng.integers(len(lanes)))]
    length = site.stretch[1] - site.stretch[0]
    frames = np.cumsum([0, *rng.integers(math.ceil(0.3 * RATE), int(0.8 * RATE) + 1, size - 1)])
    seconds = float(frames[-1]) / RATE
    speed = min(float(rng.uniform(4, 12)), 0.9 * length / max(seconds, 0.1))
    begin = float(rng.uniform(0, length - speed * seconds))
    aside, askew = float(rng.normal(0, 0.25)), float(rng.normal(0, 1.5))
    turn = float(rng.uniform(20, 70)) if rng.random() < site.turning else 0.0
    leaving = bool(rng.random() < 0.5)
    moments: list[Moment] = []
    for frame in frames.tolist():
        driven = begin + speed * frame / RATE
        x = site.stretch[0] + driven if direction > 0 else site.stretch[1] - driven
        # a vehicle that turns leaves to the left, or comes from there: that side of its lane is road
        share = driven / length if leaving else 1 - driven / length
        shift = min(2.5, length * math.sin(math.radians(turn)) / 3 * share**3)
        heading = (0 if direction > 0 else 180) + askew + float(rng.normal(0, 0.6)) + (1 if leaving else -1) * turn * share**2
        y = lane.across + direction * (aside + shift)
        moments.append((frame, round(x, 3), round(y, 3), round(heading % 360, 2)))
    return moments
