"""Identity: what makes a drawn vehicle this one and no other, and which vehicles are look-alikes."""

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

FAMILIES = {
    "saloon": ("sedan", 0.26),
    "hatchback": ("hatchback", 0.16),
    "estate": ("estate", 0.07),
    "suv": ("suv", 0.16),
    "mpv": ("mpv", 0.06),
    "van": ("van", 0.09),
    "pickup": ("pickup", 0.06),
    "bus": ("bus", 0.03),
    "box-lorry": ("truck", 0.05),
    "flatbed": ("truck", 0.03),
    "tipper": ("truck", 0.03),
}
"""A family of bodies: its type by VeRi-776's names, and its share of the models on the road."""

CARS = ("saloon", "hatchback", "estate", "suv", "mpv")
LORRIES = ("box-lorry", "flatbed", "tipper")

COLOURS = {
    "white": ((226, 228, 228), 0.27),
    "black": ((26, 27, 30), 0.17),
    "gray": ((142, 146, 150), 0.22),
    "red": ((150, 24, 28), 0.08),
    "blue": ((32, 62, 128), 0.08),
    "brown": ((86, 62, 48), 0.04),
    "golden": ((176, 156, 116), 0.04),
    "green": ((38, 84, 58), 0.03),
    "yellow": ((214, 172, 36), 0.04),
    "orange": ((204, 94, 34), 0.03),
}
"""Paints by VeRi-776's names: sRGB, and their share."""

GROUPS = (1, 2, 1, 3, 1, 1, 1)
"""Sizes of the groups of look-alikes, over and over: five vehicles of ten have one."""

MODELS = 40
"""Models on the road; a few are common, most are rare, as in life."""

Side = Literal["left", "right"]
Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Model:
    """A make's model: vehicles of one model have the same body.

    Attributes:
        family: one of FAMILIES.
        key: seeds everything that its body is drawn from.
    """

    family: str
    key: tuple[int, ...]

    def rng(self, *what: int) -> np.random.Generator:
        """Random numbers that all vehicles of this model share."""
        return np.random.default_rng((*self.key, *what))


@dataclass(frozen=True)
class Sticker:
    """A sticker or a magnetic sign.

    Attributes:
        place: where on the body.
        across, up: its middle within that place, 0 to 1.
        size: in metres.
        colour: sRGB.
        shape: its outline.
    """

    place: Literal["rear", "left", "right", "bonnet", "rear-window"]
    across: float
    up: float
    size: float
    colour: Rgb
    shape: Literal["disc", "block", "wedge"]


@dataclass(frozen=True)
class Dent:
    """A dent or a patch of primer.

    Attributes:
        place: where on the body.
        across, up: its middle within that place, 0 to 1.
        size: in metres.
        primer: whether paint is missing there.
    """

    place: Literal["front", "rear", "left", "right"]
    across: float
    up: float
    size: float
    primer: bool


@dataclass(frozen=True)
class Details:
    """What tells a vehicle from the others of its model and colour.

    Attributes:
        tone: added to hue (turns), saturation and brightness of the paint.
        trim: of bumpers, sills and grille.
        roof: what is on it.
        sunroof, spoiler, tow_bar, mud_flaps: as they say.
        sun_strip: colour of the strip above the windscreen, or none.
        stickers, dents: from none to four.
        lettering: a seed for unreadable words on the sides of vans, lorries, buses and some cars; none: nothing.
        lettering_colour: sRGB.
        band: colour of a painted band along the sides, or none.
        dirt: 0 to 1.
        dead_lamp: the lamp that does not burn.
        rims: which of eight designs.
        rim_colour: sRGB.
        covers: plastic wheel covers instead of rims.
        tint: how dark the glass is, 0 to 1.
        load: what lies on an open bed.
        load_colour: sRGB.
    """

    tone: tuple[float, float, float]
    trim: Literal["painted", "black", "chrome"]
    roof: Literal["none", "rails", "bars", "box", "ladder", "luggage"]
    sunroof: bool
    spoiler: bool
    tow_bar: bool
    mud_flaps: bool
    sun_strip: Rgb | None
    stickers: tuple[Sticker, ...]
    dents: tuple[Dent, ...]
    lettering: int | None
    lettering_colour: Rgb
    band: Rgb | None
    dirt: float
    dead_lamp: Literal["none", "left-head", "right-head", "left-tail", "right-tail"]
    rims: int
    rim_colour: Rgb
    covers: bool
    tint: float
    load: Literal["none", "boxes", "pipes", "sand", "timber", "tarpaulin"]
    load_colour: Rgb

    def differences(self, other: "Details") -> list[str]:
        """The names of the details that a person would see to differ; a tone, dirt or tint only where it is marked."""
        found = []
        for field in fields(self):
            ours, theirs = getattr(self, field.name), getattr(other, field.name)
            if field.name == "tone":
                differ = max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) > 0.05
            elif isinstance(ours, float):
                differ = abs(ours - theirs) > 0.3
            elif field.name in ("lettering_colour", "load_colour", "rim_colour"):
                continue  # seen only with what they colour
            else:
                differ = ours != theirs
            if differ:
                found.append(field.name)
        return found


@dataclass(frozen=True)
class Vehicle:
    """One vehicle.

    Attributes:
        number: from 1; also its name, ``0001``.
        model: its body.
        colour: one of COLOURS.
        details: what tells it from others like it.
        lookalikes: numbers of the vehicles of the same model and colour that were made to be mistaken for it.
        group: the number of its group of look-alikes; a group never stands in two splits.
    """

    number: int
    model: Model
    colour: str
    details: Details
    lookalikes: tuple[int, ...]
    group: int

    @property
    def name(self) -> str:
        """Such as ``0001``."""
        return f"{self.number:04d}"

    @property
    def type(self) -> str:
        """By VeRi-776's names."""
        return FAMILIES[self.model.family][0]


def make_vehicles(count: int, seed: int) -> tuple[Vehicle, ...]:
    """The first ``count`` vehicles of a seed: a larger count begins with the same ones, apart from the last group.

    Args:
        count: at least 1.
        seed: decides everything, in this order: models, then group after group.
    """
    models = _models(seed)
    popularity = 1 / (np.arange(len(models)) + 4)
    found: list[Vehicle] = []
    group = 0
    while len(found) < count:
        size = min(GROUPS[group % len(GROUPS)], count - len(found))
        rng = np.random.default_rng((seed, 2, group))
        model = models[int(rng.choice(len(models), p=popularity / popularity.sum()))]
        colour = _choose_colour(model.family, rng)
        members: list[Details] = []
        while len(members) < size:
            drawn = _draw_details(model.family, colour, rng)
            if all(len(drawn.differences(other)) >= 3 for other in members):
                members.append(drawn)
        numbers = [len(found) + 1 + place for place in range(size)]
        found += [
            Vehicle(number, model, colour, details, tuple(other for other in numbers if other != number), group)
            for number, details in zip(numbers, members, strict=True)
        ]
        group += 1
    return tuple(found)


def _models(seed: int) -> list[Model]:
    rng = np.random.default_rng((seed, 1))
    shares = np.array([share for _, share in FAMILIES.values()])
    # the first ones are the common ones: of each family at least one is there
    families = [*FAMILIES, *rng.choice(list(FAMILIES), MODELS - len(FAMILIES), p=shares / shares.sum())]
    order = rng.permutation(len(families))
    return [Model(str(families[place]), (seed, 3, int(place))) for place in order]


def _choose_colour(family: str, rng: np.random.Generator) -> str:
    share = np.array([weight for _, weight in COLOURS.values()])
    if family in (*LORRIES, "van", "bus"):  # many are white, few are dark
        share = share * np.array([2.2, 0.3, 0.6, 1.2, 1.6, 0.3, 0.2, 1.5, 1.5, 1.5])
    return str(rng.choice(list(COLOURS), p=share / share.sum()))


def _draw_details(family: str, colour: str, rng: np.random.Generator) -> Details:
    car, lorry = family in CARS, family in LORRIES
    works = lorry or family in ("van", "bus", "pickup")

    def chance(share: float) -> bool:
        return bool(rng.random() < share)

    def paint() -> Rgb:
        bright = ((220, 220, 216), (24, 24, 26), (190, 30, 34), (34, 70, 150), (236, 190, 40), (40, 130, 70), (224, 110, 40))
        return bright[int(rng.integers(len(bright)))]

    roofs = ["none", "rails", "bars", "box", "ladder", "luggage"]
    roof_shares = {
        "saloon": [0.84, 0.0, 0.08, 0.05, 0.0, 0.03],
        "hatchback": [0.76, 0.04, 0.1, 0.06, 0.0, 0.04],
        "van": [0.64, 0.0, 0.14, 0.02, 0.16, 0.04],
        "pickup": [0.8, 0.04, 0.1, 0.0, 0.04, 0.02],
    }
    shares = (
        [0.44, 0.3, 0.12, 0.09, 0.0, 0.05]
        if family in ("estate", "suv", "mpv")
        else roof_shares.get(family, [1, 0, 0, 0, 0, 0])
    )
    loads = ["none", "boxes", "pipes", "sand", "timber", "tarpaulin"]
    load_shares = {
        "pickup": [0.35, 0.2, 0.08, 0.05, 0.12, 0.2],
        "flatbed": [0.15, 0.28, 0.2, 0.0, 0.22, 0.15],
        "tipper": [0.25, 0.0, 0.0, 0.5, 0.0, 0.25],
    }.get(family, [1, 0, 0, 0, 0, 0])
    places: tuple[Literal["rear", "left", "right", "bonnet", "rear-window"], ...]
    places = ("rear", "rear", "rear-window", "left", "right", "bonnet") if car else ("rear", "left", "right")
    shapes: tuple[Literal["disc", "block", "wedge"], ...] = ("disc", "block", "wedge")
    stickers = tuple(
        Sticker(
            places[int(rng.integers(len(places)))],
            round(float(rng.uniform(0.12, 0.88)), 3),
            round(float(rng.uniform(0.2, 0.8)), 3),
            round(float(rng.uniform(0.1, 0.3) * (1.6 if works else 1)), 3),
            paint(),
            shapes[int(rng.integers(3))],
        )
        for _ in range(int(rng.choice(5, p=[0.42, 0.28, 0.16, 0.09, 0.05])))
    )
    sides: tuple[Literal["front", "rear", "left", "right"], ...] = ("front", "rear", "left", "right")
    dents = tuple(
        Dent(
            sides[int(rng.integers(4))],
            round(float(rng.uniform(0.1, 0.9)), 3),
            round(float(rng.uniform(0.25, 0.75)), 3),
            round(float(rng.uniform(0.15, 0.5)), 3),
            chance(0.3),
        )
        for _ in range(int(rng.choice(4, p=[0.6, 0.22, 0.12, 0.06])))
    )
    lettering = int(rng.integers(1 << 30)) if chance({"van": 0.55, "bus": 0.8, "box-lorry": 0.75}.get(family, 0.07)) else None
    rim_shades: tuple[Rgb, ...] = ((176, 178, 182), (150, 152, 156), (64, 66, 70), (30, 31, 33), (206, 208, 212))
    lamps: tuple[Literal["left-head", "right-head", "left-tail", "right-tail"], ...]
    lamps = ("left-head", "right-head", "left-tail", "right-tail")
    trims: tuple[Literal["painted", "black", "chrome"], ...] = ("painted", "black", "chrome")
    return Details(
        tone=(
            round(float(rng.normal(0, 0.008)), 4),
            round(float(rng.normal(0, 0.04)), 4),
            round(float(rng.normal(0, 0.05 if colour in ("gray", "golden", "blue", "green") else 0.025)), 4),
        ),
        trim=trims[int(rng.choice(3, p=[0.5, 0.3, 0.2] if car else [0.25, 0.65, 0.1]))],
        roof=roofs[int(rng.choice(6, p=shares))],  # type: ignore[arg-type]
        sunroof=car and chance(0.22),
        spoiler=car and family != "mpv" and chance(0.2),
        tow_bar=(car or family in ("van", "pickup")) and chance(0.16),
        mud_flaps=chance(0.5 if works else 0.12),
        sun_strip=paint() if chance(0.14) else None,
        stickers=stickers,
        dents=dents,
        lettering=lettering,
        lettering_colour=paint(),
        band=paint() if chance(0.45 if works else 0.06) else None,
        dirt=round(float(rng.beta(1.2, 2.6)), 3),
        dead_lamp=lamps[int(rng.integers(4))] if chance(0.1) else "none",
        rims=int(rng.integers(8)),
        rim_colour=rim_shades[int(rng.integers(len(rim_shades)))],
        covers=chance(0.25),
        tint=round(float(rng.choice([0.2, 0.45, 0.85]) + rng.uniform(-0.1, 0.1)), 3),
        load=loads[int(rng.choice(6, p=load_shares))],  # type: ignore[arg-type]
        load_colour=paint(),
    )
