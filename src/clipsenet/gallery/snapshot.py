"""A snapshot: all that a search reads, of one moment; a writer makes new ones and never changes one."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from clipsenet.errors import ClipsenetError
from clipsenet.gallery.interface import NOBODY, Embedding, ForgottenError, Weighting
from clipsenet.gallery.ledger import Ledger
from clipsenet.gallery.recorded_segments import dtype_of
from clipsenet.gallery.schema import transaction

NEEDED = ("id", "time", "quality")
"""Columns without which a segment cannot be searched."""


@dataclass(frozen=True, eq=False)
class Segment:
    """A part of the gallery.

    Attributes:
        number: of the segment.
        file: the number of its vectors' file.
        rows: how many.
        vectors: ``(rows, dim)``, a map.
        columns: its columns, as numbers.
    """

    number: int
    file: int
    rows: int
    vectors: Tensor
    columns: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The gallery at one moment; a row counts through all segments, one behind the other.

    Attributes:
        embedding: what its vectors are.
        weighting: how a track's pictures are weighed.
        segments: in the order of their numbers.
        start: ``(s + 1,)`` the first row of each segment, and the number of all.
        columns: each ``(n,)``; labels as numbers, 0 for unknown.
        neighbours: what is remembered of the index of neighbours, empty where there is none.
        forgettings: how often something was forgotten; another number tells that this snapshot holds what is no more.
    """

    embedding: Embedding
    weighting: Weighting
    segments: tuple[Segment, ...]
    start: Int[np.ndarray, " _"]
    columns: dict[str, np.ndarray]
    neighbours: str = ""
    forgettings: int = 0

    def __len__(self) -> int:
        return int(self.start[-1])

    @classmethod
    def load(cls, ledger: Ledger, former: "Snapshot | None" = None) -> "Snapshot":
        """What the ledger records now; segments that are as they were are taken from a former snapshot.

        Files are mapped while the ledger is being read: nobody can commit a forgetting meanwhile, and so unlink them.

        Raises:
            OSError, EOFError: a file of vectors is not there, cannot be read or is too short.
            ClipsenetError: the ledger is damaged.
        """
        same = {(one.number, one.file, one.rows): one for one in former.segments} if former else {}
        segments: list[Segment] = []
        with transaction(ledger.db, write=False):
            embedding, layout = ledger.embedding(), ledger.layout()
            for number, file, rows in ledger.segments():
                known = same.get((number, file, rows))
                if known is None:
                    known = Segment(
                        number, file, rows, layout.map(file, rows), ledger.columns(number, rows, without="checksum")
                    )
                    if absent := [name for name in NEEDED if name not in known.columns]:
                        raise ClipsenetError(
                            f"{ledger.folder}: segment {number} has no column {', '.join(absent)}: the ledger is damaged; "
                            "clipsenet gallery verify tells more"
                        )
                segments.append(known)
            weighting, neighbours, forgettings = ledger.weighting, ledger.meta("neighbours"), ledger.forgettings
        start = np.cumsum([0, *(one.rows for one in segments)]).astype(np.int64)
        names = list(dict.fromkeys(name for one in segments for name in one.columns)) or ["id"]
        columns = {name: np.zeros(start[-1], dtype=dtype_of(name)) for name in ("id", "time", "quality", *names)}
        for one, first in zip(segments, start[:-1], strict=True):
            for name, values in one.columns.items():
                columns[name][first : first + one.rows] = values
                one.columns[name] = columns[name][first : first + one.rows]
        return cls(embedding, weighting, tuple(segments), start, columns, neighbours, forgettings)

    def label(self, name: str) -> Int[np.ndarray, " n"]:
        """A label's numbers, all unknown where nobody ever gave one."""
        found = self.columns.get(name)
        return np.zeros(len(self), dtype=np.int32) if found is None else found

    @cached_property
    def _by_id(self) -> Int[np.ndarray, " n"]:
        return np.argsort(self.columns["id"], kind="stable")

    def rows_of(self, ids: Int[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
        """The rows of sightings.

        Raises:
            ForgottenError: an id that is not there.
        """
        rows = self.places_of(ids)
        if len(gone := np.flatnonzero(rows < 0)):
            raise ForgottenError(
                f"{len(gone)} of {len(ids)} sightings are not in the gallery, the first: {ids[gone[0]]}; "
                "an id is never given again, so it was forgotten, or belongs to another gallery"
            )
        return rows

    def places_of(self, ids: Int[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
        """The rows of sightings, -1 for those that are not there."""
        order, column = self._by_id, self.columns["id"]
        place = np.searchsorted(column, ids, sorter=order)
        inside = np.flatnonzero(place < len(order))
        rows = np.full(len(ids), NOBODY, dtype=np.int64)
        rows[inside] = order[place[inside]]
        rows[inside[column[rows[inside]] != ids[inside]]] = NOBODY
        return rows

    @cached_property
    def tracks(self) -> tuple[Int[np.ndarray, " n"], int]:
        """``(n,)`` of each sighting its track's number, -1 without one; and how many there are.

        A track is a name under one camera: two cameras may both have counted from 1.
        """
        track, camera = self.label("track").astype(np.int64), self.label("camera").astype(np.int64)
        known = np.flatnonzero(track)
        number = np.full(len(self), -1, dtype=np.int64)
        pairs, number[known] = np.unique(track[known] << 32 | camera[known], return_inverse=True)
        return number, len(pairs)

    @cached_property
    def rows_by_track(self) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " _"]]:
        """``(m,)`` the rows that have a track, track by track; and where each track begins, with the end behind."""
        number, count = self.tracks
        order = np.argsort(number, kind="stable")
        order = order[int(np.count_nonzero(number < 0)) :]
        return order, np.searchsorted(number[order], np.arange(count + 1)).astype(np.int64)

    @cached_property
    def track_totals(self) -> tuple[Float[np.ndarray, " t"], Int[np.ndarray, " t"]]:
        """``(t,)`` the sum of each track's weights, and how many pictures it has."""
        number, count = self.tracks
        known = number >= 0
        weight = np.bincount(number[known], self.weights[known].astype(np.float64), minlength=count)
        return weight, np.bincount(number[known], minlength=count)

    @cached_property
    def weights(self) -> Float[np.ndarray, " n"]:
        """``(n,)`` the weight of each sighting in its track's vector."""
        quality = self.columns["quality"]
        return quality if self.weighting == "quality" else np.ones_like(quality)

    def vectors(self, rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m dim"]:
        """Vectors of some rows, in that order, as float32."""
        found = np.empty((len(rows), self.embedding.dim), dtype=np.float32)
        order = np.argsort(rows, kind="stable")
        edge = np.searchsorted(rows[order], self.start)
        for one, first, begin, end in zip(self.segments, self.start, edge[:-1], edge[1:], strict=False):
            if begin == end:
                continue
            places = order[begin:end]
            found[places] = one.vectors.numpy()[rows[places] - first]  # torch's threads would wait for each other
        return found
