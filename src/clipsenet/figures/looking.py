"""Runs looked at on one benchmark: their features of its test pictures, and what each finds."""

from dataclasses import dataclass
from pathlib import Path

import torch

from clipsenet.chain import PLAIN, Chain
from clipsenet.errors import UsageError
from clipsenet.evaluation import embed_test, places_told
from clipsenet.features import Features
from clipsenet.protocol import JUNK, Benchmark, JunkRule
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
        protocol: what its scores depend on, in a line.
    """

    name: str
    run: Run
    features: Features
    found: Evaluation
    chain: Chain
    junk: JunkRule
    protocol: str


def look(
    run: Run,
    benchmark: Benchmark,
    *,
    chain: Chain = PLAIN,
    features: Path | None = None,
    device: torch.device | str = "cpu",
    watch: Watch = SILENT,
) -> Look:
    """Extract a benchmark's test pictures and search its trials.

    Args:
        run: the network; rows of camera and view are told as its recipe's evaluation says.
        benchmark: pictures, trials and protocol.
        chain: by what similarity they are ranked.
        features: a features folder of the run: read where it is there, written where it is not.
        device: where the network computes.
        watch: told how far it is.

    Raises:
        ClipsenetError: nothing to test, a broken picture, features of another run.
    """
    settings = run.recipe.evaluation.model_copy(update={"without": None})
    places = places_told(run, benchmark, settings)
    found, _ = embed_test(run, benchmark, settings, places, features, run.recipe.training.workers, device, watch)
    evaluation = search(found, benchmark.trials, benchmark.protocol, chain, watch=watch)[benchmark.protocol.junk]
    own = benchmark.protocol
    queries = sum(len(trial.query) for trial in benchmark.trials)
    protocol = (
        f"{benchmark.name} {benchmark.fingerprint}, {queries} queries; junk: {JUNK[own.junk]}; AP: {own.ap}; {chain.label()}; "
        f"{run.checkpoint}, epoch {run.epoch}; {'camera or view told' if found.labels_told else 'no labels told'}"
    )
    return Look(run.recipe.name, run, found, evaluation, chain, own.junk, protocol)


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
