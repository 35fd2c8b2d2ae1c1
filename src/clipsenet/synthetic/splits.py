"""Splits: which vehicles train, validate and test; look-alikes are never parted."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from clipsenet.errors import UsageError
from clipsenet.synthetic.identity import Vehicle

Part = Literal["train", "validation", "test"]


def split_vehicles(vehicles: Sequence[Vehicle], validation: float, test: float, seed: int) -> dict[int, Part]:
    """A vehicle's number to its part. Whole groups go where most is wanting, those with look-alikes in a stream of their own.

    So the shares hold among vehicles with a look-alike and among those without one, and each part that is asked for has
    look-alikes as soon as there are as many groups of them as parts.

    Args:
        vehicles: with their groups.
        validation: its share, 0 to 1.
        test: its share; the rest trains.
        seed: decides ties only.

    Raises:
        UsageError: a part that is asked for gets no vehicle.
    """
    shares: dict[Part, float] = {"train": 1 - validation - test, "validation": validation, "test": test}
    asked = sorted((part for part in shares if shares[part] > 1e-9), key=lambda part: -shares[part])
    groups: dict[int, list[int]] = {}
    for vehicle in vehicles:
        groups.setdefault(vehicle.group, []).append(vehicle.number)
    found: dict[int, Part] = {}
    for alone in (False, True):
        stream = [members for members in groups.values() if (len(members) == 1) is alone]
        ties = dict(zip(asked, np.random.default_rng((seed, 54, int(alone))).uniform(0, 0.01, len(asked)), strict=True))
        counts = dict.fromkeys(asked, 0)
        for place, members in enumerate(stream):
            after = sum(counts.values()) + len(members)
            waiting = [part for part in asked if part not in found.values()]
            urgent = waiting if not alone or len(stream) - place <= len(waiting) else []
            part = max(urgent or asked, key=lambda part: shares[part] * after - counts[part] + ties[part])
            counts[part] += len(members)
            found |= dict.fromkeys(members, part)
    empty = [part for part in asked if part not in found.values()]
    if empty:
        raise UsageError(
            f"--vehicles {len(vehicles)} in {len(groups)} groups of look-alikes, which stay together: none is left for "
            f"{' and '.join(empty)}; ask for more vehicles, or for --validation 0 or --test 0"
        )
    return dict(sorted(found.items()))
