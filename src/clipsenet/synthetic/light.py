"""Light: the sun, the sky and the weather over the drawn city at a moment."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

import numpy as np

ZONE = dt.timezone(dt.timedelta(hours=8))
"""Of the drawn city."""

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """What shines, in linear RGB; 1 is white paper in the sun.

    Attributes:
        part: of the day.
        weather: as it says.
        towards: unit vector to the sun, by night to the street lamps; z up, x along the road.
        sun: its light; grey and weak where clouds are before it.
        sky: of the zenith.
        horizon: of the sky above the horizon.
        ground: what the ground throws back upwards.
        haze: how much a metre of air takes, 0 to 1.
        wet: how wet the road is, 0 to 1.
        lamps: whether vehicles have their lamps on.
        hard: how hard shadows are, 0 to 1.
    """

    part: Literal["day", "dusk", "night"]
    weather: Literal["clear", "cloudy", "rain", "fog"]
    towards: Rgb
    sun: Rgb
    sky: Rgb
    horizon: Rgb
    ground: Rgb
    haze: float
    wet: float
    lamps: bool
    hard: float

    @property
    def on_the_ground(self) -> float:
        """How bright white paper on the street is."""
        return self.sun[1] * self.towards[2] + self.sky[1]


def light_at(time: int, seed: int, site: int) -> Light:
    """The light at a site; the weather is the whole city's and changes by the half hour.

    Args:
        time: microseconds since 1970, UTC.
        seed: of the city.
        site: the camera's number: its road has a direction of its own.
    """
    moment = dt.datetime.fromtimestamp(time / 1e6, ZONE)
    hour = moment.hour + moment.minute / 60
    part: Literal["day", "dusk", "night"] = "day" if 7 <= hour < 17.5 else "dusk" if 6 <= hour < 19 else "night"
    rng = np.random.default_rng((seed, 31, moment.toordinal(), int(hour * 2)))
    weathers: tuple[Literal["clear", "cloudy", "rain", "fog"], ...] = ("clear", "cloudy", "rain", "fog")
    weather = weathers[int(rng.choice(4, p=[0.5, 0.3, 0.12, 0.08]))]
    bearing = np.deg2rad((hour - 12) * 15 + np.random.default_rng((seed, 32, site)).uniform(0, 360))
    # highest at noon, never so low that a whole street lies in the shadow of its houses
    height = np.deg2rad(max(14.0, 62 * np.sin(np.pi * np.clip((hour - 5.5) / 13, 0, 1))))
    towards = np.array([np.cos(bearing) * np.cos(height), np.sin(bearing) * np.cos(height), np.sin(height)])
    if part == "night":
        towards = np.array([0.35 * np.cos(bearing), 0.35 * np.sin(bearing), 0.94])
        towards /= np.linalg.norm(towards)
    sun, sky, horizon = _colours(part, weather)
    ground = 0.22 * (sun * towards[2] + sky)
    return Light(
        part,
        weather,
        _three(towards),
        _three(sun),
        _three(sky),
        _three(horizon),
        _three(ground),
        haze={"clear": 0.0, "cloudy": 0.001, "rain": 0.006, "fog": float(rng.uniform(0.012, 0.032))}[weather],
        wet={"rain": 1.0, "fog": 0.25}.get(weather, 0.0),
        lamps=part != "day" or (weather in ("rain", "fog") and bool(rng.random() < 0.6)),
        hard={"clear": 0.85, "cloudy": 0.15}.get(weather, 0.0) if part != "night" else 0.45,
    )


Colour = np.ndarray[tuple[int], np.dtype[np.float64]]


def _colours(part: str, weather: str) -> tuple[Colour, Colour, Colour]:
    """Sun, zenith, horizon."""
    if part == "day":
        clear = np.array([0.84, 0.80, 0.74]), np.array([0.27, 0.31, 0.38]), np.array([0.66, 0.70, 0.76])
        dull = np.array([0.16, 0.16, 0.16]), np.array([0.52, 0.54, 0.56]), np.array([0.62, 0.64, 0.66])
    elif part == "dusk":
        clear = np.array([0.46, 0.37, 0.28]), np.array([0.17, 0.19, 0.24]), np.array([0.46, 0.41, 0.38])
        dull = np.array([0.08, 0.08, 0.08]), np.array([0.24, 0.25, 0.27]), np.array([0.28, 0.28, 0.30])
    else:
        lamps = np.array([0.22, 0.20, 0.17]), np.array([0.085, 0.084, 0.084]), np.array([0.10, 0.094, 0.085])
        clear = dull = lamps
    if weather == "clear":
        return clear
    if weather == "cloudy":
        return (clear[0] * 0.25 + dull[0] * 0.75, clear[1] * 0.2 + dull[1] * 0.8, clear[2] * 0.2 + dull[2] * 0.8)
    return (dull[0] * 0.5, dull[1] * 0.85, dull[2] * 0.9)


def _three(values: Colour) -> Rgb:
    r, g, b = (round(float(value), 5) for value in values)
    return r, g, b
