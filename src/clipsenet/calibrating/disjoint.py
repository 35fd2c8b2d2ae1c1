"""Disjoint: the vehicles of training, calibration and test are three sets; where they meet is refused."""

import hashlib

from clipsenet.calibrating.calibration import Calibration
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


def picture_digests(sightings: Sightings) -> tuple[str, ...]:
    """12 hex digits of SHA-256 over vehicle and short file name of each picture, sorted."""
    pairs = zip(sightings.vehicle.texts().tolist(), map(short_name, sightings.files()), strict=True)
    return tuple(sorted({hashlib.sha256(f"{vehicle}\n{name}".encode()).hexdigest()[:12] for vehicle, name in pairs}))


def require_untouched(calibration: Calibration, sightings: Sightings) -> None:
    """Refuse to test a calibration on pictures that it was made from.

    Raises:
        ClipsenetError: how many, and what to do.
    """
    same = set(calibration.pictures) & set(picture_digests(sightings))
    if same:
        raise ClipsenetError(
            f"{len(same)} of the {len(sightings)} pictures made the calibration: a test needs other vehicles; give them as "
            "the data's test part"
        )
