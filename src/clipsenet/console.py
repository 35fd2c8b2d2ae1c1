"""What a user sees: tables, and a progress bar on a terminal or plain lines elsewhere."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from clipsenet.reporting import Reporter
from clipsenet.scorecard import Card, Line, Scorecard

WIDTH = 160
"""Columns where there is no terminal: a file does not wrap a table."""


def _console(stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, soft_wrap=True, width=WIDTH)


out = _console(stderr=False)
err = _console(stderr=True)

PLAIN_EVERY = 30.0
"""Seconds between two lines where there is no terminal."""


class TrainingConsole(Reporter):
    """Shows a training: one bar over all epochs, or plain lines."""

    def __init__(self, console: Console = out) -> None:
        self.console = console
        self.done = 0
        self.pictures = 0
        self.total = 0
        self.started = self.last_line = time.monotonic()
        self.epochs = 0
        self.bar: Progress | None = None

    def begin(self, text: str, epochs: int, steps: int, epochs_done: int) -> None:
        """The first line, and the bar where there is a terminal."""
        self.console.print(text, markup=False)
        self.epochs, self.total = epochs, (epochs - epochs_done) * steps
        self.started = self.last_line = time.monotonic()
        if self.console.is_terminal:
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                TextColumn("{task.percentage:>3.0f}%"),
                TimeRemainingColumn(),
                console=self.console,
            )
            self.bar.add_task("starting", total=self.total)
            self.bar.start()

    def step(self, epoch: int, step: int, steps: int, rate: float, pictures: int, parts: dict[str, float]) -> None:
        """Loss parts, rate, pictures a second, time left."""
        self.done += 1
        self.pictures += pictures
        now = time.monotonic()
        losses = " ".join(f"{name} {value:.3f}" for name, value in parts.items())
        speed = self.pictures / max(1e-9, now - self.started)
        text = f"epoch {epoch}/{self.epochs} step {step}/{steps} {losses} rate {rate:.2e} {speed:.0f} pictures/s"
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], description=text, completed=self.done)
        elif now - self.last_line >= PLAIN_EVERY:
            self.last_line = now
            left = (self.total - self.done) * (now - self.started) / self.done
            self.console.print(f"{text} {_clock(left)} left", markup=False)

    def epoch(self, row: dict[str, float]) -> None:
        """A line for each epoch that was validated."""
        scores = {name: value for name, value in row.items() if name.startswith(("validation.", "test."))}
        if scores:
            text = " ".join(f"{name} {value:.3f}" for name, value in scores.items())
            self.console.print(f"epoch {row['epoch']:.0f}: loss {row['loss']:.3f} {text}", markup=False)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


@contextmanager
def counting(title: str) -> Iterator["Counter"]:
    """A bar for pictures that are opened one after the other; on a terminal only."""
    counter = Counter(title)
    try:
        yield counter
    finally:
        counter.close()


class Counter:
    """``counter(done, total)`` moves the bar."""

    def __init__(self, title: str) -> None:
        self.bar = Progress(
            TextColumn(title), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn(), console=err
        )
        self.task = self.bar.add_task(title, total=None)
        if err.is_terminal:
            self.bar.start()

    def __call__(self, done: int, total: int) -> None:
        self.bar.update(self.task, completed=done, total=total)

    def close(self) -> None:
        """Take the bar away."""
        if err.is_terminal:
            self.bar.stop()


def print_scorecard(scorecard: Scorecard) -> None:
    """The protocol card, then a table for each set of queries."""
    _print_card(scorecard.card)
    for section in scorecard.sections:
        title = escape(f"{section.queries_of}: {section.queries} queries with a match")
        table = Table("", *(escape(line.method) for line in section.lines), title=title, title_justify="left")
        for name in section.lines[0].scores:
            table.add_row(name, *(_figure(line, name, line.method == "difference") for line in section.lines))
        out.print(table)
    if any(line.deviation and not line.interval for section in scorecard.sections for line in section.lines):
        out.print("\u00b1: standard deviation over the trials", markup=False)
    if any(line.interval for section in scorecard.sections for line in section.lines):
        out.print("[low, high]: 95 % bootstrap interval over vehicles; those of differences are paired", markup=False)


def print_rows(title: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table; the first column is to the left, the others to the right."""
    table = Table()
    for number, name in enumerate(title):
        table.add_column(name, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*map(escape, row))
    out.print(table)


def _print_card(card: Card) -> None:
    trials = f"{len(card.trials)} ({', '.join(card.trials)}), averaged" if len(card.trials) > 1 else card.trials[0]
    galleries = " and ".join(str(size) for size in dict.fromkeys(card.gallery))
    lines = {
        "benchmark": f"{card.benchmark} ({card.copy}), fingerprint {card.fingerprint}",
        "queries": f"{card.queries}, {card.without_match} without a match (left out); gallery {galleries} pictures",
        "trials": trials,
        "junk": card.junk,
        "average precision": card.average_precision,
        "similarity": card.similarity,
        "labels at test": card.labels_at_test,
        "checkpoint": card.checkpoint,
        "image": card.image_size,
        "embedding": card.embedding,
        "run": card.run_id[:16],
    }
    for number, note in enumerate(card.notes):
        lines[f"note {number + 1}"] = note
    width = max(map(len, lines))
    for name, text in lines.items():
        out.print(f"{name:<{width}}  {text}", markup=False)


def _figure(line: Line, name: str, signed: bool) -> str:
    value = line.scores[name]
    if math.isnan(value):
        return "none"
    text = f"{value:+.3f}" if signed else f"{value:.3f}"
    if name in line.interval:
        low, high = line.interval[name]
        text += f" \\[{low:+.3f}, {high:+.3f}]" if signed else f" \\[{low:.3f}, {high:.3f}]"
    elif name in line.deviation:
        text += f" \u00b1 {line.deviation[name]:.3f}"
    return text


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
