"""A published data set becomes a Benchmark: the step that its readers share."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from clipsenet.datasets.copies import Copy
from clipsenet.datasets.holding_out import HoldOutSettings, draw_vehicles
from clipsenet.protocol import Benchmark, Protocol
from clipsenet.sightings import NO_TIME, Labels, Sightings, Texts, Trial


def as_sightings(
    root: Path,
    path: Texts,
    vehicle: Labels,
    *,
    camera: Labels | None = None,
    view: Labels | None = None,
    track: Labels | None = None,
    extra: dict[str, Labels] | None = None,
    source: Path,
    line: Int[np.ndarray, " n"],
) -> Sightings:
    """Pictures below a data set's folder; a label that is left out is unknown.

    Args:
        root: the data set's folder.
        path: ``(n,)`` files, from ``root`` on.
        vehicle: whose picture each is.
        camera: which camera took it.
        view: from which side.
        track: which passage it belongs to.
        extra: further columns.
        source: the list that they were read from.
        line: ``(n,)`` the line there, 0 for none.
    """
    unknown = Labels.unknown(len(path))
    return Sightings(
        path=path,
        vehicle=vehicle,
        camera=camera or unknown,
        view=view or unknown,
        track=track or unknown,
        time=np.full(len(path), NO_TIME, dtype=np.int64),
        extra=extra or {},
        folder=os.path.abspath(root),
        source=str(source),
        line=line,
    )


def as_benchmark(
    name: str,
    train: Sightings,
    test: Sightings,
    trials: tuple[Trial, ...],
    own: Protocol,
    settings: HoldOutSettings,
    copy: Copy,
    fingerprint: str,
    notes: Sequence[str],
) -> Benchmark:
    """Hold validation vehicles out of training, and put protocol and notes beside the pictures.

    Args:
        name: as it stands on the card.
        train: all that may be learned from.
        test: what ``trials`` index.
        trials: the questions.
        own: the data set's own protocol.
        settings: what is held out, and what of the protocol is asked for otherwise.
        copy: what this copy is.
        fingerprint: of the test.
        notes: what else a reader of a score must know.

    Raises:
        ClipsenetError: as many validation vehicles as there are.
    """
    held_out = np.zeros(len(train), dtype=bool)
    remarks = [*notes, *copy.notes]
    if settings.validation_vehicles:
        rng = np.random.default_rng(settings.split_seed)
        held_out = draw_vehicles(train, ~held_out, settings.validation_vehicles, rng, "validation")
        remarks.append(
            f"{settings.validation_vehicles} training vehicles held out for validation, drawn with seed {settings.split_seed}"
        )
    return Benchmark(
        name=name,
        train=train[~held_out] if held_out.any() else train,
        validation=train[held_out],
        test=test,
        trials=trials,
        protocol=settings.protocol(own),
        fingerprint=fingerprint,
        copy=copy.kind,
        notes=tuple(remarks),
    )
