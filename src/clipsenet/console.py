"""What a user sees: tables, and a progress bar on a terminal or plain lines elsewhere."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from clipsenet.protocol import JUNK
from clipsenet.reporting import Reporter, Tick, Watch
from clipsenet.scorecard import Card, Line, Scorecard

WIDTH = 180
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

    def __reduce__(self) -> tuple[Any, ...]:
        """For the first of several processes: a console cannot be pickled, so that it takes its own."""
        return _training_console, (self.console.stderr,)

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


def _training_console(stderr: bool) -> TrainingConsole:
    return TrainingConsole(err if stderr else out)


@contextmanager
def watching() -> Iterator["StageConsole"]:
    """Shows work in stages, each with its time left: a bar on a terminal, a line now and then elsewhere."""
    console = StageConsole()
    try:
        yield console
    finally:
        console.close()


class StageConsole(Watch):
    """One bar, for the stage that is under way."""

    def __init__(self) -> None:
        self.bar: Progress | None = None

    def say(self, text: str) -> None:
        """A line on stderr."""
        err.print(text, markup=False)

    def stage(self, title: str) -> Tick:
        """Begin a bar; the one before is taken away."""
        self.close()
        if err.is_terminal:
            columns = (BarColumn(), TextColumn("{task.completed}/{task.total}"), _Rate(), TimeRemainingColumn())
            self.bar = Progress(TextColumn(escape(title)), *columns, console=err, transient=True)
            task = self.bar.add_task(title, total=None)
            self.bar.start()
            bar = self.bar
            return lambda done, total: bar.update(task, completed=done, total=total)
        started = last = time.monotonic()

        def line(done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= PLAIN_EVERY and done < total:
                last = now
                seconds = (now - started) / max(1, done)
                text = f"{title}: {done}/{total}, {1 / seconds:.1f} a second, {_clock((total - done) * seconds)} left"
                err.print(text, markup=False)

        return line

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


class _Rate(ProgressColumn):
    """How many are done in a second."""

    def render(self, task: Task) -> Text:
        """The cell of one bar; empty until something is done."""
        return Text("" if task.speed is None else f"{task.speed:.1f} a second")


def print_scorecard(scorecard: Scorecard) -> None:
    """The protocol card, then a table for each set of queries, a row for each similarity and rule; then the audit."""
    _print_card(scorecard.card, [line.junk for section in scorecard.sections for line in section.lines])
    for section in scorecard.sections:
        title = escape(f"{section.queries_of}: {section.queries} queries with a match")
        wide = out.width >= WIDE
        shown = [name for name in section.lines[0].scores if wide or name in FEW]
        table = Table("", *shown, title=title, title_justify="left")
        table.columns[0].no_wrap = wide
        for column in table.columns[1:]:
            column.justify, column.no_wrap, column.min_width = (
                "right",
                True,
                13 if any(line.interval for line in section.lines) else 5,
            )
        own = section.lines[0].junk
        for line in section.lines:
            figures = [_figure(line, score, line.method == "difference") for score in shown]
            table.add_row(escape(_line_name(line, own)), *figures)
        out.print(table)
        if not wide:
            out.print(f"below {WIDE} columns only {', '.join(FEW)} are shown; --json has all", markup=False)
    if any(line.deviation for section in scorecard.sections for line in section.lines):
        out.print("\u00b1: standard deviation over the trials", markup=False)
    if any(line.interval for section in scorecard.sections for line in section.lines):
        out.print("[low, high]: 95 % bootstrap interval over vehicles; those of differences are paired", markup=False)
    if scorecard.audit is not None:
        _print_audit(scorecard.audit)


def _line_name(line: Line, own_junk: str) -> str:
    """Method and similarity, and the junk rule where it is not the benchmark's own."""
    return "\n".join(
        [f"{line.method}, {line.label}", *([f"  junk: {line.junk}, {line.queries} queries"] if line.junk != own_junk else [])]
    )


WIDE, FEW = 120, ("mAP", "R1", "mINP")
"""Columns of a terminal that show every score, and what is shown on narrower ones."""

SHOWN_PAIRS = 10
"""Camera pairs that are printed; the JSON has all of them."""


def _print_audit(audit: Mapping[str, Any]) -> None:
    camera = audit["camera"]
    if camera is None:
        out.print("audit: fewer than two cameras are known, so none can be told from the embedding", markup=False)
    else:
        low, high = camera["interval"]
        out.print(
            f"audit: the camera is told from the embedding for {camera['accuracy']:.3f} [{low:.3f}, {high:.3f}] of "
            f"{camera['pictures']} pictures (nearest mean of {camera['cameras']} cameras, without the vehicle's own pictures); "
            f"always the largest camera: {camera['largest_share']:.3f}",
            markup=False,
        )
    shown = audit["slices"]["shown"]
    pairs = sorted((one for one in shown if one["kind"] == "camera pair"), key=lambda one: one["mAP"])
    others = [one for one in shown if one["kind"] != "camera pair"]
    rows = [_slice_row(one) for one in (*pairs[:SHOWN_PAIRS], *others)]
    if rows:
        print_rows(("audit, slices of the queries", "", "queries", "mAP", "R1"), rows)
    if len(pairs) > SHOWN_PAIRS:
        out.print(f"the {SHOWN_PAIRS} camera pairs with the lowest mAP, of {len(pairs)}; --json has all", markup=False)
    for kind, number in audit["slices"]["left_out"].items():
        out.print(f"{kind}: {number} more with fewer than {audit['slices']['fewest']} queries", markup=False)


def _slice_row(one: Mapping[str, Any]) -> list[str]:
    def text(score: str) -> str:
        low, high = one["intervals"][score]
        return f"{one[score]:.3f} [{low:.3f}, {high:.3f}]"

    return [str(one["kind"]), str(one["name"]), str(one["queries"]), text("mAP"), text("R1")]


def print_rows(title: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table; the first column is to the left, the others to the right. What does not fit is folded, never cut off."""
    table = Table()
    for number, name in enumerate(title):
        table.add_column(name, justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(escape(printable(text)) for text in row))
    out.print(table)


def printable(text: str) -> str:
    """A text whose control characters are spelled out: a line's end in a file's name breaks no row."""
    return "".join(one if one.isprintable() or one == " " else repr(one)[1:-1] for one in text)


def _print_card(card: Card, rules: Sequence[str]) -> None:
    names = card.trials if len(card.trials) < 4 else (card.trials[0], "...", card.trials[-1])
    trials = f"{len(card.trials)} ({', '.join(names)}), averaged" if len(card.trials) > 1 else card.trials[0]
    galleries = " and ".join(str(size) for size in dict.fromkeys(card.gallery))
    lines = {
        "benchmark": f"{card.benchmark} ({card.copy}), fingerprint {card.fingerprint}",
        "queries": f"{card.queries}, {card.without_match} without a match (left out); gallery {galleries} pictures",
        "trials": trials,
        "junk": card.junk,
        **{f"junk: {rule}": JUNK[rule] for rule in dict.fromkeys(rules) if JUNK.get(rule, card.junk) != card.junk},
        "average precision": card.average_precision,
        "similarity": card.similarity[0],
        **{f"similarity {number + 2}": text for number, text in enumerate(card.similarity[1:])},
        "labels at test": card.labels_at_test,
        "checkpoint": card.checkpoint,
        "image": card.image_size,
        "embedding": card.embedding,
        "run": card.run_id if " + " in card.run_id else card.run_id[:16],
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
        text += f"\n\\[{low:+.3f},{high:+.3f}]" if signed else f"\n\\[{low:.3f},{high:.3f}]"
    if name in line.deviation:
        text += f"\n\u00b1 {line.deviation[name]:.3f}"
    return text


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
