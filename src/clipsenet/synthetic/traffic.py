"""Traffic: who passes which camera, and when, in frames that show several vehicles at once."""

import math
from collections.abc import Sequence

import numpy as np

from clipsenet.synthetic.identity import LORRIES, Vehicle
from clipsenet.synthetic.schedule import FIRST_DAY, SPEEDS
from clipsenet.synthetic.shots import Shot
from clipsenet.synthetic.sites import Site

FRAME_RATE = 5
"""Frames a second."""

FRAME_TICK = 1_000_000 // FRAME_RATE
"""Microseconds of a frame."""

HOURS = (7, 20)
"""Of the first day, between which the clip begins, by seed: a set of frames has one light, that of its crowd."""

BEYOND = 9.0
"""Metres that a vehicle is followed before and behind the watched stretch."""

HEADWAY = 1.5
"""Seconds between one vehicle's rear and the next one's front, in one lane."""

SPACING = 2.4
"""Seconds from one vehicle to the next at a camera, on average."""

FLOW = 11.0
"""Metres a second at which the clip moves from camera to camera: each camera films while the crowd passes it."""


def begin(seed: int) -> int:
    """When the clip begins, in microseconds since 1970, UTC."""
    hour = int(np.random.default_rng((seed, 53)).integers(*HOURS))
    return (int(FIRST_DAY.timestamp()) + hour * 3600) * 1_000_000


def make_traffic(vehicles: Sequence[Vehicle], sites: Sequence[Site], pictures: int, seed: int) -> tuple[Shot, ...]:
    """A crowd drives past the cameras: each vehicle passes at least two, one after the other, where there are two.

    In a lane all drive at the lane's own speed, at least HEADWAY apart, so that no vehicle drives through another.

    Args:
        vehicles: that drive.
        sites: the cameras.
        pictures: about so many frames show a vehicle.
        seed: decides everything.

    Returns:
        By vehicle, then by time; all times are whole multiples of FRAME_TICK after ``begin``. Shots are made from BEYOND metres
        before the watched stretch to as many behind it: the first and last ones may be out of the picture.
    """
    speeds = {
        site.number: [float(np.random.default_rng((seed, 52, site.number, lane)).uniform(9, 14)) for lane in range(9)]
        for site in sites
    }
    seconds = np.mean([_length(site) / speeds[site.number][0] for site in sites])
    passed = min(len(sites), max(2, round(pictures / (float(seconds) * FRAME_RATE))))
    starts = len(sites) - passed + 1
    crowd = len(vehicles) * passed / len(sites) * SPACING  # seconds
    booked: dict[tuple[int, int], list[tuple[float, float]]] = {}
    shots: list[Shot] = []
    for vehicle in vehicles:
        rng = np.random.default_rng((seed, 53, vehicle.number))
        start, offset, clock = int(rng.integers(starts)), float(rng.uniform(0, crowd)), 0.0
        for number, site in enumerate(sites[start : start + passed]):
            wanted = offset + site.along / FLOW + float(rng.normal(0, 2))
            if number:
                before = sites[start + number - 1]
                way = site.along + site.stretch[0] - before.along - before.stretch[1] - 2 * BEYOND
                wanted = max(wanted, clock + way / SPEEDS[1])
            lanes = [row for row, lane in enumerate(site.lanes) if lane.direction > 0]
            lane = int(rng.choice(lanes))
            speed = speeds[site.number][lane]
            entry = _book(booked.setdefault((site.number, lane), []), max(0.0, wanted), _room(vehicle) / speed)
            clock = entry + _length(site) / speed
            aside, askew = float(rng.normal(0, 0.2)), float(rng.normal(0, 1))
            track = f"{vehicle.name}_{site.name}_t{number + 1:04d}"
            first, last = math.ceil(entry * FRAME_RATE), math.floor(clock * FRAME_RATE)
            for count, tick in enumerate(range(first, last + 1)):
                x = site.stretch[0] - BEYOND + (tick / FRAME_RATE - entry) * speed
                place = (round(x, 3), round(site.lanes[lane].across + aside, 3))
                time = begin(seed) + tick * FRAME_TICK
                shots.append(Shot(vehicle.number, site.number, track, time, count, place, round(askew % 360, 2)))
    return tuple(shots)


def _length(site: Site) -> float:
    """Metres on which a vehicle is followed."""
    return site.stretch[1] - site.stretch[0] + 2 * BEYOND


def _room(vehicle: Vehicle) -> float:
    """A length that no body of its family made in code exceeds, in metres; a longer mesh of the user's may touch others."""
    return 12.5 if vehicle.model.family == "bus" else 10.0 if vehicle.model.family in LORRIES else 6.0


def _book(booked: list[tuple[float, float]], wanted: float, room: float) -> float:
    """The first time from ``wanted`` on at which a vehicle of ``room`` seconds fits into a lane; it is booked."""
    time = wanted
    for other, others_room in sorted(booked):
        gap = HEADWAY + (room + others_room) / 2
        if time - gap < other < time + gap:
            time = other + gap
    booked.append((time, room))
    return time
