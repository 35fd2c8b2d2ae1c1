"""Protocol: what decides a score and is rarely written down; a Benchmark is pictures, trials and a protocol."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from clipsenet.errors import ClipsenetError
from clipsenet.settings import Settings
from clipsenet.sightings import Sightings, Trial

JunkRule = Literal["same-camera", "same-file", "all-same-camera"]
ApRule = Literal["step", "trapezoid"]

JUNK = {
    "same-camera": "same vehicle in the same camera, and the same file",
    "same-file": "the same file only; the vehicle's other pictures of the same camera are kept",
    "all-same-camera": "every picture of the same camera, and the same file",
}
"""What each junk rule leaves out of the gallery for a query, as the card prints it."""


class Protocol(Settings):
    """How a benchmark is scored. The same file is always junk, whatever the rule."""

    junk: JunkRule = Field(
        default="same-camera",
        description="Gallery pictures left out for a query: its vehicle's of its own camera, only its own file, or all of "
        "its own camera.",
    )
    ap: ApRule = Field(
        default="step", description="Average precision: step (the mean of the precisions at the matches) or trapezoid."
    )
    beside: tuple[JunkRule, ...] = Field(default=(), description="Further junk rules, whose scores are printed beside.")
    similarities: tuple[str, ...] = Field(default=("cosine",), description="What is printed where nothing else is asked for.")


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
    """``fingerprint_names`` of the file names, without their folders."""
    return fingerprint_names(os.path.basename(str(path)) for path in sightings.path)


def fingerprint_names(names: Iterable[str]) -> str:
    """The first 16 hex digits of SHA-256 over the sorted names, joined with newlines."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]
