"""Sightings as a table of texts (one row a picture), and back: the columns that every list and file has."""

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from jaxtyping import Int

from clipsenet.errors import ClipsenetError
from clipsenet.sightings import LAST_TIME, NO_TIME, TEXT, WHOLE, Labels, Sightings, same_file

LABELS = ("vehicle", "camera", "view", "track")
BOX = ("x", "y", "width", "height")
EARLIEST = 10**14
"""Microseconds of March 1973: a smaller whole number counts something else, or is a date without its dashes."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def from_columns(
    columns: Mapping[str, Sequence[str]],
    source: str,
    lines: Int[np.ndarray, " n"],
    time: Int[np.ndarray, " n"] | None = None,
) -> Sightings:
    """Sightings from columns of texts.

    Args:
        columns: ``path`` and any of ``vehicle``, ``camera``, ``view``, ``track``, ``time``, ``x, y, width, height``;
            all others become extra columns. An empty text is unknown.
        source: the file that they come from, for messages.
        lines: ``(n,)`` the line of each row in that file.
        time: ``(n,)`` times that were no texts, in the place of a column ``time``.

    Raises:
        ClipsenetError: no ``path`` column or an empty path, half a box, a box or time that cannot be
            read; each with the line.
    """
    n = len(lines)
    if "path" not in columns:
        raise ClipsenetError(
            f"no path column in {source} (line 1): found {', '.join(columns) or 'nothing'}; rename the column that "
            "holds the pictures' files to 'path', or map it with --set data.columns.path=NAME"
        )
    path = np.array(columns["path"], dtype=TEXT)
    empty = np.flatnonzero(path == "")
    if len(empty):
        raise ClipsenetError(f"{source}, line {lines[empty[0]]}, column path: empty; wanted a picture's file")
    labels = {name: Labels.from_texts(columns[name]) if name in columns else Labels.unknown(n) for name in LABELS}
    return Sightings(
        path=path,
        vehicle=labels["vehicle"],
        camera=labels["camera"],
        view=labels["view"],
        track=labels["track"],
        time=_times(columns.get("time", [""] * n), source, lines) if time is None else time,
        box=_boxes(columns, source, lines),
        extra={
            name: Labels.from_texts(texts) for name, texts in columns.items() if name not in (*LABELS, *BOX, "path", "time")
        },
        source=source,
        line=lines,
    )


def to_arrow(sightings: Sightings) -> pa.Table:
    """The table that a features folder keeps: known columns only, texts dictionary-coded, null where unknown."""
    columns: dict[str, pa.Array] = {"path": pa.array(sightings.files(), pa.string())}
    columns |= {name: _to_dictionary(getattr(sightings, name)) for name in LABELS if getattr(sightings, name).known.any()}
    if (sightings.time != NO_TIME).any():
        columns["time"] = pa.array(sightings.time, pa.timestamp("us", tz="UTC"), mask=sightings.time == NO_TIME)
    if sightings.box is not None:
        for name, values in zip(BOX, sightings.box.T, strict=True):
            columns[name] = pa.array(values, mask=(sightings.box == WHOLE).all(axis=1))
    columns |= {name: _to_dictionary(labels) for name, labels in sightings.extra.items()}
    return pa.table(columns)


def _to_dictionary(labels: Labels) -> pa.DictionaryArray:
    numbers = pa.array(labels.numbers.astype(np.int32), mask=~labels.known)
    return pa.DictionaryArray.from_arrays(numbers, pa.array(labels.names, pa.string()))


def from_arrow(table: pa.Table, source: str) -> Sightings:
    """Sightings from an Arrow table (a Parquet manifest, or a features folder); rows count from 1.

    Raises:
        ClipsenetError: as ``from_columns``.
    """
    columns: dict[str, list[str]] = {}
    time = None
    for name in table.column_names:
        column = table.column(name)
        if name == "time" and pa.types.is_timestamp(column.type):
            if column.type.tz is None:
                raise ClipsenetError(f"{source}, column time: timestamps without a zone; wanted timestamps in UTC")
            column = column.cast(pa.timestamp("us", tz="UTC"), safe=False).cast(pa.int64())
            time = np.array([NO_TIME if value is None else value for value in column.to_pylist()], dtype=np.int64)
            continue
        values = column.to_pylist()
        columns[name] = ["" if value is None else str(value) for value in values]
    return from_columns(columns, source, np.arange(1, table.num_rows + 1), time)


def _times(texts: Sequence[str], source: str, lines: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    result = np.full(len(lines), NO_TIME, dtype=np.int64)
    for row, text in enumerate(texts):
        if text:
            try:
                result[row] = microseconds_of(text)
            except (ValueError, OverflowError) as error:
                raise ClipsenetError(
                    f"{source}, line {lines[row]}, column time: found {text!r}, wanted a time with its zone such as "
                    f"2026-05-01T08:30:00+02:00, or whole microseconds since 1970 UTC ({error})"
                ) from error
    return result


def microseconds_of(text: str) -> int:
    """A time as microseconds since 1970 UTC: ISO 8601 with its zone, or such a whole number.

    Raises:
        ValueError: neither, or without a zone; a whole number that counts seconds or the like.
    """
    if text.lstrip("-").isdigit():
        number = int(text)
        if not EARLIEST <= number <= LAST_TIME:
            raise ValueError("as whole microseconds not of the years 1973 to 9999: seconds, or a date without its dashes?")
        return number
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


def time_text(microseconds: int) -> str:
    """A time in UTC as ISO 8601 with its zone, to the millisecond."""
    return (_EPOCH + dt.timedelta(microseconds=microseconds)).isoformat(timespec="milliseconds")


def _boxes(columns: Mapping[str, Sequence[str]], source: str, lines: Int[np.ndarray, " n"]) -> Int[np.ndarray, "n 4"] | None:
    given = [name for name in BOX if name in columns]
    if not given:
        return None
    if len(given) < len(BOX):
        absent = ", ".join(name for name in BOX if name not in columns)
        raise ClipsenetError(f"{source} (line 1): a box needs x, y, width, height; {absent} missing")
    boxes = np.empty((len(lines), 4), dtype=np.int64)
    for row, texts in enumerate(zip(*(columns[name] for name in BOX), strict=True)):
        if all(text == "" for text in texts):
            boxes[row] = WHOLE
            continue
        try:
            numbers = [float(text) for text in texts]
            # outwards to whole pixels, so that nothing of the vehicle is cut off
            # (a thousandth is a rounding error of float32, no pixel)
            left, top = (int(np.floor(number + 1e-3)) for number in numbers[:2])
            right, bottom = (int(np.ceil(numbers[i] + numbers[i + 2] - 1e-3)) for i in (0, 1))
            boxes[row] = (left, top, right - left, bottom - top)
        except (ValueError, OverflowError) as error:
            raise ClipsenetError(
                f"{source}, line {lines[row]}, columns x, y, width, height: found {', '.join(map(repr, texts))}, "
                "wanted four numbers in pixels, or four empty cells for the whole picture"
            ) from error
    return boxes


def refuse_duplicates(sightings: Sightings) -> None:
    """Refuse the same box of the same file twice in one split: it would be its own match.

    Raises:
        ClipsenetError: with both lines.
    """
    split = sightings.extra.get("split")
    file = same_file(sightings)
    if split is not None:  # one picture may be a query and stand in the gallery as well, as in VeRi-776
        file = file * (len(split.names) + 1) + split.numbers
    _, first, count = np.unique(file, return_index=True, return_counts=True)
    if (count > 1).any():
        twin = first[count > 1].min()
        again = int(np.flatnonzero(file == file[twin])[1])
        assert sightings.line is not None
        raise ClipsenetError(
            f"{sightings.source}: lines {sightings.line[twin]} and {sightings.line[again]} are the same picture "
            f"{sightings.file(int(twin))} with the same box; {int((count - 1).sum())} such rows: remove them"
        )
