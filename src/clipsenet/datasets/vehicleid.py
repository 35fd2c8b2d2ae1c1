"""VehicleID of Peking University: no cameras; a gallery of one random picture of each vehicle, drawn several times."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from clipsenet.datasets.copies import compare, measure
from clipsenet.datasets.holding_out import HoldOutSettings
from clipsenet.datasets.lists import WordList, entries, malformed, read_words, refuse_twice, require_root
from clipsenet.datasets.published import as_benchmark, as_sightings
from clipsenet.errors import ClipsenetError
from clipsenet.protocol import Benchmark, Protocol
from clipsenet.sightings import TEXT, Labels, Sightings, Trial

Size = Literal["small", "medium", "large"]
SIZES: dict[Size, int] = {"small": 800, "medium": 1600, "large": 2400}
"""A test's name to its number of vehicles, and so to its list."""

OWN = Protocol(junk="same-file")
ATTRIBUTES = {"colour": "color_attr.txt", "model": "model_attr.txt"}
WANTED = "a picture and its vehicle, such as '0279029 23781'"


class DrawSettings(HoldOutSettings):
    """How VehicleID's galleries are drawn."""

    trials: int = Field(default=10, ge=1, description="VehicleID: how often a gallery is drawn; scores are averaged.")
    trial_seed: int = Field(default=0, ge=0, description="VehicleID: the seed of these draws.")
    swapped: bool = Field(
        default=False, description="VehicleID: query and gallery exchanged, to compare with numbers that were made so."
    )


def load(root: Path, settings: DrawSettings, size: Size) -> Benchmark:
    """PKU VehicleID: the folder with image, train_test_split and attribute, tested on 800, 1,600 or 2,400 vehicles.

    Args:
        root: that folder.
        settings: how galleries are drawn, and what is held out.
        size: which test; the training set is the same.

    Raises:
        ClipsenetError: not that folder, a line that cannot be read, files that contradict each other.
    """
    names = ("train_list.txt", f"test_list_{SIZES[size]}.txt")
    wanted = [f"train_test_split/{name}" for name in names]
    require_root(root, lambda folder: all((folder / name).is_file() for name in wanted), " and ".join(wanted))
    train_list, test_list = (_read_list(root / name) for name in wanted)
    lists = [train_list, test_list]
    if (root / "attribute" / "img2vid.txt").is_file():
        lists.append(_read_list(root / "attribute" / "img2vid.txt"))
    _refuse_contradictions(lists)
    attributes = {
        name: _read_numbers(root / "attribute" / file)
        for name, file in ATTRIBUTES.items()
        if (root / "attribute" / file).is_file()
    }
    train, test = (_sightings(root, one, attributes) for one in (train_list, test_list))
    found = {name: measure(_files(one), one.words[1]) for name, one in (("train", train_list), (size, test_list))}
    notes = [f"{settings.trials} random galleries of one picture of each vehicle, drawn with seed {settings.trial_seed}"]
    if settings.swapped:
        notes.append("SWAPPED: the drawn pictures ask, all others are the gallery")
    return as_benchmark(
        f"vehicleid:{size}",
        train,
        test,
        draw_trials(test, settings),
        OWN,
        settings,
        compare("vehicleid", found),
        f"test {found[size].fingerprint}",
        notes,
    )


def draw_trials(test: Sightings, settings: DrawSettings) -> tuple[Trial, ...]:
    """Each trial: one random picture of every vehicle is the gallery, all others are queries.

    Vehicles and their pictures are counted in the order of their names, so that a list's order changes nothing.
    """
    order = np.lexsort((test.path, test.vehicle.numbers))
    _, first, count = np.unique(test.vehicle.numbers[order], return_index=True, return_counts=True)
    trials = []
    for number in range(1, settings.trials + 1):
        rng = np.random.default_rng((settings.trial_seed, number))
        drawn = np.sort(order[first + rng.integers(count)])
        others = np.setdiff1d(np.arange(len(test)), drawn)
        query, gallery = (drawn, others) if settings.swapped else (others, drawn)
        trials.append(Trial(query, gallery, f"draw {number}"))
    return tuple(trials)


def _read_list(file: Path) -> WordList:
    """Pictures, without an ending, and vehicles."""
    found = read_words(file, 2, WANTED)
    pictures = [name.removesuffix(".jpg") for name in found.words[0]]
    for picture, vehicle, line in zip(pictures, found.words[1], found.line.tolist(), strict=True):
        if not (picture.isdecimal() and vehicle.isdecimal()):
            raise malformed(file, line, f"{picture} {vehicle}", WANTED)
    refuse_twice(file, pictures, found.line)
    return WordList(file, (pictures, found.words[1]), found.line)


def _refuse_contradictions(lists: Sequence[WordList]) -> None:
    """Refuse a picture to which two lists give different vehicles."""
    said: dict[str, tuple[str, Path, int]] = {}
    for one in lists:
        for picture, vehicle, line in zip(*one.words, one.line.tolist(), strict=True):
            other, file, first = said.setdefault(picture, (vehicle, one.file, line))
            if other.lstrip("0") != vehicle.lstrip("0"):
                raise ClipsenetError(
                    f"{one.file}, line {line}: picture {picture} shows vehicle {vehicle}, but vehicle {other} in {file}, "
                    f"line {first}; mend one of them"
                    + ("" if one.file.name != "img2vid.txt" else f", or remove {one.file.name}")
                )


def _read_numbers(file: Path) -> dict[str, str]:
    """A vehicle to its number of colour or model; most vehicles have none."""
    found: dict[str, tuple[str, int]] = {}
    wanted = "a vehicle and a number, such as '23781 4'"
    for line, text in entries(file):
        words = text.split()
        if len(words) != 2 or not all(word.isdecimal() for word in words):
            raise malformed(file, line, text, wanted)
        other, first = found.setdefault(words[0], (words[1], line))
        if other != words[1]:
            raise ClipsenetError(
                f"{file}: lines {first} and {line} contradict each other about vehicle {words[0]}: found {other} and "
                f"{words[1]}, wanted one number; remove the wrong line"
            )
    return {vehicle: number for vehicle, (number, _) in found.items()}


def _files(one: WordList) -> list[str]:
    return [f"{picture}.jpg" for picture in one.words[0]]


def _sightings(root: Path, one: WordList, attributes: dict[str, dict[str, str]]) -> Sightings:
    vehicle = one.words[1]
    return as_sightings(
        root,
        np.array([f"image/{name}" for name in _files(one)], dtype=TEXT),
        Labels.from_texts(vehicle),
        extra={name: Labels.from_texts([numbers.get(one, "") for one in vehicle]) for name, numbers in attributes.items()},
        source=one.file,
        line=one.line,
    )
