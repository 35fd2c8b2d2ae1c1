"""Sightings: pictures of vehicles, column by column. Trial: which of them ask, which are searched."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, Shaped

from clipsenet.errors import ClipsenetError

UNKNOWN = -1
"""The number of a label that nobody has given."""

NO_TIME = int(np.iinfo(np.int64).min)
"""The time of a picture that nobody has dated."""

FIRST_TIME, LAST_TIME = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999, which is as far as dates can be written."""

WHOLE = (-1, -1, -1, -1)
"""The box that means the whole picture."""

TEXT = np.str_
"""Texts in one block: no Python object for each of them, so that workers share the pages."""

Rows = Int[np.ndarray, " rows"] | Bool[np.ndarray, " n"]
Texts = Shaped[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Labels:
    """One label for each picture: dense numbers, with their names beside them.

    Attributes:
        numbers: ``(n,)`` int64, an index into ``names``, or ``UNKNOWN``.
        names: the texts, in sorted order. A subset of pictures keeps the whole list, so that numbers stay comparable.
    """

    numbers: Int[np.ndarray, " n"]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.numbers) and not (self.numbers.min() >= UNKNOWN and self.numbers.max() < len(self.names)):
            raise ClipsenetError(
                f"label numbers run from {self.numbers.min()} to {self.numbers.max()}, "
                f"wanted {UNKNOWN} (unknown) to {len(self.names) - 1}"
            )
        object.__setattr__(self, "numbers", _frozen(self.numbers.astype(np.int64, copy=False)))

    @classmethod
    def from_texts(cls, texts: Sequence[str] | Texts) -> "Labels":
        """Number the texts by sorted order (the same in every process); an empty text is unknown."""
        column = np.asarray(texts, dtype=TEXT)
        names, numbers = np.unique(column, return_inverse=True)
        if len(names) and names[0] == "":
            names, numbers = names[1:], numbers - 1
        return cls(numbers.astype(np.int64), tuple(str(name) for name in names))

    @classmethod
    def unknown(cls, n: int) -> "Labels":
        """``n`` unknown labels."""
        return cls(np.full(n, UNKNOWN, dtype=np.int64), ())

    def __getitem__(self, rows: Rows) -> "Labels":
        return replace(self, numbers=self.numbers[rows])

    def texts(self) -> Texts:
        """``(n,)`` texts, empty where unknown."""
        table = np.array(["", *self.names], dtype=TEXT)
        texts: Texts = table[self.numbers + 1]
        return texts

    @property
    def known(self) -> Bool[np.ndarray, " n"]:
        """Where somebody has said it."""
        known: Bool[np.ndarray, " n"] = self.numbers != UNKNOWN
        return known

    def count(self) -> int:
        """How many different labels really occur, unknown not counted."""
        return len(np.unique(self.numbers[self.known]))


@dataclass(frozen=True, eq=False)
class Sightings:
    """Pictures of vehicles, column by column; checked once, here.

    Attributes:
        path: ``(n,)`` texts, where each picture lies, from ``folder`` on.
        vehicle: whose picture it is (training and evaluation need it; a gallery does not).
        camera: which camera took it.
        view: from which side.
        track: which passage before one camera it belongs to.
        time: ``(n,)`` int64, microseconds since 1970 UTC, or ``NO_TIME``.
        box: ``(n, 4)`` int64 of x, y, width, height in pixels of the upright picture, ``WHOLE`` for all of it; or none.
        extra: any further columns.
        folder: where relative paths start; it is kept apart since hundreds of thousands of copies of it take more memory
            than all else.
        source: the list it was read from, for messages; may be empty.
        line: ``(n,)`` int64, the line in that list, counted from 1; 0 where there is none.

    Raises:
        ClipsenetError: columns of different lengths, a time beyond the year 9999, or a box without area.
    """

    path: Texts
    vehicle: Labels
    camera: Labels
    view: Labels
    track: Labels
    time: Int[np.ndarray, " n"]
    box: Int[np.ndarray, "n 4"] | None = None
    extra: Mapping[str, Labels] = field(default_factory=dict)
    folder: str = ""
    source: str = ""
    line: Int[np.ndarray, " n"] | None = None

    def __post_init__(self) -> None:
        n = len(self.path)
        line = np.zeros(n, dtype=np.int64) if self.line is None else self.line
        columns: dict[str, Any] = {name: getattr(self, name).numbers for name in ("vehicle", "camera", "view", "track")}
        columns |= {"time": self.time, "line": line, **{name: labels.numbers for name, labels in self.extra.items()}}
        if self.box is not None:
            columns["box"] = self.box
        for name, column in columns.items():
            if len(column) != n:
                raise ClipsenetError(f"column '{name}' has {len(column)} entries, wanted {n}: one for each path")
        set_ = object.__setattr__  # frozen: this is the one place that completes a value
        set_(self, "path", _frozen(np.asarray(self.path, dtype=TEXT)))
        time = self.time.astype(np.int64, copy=False)
        far = np.flatnonzero(((time < FIRST_TIME) | (time > LAST_TIME)) & (time != NO_TIME))
        if len(far):
            raise ClipsenetError(
                f"{self.describe(int(far[0]))}: time {time[far[0]]}; wanted microseconds since 1970 UTC of the years 1 to "
                "9999 (are these nanoseconds?)"
            )
        set_(self, "time", _frozen(time))
        set_(self, "line", _frozen(line.astype(np.int64, copy=False)))
        if self.box is not None:
            box = self.box.astype(np.int64, copy=False)
            bad = np.flatnonzero((box != WHOLE).any(axis=1) & ((box[:, :2] < 0).any(axis=1) | (box[:, 2:] <= 0).any(axis=1)))
            if len(bad):
                raise ClipsenetError(
                    f"{self.describe(int(bad[0]))}: box x, y, width, height = {', '.join(map(str, box[bad[0]]))}; "
                    "wanted x and y from 0 and width and height from 1, in pixels"
                )
            set_(self, "box", _frozen(box))

    @classmethod
    def of(
        cls,
        path: Sequence[str] | Texts,
        *,
        vehicle: Sequence[str] | None = None,
        camera: Sequence[str] | None = None,
        view: Sequence[str] | None = None,
        track: Sequence[str] | None = None,
        time: Sequence[int] | None = None,
        box: Sequence[Sequence[int]] | None = None,
        extra: Mapping[str, Sequence[str]] | None = None,
        source: str = "",
    ) -> "Sightings":
        """Sightings from plain lists of texts; what is left out is unknown."""
        n = len(path)

        def labels(texts: Sequence[str] | None) -> Labels:
            return Labels.unknown(n) if texts is None else Labels.from_texts(texts)

        return cls(
            path=np.asarray(path, dtype=TEXT),
            vehicle=labels(vehicle),
            camera=labels(camera),
            view=labels(view),
            track=labels(track),
            time=np.full(n, NO_TIME, dtype=np.int64) if time is None else np.asarray(time, dtype=np.int64),
            box=None if box is None else np.asarray(box, dtype=np.int64).reshape(n, 4),
            extra={name: Labels.from_texts(texts) for name, texts in (extra or {}).items()},
            source=source,
        )

    def __len__(self) -> int:
        return len(self.path)

    def __getitem__(self, rows: Rows) -> "Sightings":
        """The pictures at ``rows`` (numbers or a mask), with the same tables of names."""
        assert self.line is not None
        return replace(
            self,
            path=self.path[rows],
            vehicle=self.vehicle[rows],
            camera=self.camera[rows],
            view=self.view[rows],
            track=self.track[rows],
            time=self.time[rows],
            box=None if self.box is None else self.box[rows],
            extra={name: labels[rows] for name, labels in self.extra.items()},
            line=self.line[rows],
        )

    def describe(self, row: int) -> str:
        """One picture for a message: its path, and file and line of the list that names it."""
        assert self.line is not None
        return describe_picture(self.file(row), self.source, int(self.line[row]))

    def file(self, row: int) -> str:
        """The file of one picture."""
        return os.path.join(self.folder, str(self.path[row]))

    def box_of(self, row: int) -> tuple[int, int, int, int]:
        """The box of one picture, ``WHOLE`` for all of it."""
        if self.box is None:
            return WHOLE
        x, y, width, height = self.box[row].tolist()
        return x, y, width, height

    def files(self) -> list[str]:
        """The file of every picture."""
        return [os.path.join(self.folder, path) for path in self.path.tolist()]

    def column(self, name: str) -> Texts:
        """Any column as texts, ``vehicle``, ``camera``, ``view``, ``track`` and extra ones.

        Raises:
            ClipsenetError: there is no such column.
        """
        if name in ("vehicle", "camera", "view", "track"):
            labels: Labels = getattr(self, name)
            return labels.texts()
        if name in self.extra:
            return self.extra[name].texts()
        known = ["vehicle", "camera", "view", "track", *self.extra]
        raise ClipsenetError(f"no column '{name}' in {self.source or 'these pictures'}: found {', '.join(known)}")


@dataclass(frozen=True, eq=False)
class Trial:
    """One question put to a benchmark: these rows of its test pictures are searched for in those.

    Attributes:
        query: ``(q,)`` rows that ask.
        gallery: ``(g,)`` rows that are searched.
        name: what tells it from the benchmark's other trials, for instance ``gallery to query``.
    """

    query: Int[np.ndarray, " q"]
    gallery: Int[np.ndarray, " g"]
    name: str = ""


def describe_picture(file: str, source: str, line: int) -> str:
    """A picture for a message: its file, and the line of the list that names it, where there is one."""
    return f"{file} ({source}, line {line})" if source and line else file


def same_file(*parts: Sightings, boxes: bool = True) -> Int[np.ndarray, " n"]:
    """``(n,)`` numbers over the rows of all parts, equal where two rows show the same file, and the same box of it."""
    together = len({part.folder for part in parts}) == 1
    names = [part.path if together else np.array(part.files(), dtype=TEXT) for part in parts]
    _, number = np.unique(np.concatenate(names), return_inverse=True)
    if boxes and any(part.box is not None for part in parts):
        all_boxes = [np.tile(WHOLE, (len(part), 1)) if part.box is None else part.box for part in parts]
        rows = np.column_stack([number, np.concatenate(all_boxes)])
        _, number = np.unique(rows, axis=0, return_inverse=True)
    return number.reshape(-1).astype(np.int64)


def _frozen(array: np.ndarray) -> np.ndarray:
    """A read-only view: a value that two people hold cannot change under one of them."""
    view = array.view()
    view.flags.writeable = False
    return view
