"""Lens and sensor: from linear light to what a camera stores."""

import io

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates, uniform_filter1d

from clipsenet.synthetic.sites import Sensor

Linear = Float[np.ndarray, "height width 3"]


def resized(light: Linear, width: int, height: int) -> Linear:
    """Linear light at another size, each channel by itself."""
    channels = [
        np.asarray(Image.fromarray(light[..., i]).resize((width, height), Image.Resampling.BOX), dtype=np.float32)
        for i in range(3)
    ]
    return np.stack(channels, axis=2)


def glow(light: Linear, x: float, y: float, radius: float, colour: tuple[float, float, float], strength: float) -> None:
    """Add a lamp's glow in place: a bright core and a wide, weak halo; ``x``, ``y`` and ``radius`` in pixels."""
    height, width = light.shape[:2]
    reach = int(np.ceil(radius * 9))
    left, right = max(0, int(x) - reach), min(width, int(x) + reach + 1)
    top, bottom = max(0, int(y) - reach), min(height, int(y) + reach + 1)
    if left >= right or top >= bottom:
        return
    away = (np.arange(left, right)[None, :] - x) ** 2 + (np.arange(top, bottom)[:, None] - y) ** 2
    shape = np.exp(-away / (2 * radius**2)) + 0.09 * np.exp(-np.sqrt(away) / (2.2 * radius))
    light[top:bottom, left:right] += (strength * shape[..., None] * np.array(colour)).astype(np.float32)


def streaks(light: Linear, rng: np.random.Generator) -> None:
    """Rain, in place: short bright lines, all nearly upright."""
    height, width = light.shape[:2]
    for _ in range(int(width * height / 420)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        for step in range(int(rng.integers(3, 3 + max(2, height // 14)))):
            column, row = int(x - 0.15 * step), int(y + step)
            if 0 <= column < width and 0 <= row < height:
                light[row, column] = light[row, column] * 0.9 + 0.06


def expose(
    light: Linear, sensor: Sensor, gain: float, noise: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """The picture that a sensor makes.

    Args:
        light: ``(height, width, 3)`` linear, 1 is white paper in the sun.
        sensor: cast, exposure, curve, noise.
        gain: of the automatic exposure.
        noise: how much noisier than by day.
        rng: of the noise.
    """
    height, width = light.shape[:2]
    seen = light * gain * sensor.exposure * np.array(sensor.cast, dtype=np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    away = ((x / max(width - 1, 1) - 0.5) ** 2 + (y / max(height - 1, 1) - 0.5) ** 2)[..., None] * 2
    seen = seen * (1 - sensor.vignette * away)
    grey = seen @ np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
    seen = grey[..., None] + (seen - grey[..., None]) * sensor.saturation
    coded = np.clip(_shoulder(np.maximum(seen, 0)), 0, 1) ** (1 / 2.2)
    coded = np.clip(0.5 * (2 * coded) ** sensor.contrast, 0, 1) * 255
    sigma = sensor.noise * noise
    coded = coded + rng.normal(0, sigma, (height, width, 3)) * 0.3 + rng.normal(0, sigma, (height, width, 1)) * 0.9
    picture: UInt8[np.ndarray, "height width 3"] = np.clip(coded, 0, 255).astype(np.uint8)
    return picture


def _shoulder(light: Linear) -> Linear:
    """Highlights are compressed, not cut."""
    compressed: Linear = np.where(light < 0.7, light, 0.7 + 0.3 * (1 - np.exp(-(light - 0.7) / 0.3)))
    return compressed


def blurred(light: Linear, radius: float, smear: float) -> Linear:
    """Out of focus by ``radius`` pixels, and moved by ``smear`` pixels sideways while the shutter was open."""
    found = gaussian_filter(light, (radius, radius, 0), mode="nearest") if radius > 0.25 else light
    if smear > 1:
        found = uniform_filter1d(found, int(np.ceil(smear)), axis=1, mode="nearest")
    return found.astype(np.float32)


def bend(light: Linear, amount: float) -> Linear:
    """Barrel distortion: straight lines bow outwards, the corners stay where they are."""
    if amount == 0:
        return light
    height, width = light.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    u, v = x / (width - 1) * 2 - 1, y / (height - 1) * 2 - 1
    stretch = _stretch(u**2 + v**2, amount)
    places = [(v * stretch + 1) / 2 * (height - 1), (u * stretch + 1) / 2 * (width - 1)]
    bent: Linear = np.stack([map_coordinates(light[..., i], places, order=1, mode="nearest") for i in range(3)], axis=2)
    return bent


def bent(places: Float[np.ndarray, "n 2"], amount: float) -> Float[np.ndarray, "n 2"]:
    """Where points of the straight picture fall in the bent one; x and y, 0 to 1."""
    straight = places * 2 - 1
    found = straight
    for _ in range(6):  # the stretch is that of the place which is looked for
        found = straight / _stretch((found**2).sum(axis=1, keepdims=True), amount)
    return (found + 1) / 2


def _stretch(square: Float[np.ndarray, "*shape"], amount: float) -> Float[np.ndarray, "*shape"]:
    return (1 + amount * square) / (1 + 2 * amount)


def as_jpeg(picture: UInt8[np.ndarray, "height width 3"], quality: int) -> bytes:
    """The file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
