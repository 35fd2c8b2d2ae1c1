"""The options that say which of a gallery's sightings are meant."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from clipsenet.errors import UsageError

if TYPE_CHECKING:
    from clipsenet.gallery.interface import Filter

Cameras = Annotated[list[str] | None, typer.Option("--camera", help="One of these cameras; may be repeated.")]
Since = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="From this moment on, such as 2026-05-01T08:00+02:00.")
]
Until = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Before this moment, with its zone.")]
Where = Annotated[
    list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="Only where this column says so; may be repeated.")
]


def filter_of(camera: Sequence[str] | None, since: str | None, until: str | None, where: Sequence[str] | None) -> "Filter":
    """The filter of a command's words.

    Raises:
        UsageError: a time without a zone, a span that is empty, a condition without a column.
    """
    from clipsenet.gallery.interface import Filter

    begin, end = moment_of("--from", since), moment_of("--to", until)
    if begin is not None and end is not None and begin >= end:
        raise UsageError(f"--from {since} --to {until}: nothing lies between; wanted a moment and a later one")
    pairs = []
    for text in where or ():
        column, equals, value = text.partition("=")
        if not equals or not column:
            raise UsageError(f"--where {text}: wanted COLUMN=VALUE, such as type=van")
        pairs.append((column, value))
    return Filter(tuple(camera or ()), begin, end, tuple(pairs))


def moment_of(option: str, text: str | None) -> int | None:
    """An option's time in microseconds since 1970 UTC.

    Raises:
        UsageError: no time, or one without a zone.
    """
    from clipsenet.tables import microseconds_of

    try:
        return None if text is None else microseconds_of(text)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{option} {text}: {error}; wanted a time with its zone, such as 2026-05-01T08:30:00+02:00 or 2026-05-01T06:30:00Z"
        ) from error
