"""Disjoint: the vehicles of training, calibration and test are three sets; where they meet is refused."""

import hashlib
from collections.abc import Sequence

from clipsenet.errors import ClipsenetError
from clipsenet.files import short_name
from clipsenet.runs import Run, trained_on
from clipsenet.sightings import Sightings


def require_unlearned(run: Run, sightings: Sightings, part: str, *, other_vehicles: bool = False) -> list[str]:
    """Refuse vehicles that the run was trained on.

    Args:
        run: whose folder tells it.
        sightings: pictures of a benchmark's part.
        part: its name, for messages.
        other_vehicles: a vehicle that bears a trained one's name is another: numbers of two data sets.

    Returns:
        What a reader must know, where the folder does not tell.

    Raises:
        ClipsenetError: which were trained on, and what to do.
    """
    trained = trained_on(run.folder)
    if trained is None:
        return [f"whether the {part} vehicles were trained on is not known: {run.folder} does not list what it learned"]
    names = sightings.vehicle.texts().tolist()
    same = sorted({one for one in zip(names, map(short_name, sightings.files()), strict=True) if one in trained})
    advice = "a network is surer of those than of any other: give vehicles that it never saw"
    if same:
        raise ClipsenetError(f"{run.folder} was trained on {len(same)} of the {part} pictures, such as {same[0][1]}; {advice}")
    shared = sorted((set(names) - {""}) & {vehicle for vehicle, _ in trained})
    if shared and not other_vehicles:
        raise ClipsenetError(
            f"{len(shared)} {part} vehicles bear the name of one that {run.folder} was trained on, such as '{shared[0]}'; "
            f"{advice}, or pass --other-vehicles if the names are of another data set"
        )
    return [f"{len(shared)} {part} vehicles bear a trained one's name and were said to be others"] if shared else []


DIGITS = 16
"""Of a content that a calibration keeps."""


def name_digests(sightings: Sightings) -> tuple[str, ...]:
    """12 hex digits of SHA-256 over each vehicle's name, sorted: a calibration need not name anybody."""
    names = set(sightings.vehicle.texts().tolist()) - {""}
    return tuple(sorted(hashlib.sha256(name.encode()).hexdigest()[:12] for name in names))


def require_untouched(
    pictures: Sequence[str], named: Sequence[str], tested: Sequence[str], sightings: Sightings, *, other_vehicles: bool = False
) -> list[str]:
    """Refuse to test a calibration on pictures or vehicles that it was made from.

    Args:
        pictures: contents of those that made it, as long as ``DIGITS``.
        named: digests of their vehicles' names.
        tested: contents of the pictures that are to ask, empty where they cannot be read.
        sightings: of the test.
        other_vehicles: a vehicle that bears a known one's name is another.

    Returns:
        What a reader must know.

    Raises:
        ClipsenetError: how many, and what to do.
    """
    advice = "a test needs other vehicles; give them as the data's test part"
    same = set(pictures) & set(tested) - {""}
    if same:
        raise ClipsenetError(f"{len(same)} of the {len(set(tested) - {''})} pictures that ask made the calibration: {advice}")
    shared = set(named) & set(name_digests(sightings))
    if shared and not other_vehicles:
        names = sorted(set(sightings.vehicle.texts().tolist()) - {""})
        example = next(name for name in names if hashlib.sha256(name.encode()).hexdigest()[:12] in shared)
        raise ClipsenetError(
            f"{len(shared)} test vehicles bear the name of one that made the calibration, such as '{example}': {advice}, or "
            "pass --other-vehicles if the names are of another data set"
        )
    return [f"{len(shared)} test vehicles bear a calibrated one's name and were said to be others"] if shared else []
