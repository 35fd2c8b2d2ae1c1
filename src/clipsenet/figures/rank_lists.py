"""Rank lists (Fig. 6 of the paper): a query and the pictures that came first, right and wrong told apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.figures.lettering import fitting
from clipsenet.figures.style import ASKED, INK, PAPER, RIGHT, WRONG
from clipsenet.files import short_name
from clipsenet.images import open_sighting
from clipsenet.trials import Evaluation

CHOICES = ("worst", "best", "random")

FRAME, GAP, TEXT, CAPTION = 4, 8, 34, 20
"""Pixels: a picture's frame, the room between pictures, the two lines below each, the line below all."""


@dataclass(frozen=True)
class Query:
    """One query of an evaluation.

    Attributes:
        trial: number of its trial.
        number: its place among the trial's queries.
    """

    trial: int
    number: int


def choose_queries(found: Evaluation, how: str, count: int, seed: int = 0) -> list[Query]:
    """Queries with a match, to be shown.

    Args:
        found: what was searched.
        how: ``worst`` or ``best`` by average precision (the first in the list where equal), ``random``, or names of
            pictures (a file with its folder, or the file alone), separated by commas.
        count: how many at most.
        seed: of ``random``.

    Raises:
        UsageError: no query has that name.
        ClipsenetError: the named query has no match.
    """
    every = [
        (float(result.per_query["mAP"][number]), Query(trial, number))
        for trial, result in enumerate(found.results)
        for number in range(len(result.trial.query))
    ]
    scored = [(score, query) for score, query in every if not np.isnan(score)]
    if how == "random":
        chosen = np.random.default_rng(seed).permutation(len(scored))[:count]
        return [scored[one][1] for one in sorted(chosen.tolist())]
    if how in CHOICES:
        ordered = sorted(scored, key=lambda one: one[0] if how == "worst" else -one[0])
        return [query for _, query in ordered[:count]]
    return [_named(found, every, name.strip()) for name in how.split(",")]


def draw_rank_lists(
    runs: Sequence[tuple[str, Evaluation]],
    queries: Sequence[Query],
    first: int = 10,
    side: int = 112,
    caption: str = "",
    show: Callable[[int], Image.Image] | None = None,
) -> Image.Image:
    """A row for each query and run: the query, then the first pictures of the gallery.

    Green frame and tick: the same vehicle; red and cross: another; both told apart without colour. Below each: camera and
    similarity; at the end of the row: the place of the first match, and the average precision. Junk is left out, as it is
    for the scores.

    Args:
        runs: their names and what each found, on the same trials.
        queries: from top to bottom; the runs stand above each other for each.
        first: pictures a row.
        side: of a picture, in pixels; its shape is kept.
        caption: by what protocol; a line below.
        show: a test row to the picture that is shown of it; none: the picture itself.

    Raises:
        ClipsenetError: no query to show.
        PictureError: a picture that cannot be opened.
    """
    if not queries:
        raise ClipsenetError("nothing to show: no query has a match; look at clipsenet inspect")
    font, small = ImageFont.load_default(12), ImageFont.load_default(11)
    shown = min(first, max(len(found.results[one.trial].trial.gallery) for _, found in runs for one in queries))
    cell, height = side + 2 * FRAME + GAP, side + 2 * FRAME + TEXT
    name_width = max(int(font.getlength(name)) + 2 * GAP for name, _ in runs) if len(runs) > 1 else GAP
    width = name_width + cell * (shown + 1) + 2 * GAP + 130
    below = GAP + len(queries) * (len(runs) * height + 2 * GAP)
    width = max(width, int(small.getlength(caption)) + 2 * GAP)
    image = Image.new("RGB", (width, below + (CAPTION if caption else 0)), PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((GAP, below), caption, INK, font=small)
    for block, query in enumerate(queries):
        for line, (name, found) in enumerate(runs):
            top = GAP + block * (len(runs) * height + 2 * GAP) + line * height
            if len(runs) > 1:
                draw.text((GAP, top + side / 2), name, INK, font=font)
            opened = partial(open_sighting, found.test) if show is None else show
            _row(image, draw, found, query, (name_width, top), (shown, side), small, opened)
        if block:
            y = GAP + block * (len(runs) * height + 2 * GAP) - GAP
            draw.line((0, y, width, y), (220, 220, 220))
    return image


def _row(
    image: Image.Image,
    draw: ImageDraw.ImageDraw,
    found: Evaluation,
    query: Query,
    corner: tuple[int, int],
    size: tuple[int, int],
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    show: Callable[[int], Image.Image],
) -> None:
    (left, top), (shown, side) = corner, size
    result = found.results[query.trial]
    trial, ranking = result.trial, result.ranking
    asked = int(trial.query[query.number])
    cell = side + 2 * FRAME + GAP
    camera = found.test.camera.texts()
    _cell(image, draw, show(asked), (left, top), side, ASKED, ["query", camera[asked]], font)
    vehicle = found.test.vehicle.numbers
    for place, (row, similarity) in enumerate(
        zip(ranking.top[query.number][:shown].tolist(), ranking.top_similarity[query.number][:shown].tolist(), strict=True)
    ):
        if row < 0:
            break
        picture = int(trial.gallery[row])
        right = bool(vehicle[picture] == vehicle[asked])
        x = left + (place + 1) * cell + GAP
        colour = RIGHT if right else WRONG
        _cell(image, draw, show(picture), (x, top), side, colour, [camera[picture], f"{similarity:.3f}"], font)
        _sign(draw, (x + FRAME + 11, top + FRAME + 11), right)
    places = ranking.places[query.number]
    facts = [f"first match: {places[0] + 1}" if len(places) else "no match", f"of {ranking.candidates[query.number]} pictures"]
    facts.append(f"AP {result.per_query['mAP'][query.number]:.3f}")
    x = left + (shown + 1) * cell + 2 * GAP
    for line, text in enumerate(facts):
        draw.text((x, top + side / 2 - 20 + 15 * line), text, INK, font=font)


def _cell(
    image: Image.Image,
    draw: ImageDraw.ImageDraw,
    picture: Image.Image,
    corner: tuple[int, int],
    side: int,
    colour: tuple[int, int, int],
    words: Sequence[str],
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
) -> None:
    """A framed picture with words below."""
    left, top = corner
    factor = side / max(picture.size)
    picture = picture.resize([max(1, round(edge * factor)) for edge in picture.size], Image.Resampling.LANCZOS)
    draw.rectangle((left, top, left + side + 2 * FRAME - 1, top + side + 2 * FRAME - 1), outline=colour, width=FRAME)
    image.paste(picture, (left + FRAME + (side - picture.width) // 2, top + FRAME + (side - picture.height) // 2))
    for line, text in enumerate(words):
        draw.text(
            (left + FRAME, top + side + 2 * FRAME + 3 + 14 * line), fitting(str(text), side + FRAME, font), INK, font=font
        )


def _sign(draw: ImageDraw.ImageDraw, centre: tuple[int, int], right: bool) -> None:
    """A tick or a cross in a disc, so that colour is not needed."""
    x, y = centre
    draw.ellipse((x - 10, y - 10, x + 10, y + 10), fill=RIGHT if right else WRONG, outline=PAPER)
    strokes = [(x - 5, y), (x - 1, y + 4), (x + 6, y - 5)] if right else None
    if strokes:
        draw.line(strokes, PAPER, width=3)
    else:
        draw.line((x - 5, y - 5, x + 5, y + 5), PAPER, width=3)
        draw.line((x - 5, y + 5, x + 5, y - 5), PAPER, width=3)


def _named(found: Evaluation, every: Sequence[tuple[float, Query]], name: str) -> Query:
    for score, query in every:
        trial = found.results[query.trial].trial
        file = found.test.file(int(trial.query[query.number]))
        if name in (file, short_name(file), Path(file).name):
            if np.isnan(score):
                raise ClipsenetError(f"query {name} has no match in the gallery: there is no right answer to show")
            return query
    raise UsageError(
        f"no query '{name}': give worst, best, random, or the file of a query, such as "
        f"{short_name(found.test.file(int(found.results[0].trial.query[0])))}"
    )
