"""Runs looked at on one benchmark: their features of its test pictures, and what each finds."""

from dataclasses import dataclass
from pathlib import Path

import torch

from clipsenet.chain import PLAIN, Chain
from clipsenet.errors import UsageError
from clipsenet.features import Features, extract
from clipsenet.protocol import Benchmark, JunkRule
from clipsenet.reporting import SILENT, Watch
from clipsenet.runs import Run
from clipsenet.trials import Evaluation, search


@dataclass(frozen=True, eq=False)
class Look:
    """One run on a benchmark's test.

    Attributes:
        name: for titles.
        run: the network.
        features: of the test pictures.
        found: every trial searched by ``chain`` and the benchmark's own junk rule.
        chain: the similarity.
        junk: the rule.
    """

    name: str
    run: Run
    features: Features
    found: Evaluation
    chain: Chain
    junk: JunkRule


def look(
    run: Run,
    benchmark: Benchmark,
    *,
    chain: Chain = PLAIN,
    features: Path | None = None,
    workers: int = 0,
    device: torch.device | str = "cpu",
    watch: Watch = SILENT,
) -> Look:
    """Extract a benchmark's test pictures and search its trials.

    Args:
        run: the network; rows of camera and view are told as its recipe's evaluation says.
        benchmark: pictures, trials and protocol.
        chain: by what similarity they are ranked.
        features: a features folder of the run, read instead of extracting.
        workers: processes that open pictures.
        device: where the network computes.
        watch: told how far it is.

    Raises:
        ClipsenetError: nothing to test, a broken picture, features of another run.
    """
    told = run.recipe.evaluation.labels
    places = run.model.place_rows(benchmark.test) if told else None
    if features is None:
        found = extract(
            run.model,
            benchmark.test,
            run.test_transform,
            run.id,
            dim=run.dim,
            places=places,
            batch=run.recipe.evaluation.batch,
            workers=workers,
            device=device,
            progress=watch.stage(f"extracting with {run.recipe.name}"),
        )
    else:
        used = places is not None and bool((places >= 0).any())
        found = Features.load(features).of(benchmark.test, run.id, used, str(features))
    evaluation = search(found, benchmark.trials, benchmark.protocol, chain, watch=watch)[benchmark.protocol.junk]
    return Look(run.recipe.name, run, found, evaluation, chain, benchmark.protocol.junk)


def with_own_names(looks: list[Look]) -> list[tuple[str, Look]]:
    """Each look with a name that no other has: the recipe's, or the run folder's where two share one.

    Raises:
        UsageError: the same folder twice.
    """
    names = [one.name for one in looks]
    folders = [str(one.run.folder) for one in looks]
    if len(set(folders)) < len(folders):
        raise UsageError(f"{folders[0]} is named twice; name each run once")
    shared = len(set(names)) < len(names)
    return list(zip([one.run.folder.name for one in looks] if shared else names, looks, strict=True))
