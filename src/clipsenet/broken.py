"""Leave out what cannot be opened, when the user asks for it, and say so."""

from dataclasses import replace

import numpy as np

from clipsenet.images import find_broken, require_files
from clipsenet.protocol import Benchmark
from clipsenet.sightings import Sightings, Trial


def leave_out_broken(sightings: Sightings, threads: int = 2) -> tuple[Sightings, list[str]]:
    """Open every picture once; keep those that can be used, and list the others with the reason."""
    broken = find_broken(sightings, threads)
    kept = np.setdiff1d(np.arange(len(sightings)), [row for row, _ in broken])
    return sightings[kept], [reason for _, reason in broken]


def check_benchmark(benchmark: Benchmark, skip_broken: bool, threads: int = 2) -> tuple[Benchmark, list[str]]:
    """Refuse a benchmark whose files are not all there; or leave out what is missing or broken.

    Args:
        benchmark: its three parts are looked at.
        skip_broken: go on without the pictures that cannot be used; a note on the card then tells their number.
        threads: that open pictures.

    Returns:
        The benchmark to go on with, and why each picture was left out.

    Raises:
        PictureError: files are missing, and ``skip_broken`` is false.
    """
    if not skip_broken:
        require_files(benchmark.train, benchmark.validation, benchmark.test)
        return benchmark, []
    train, of_train = leave_out_broken(benchmark.train, threads)
    validation, of_validation = leave_out_broken(benchmark.validation, threads)
    broken = find_broken(benchmark.test, threads)
    usable = np.ones(len(benchmark.test), dtype=bool)
    usable[[row for row, _ in broken]] = False
    new_row = np.cumsum(usable) - 1
    trials = tuple(
        Trial(new_row[one.query[usable[one.query]]], new_row[one.gallery[usable[one.gallery]]], one.name)
        for one in benchmark.trials
    )
    reasons = list(dict.fromkeys([*of_train, *of_validation, *(reason for _, reason in broken)]))
    notes = (*benchmark.notes, f"{len(broken)} test pictures LEFT OUT as broken") if broken else benchmark.notes
    return replace(
        benchmark, train=train, validation=validation, test=benchmark.test[usable], trials=trials, notes=notes
    ), reasons
