"""Protocol: what decides a score and is rarely written down; a Benchmark is pictures, trials and a protocol."""

import hashlib
import os
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from clipsenet.errors import ClipsenetError
from clipsenet.settings import Settings
from clipsenet.sightings import Sightings, Trial

JunkRule = Literal["same-camera", "same-file"]


class Protocol(Settings):
    """How a benchmark is scored. The same file is always junk, whatever the rule."""

    junk: JunkRule = Field(
        default="same-camera",
        description="Gallery pictures left out for a query: its vehicle's in its own camera, or only its own file.",
    )
    ap: Literal["step"] = Field(
        default="step", description="Average precision: the mean of the precisions at the matches, without interpolation."
    )

    def describe_junk(self) -> str:
        """The junk rule as the card prints it."""
        same = "same vehicle in the same camera, and the same file"
        return same if self.junk == "same-camera" else "the same file only"


@dataclass(frozen=True, eq=False)
class Benchmark:
    """A data set with its questions. Code below asks for these fields, never for a data set's name.

    Attributes:
        name: as it stands on the card.
        train: pictures to learn from.
        validation: pictures of vehicles held out of ``train``, the only ones that may choose a checkpoint; may be empty.
        test: pictures that ``trials`` index.
        trials: the questions; scores are averaged over them.
        protocol: how they are scored.
        fingerprint: of the test pictures, see ``fingerprint``.
        copy: what is known of this copy of the data: official, older, modified, or your own pictures.
        notes: what a reader of a score must know about this copy of the data.
    """

    name: str
    train: Sightings
    validation: Sightings
    test: Sightings
    trials: tuple[Trial, ...]
    protocol: Protocol
    fingerprint: str
    copy: str
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        for name, part in (("train", self.train), ("validation", self.validation)):
            if not part.vehicle.known.all():
                row = int((~part.vehicle.known).argmax())
                raise ClipsenetError(
                    f"{part.describe(row)}: a {name} picture without a vehicle; name its vehicle or leave it out"
                )
        tested = set(self.validation.vehicle.texts().tolist()) & set(self.test.vehicle.texts().tolist())
        if tested:
            raise ClipsenetError(
                f"{self.name}: {len(tested)} vehicles stand in validation and in the test, for instance '{min(tested)}'; "
                "a checkpoint chosen on tested vehicles makes the test worthless: give validation vehicles of its own"
            )
        held_out = set(self.validation.vehicle.texts().tolist()) & set(self.train.vehicle.texts().tolist())
        if held_out:
            raise ClipsenetError(
                f"{self.name}: {len(held_out)} vehicles stand in train and in validation, for instance "
                f"'{min(held_out)}'; validation needs vehicles of its own"
            )


def fingerprint(sightings: Sightings) -> str:
    """The first 16 hex digits of SHA-256 over the sorted file names (without folders), joined with newlines."""
    names = sorted(os.path.basename(str(path)) for path in sightings.path)
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
