"""The report's figures: each drawn for light paper and for dark, where it has paper of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from clipsenet.errors import UsageError
from clipsenet.figures.confusion import draw_confusion
from clipsenet.figures.curves import draw_curves
from clipsenet.figures.embedding import TooFewError, choose_rows, draw_embedding
from clipsenet.figures.groups import draw_groups
from clipsenet.figures.history import draw_history
from clipsenet.figures.maps import Shown, draw_maps
from clipsenet.figures.slices import draw_slices
from clipsenet.figures.small_pictures import SIDE
from clipsenet.figures.style import on_dark_paper
from clipsenet.history import read_history
from clipsenet.reports.choices import Choices
from clipsenet.reports.findings import Finding
from clipsenet.reports.tiles import Tiles
from clipsenet.sheet import save_picture


@dataclass(frozen=True)
class Drawing:
    """A figure on the page.

    Attributes:
        file: from the page's folder on.
        dark: the same for a dark page; none where the one serves both.
        size: width and height in pixels of the page.
    """

    file: str
    dark: str | None
    size: tuple[int, int]


def draw_all(
    found: Sequence[Finding], folder: Path, tiles: Tiles, queries: Sequence[dict[str, Any]], choices: Choices
) -> dict[str, Drawing | str]:
    """Draw every figure that the runs have something for.

    Args:
        found: the runs; the first chooses what is shown.
        folder: of the page; figures go to ``figures`` in it.
        tiles: gives the pictures under the maps.
        queries: facts of the queries whose lists are shown, the worst first.
        choices: how much is shown.

    Returns:
        Name to the figure, or to the reason why there is none.

    Raises:
        ClipsenetError: a file cannot be written; a picture cannot be opened.
    """
    (folder / "figures").mkdir(exist_ok=True)
    looks = [(one.name, one.look) for one in found]
    drawn: dict[str, Drawing | str] = {}

    def plot(name: str, draw: Callable[[Path], None]) -> None:
        light, dark = folder / "figures" / f"{name}.png", folder / "figures" / f"{name}-dark.png"
        draw(light)
        with on_dark_paper():
            draw(dark)
        drawn[name] = Drawing(f"figures/{light.name}", f"figures/{dark.name}", _size(light))

    plot("curves", lambda path: draw_curves([(one.name, one.look.found, one.spread) for one in found], path))
    try:
        rows = choose_rows(found[0].look.found.test, choices.vehicles, choices.seed)
        plot("embedding", lambda path: draw_embedding(looks, rows, path, seed=choices.seed))
    except TooFewError as error:
        drawn["embedding"] = str(error)
    audits = [(one.name, one.scorecard.audit["slices"]) for one in found if one.scorecard.audit is not None]
    if audits[0][1]["shown"]:
        plot("slices", lambda path: draw_slices(audits, path))
    else:
        drawn["slices"] = f"no slice has {audits[0][1]['fewest']} queries or more"
    for number, one in enumerate(found):
        name = f"confusion-{number + 1}"
        if one.confusion.wrong:
            plot(name, lambda path, one=one: draw_confusion(one.confusion, path))  # type: ignore[misc]
        else:
            drawn[name] = f"all {one.confusion.queries} queries were answered with their own vehicle first"
    grouped = [(one.name, one.groups) for one in found if one.groups is not None]
    if grouped:
        plot("groups", lambda path: draw_groups(grouped, path))
    trained = {one.name: one.look.run.folder for one in found if read_history(one.look.run.folder)}
    if trained:
        plot("history", lambda path: draw_history(trained, path))
    for name, shown in (("maps", _singles(queries, choices)), ("pairs", _pairs(queries, choices))):
        file = folder / "figures" / f"{name}.png"
        try:
            if shown:
                save_picture(draw_maps(looks, shown, SIDE, tiles.small), file)
                drawn[name] = Drawing(f"figures/{name}.png", None, _size(file, 1.0))
        except UsageError as error:  # a trunk without places
            drawn[name] = str(error)
    return drawn


def _singles(queries: Sequence[dict[str, Any]], choices: Choices) -> list[Shown]:
    return [Shown((int(one["row"]),)) for one in queries[: choices.maps]]


def _pairs(queries: Sequence[dict[str, Any]], choices: Choices) -> list[Shown]:
    """The worst queries, each with the vehicle that it was taken for, and with its own first match."""
    shown = []
    for one in queries[: -(-choices.maps // 2)]:
        if one["wrong"] is not None:
            shown.append(Shown((int(one["row"]), int(one["wrong"]["row"]))))
        shown.append(Shown((int(one["row"]), int(one["match_row"]))))
    return shown


def _size(file: Path, scale: float = 1.5) -> tuple[int, int]:
    with Image.open(file) as image:
        return round(image.width / scale), round(image.height / scale)
