"""Who watches: a training (Reporter), or work in stages (Watch); these say nothing."""

from collections.abc import Callable

Tick = Callable[[int, int], None]
"""Told how much is done, of how much."""


def unheard(done: int, total: int) -> None:
    """A tick that nobody hears."""


class Watch:
    """Told what work begins and how far it is; a subclass shows it."""

    def say(self, text: str) -> None:
        """Something that a user should know before it begins."""

    def stage(self, title: str) -> Tick:
        """A stage begins; the stage before it is over. Gives whom to tell how far it is."""
        return unheard


SILENT = Watch()
"""Nobody watches."""


class LateStage:
    """A tick whose stage begins with its first call: blocks are made by stages of their own before."""

    def __init__(self, watch: Watch, title: str) -> None:
        self.watch, self.title = watch, title
        self.tick: Tick | None = None

    def __call__(self, done: int, total: int) -> None:
        if self.tick is None:
            self.tick = self.watch.stage(self.title)
        self.tick(done, total)


class Reporter:
    """Told about every step and epoch; a subclass overrides what it wants to show."""

    def begin(self, text: str, epochs: int, steps: int, epochs_done: int) -> None:
        """Before the first step: what is trained, on what; epochs in all, steps of the first one, epochs done before."""

    def mark(self, name: str) -> None:
        """A part of a step is done: load, transfer, forward, backward, update."""

    def step(self, epoch: int, step: int, steps: int, rate: float, pictures: int, parts: dict[str, float]) -> None:
        """A step is done; epoch and step count from 1; ``parts`` are the weighted losses."""

    def epoch(self, row: dict[str, float]) -> None:
        """An epoch is done; its row of the history."""
