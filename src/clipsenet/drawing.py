"""A network drawn from its described parts: in text, and as SVG; one layout on a grid of characters for both."""

import itertools
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from clipsenet.describing import LABELS, PICTURE, Part

INNER = 30
"""Characters inside a box."""

GAP = 4
"""Characters between two boxes."""

PORT = 3
"""Characters between two arrows that reach the same box."""

CELL = (8, 17)
"""Pixels of a character in the SVG."""


@dataclass(eq=False)
class _Box:
    """A part in its row; one without lines is a bend, where an arrow only passes by."""

    lines: list[str]
    row: int
    middle: int = 0
    top: int = 0
    before: list["_Box"] = field(default_factory=list)
    after: list["_Box"] = field(default_factory=list)

    @property
    def half(self) -> int:
        return INNER // 2 + 2 if self.lines else 1

    @property
    def height(self) -> int:
        return len(self.lines) + 2 if self.lines else 1

    def port(self, other: "_Box") -> int:
        """Where the arrow from or to ``other`` touches."""
        side = self.before if other in self.before else self.after
        ordered = sorted(side, key=lambda one: one.middle)
        return self.middle + PORT * (2 * ordered.index(other) - len(ordered) + 1)


@dataclass(frozen=True)
class _Layout:
    boxes: list[_Box]
    arrows: list[list[tuple[int, int]]]
    width: int
    height: int


def draw_text(parts: Sequence[Part], picture: str) -> str:
    """The network in text, pictures at the top.

    Args:
        parts: as ``describe`` gives them.
        picture: what goes in, for instance ``3 x 320 x 320``.
    """
    layout = _lay_out(parts, picture)
    grid = _Grid(layout.width, layout.height)
    for arrow in layout.arrows:
        grid.line(arrow)
    for box in layout.boxes:
        if box.lines:
            grid.box(box)
    return grid.text()


def draw_svg(parts: Sequence[Part], picture: str, title: str) -> str:
    """The same as SVG: no script, no font but the viewer's own; the colours suit a light page."""
    layout = _lay_out(parts, picture)
    wide, high = CELL
    width, height = (layout.width + 2) * wide, (layout.height + 3) * high
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{width / 2}" y="{high * 1.2}" text-anchor="middle" font-size="14" fill="#222">{escape(title)}</text>',
        f'<g transform="translate({wide},{high * 2})">',
    ]
    for arrow in layout.arrows:
        points = " ".join(f"{(x + 0.5) * wide:g},{y * high:g}" for x, y in arrow)
        out.append(f'<polyline points="{points}" fill="none" stroke="#555" stroke-width="1.4" marker-end="url(#tip)"/>')
    for box in layout.boxes:
        if not box.lines:
            continue
        left, top = (box.middle - box.half) * wide, box.top * high
        out.append(
            f'<rect x="{left}" y="{top}" width="{(2 * box.half + 1) * wide}" height="{box.height * high}" rx="8" '
            f'fill="{_colour(box)}" stroke="#555"/>'
        )
        for number, line in enumerate(box.lines):
            weight = ' font-weight="bold"' if number == 0 else ""
            x, y = (box.middle + 0.5) * wide, top + (number + 1.7) * high
            out.append(f'<text x="{x:g}" y="{y:g}" text-anchor="middle" fill="#222"{weight}>{escape(line)}</text>')
    return "\n".join([*out, "</g>", "</svg>"]) + "\n"


def count(number: int) -> str:
    """A large number in three digits: ``20.3 G``."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.3g} {letter}"
    return str(number)


def _lay_out(parts: Sequence[Part], picture: str) -> _Layout:
    boxes = {PICTURE: _Box(["picture", picture], 0)}
    for part in parts:
        row = 1 + max(boxes[name].row for name in part.inputs if name != LABELS)
        boxes[part.name] = _Box(_lines(part), row)
        if LABELS in part.inputs:
            boxes[LABELS] = _Box(["camera, view", "of the picture, or none"], row - 1)
    rows: list[list[_Box]] = [[] for _ in range(1 + max(box.row for box in boxes.values()))]
    for box in boxes.values():
        rows[box.row].append(box)
    for part in parts:
        for name in part.inputs:
            _join(boxes[name], boxes[part.name], rows)
    for line in rows[1:]:
        line.sort(key=lambda box: _mean([rows[box.row - 1].index(one) for one in box.before]))
    _place(rows)
    arrows: list[list[tuple[int, int]]] = []
    top = 0
    for number, line in enumerate(rows):
        for box in line:
            box.top = top
        bottom = top + max(box.height for box in line)
        below = [(box, after) for box in line for after in box.after]
        bent = [pair for pair in below if pair[0].port(pair[1]) != pair[1].port(pair[0])]
        # one line for each arrow that bends, those that go farthest left first
        bent.sort(key=lambda pair: (pair[1].port(pair[0]), pair[0].middle))
        top = bottom + len(bent) + 2 if number + 1 < len(rows) else bottom
        for box, after in below:
            start, end = box.port(after), after.port(box)
            track = bottom + 1 + bent.index((box, after)) if (box, after) in bent else bottom
            arrows.append([(start, box.top + box.height), (start, track), (end, track), (end, top)])
    everything = [box for line in rows for box in line]
    width = max(box.middle + box.half for box in everything) + 1
    return _Layout(everything, _chained(arrows, rows), width, top)


def _lines(part: Part) -> list[str]:
    head = f"{part.name}: {part.symbol}, {part.length}-d" if part.symbol else f"{part.name}: {part.length}-d"
    what = part.what if len(part.what) <= INNER else part.what.replace(".", ".\n")  # a timm network and its weights
    lines = [head, *(line for long in what.split("\n") for line in textwrap.wrap(long, INNER))]
    if part.parameters:
        lines.append(f"{part.parameters:,} parameters")
    if part.multiply_adds:
        lines.append(f"{count(part.multiply_adds)} multiply-adds")
    return lines


def _join(start: _Box, end: _Box, rows: list[list[_Box]]) -> None:
    """An arrow from row to row; through every row between, a bend that keeps its place free."""
    for row in range(start.row + 1, end.row):
        bend = _Box([], row)
        rows[row].append(bend)
        start.after.append(bend)
        bend.before.append(start)
        start = bend
    start.after.append(end)
    end.before.append(start)


def _place(rows: list[list[_Box]]) -> None:
    """Give every box its middle: rows are centred, and nothing overlaps."""
    widths = [sum(2 * box.half + 1 for box in row) + GAP * (len(row) - 1) for row in rows]
    for row, width in zip(rows, widths, strict=True):
        left = (max(widths) - width) // 2
        for box in row:
            box.middle = left + box.half
            left += 2 * box.half + 1 + GAP


def _chained(arrows: list[list[tuple[int, int]]], rows: list[list[_Box]]) -> list[list[tuple[int, int]]]:
    """Arrows that end in a bend go on with the one that begins there."""
    bends = {(box.middle, box.top): box for row in rows for box in row if not box.lines}
    begins = {arrow[0]: arrow for arrow in arrows}
    whole = []
    for arrow in arrows:
        if any((x, y - 1) in bends for x, y in arrow[:1]):
            continue
        path = list(arrow)
        while path[-1] in bends:
            box = bends[path[-1]]
            path += begins[(box.middle, box.top + box.height)]
        whole.append(path)
    return whole


def _mean(numbers: Sequence[int]) -> float:
    return sum(numbers) / len(numbers) if numbers else float("inf")


def _colour(box: _Box) -> str:
    grey = "#f3f4f6"
    colours = {"appearance": "#dbeafe", "semantics": "#fef3c7", "afem": "#fde68a", "picture": grey, "camera, view": grey}
    return colours.get(box.lines[0].split(":")[0], "#e5f4e3")


class _Grid:
    """Characters: lines know their four directions, so that crossings and corners come out by themselves."""

    UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
    CHARACTERS = " ╵╷│╴┘┐┤╶└┌├─┴┬┼"

    def __init__(self, width: int, height: int) -> None:
        self.directions = [[0] * width for _ in range(height)]
        self.characters: dict[tuple[int, int], str] = {}

    def line(self, path: list[tuple[int, int]]) -> None:
        """A line from corner to corner, with a tip at its end."""
        for start, (to_x, to_y) in itertools.pairwise(path):
            x, y = start
            while (x, y) != (to_x, to_y):
                step_x, step_y = (to_x > x) - (to_x < x), (to_y > y) - (to_y < y)
                go, come = {
                    (1, 0): (self.RIGHT, self.LEFT),
                    (-1, 0): (self.LEFT, self.RIGHT),
                    (0, 1): (self.DOWN, self.UP),
                    (0, -1): (self.UP, self.DOWN),
                }[step_x, step_y]
                self.directions[y][x] |= go
                x, y = x + step_x, y + step_y
                if y < len(self.directions):
                    self.directions[y][x] |= come
        end_x, end_y = path[-1]
        self.characters[end_x, end_y - 1] = "▼"

    def box(self, box: _Box) -> None:
        """A frame with its lines of text in the middle."""
        left, right, bottom = box.middle - box.half, box.middle + box.half, box.top + box.height - 1
        for x in range(left, right + 1):
            self.characters[x, box.top] = self.characters[x, bottom] = "─"
        for y in range(box.top, bottom + 1):
            self.characters[left, y] = self.characters[right, y] = "│"
        corners = {(left, box.top): "┌", (right, box.top): "┐", (left, bottom): "└", (right, bottom): "┘"}
        self.characters |= corners
        for number, line in enumerate(box.lines):
            text = line.center(right - left - 1)
            for offset, character in enumerate(text):
                self.characters[left + 1 + offset, box.top + 1 + number] = character

    def text(self) -> str:
        rows = []
        for y, row in enumerate(self.directions):
            cells = [self.characters.get((x, y), self.CHARACTERS[value]) for x, value in enumerate(row)]
            rows.append("".join(cells).rstrip())
        return "\n".join(rows)
