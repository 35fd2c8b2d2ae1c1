"""Tracks' names: one name under one camera is one passage, since the pictures of a track become one vector."""

from dataclasses import replace

import numpy as np
from jaxtyping import Int

from clipsenet.errors import ClipsenetError
from clipsenet.gallery.interface import Filter, Gallery
from clipsenet.sightings import NO_TIME, UNKNOWN, Labels, Sightings
from clipsenet.tables import time_text

LONGEST = 12 * 3600 * 1_000_000
"""Microseconds that no passage before a camera lasts; a name that is seen again later was given again."""

LOOKED_UP = 200
"""Tracks of a list that are looked up in the gallery: who counts from 1 every day gives nearly every name again."""


def refuse_repeated_tracks(sightings: Sightings, gallery: Gallery) -> None:
    """Refuse a list in which a track's name stands for two passages, or that names tracks as the gallery does already.

    Pictures without a time tell nothing. In the gallery ``LOOKED_UP`` of the list's tracks are looked up.

    Raises:
        ClipsenetError: which track, and what to do.
    """
    first, begin, end = _spans(sightings)
    long = np.flatnonzero(end - begin > LONGEST)
    if len(long):
        at = int(long[0])
        raise ClipsenetError(
            f"{_name(sightings, int(first[at]))} is seen from {time_text(int(begin[at]))} to {time_text(int(end[at]))} in "
            f"{sightings.source or 'this list'}: a name that was given again. {_ADVICE}"
        )
    camera, track = sightings.camera.texts(), sightings.track.texts()
    for at in range(0, len(first), max(1, len(first) // LOOKED_UP)):
        pair = (("camera", str(camera[first[at]])), ("track", str(track[first[at]])))
        near = Filter(since=int(begin[at]) - LONGEST, until=int(end[at]) + LONGEST, equal=pair)
        if gallery.count(Filter(until=int(np.iinfo(np.int64).max), equal=pair)) > gallery.count(near):
            raise ClipsenetError(
                f"{_name(sightings, int(first[at]))} is in the gallery from more than {LONGEST // 3_600_000_000} hours before "
                f"or after {time_text(int(begin[at]))}: a name that was given again. {_ADVICE}"
            )


def name_tracks_by_day(sightings: Sightings) -> Sightings:
    """Each track's name with the day (UTC) of its picture behind it: ``17_20260501``; one without a time keeps its name."""
    day = sightings.time // (24 * 3600 * 1_000_000)
    texts = sightings.track.texts()
    dated = np.flatnonzero(sightings.track.known & (sightings.time != NO_TIME))
    names = texts.tolist()
    for row in dated.tolist():
        names[row] = f"{texts[row]}_{str(np.datetime64(int(day[row]), 'D')).replace('-', '')}"
    return replace(sightings, track=Labels.from_texts(names))


_ADVICE = (
    "A track's pictures become one vector, so each passage needs a name of its own: mend the list, or pass --tracks-by-day, "
    "which puts each picture's day behind its track's name"
)


def _spans(sightings: Sightings) -> tuple[Int[np.ndarray, " t"], Int[np.ndarray, " t"], Int[np.ndarray, " t"]]:
    """Of each track with times a row, and its first and last moment."""
    rows = np.flatnonzero(sightings.track.known & (sightings.time != NO_TIME))
    pair = sightings.camera.numbers[rows] * np.int64(len(sightings.track.names)) + sightings.track.numbers[rows]
    _, first, number = np.unique(pair, return_index=True, return_inverse=True)
    begin = np.full(len(first), np.iinfo(np.int64).max, dtype=np.int64)
    end = np.full(len(first), np.iinfo(np.int64).min, dtype=np.int64)
    np.minimum.at(begin, number, sightings.time[rows])
    np.maximum.at(end, number, sightings.time[rows])
    return rows[first], begin, end


def _name(sightings: Sightings, row: int) -> str:
    camera = sightings.camera.numbers[row]
    where = f" of camera {sightings.camera.names[camera]}" if camera != UNKNOWN else ""
    return f"track {sightings.track.names[sightings.track.numbers[row]]}{where}"
