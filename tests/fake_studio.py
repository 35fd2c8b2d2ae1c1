"""A studio that needs no VTK: tiny pictures, each of its own colours; found by its name in other processes."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clipsenet.datasets.veri776.labels import VIEWS
from clipsenet.synthetic.shots import Shot
from clipsenet.synthetic.sites import Site

WIDTH, HEIGHT = 960, 540


@dataclass(frozen=True)
class Taken:
    image: np.ndarray
    view: str = ""
    plate: tuple[int, int, int, int] | None = None
    quality: int = 90
    light: str = "day"
    weather: str = "clear"
    seen: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Seen:
    box: tuple[float, float, float, float]
    visibility: float
    view: str
    plate: tuple[int, int, int, int] | None = None


class FakeStudio:
    """Waits a little where a test wants to kill it in the middle."""

    def __init__(self, seed: int, vehicles: Sequence[Any], sites: Sequence[Site], size: int, bodies: Path | None) -> None:
        self.seed = seed

    def photograph(self, shot: Shot) -> Taken:
        time.sleep(float(os.environ.get("FAKE_STUDIO_SECONDS", "0")))
        rng = np.random.default_rng((self.seed, *shot.key, shot.time))
        image = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        return Taken(image, VIEWS[int(rng.integers(8))], (1, 2, 3, 4) if rng.random() < 0.5 else None)

    def frame(self, site: Site, shots: Sequence[Shot], time: int, key: int) -> Taken:
        """A wide view from the side; a vehicle beyond 14 metres is out of it."""
        image = np.full((HEIGHT, WIDTH, 3), 100, dtype=np.uint8)
        seen: list[Seen | None] = []
        for shot in shots:
            left = WIDTH / 2 + shot.place[0] * 34 - 60
            if abs(shot.place[0]) > 13:
                seen.append(None)
                continue
            image[200:260, max(0, int(left)) : int(left) + 120] = 40 + shot.vehicle
            right = min(WIDTH, left + 120.37)
            seen.append(Seen((max(0.0, left), 200.0, right - max(0.0, left), 60.0), 0.1 if shot.number == 9 else 0.9, "left"))
        return Taken(image, seen=tuple(seen))

    def close(self) -> None:
        pass


class DyingStudio(FakeStudio):
    """Its process dies at the third vehicle."""

    def photograph(self, shot: Shot) -> Taken:
        if shot.vehicle == 3:
            os._exit(9)
        return super().photograph(shot)
