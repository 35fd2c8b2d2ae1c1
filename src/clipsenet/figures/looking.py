"""Runs looked at on one benchmark: their features of its test pictures, and what each finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from clipsenet.chain import PLAIN, Chain
from clipsenet.errors import UsageError
from clipsenet.evaluation import embed_test, places_told
from clipsenet.features import Features
from clipsenet.protocol import JUNK, Benchmark, Protocol
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
        scored_by: the benchmark's protocol.
        protocol: what its scores and those of every other run on this test depend on, in a line.
        state: what they depend on beside: checkpoint, and labels told.
        places: ``(n,)`` rows of camera and view that the network was told, -1 for none.
    """

    name: str
    run: Run
    features: Features
    found: Evaluation
    chain: Chain
    scored_by: Protocol
    protocol: str
    state: str
    places: Int[np.ndarray, " n"]


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
    places = places_told(run, benchmark.test, settings)
    found, _ = embed_test(run, benchmark, settings, places, features, run.recipe.training.workers, device, watch)
    evaluation = search(found, benchmark.trials, benchmark.protocol, chain, watch=watch)[benchmark.protocol.junk]
    own = benchmark.protocol
    queries = sum(len(trial.query) for trial in benchmark.trials)
    protocol = (
        f"{benchmark.name} {benchmark.fingerprint}, {queries} queries; junk: {JUNK[own.junk]}; AP: {own.ap}; {chain.label()}"
    )
    state = f"{run.checkpoint}, epoch {run.epoch}, {'camera or view told' if found.labels_told else 'no labels told'}"
    return Look(run.recipe.name, run, found, evaluation, chain, own, protocol, state, places)


def with_own_names(looks: list[Look]) -> list[tuple[str, Look]]:
    """Each look with a name that no other has, as ``own_names``."""
    names = own_names([one.run.recipe.name for one in looks], [one.run.folder for one in looks])
    return list(zip(names, looks, strict=True))


def own_names(recipes: list[str], folders: list[Path]) -> list[str]:
    """A name for each run that no other has: its recipe's, its folder's where two share one, with as many above it as it takes.

    Raises:
        UsageError: the same folder twice.
    """
    resolved = [folder.resolve() for folder in folders]
    for number, folder in enumerate(resolved):
        if folder in resolved[:number]:
            raise UsageError(f"{folders[number]} is named twice; name each run once")
    if len(set(recipes)) == len(recipes):
        return recipes
    for depth in range(1, max(len(folder.parts) for folder in resolved) + 1):
        names = ["/".join(folder.parts[-depth:]) for folder in resolved]
        if len(set(names)) == len(names):
            return names
    raise AssertionError("resolved folders differ")


def caption(named: Sequence[tuple[str, Look]]) -> str:
    """Under which protocol all were searched, and what each run's scores depend on beside."""
    states = {look.state for _, look in named}
    if len(states) == 1:
        return f"{named[0][1].protocol}; {states.pop()}"
    return "; ".join([named[0][1].protocol, *(f"{name}: {look.state}" for name, look in named)])
