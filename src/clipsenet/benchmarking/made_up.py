"""Made-up features with a benchmark's true counts: what evaluation is measured on where no pictures are at hand.

The generator, all directions drawn from N(0, I) and brought to length 1 (nearly orthogonal to each other in 512-d):

* a vehicle is ``sqrt(0.85)`` of its model's direction and ``sqrt(0.15)`` of its own; five vehicles share a model, and are
  look-alikes with a cosine of 0.85;
* a picture is ``sqrt(0.65)`` vehicle, ``sqrt(0.1)`` its camera's direction, and noise of ``sqrt(0.25)`` times a factor
  drawn from exp(N(0, 0.5)), brought to length 1: pictures of one vehicle have cosines of 0.6 or so, blurred ones less;
* a vehicle's share of the pictures is drawn from a gamma distribution (shape 2), at least two each; its cameras are drawn
  from about half of all, its own.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from clipsenet.features import Features
from clipsenet.sightings import NO_TIME, TEXT, Labels, Sightings, Trial

VEHICLES_OF_A_MODEL = 5
CHUNK = 4096
"""Pictures drawn at once."""


@dataclass(frozen=True)
class Scale:
    """A benchmark's true counts.

    Attributes:
        queries: pictures that ask.
        gallery: pictures that are searched.
        vehicles: of the test.
        cameras: of the test.
        inside: whether the queries stand in the gallery, too.
    """

    queries: int
    gallery: int
    vehicles: int
    cameras: int
    inside: bool


SCALES = {
    "veri776": Scale(1_678, 11_579, 200, 19, inside=True),
    "veriwild-small": Scale(3_000, 38_861, 3_000, 174, inside=False),
    "veriwild-large": Scale(10_000, 128_517, 10_000, 174, inside=False),
}


def draw(scale: Scale, dim: int, seed: int = 0) -> tuple[Features, Trial]:
    """Features of a benchmark's test pictures, and its trial; the queries come first where they are not in the gallery.

    Args:
        scale: the counts.
        dim: the embeddings' length.
        seed: decides everything.
    """
    rng = np.random.default_rng(seed)
    outside = 0 if scale.inside else scale.queries
    vehicle = np.concatenate([np.arange(outside) % scale.vehicles, _share_out(scale.gallery, scale.vehicles, rng)])
    n = len(vehicle)
    seen_by = rng.permuted(np.tile(np.arange(scale.cameras), (scale.vehicles, 1)), axis=1)[:, : -(-scale.cameras // 2)]
    camera = seen_by[vehicle, rng.integers(seen_by.shape[1], size=n)]

    def directions(number: int) -> Float[np.ndarray, "number dim"]:
        drawn = rng.standard_normal((number, dim), dtype=np.float32)
        unit: Float[np.ndarray, "number dim"] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return unit

    model = directions(-(-scale.vehicles // VEHICLES_OF_A_MODEL))
    own, cast = directions(scale.vehicles), directions(scale.cameras)
    embeddings = np.empty((n, dim), dtype=np.float32)
    for start in range(0, n, CHUNK):
        part = slice(start, min(start + CHUNK, n))
        noise = directions(part.stop - start) * np.exp(rng.normal(0, 0.5, (part.stop - start, 1))).astype(np.float32)
        body = np.sqrt(0.85) * model[vehicle[part] // VEHICLES_OF_A_MODEL] + np.sqrt(0.15) * own[vehicle[part]]
        drawn = np.sqrt(0.65) * body + np.sqrt(0.1) * cast[camera[part]] + np.sqrt(0.25) * noise
        embeddings[part] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    names = [f"{row:06d}.jpg" for row in range(n)]
    sightings = Sightings(
        path=np.array(names, dtype=TEXT),
        vehicle=Labels(vehicle, tuple(f"{i:05d}" for i in range(scale.vehicles))),
        camera=Labels(camera, tuple(f"c{i:03d}" for i in range(scale.cameras))),
        view=Labels.unknown(n),
        track=Labels.unknown(n),
        time=np.full(n, NO_TIME, dtype=np.int64),
    )
    query = np.sort(rng.choice(n, scale.queries, replace=False)) if scale.inside else np.arange(outside)
    return Features(sightings, embeddings, "made up"), Trial(query, np.arange(outside, n), "made up")


def _share_out(pictures: int, vehicles: int, rng: np.random.Generator) -> Int[np.ndarray, " pictures"]:
    """The vehicle of each picture, in the vehicles' order as the lists have it; at least two pictures each."""
    share = rng.gamma(2, size=vehicles)
    count = 2 + np.floor(share / share.sum() * (pictures - 2 * vehicles)).astype(np.int64)
    count[: pictures - count.sum()] += 1
    return np.repeat(np.arange(vehicles), count)
