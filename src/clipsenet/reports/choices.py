"""What a report shows, and how much of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Choices:
    """What a user may ask of a report.

    Attributes:
        similarities: chains scored beside the plain cosine; none: as the run's recipe or the benchmark has it.
        worst, best, random: queries whose lists are shown.
        first: answers in each list.
        maps: pictures whose activation maps are shown, and half as many pairs.
        vehicles: on the embedding map.
        blurred: whether the lower middle of pictures is blurred.
        plates: whether the number-plate audit is made where plates are known: it embeds their pictures twice more.
        seed: of all that is drawn by chance.
    """

    similarities: tuple[str, ...] | None = None
    worst: int = 12
    best: int = 3
    random: int = 3
    first: int = 10
    maps: int = 6
    vehicles: int = 14
    blurred: bool = True
    plates: bool = True
    seed: int = 0
