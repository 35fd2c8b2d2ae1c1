"""All that a report tells of one run on a benchmark's test, in values."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from clipsenet.confusion import Confusion, confuse
from clipsenet.evaluation import evaluate, has_queries
from clipsenet.figures.curves import Spread, spread
from clipsenet.figures.groups import Groups, measure_groups
from clipsenet.figures.looking import Look, look
from clipsenet.plates import audit_plates
from clipsenet.protocol import Benchmark
from clipsenet.reporting import SILENT, Watch
from clipsenet.reports.choices import Choices
from clipsenet.runs import Run
from clipsenet.scorecard import Scorecard

PICTURES = 200
"""Pictures on which AFEM's groups are measured."""

DRAWS = 1000
"""Bootstrap draws where the recipe asks for no interval: a report's scores have one."""


@dataclass(frozen=True, eq=False)
class Finding:
    """One run.

    Attributes:
        name: that no other run of the report has.
        look: its features and what they find, plain.
        scorecard: plain and re-ranked, with slices and audit.
        absent: slices of the run's recipe that no query of this test is in.
        confusion: of first answers.
        spread: of cosines.
        groups: of AFEM; none where there is none.
        plates: the number-plate audit; none where no plate is known, or where it was not asked for.
    """

    name: str
    look: Look
    scorecard: Scorecard
    absent: tuple[str, ...]
    confusion: Confusion
    spread: Spread
    groups: Groups | None
    plates: dict[str, Any] | None


def find(
    named: Sequence[tuple[str, Run]],
    benchmark: Benchmark,
    folders: Sequence[Path],
    choices: Choices,
    device: torch.device | str = "cpu",
    watch: Watch = SILENT,
) -> list[Finding]:
    """Evaluate each run, and look at what it found.

    Args:
        named: the runs, each with a name of its own.
        benchmark: whose test pictures they see.
        folders: a features folder for each: read where it is there, written where it is not.
        choices: what is asked for.
        device: where networks compute.
        watch: told how far it is.

    Raises:
        ClipsenetError, UsageError: as ``evaluate``, ``look`` and ``audit_plates``.
    """
    found = []
    for (name, run), folder in zip(named, folders, strict=True):
        own = run.recipe.evaluation
        wanted: dict[str, Any] = {"audit": True, "without": None, "intervals": own.intervals or DRAWS}
        wanted["slices"] = tuple(one for one in own.slices if has_queries(benchmark, one))  # they may be those of another list
        if choices.similarities is not None:
            wanted["similarities"] = choices.similarities
        workers = run.recipe.training.workers
        scorecard = evaluate(
            run, benchmark, own.model_copy(update=wanted), features=folder, workers=workers, device=device, watch=watch
        )
        seen = look(run, benchmark, features=folder, device=device, watch=watch)
        plates = (
            audit_plates(run, benchmark, seen.features, seen.places, device, watch, choices.seed) if choices.plates else None
        )
        run.model.to("cpu")  # for a few pictures
        groups = measure_groups(run, benchmark.test[_some(seen, choices.seed)]) if run.model.afem is not None else None
        pairs = spread(seen.features, seen.found, seen.scored_by.junk)
        absent = tuple(one for one in own.slices if one not in wanted["slices"])
        found.append(Finding(name, seen, scorecard, absent, confuse(seen.found), pairs, groups, plates))
    return found


def _some(seen: Look, seed: int) -> Int[np.ndarray, " rows"]:
    """Test pictures drawn by ``seed``, ascending."""
    return np.sort(np.random.default_rng(seed).permutation(len(seen.found.test))[:PICTURES])
