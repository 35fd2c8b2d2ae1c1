"""Reporter: whoever watches a training; this one says nothing."""


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
