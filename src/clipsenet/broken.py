"""Leave out what cannot be opened, when the user asks for it, and say so."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from clipsenet.images import find_broken, require_files
from clipsenet.protocol import Benchmark, fingerprint
from clipsenet.sightings import Sightings, Trial

Part = Literal["train", "validation", "test"]


def leave_out_broken(sightings: Sightings, threads: int = 2) -> tuple[Sightings, list[str]]:
    """Open every picture once; keep those that can be used, and list the others with the reason."""
    broken = find_broken(sightings, threads)
    kept = np.setdiff1d(np.arange(len(sightings)), [row for row, _ in broken])
    return sightings[kept], [reason for _, reason in broken]


def check_benchmark(
    benchmark: Benchmark, parts: Sequence[Part], skip_broken: bool, threads: int = 2
) -> tuple[Benchmark, list[str]]:
    """Refuse a benchmark whose files are not all there; or leave out what is missing or broken.

    Args:
        benchmark: whose pictures are looked at.
        parts: those that will be opened.
        skip_broken: go on without the pictures that cannot be used; the card then calls the copy modified.
        threads: that open pictures.

    Returns:
        The benchmark to go on with, and why each picture was left out.

    Raises:
        PictureError: files are missing, and ``skip_broken`` is false.
    """
    if not skip_broken:
        require_files(*(getattr(benchmark, part) for part in parts))
        return benchmark, []
    reasons: list[str] = []
    for part in parts:
        if part == "test":
            benchmark, of_part = _without_broken_test(benchmark, threads)
        else:
            kept, of_part = leave_out_broken(getattr(benchmark, part), threads)
            benchmark = replace(benchmark, **{part: kept})  # type: ignore[arg-type]
        reasons += of_part
    return benchmark, list(dict.fromkeys(reasons))


def _without_broken_test(benchmark: Benchmark, threads: int) -> tuple[Benchmark, list[str]]:
    """The trials point at the same pictures afterwards; the fingerprint is that of what is left."""
    broken = find_broken(benchmark.test, threads)
    if not broken:
        return benchmark, []
    usable = np.ones(len(benchmark.test), dtype=bool)
    usable[[row for row, _ in broken]] = False
    new_row = np.cumsum(usable) - 1
    trials = tuple(
        Trial(new_row[one.query[usable[one.query]]], new_row[one.gallery[usable[one.gallery]]], one.name)
        for one in benchmark.trials
    )
    test = benchmark.test[usable]
    changed = replace(
        benchmark,
        test=test,
        trials=trials,
        fingerprint=fingerprint(test),
        copy=f"{benchmark.copy}, modified",
        notes=(*benchmark.notes, f"{len(broken)} test pictures LEFT OUT as broken"),
    )
    return changed, [reason for _, reason in broken]
