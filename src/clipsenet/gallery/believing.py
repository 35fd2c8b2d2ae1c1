"""Believing: what was found gets its confidences and verdict, from the pictures most alike, however it was grouped."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from clipsenet.calibrating.calibration import Calibration
from clipsenet.calibrating.deciding import Looked, Shown, decide
from clipsenet.calibrating.evidence import track_numbers
from clipsenet.features import Features
from clipsenet.gallery.hits import Found
from clipsenet.gallery.interface import Group
from clipsenet.gallery.local import LocalGallery
from clipsenet.quality import measure_qualities

First = tuple[Int[np.ndarray, " first"], Float[np.ndarray, " first"]]
"""Ids of the pictures most alike, and their similarities, descending."""

INEXACT = "an index of neighbours chose the candidates: a vehicle that it missed cannot be told from one that is absent"


def with_verdicts(
    gallery: LocalGallery,
    query: Features,
    found: Sequence[Found],
    first: Sequence[First],
    calibration: Calibration,
    *,
    group: Group | None,
    expect_absent: float | None = None,
) -> list[Found]:
    """What was found for each query, with confidences and verdict.

    Args:
        gallery: that was searched.
        query: the pictures that ask.
        found: for each of them.
        first: for each of them the pictures most alike, not grouped.
        calibration: of this run and similarity.
        group: how ``found`` is grouped. A track's similarity is that of its vector; it is judged by its picture most alike.
        expect_absent: another share of absent queries; none: the calibration's.
    """
    quality, _ = measure_qualities(query.sightings)
    return [
        _with_verdict(gallery, query.embeddings[row], one, first[row], calibration, group, float(quality[row]), expect_absent)
        for row, one in enumerate(found)
    ]


def _with_verdict(
    gallery: LocalGallery,
    vector: Float[np.ndarray, " dim"],
    found: Found,
    first: First,
    calibration: Calibration,
    group: Group | None,
    quality: float,
    expect_absent: float | None,
) -> Found:
    if not found.hits:
        return found
    ids, similarity = first
    shown_ids = np.array([hit.id for hit in found.hits], dtype=np.int64)
    values = [hit.similarity for hit in found.hits]
    if calibration.similarity == "cosine" and group == "track":
        values = (gallery.get(shown_ids).embeddings.astype(np.float64) @ vector).tolist()
    sightings = gallery.sightings(np.concatenate([ids, shown_ids]))
    track = track_numbers(sightings)
    place = {id_: number for number, id_ in enumerate(ids.tolist())}
    shown = [
        Shown(place.get(hit.id), value, int(number))
        for hit, value, number in zip(found.hits, values, track[len(ids) :], strict=True)
    ]
    tracks = bool(sightings.track.known.any())
    looked = Looked(similarity.astype(np.float64), track[: len(ids)], found.candidates, quality, tracks)
    confidences, verdict = decide(calibration, looked, shown, expect_absent)
    if not found.exact:
        verdict = replace(verdict, warnings=(*verdict.warnings, INEXACT))
    hits = [replace(hit, confidence=value) for hit, value in zip(found.hits, confidences, strict=True)]
    return replace(found, hits=hits, verdict=verdict)
