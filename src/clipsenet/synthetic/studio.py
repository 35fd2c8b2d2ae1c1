"""Studio: pictures of vehicles as the cameras of a drawn city take them."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from clipsenet.synthetic import lens
from clipsenet.synthetic.aiming import aim, all_points, frame_angle, nominal, shadow_edge
from clipsenet.synthetic.body import Body
from clipsenet.synthetic.developing import burn, develop
from clipsenet.synthetic.identity import Vehicle, make_vehicles
from clipsenet.synthetic.light import light_at
from clipsenet.synthetic.photographs import FRAME, Frame, Photograph
from clipsenet.synthetic.renderer import Prop, Renderer
from clipsenet.synthetic.scenery import make_scenery
from clipsenet.synthetic.seeing import plate_corners, see, within
from clipsenet.synthetic.shadows import Stand, cast_shadow
from clipsenet.synthetic.shots import Shot
from clipsenet.synthetic.sites import Site
from clipsenet.synthetic.viewing import Eye, moved, view_of

T = TypeVar("T")

TRAFFIC = 10
"""Vehicles that only pass by: they hide others, and nobody asks for them."""


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
        points = moved(all_points(body), shot.place, shot.heading)
        eye, box = aim(site.eye, points, site.looseness, rng)
        stands = [stand]
        prop.place(*shot.place, shot.heading)
        street = self._street(site, rng, shot)
        props = [prop]
        for other, place, heading in self._others(site, shot, body, rng):
            other_body, other_prop = self._body(other)
            other_prop.place(*place, heading)
            props.append(other_prop)
            stands.append(Stand(other_body, place, heading))
        shadows = [renderer.shadow(*cast_shadow(one, light)) for one in stands]
        straight = renderer.draw([*props, *street, *shadows], eye, light, shadow_edge(light, shot.place, rng))
        depth = renderer.depth()

        pixels = (
            site.sensor.pixels * float(np.clip(nominal(site) / stand.distance(site.eye), 0.6, 1.7)) * rng.uniform(0.85, 1.15)
        )
        longer = int(np.clip(pixels, min(56, self.size), self.size))
        left, top, right, bottom = (round(edge * self.size) for edge in box)
        straight = straight[top:bottom, left:right]
        if light.lamps:
            burn(straight, stands, eye, depth, (left, top), self.size)
        factor = min(1.0, longer / max(straight.shape[:2]))
        width, height = (max(24, round(side * factor)) for side in (straight.shape[1], straight.shape[0]))
        bent = lens.bend(lens.resized(straight, width, height), site.sensor.bend)
        image = develop(bent, site.sensor, light, max(width, height) / 256, rng)
        plate = plate_corners(body, shot.place, shot.heading, eye, depth)
        if plate is not None:
            inside = (plate * self.size - (left, top)) / (right - left, bottom - top)
            plate = lens.bent(inside, site.sensor.bend) * (width, height)
        quality = int(np.clip(site.sensor.quality + rng.integers(-6, 7), 25, 95))
        view = view_of(site.eye, shot.place, shot.heading)
        return Photograph(image, view, within(plate, width, height), quality, light.part, light.weather)

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
        eye = Eye(site.eye, (0.0, 0.0, 0.6), frame_angle(site), width / height)
        stands, props = [], []
        for shot in shots:
            body, prop = self._body(self.vehicles[shot.vehicle])
            prop.place(*shot.place, shot.heading)
            props.append(prop)
            stands.append(Stand(body, shot.place, shot.heading))
        shadows = [renderer.shadow(*cast_shadow(one, light)) for one in stands]
        straight = renderer.draw([*props, self._street_prop(site), *shadows], eye, light)
        depth = renderer.depth()
        if light.lamps:
            burn(straight, stands, eye, depth, (0, 0), height, width)
        image = develop(lens.bend(straight, site.sensor.bend), site.sensor, light, 0.8, rng)
        seen = tuple(see(stand, site.sensor.bend, eye, depth) for stand in stands)
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


def _blocks(site: Site, place: tuple[float, float]) -> bool:
    """Whether a vehicle there would stand right before the camera."""
    return float(np.hypot(place[0] - site.eye[0], place[1] - site.eye[1])) < 5.0
