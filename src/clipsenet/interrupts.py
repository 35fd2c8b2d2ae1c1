"""Interrupts: Ctrl-C and a polite kill ask the loop to stop at its next step, instead of tearing it apart."""

import signal
from types import FrameType
from typing import Any


class Interrupts:
    """While it is open, the first SIGINT or SIGTERM sets ``asked``; a second one interrupts at once.

    Outside the main thread Python lets nobody handle signals: then ``asked`` stays false.

    Args:
        patient: a further signal changes nothing: one of several processes hears of one Ctrl-C twice, from the terminal
            and from the process that began it.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.asked = False
        self.patient = patient
        self._former: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._former[number] = signal.signal(number, self._note)
            except ValueError:  # not the main thread
                break
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked and not self.patient:
            raise KeyboardInterrupt
        self.asked = True
