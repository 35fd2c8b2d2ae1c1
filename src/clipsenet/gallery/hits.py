"""Hits: what a search found, as a user reads it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clipsenet.calibrating.deciding import Verdict
from clipsenet.sightings import NO_TIME, WHOLE, Sightings
from clipsenet.tables import time_text

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Hit:
    """One answer.

    Attributes:
        place: 1 is the most alike.
        similarity: as ``Found.similarity`` tells; of a track that of its vector.
        id: of the sighting in the gallery.
        path: of its picture.
        box: x, y, width, height in that; none for all of it.
        camera, track, vehicle: empty where nobody said it.
        time: in UTC, empty where nobody said it.
        confidence: the probability that it is the queried vehicle, 0 to 1; none without a calibration, and of the query's own
            picture.
        own: whether it is the query's own picture: the same file's content and box, wherever it lies.
    """

    place: int
    similarity: float
    id: int
    path: str
    box: Box | None
    camera: str
    time: str
    track: str
    vehicle: str
    confidence: float | None = None
    own: bool = False


@dataclass(frozen=True)
class Found:
    """The answer to one query.

    Attributes:
        hits: best first.
        similarity: what the numbers are, in words.
        candidates: how many sightings the filter left.
        exact: whether every one of them was compared.
        verdict: whether the first, the query's own picture left out, is believed; none without a calibration, and where
            nothing else was found.
    """

    hits: list[Hit]
    similarity: str
    candidates: int
    exact: bool
    verdict: Verdict | None = None


def hits_of(sightings: Sightings, ids: Sequence[int], values: Sequence[float]) -> Iterator[Hit]:
    """The hits of one query, in their order.

    Args:
        sightings: that were found.
        ids: theirs.
        values: their similarities.
    """
    camera, track, vehicle = (sightings.column(name).tolist() for name in ("camera", "track", "vehicle"))
    for row, (id_, value) in enumerate(zip(ids, values, strict=True)):
        box, moment = sightings.box_of(row), int(sightings.time[row])
        yield Hit(
            place=row + 1,
            similarity=float(value),
            id=id_,
            path=sightings.file(row),
            box=None if box == WHOLE else box,
            camera=camera[row],
            time="" if moment == NO_TIME else time_text(moment),
            track=track[row],
            vehicle=vehicle[row],
        )
