"""Studio: pictures of vehicles as the cameras of a drawn city take them."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Float, UInt8

from clipsenet.synthetic import lens
from clipsenet.synthetic.body import Body
from clipsenet.synthetic.identity import Vehicle, make_vehicles
from clipsenet.synthetic.light import Light, light_at
from clipsenet.synthetic.renderer import Prop, Renderer
from clipsenet.synthetic.scenery import make_scenery
from clipsenet.synthetic.shadows import Stand, cast_shadow
from clipsenet.synthetic.shots import Shot
from clipsenet.synthetic.sites import Site
from clipsenet.synthetic.viewing import Eye, moved, view_of

Box = tuple[int, int, int, int]
T = TypeVar("T")

TRAFFIC = 10
"""Vehicles that only pass by: they hide others, and nobody asks for them."""

FRAME = (960, 540)
"""Width and height of whole frames, in pixels."""


@dataclass(frozen=True, eq=False)
class Photograph:
    """A picture of one vehicle, cut out as a detector would.

    Attributes:
        image: ``(height, width, 3)`` sRGB.
        view: which side is seen, by VeRi-776's names.
        plate: x, y, width, height of the number plate in pixels, where it is seen.
        quality: of the JPEG file.
        light: day, dusk or night.
        weather: clear, cloudy, rain or fog.
    """

    image: UInt8[np.ndarray, "height width 3"]
    view: str
    plate: Box | None
    quality: int
    light: str
    weather: str


@dataclass(frozen=True)
class Seen:
    """A vehicle in a frame.

    Attributes:
        box: x, y, width, height in pixels, within the frame.
        visibility: share of what faces the camera that nothing hides, 0 to 1.
        view: which side is seen.
        plate: as in a Photograph, in the frame's pixels.
    """

    box: tuple[float, float, float, float]
    visibility: float
    view: str
    plate: Box | None


@dataclass(frozen=True, eq=False)
class Frame:
    """A whole picture of one camera.

    Attributes:
        image: ``(height, width, 3)`` sRGB.
        seen: one for each shot that was asked for; none where it is not in the picture.
        quality, light, weather: as in a Photograph.
    """

    image: UInt8[np.ndarray, "height width 3"]
    seen: tuple[Seen | None, ...]
    quality: int
    light: str
    weather: str


class Studio:
    """Draws shots, one window and the bodies last used kept. A picture depends on the city's seed and its shot alone.

    Args:
        seed: of the city.
        vehicles: all of them.
        sites: all of them.
        size: the longest side of a picture of one vehicle, in pixels.
        bodies: a folder of meshes instead of the bodies made in code.

    Raises:
        ClipsenetError: nothing on this system draws without a display; a broken mesh.
    """

    def __init__(
        self, seed: int, vehicles: Sequence[Vehicle], sites: Sequence[Site], size: int = 256, bodies: Path | None = None
    ) -> None:
        self.seed, self.size = seed, size
        self.vehicles = {vehicle.number: vehicle for vehicle in vehicles}
        self.sites = {site.number: site for site in sites}
        self.traffic = make_vehicles(TRAFFIC, seed + 7_000_000)
        self.make_body = _maker(bodies)
        self._renderer: Renderer | None = None
        self._bodies: OrderedDict[int, tuple[Body, Prop]] = OrderedDict()
        self._streets: OrderedDict[int, tuple[Prop, Prop]] = OrderedDict()
        self._use(size, size)

    def photograph(self, shot: Shot) -> Photograph:
        """The vehicle of a shot, cut out by a box that is as loose or tight as this camera's detector."""
        site = self.sites[shot.camera]
        rng = np.random.default_rng((self.seed, 21, *shot.key))
        renderer = self._use(self.size, self.size)
        light = light_at(shot.time, self.seed, site.number)
        body, prop = self._body(self.vehicles[shot.vehicle])
        stand = Stand(body, shot.place, shot.heading)
        points = moved(_all_points(body), shot.place, shot.heading)
        eye, box = _aim(site, points, site.looseness, rng)
        stands = [stand]
        prop.place(*shot.place, shot.heading)
        props = [*self._street(site, rng, shot), prop]
        for other, place, heading in self._others(site, shot, body, rng):
            other_body, other_prop = self._body(other)
            other_prop.place(*place, heading)
            props.append(other_prop)
            stands.append(Stand(other_body, place, heading))
        shadows = [renderer.shadow(*cast_shadow(one, light)) for one in stands]
        straight = renderer.draw([*props, *shadows], eye, light, _edge(light, shot, rng))
        depth = renderer.depth()

        pixels = (
            site.sensor.pixels * float(np.clip(_nominal(site) / stand.distance(site.eye), 0.6, 1.7)) * rng.uniform(0.85, 1.15)
        )
        longer = int(np.clip(pixels, min(56, self.size), self.size))
        left, top, right, bottom = (round(edge * self.size) for edge in box)
        straight = straight[top:bottom, left:right]
        if light.lamps:
            self._burn(straight, stands, eye, depth, (left, top))
        factor = min(1.0, longer / max(straight.shape[:2]))
        width, height = (max(24, round(side * factor)) for side in (straight.shape[1], straight.shape[0]))
        image = self._develop(lens.bend(lens.resized(straight, width, height), site.sensor.bend), site, light, rng)
        plate = _plate(body, shot, eye, depth)
        if plate is not None:
            inside = (plate * self.size - (left, top)) / (right - left, bottom - top)
            plate = lens.bent(inside, site.sensor.bend) * (width, height)
        quality = int(np.clip(site.sensor.quality + rng.integers(-6, 7), 25, 95))
        view = view_of(site.eye, shot.place, shot.heading)
        return Photograph(image, view, _within(plate, width, height), quality, light.part, light.weather)

    def frame(self, site: Site, shots: Sequence[Shot], time: int, key: int) -> Frame:
        """A whole frame of a camera.

        Args:
            site: the camera.
            shots: the vehicles before it, where they are at this moment.
            time: microseconds since 1970, UTC.
            key: seeds the frame's noise.
        """
        width, height = FRAME
        rng = np.random.default_rng((self.seed, 22, site.number, key))
        renderer = self._use(width, height)
        light = light_at(time, self.seed, site.number)
        eye = Eye(site.eye, (0.0, 0.0, 0.6), _frame_angle(site), width / height)
        stands, props = [], [self._street_prop(site)]
        for shot in shots:
            body, prop = self._body(self.vehicles[shot.vehicle])
            prop.place(*shot.place, shot.heading)
            props.append(prop)
            stands.append(Stand(body, shot.place, shot.heading))
        shadows = [renderer.shadow(*cast_shadow(one, light)) for one in stands]
        straight = renderer.draw([*props, *shadows], eye, light)
        depth = renderer.depth()
        if light.lamps:
            self._burn(straight, stands, eye, depth, (0, 0))
        image = self._develop(lens.bend(straight, site.sensor.bend), site, light, rng)
        seen = tuple(_see(stand, shot, site, eye, depth) for stand, shot in zip(stands, shots, strict=True))
        return Frame(image, seen, site.sensor.quality, light.part, light.weather)

    def close(self) -> None:
        """Give the window back."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _use(self, width: int, height: int) -> Renderer:
        if self._renderer is None or (self._renderer.width, self._renderer.height) != (width, height):
            self.close()
            self._bodies.clear()
            self._streets.clear()
            self._renderer = Renderer(width, height)
        return self._renderer

    def _body(self, vehicle: Vehicle) -> tuple[Body, Prop]:
        """The vehicle's body; traffic has numbers below 0 here."""

        def make() -> tuple[Body, Prop]:
            assert self._renderer is not None
            body = self.make_body(vehicle)
            return body, self._renderer.prop(body.parts, dict(body.skins))

        key = vehicle.number if self.vehicles.get(vehicle.number) is vehicle else -vehicle.number
        return _kept(self._bodies, key, make, TRAFFIC + 6)

    def _street_prop(self, site: Site) -> Prop:
        return self._street_props(site)[0]

    def _street_props(self, site: Site) -> tuple[Prop, Prop]:
        def make() -> tuple[Prop, Prop]:
            assert self._renderer is not None
            scenery = make_scenery(site, self.seed)
            return self._renderer.prop(scenery.parts, scenery.skins), self._renderer.prop(scenery.pole, scenery.skins)

        return _kept(self._streets, site.number, make, 24)

    def _street(self, site: Site, rng: np.random.Generator, shot: Shot) -> list[Prop]:
        """The street, and now and then its pole between the camera and the vehicle."""
        street, pole = self._street_props(site)
        if rng.random() > 0.07:
            return [street]
        share = rng.uniform(0.35, 0.7)
        aside = rng.uniform(-1.6, 1.6)
        across = np.array([-site.eye[1], site.eye[0]]) / np.hypot(site.eye[0], site.eye[1])
        x, y = np.array(site.eye[:2]) * share + np.array(shot.place) * (1 - share) + across * aside
        pole.place(float(x), float(y))
        return [street, pole]

    def _others(
        self, site: Site, shot: Shot, body: Body, rng: np.random.Generator
    ) -> list[tuple[Vehicle, tuple[float, float], float]]:
        """Traffic: in the next lane, ahead or behind; sometimes it hides a part of the vehicle."""
        found = []
        x, y = shot.place
        for lane in site.lanes:
            same = abs(lane.across - y) < 1.6
            if rng.random() > (0.28 if same else 0.3):
                continue
            other = self.traffic[int(rng.integers(len(self.traffic)))]
            length = self._body(other)[0].size[0]
            clear = (body.size[0] + length) / 2 + 1.2 if same else 0.0
            turned = abs((shot.heading + 90) % 180 - 90) > 12
            if turned:
                clear = (body.size[0] + length) / 2 + 2.0
            gap = clear + float(rng.uniform(0, 5)) if clear else float(rng.uniform(-5, 5))
            sign = 1 if rng.random() < 0.5 else -1
            found.append((other, (x + (sign * gap if clear else gap), lane.across), 0.0 if lane.direction > 0 else 180.0))
            if len(found) == 2:
                break
        kept: list[tuple[Vehicle, tuple[float, float], float]] = []
        for one in found:  # two of them may not stand in each other
            if all(abs(one[1][1] - other[1][1]) > 1.6 for other in kept) and not _blocks(site, one[1]):
                kept.append(one)
        return kept

    def _burn(
        self,
        straight: lens.Linear,
        stands: Sequence[Stand],
        eye: Eye,
        depth: Float[np.ndarray, "_ _"],
        corner: Box | tuple[int, int],
    ) -> None:
        """Lamps that burn and are seen, in place."""
        renderer = self._renderer
        assert renderer is not None
        for stand in stands:
            for lamp in stand.body.lamps:
                if not lamp.works:
                    continue
                (place,) = moved(np.array([lamp.place]), stand.place, stand.heading)
                facing = stand.facing(eye.place) * (1 if lamp.kind == "head" else -1)
                ((x, y, distance),) = eye.project(place[None])
                if facing < 0.05 or not _is_seen(depth, x, y, distance, 0.5):
                    continue
                radius = 0.075 / (2 * np.tan(np.deg2rad(eye.angle) / 2) * distance) * renderer.height
                head = lamp.kind == "head"
                colour = (1.0, 0.95, 0.82) if head else (1.0, 0.06, 0.03)
                strength = (2.2 if head else 0.75) * facing**0.5
                px, py = x * renderer.width - corner[0], y * renderer.height - corner[1]
                lens.glow(straight, px, py, max(0.8, float(radius)), colour, strength)

    def _develop(
        self, straight: lens.Linear, site: Site, light: Light, rng: np.random.Generator
    ) -> UInt8[np.ndarray, "height width 3"]:
        sensor = site.sensor
        if light.weather == "rain":
            lens.streaks(straight, rng)
        scale = max(straight.shape[:2]) / 256
        smear = {"day": 0.0, "dusk": 1.5, "night": 3.0}[light.part] * scale * rng.uniform(0, 1)
        soft = lens.blurred(straight, sensor.blur * max(scale, 0.5) * rng.uniform(0.8, 1.25), float(smear))
        # the automatic exposure aims at the middle grey of what it sees, and does not quite get there by night
        mean = float(np.mean(soft @ np.array([0.2126, 0.7152, 0.0722])))
        aim = {"day": 0.2, "dusk": 0.15, "night": 0.1}[light.part]
        gain = float(np.clip((aim / max(mean, 1e-3)) ** 0.75, 0.5, 6.0))
        noise = {"day": 1.0, "dusk": 1.3, "night": 1.9}[light.part]
        return lens.expose(soft, sensor, gain, noise, rng)


def _maker(bodies: Path | None) -> Callable[[Vehicle], Body]:
    if bodies is None:
        from clipsenet.synthetic.bodies import build

        return build
    from clipsenet.synthetic.bodies.imported import maker

    return maker(bodies)


def _kept(cache: OrderedDict[int, T], key: int, make: Callable[[], T], most: int) -> T:
    """What was made before, or is made now; the one that was not used for longest goes."""
    if key in cache:
        cache.move_to_end(key)
        return cache[key]
    cache[key] = made = make()
    if len(cache) > most:
        cache.popitem(last=False)
    return made


def _all_points(body: Body) -> Float[np.ndarray, "n 3"]:
    return np.concatenate([part.points for part in body.parts]).astype(np.float64)


def _nominal(site: Site) -> float:
    return float(np.linalg.norm(site.eye))


def _aim(
    site: Site, points: Float[np.ndarray, "n 3"], looseness: float, rng: np.random.Generator
) -> tuple[Eye, tuple[float, float, float, float]]:
    """An eye whose square picture just holds the box, and the box: left, top, right, bottom, 0 to 1."""
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    eye = Eye(site.eye, (float(middle[0]), float(middle[1]), float(middle[2])), 40.0)
    margins = np.clip(rng.normal(looseness, 0.03, 4), -0.08, 0.3)
    for _ in range(2):  # after turning to the box's middle it is another box
        x0, y0, x1, y1 = _bounds(eye, points)
        wide, high = x1 - x0, y1 - y0
        x0, x1 = x0 - margins[0] * wide, x1 + margins[1] * wide
        y0, y1 = y0 - margins[2] * high, y1 + margins[3] * high
        target = eye.through((x0 + x1) / 2, (y0 + y1) / 2)
        reach = max(x1 - x0, y1 - y0) * 1.002
        angle = float(np.rad2deg(2 * np.arctan(np.tan(np.deg2rad(eye.angle) / 2) * reach)))
        eye = Eye(site.eye, target, angle)
    x0, y0, x1, y1 = _bounds(eye, points)
    wide, high = x1 - x0, y1 - y0
    x0, x1 = x0 - margins[0] * wide, x1 + margins[1] * wide
    y0, y1 = y0 - margins[2] * high, y1 + margins[3] * high
    return eye, (max(0.0, x0), max(0.0, y0), min(1.0, x1), min(1.0, y1))


def _bounds(eye: Eye, points: Float[np.ndarray, "n 3"]) -> tuple[float, float, float, float]:
    places = eye.project(points)[:, :2]
    (x0, y0), (x1, y1) = places.min(axis=0), places.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def _frame_angle(site: Site) -> float:
    """Wide enough for the whole watched stretch, in degrees from top to bottom."""
    reach = max(abs(site.stretch[0]), abs(site.stretch[1])) + 3.0
    return float(np.clip(np.rad2deg(2 * np.arctan(reach / _nominal(site))) * FRAME[1] / FRAME[0], 22, 62))


def _edge(light: Light, shot: Shot, rng: np.random.Generator) -> tuple[float, float, float] | None:
    """The edge of a house's shadow across the scene, in a third of the pictures with a hard sun."""
    drawn = rng.random()
    if light.part == "night" or light.hard < 0.5 or drawn > 0.4:
        return None
    turn, away = rng.uniform(0, 2 * np.pi), rng.uniform(-2.5, 2.5)
    a, b = float(np.cos(turn)), float(np.sin(turn))
    return a, b, float(-(a * shot.place[0] + b * shot.place[1]) + away)


def _blocks(site: Site, place: tuple[float, float]) -> bool:
    """Whether a vehicle there would stand right before the camera."""
    return float(np.hypot(place[0] - site.eye[0], place[1] - site.eye[1])) < 5.0


def _is_seen(depth: Float[np.ndarray, "height width"], x: float, y: float, distance: float, slack: float) -> bool:
    """Whether nothing nearer hides a point; x and y from 0 to 1."""
    height, width = depth.shape
    if not (0 <= x < 1 and 0 <= y < 1) or distance <= 0:
        return False
    return bool(depth[int(y * height), int(x * width)] > distance - slack)


def _plate(body: Body, shot: Shot, eye: Eye, depth: Float[np.ndarray, "_ _"]) -> Float[np.ndarray, "4 2"] | None:
    """The corners of the plate that is seen, 0 to 1."""
    for corners in body.plates.values():
        points = moved(corners, shot.place, shot.heading)
        normal = np.cross(points[1] - points[0], points[3] - points[0])
        if normal @ (np.array(eye.place) - points[0]) <= 0:
            continue
        places = eye.project(points)
        ((x, y, distance),) = eye.project(points.mean(axis=0)[None])
        if _is_seen(depth, x, y, distance, 0.15):
            return places[:, :2]
    return None


def _within(corners: Float[np.ndarray, "4 2"] | None, width: int, height: int) -> Box | None:
    """The box of some corners, in whole pixels; none where it is outside."""
    if corners is None:
        return None
    (x0, y0), (x1, y1) = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    x0, y0, x1, y1 = max(0.0, x0), max(0.0, y0), min(float(width), x1), min(float(height), y1)
    return (int(x0), int(y0), int(x1 - x0), int(y1 - y0)) if x1 > x0 and y1 > y0 else None


def _see(stand: Stand, shot: Shot, site: Site, eye: Eye, depth: Float[np.ndarray, "_ _"]) -> Seen | None:
    width, height = FRAME
    normals = np.concatenate([part.normals for part in stand.body.parts]).astype(np.float64)
    points = _all_points(stand.body)
    world = moved(points, shot.place, shot.heading)
    turned = moved(normals, (0.0, 0.0), shot.heading)
    places = eye.project(world)
    if (places[:, 2] < 0.5).any():
        return None
    places[:, :2] = lens.bent(places[:, :2], 0.0)
    facing = np.flatnonzero((turned * (np.array(eye.place) - world)).sum(axis=1) > 0)
    facing = facing[:: max(1, len(facing) // 400)]
    visible = [_is_seen(depth, places[row, 0], places[row, 1], places[row, 2], 0.6) for row in facing]
    bounds = lens.bent(places[:, :2], site.sensor.bend)
    (x0, y0), (x1, y1) = bounds.min(axis=0), bounds.max(axis=0)
    x0, y0, x1, y1 = max(0.0, x0), max(0.0, y0), min(1.0, x1), min(1.0, y1)
    if x1 - x0 < 8 / width or y1 - y0 < 8 / height or not any(visible):
        return None
    plate = _plate(stand.body, shot, eye, depth)
    if plate is not None:
        plate = lens.bent(plate, site.sensor.bend) * (width, height)
    box = (x0 * width, y0 * height, (x1 - x0) * width, (y1 - y0) * height)
    rounded = tuple(round(float(value), 2) for value in box)
    view = view_of(site.eye, shot.place, shot.heading)
    return Seen((rounded[0], rounded[1], rounded[2], rounded[3]), float(np.mean(visible)), view, _within(plate, width, height))
