"""VeRi-776's index files, against which our junk rule is checked."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from clipsenet.datasets.lists import entries
from clipsenet.errors import ClipsenetError
from clipsenet.sightings import Sightings, Trial

GOOD, JUNK = "gt_index.txt", "jk_index.txt"
_ADVICE = (
    "the numbers count the lines of name_test.txt. If pictures were taken out on purpose, remove gt_index.txt and "
    "jk_index.txt; else unpack the lists anew"
)


def check_index_files(root: Path, test: Sightings, trial: Trial) -> list[str]:
    """Compare ``gt_index.txt`` and ``jk_index.txt`` with our rule for every query; the names of those that are there.

    Both count the lines of ``name_test.txt`` from 1, with a line for each of ``name_query.txt``. Ours: good is the query's
    vehicle in another camera, junk its vehicle in its own.

    Args:
        root: the data set's folder.
        test: gallery and queries.
        trial: both in the order of their lists.

    Raises:
        ClipsenetError: a difference, with query and picture.
    """
    vehicle, camera = test.vehicle.numbers, test.camera.numbers
    good, junk = [], []
    for query in trial.query:
        same = vehicle[trial.gallery] == vehicle[query]
        beside = camera[trial.gallery] == camera[query]
        good.append(np.flatnonzero(same & ~beside))
        junk.append(np.flatnonzero(same & beside))
    checked = []
    for name, ours in ((GOOD, good), (JUNK, junk)):
        if (root / name).is_file() and (root / name).stat().st_size:
            _compare(root / name, ours, test, trial)
            checked.append(name)
    return checked


def _compare(file: Path, ours: Sequence[Int[np.ndarray, " _"]], test: Sightings, trial: Trial) -> None:
    lines = list(entries(file, blank=True))
    while lines and not lines[-1][1]:
        lines.pop()
    while len(lines) < len(ours) and not len(ours[len(lines)]):  # queries without a picture end a file with empty lines
        lines.append((len(lines) + 1, ""))
    if len(lines) != len(ours):
        raise ClipsenetError(f"{file}: found {len(lines)} lines, wanted {len(ours)}, one for each query; {_ADVICE}")
    meaning = "good" if file.name == GOOD else "junk"
    for (line, text), rows, query in zip(lines, ours, trial.query, strict=True):
        numbers = text.split()
        if not all(number.isdecimal() and 1 <= int(number) <= len(trial.gallery) for number in numbers):
            shown = text if len(text) <= 40 else f"{text[:37]}..."
            raise ClipsenetError(
                f"{file}, line {line}: found '{shown}' for the query {test.path[query]}, wanted numbers of gallery pictures, "
                f"from 1 to {len(trial.gallery)}; {_ADVICE}"
            )
        theirs = np.array(numbers, dtype=np.int64) - 1
        differ = np.setxor1d(theirs, rows)
        if len(differ):
            picture = differ[0]
            by = f"{file.name}, not by the names" if picture in theirs else f"the names, not by {file.name}"
            raise ClipsenetError(
                f"{file}, line {line}: for the query {test.path[query]} the picture {test.path[trial.gallery[picture]]} "
                f"(number {picture + 1}) is {meaning} by {by}; {_ADVICE}"
            )
