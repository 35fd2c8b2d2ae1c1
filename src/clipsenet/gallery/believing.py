"""Believing: what was found gets its confidences and verdict, from the pictures most alike, however it was grouped."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from clipsenet.calibrating.calibration import Calibration
from clipsenet.calibrating.deciding import Looked, Shown, decide
from clipsenet.calibrating.evidence import FIRST, track_numbers
from clipsenet.contents import contents_of
from clipsenet.features import Features
from clipsenet.gallery.hits import Found
from clipsenet.gallery.interface import NOBODY, Group
from clipsenet.gallery.local import LocalGallery
from clipsenet.quality import measure_qualities

First = tuple[Int[np.ndarray, " _"], Float[np.ndarray, " _"]]
"""Ids of the pictures most alike, and their similarities, descending."""

OWN = "the query's own picture is in the gallery: the verdict is on the others"

INEXACT = "an index of neighbours chose the candidates: a vehicle that it missed cannot be told from one that is absent"


def with_verdicts(
    gallery: LocalGallery,
    query: Features,
    found: Sequence[Found],
    first: Sequence[First],
    own: Int[np.ndarray, " q"],
    calibration: Calibration,
    *,
    group: Group | None,
    expect_absent: float | None = None,
) -> list[Found]:
    """What was found for each query, with confidences and verdict.

    A query's own picture says nothing of the vehicle's having been elsewhere: it gets no confidence, and the verdict is on the
    picture most alike beside it, shown or not, so that neither a group nor few answers hide it.

    Args:
        gallery: that was searched.
        query: the pictures that ask.
        found: for each of them.
        first: for each of them the pictures most alike, not grouped: ``FIRST`` beside its own.
        own: the id of each one's own picture, or ``NOBODY``.
        calibration: of this run and similarity.
        group: how ``found`` is grouped. A track's similarity is that of its vector; it is judged by its picture most alike.
        expect_absent: another share of absent queries; none: the calibration's.
    """
    quality, _ = measure_qualities(query.sightings)
    return [
        _with_verdict(
            gallery,
            query.embeddings[row],
            one,
            first[row],
            int(own[row]),
            calibration,
            group,
            float(quality[row]),
            expect_absent,
        )
        for row, one in enumerate(found)
    ]


def own_ids(gallery: LocalGallery, query: Features) -> Int[np.ndarray, " q"]:
    """The id of each query's own picture in a gallery, ``NOBODY`` where it is not in, or cannot be read."""
    contents = contents_of(query.sightings)
    return np.where([content != "" for content in contents], gallery.find(contents), NOBODY)


def _with_verdict(
    gallery: LocalGallery,
    vector: Float[np.ndarray, " dim"],
    found: Found,
    first: First,
    own: int,
    calibration: Calibration,
    group: Group | None,
    quality: float,
    expect_absent: float | None,
) -> Found:
    beside = first[0] != own
    ids, similarity = first[0][beside][:FIRST], first[1][beside][:FIRST]
    if not len(ids):
        return found
    there = int((~beside).sum())
    others = [hit for hit in found.hits if hit.id != own]
    judged = 1 if there or not others else 0  # the own one, or the one that stands for its group, may hide the next
    shown_ids = np.array([*ids[:judged].tolist(), *(hit.id for hit in others)], dtype=np.int64)
    values = [*similarity[:judged].tolist(), *(hit.similarity for hit in others)]
    if calibration.similarity == "cosine" and group == "track":
        values = (gallery.get(shown_ids).embeddings.astype(np.float64) @ vector).tolist()
    sightings = gallery.sightings(np.concatenate([ids, shown_ids]))
    track = track_numbers(sightings)
    place = {id_: number for number, id_ in enumerate(ids.tolist())}
    shown = [
        Shown(place.get(id_), value, int(track[place.get(id_, row)]))
        for row, (id_, value) in enumerate(zip(shown_ids.tolist(), values, strict=True), start=len(ids))
    ]
    tracks = bool(sightings.track.known.any())
    looked = Looked(similarity.astype(np.float64), track[: len(ids)], found.candidates - there, quality, tracks)
    confidences, verdict = decide(calibration, looked, shown, expect_absent)
    warnings = (*verdict.warnings, *([OWN] if there else []), *([] if found.exact else [INEXACT]))
    sure = dict(zip(shown_ids.tolist(), confidences, strict=True))
    hits = [replace(hit, confidence=sure.get(hit.id)) for hit in found.hits]
    return replace(found, hits=hits, verdict=replace(verdict, warnings=warnings))
