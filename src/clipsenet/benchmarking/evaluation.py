"""Ranking and re-ranking at full scale, against the bare product of the same run."""

import itertools
import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from clipsenet.benchmarking.made_up import SCALES, draw
from clipsenet.benchmarking.peaks import watching_memory
from clipsenet.chain import PLAIN, Chain
from clipsenet.features import Features
from clipsenet.memory import GB
from clipsenet.neighbours import BLOCK
from clipsenet.protocol import Protocol
from clipsenet.ranking import rank
from clipsenet.reporting import SILENT, Watch
from clipsenet.scores import score_queries
from clipsenet.settings import choose


def measure(
    scale: str, dim: int, similarities: Sequence[str], *, rounds: int = 1, seed: int = 0, watch: Watch = SILENT
) -> dict[str, Any]:
    """Rank made-up features by each similarity, and multiply the same vectors barely.

    The plain ranking is compared with the product of all queries with the whole gallery; everything else with the product of
    all pictures with all pictures, every block of it. Rounds take turns; figures are medians over them.

    Args:
        scale: a name of ``SCALES``.
        dim: the embeddings' length.
        similarities: chains beside the plain cosine.
        rounds: how often.
        seed: of the features.
        watch: told how far it is.

    Returns:
        Seconds, ratios, and GB above the features.

    Raises:
        UsageError: an unknown scale or similarity.
    """
    counts = choose("scale", scale, SCALES)
    chains = [PLAIN, *(chain for chain in map(Chain.parse, similarities) if not chain.plain)]
    features, trial = draw(counts, dim, seed)
    query, gallery = features[trial.query], features[trial.gallery]
    sides = [query.embeddings, gallery.embeddings]
    products: dict[str, list[float]] = {"queries x gallery": [], "all x all": []}
    times: dict[str, list[float]] = {str(chain): [] for chain in chains}
    memory: dict[str, list[float | None]] = {str(chain): [] for chain in chains}
    scores: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        products["queries x gallery"].append(_timed(lambda: _multiply(sides[:1], sides[1:], watch)))
        if len(chains) > 1:
            products["all x all"].append(_timed(lambda: _multiply(sides, sides, watch)))
        for chain in chains:
            with watching_memory() as peak:
                times[str(chain)].append(_timed(lambda chain=chain: _score(query, gallery, chain, scores, watch)))  # type: ignore[misc]
            memory[str(chain)].append(peak.above_gb)
    product = {name: statistics.median(values) for name, values in products.items() if values}
    lines = []
    for chain in chains:
        name = str(chain)
        against = "queries x gallery" if chain.plain else "all x all"
        seconds = statistics.median(times[name])
        above = [value for value in memory[name] if value is not None]
        lines.append(
            {
                "similarity": name,
                "seconds": seconds,
                "against": against,
                "ratio": seconds / product[against],
                "gb_above_features": max(above) if above else None,
                "gb_estimated": chain.memory(len(query), len(gallery), dim) / GB,
                **scores[name],
            }
        )
    return {
        "scale": scale,
        "queries": len(query),
        "gallery": len(gallery),
        "vehicles": counts.vehicles,
        "cameras": counts.cameras,
        "dim": dim,
        "features_gb": features.embeddings.nbytes / GB,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "rounds": rounds,
        "product_seconds": product,
        "lines": lines,
    }


def rows_of(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """The figures as a table for people."""
    rows: list[tuple[str, ...]] = [
        (f"bare product, {name}", f"{seconds:.2f} s", "1", "", "", "") for name, seconds in result["product_seconds"].items()
    ]
    for line in result["lines"]:
        above = line["gb_above_features"]
        rows.append(
            (
                line["similarity"],
                f"{line['seconds']:.2f} s",
                f"{line['ratio']:.2f} of {line['against']}",
                "not told here" if above is None else f"{above:.2f} GB",
                f"{line['gb_estimated']:.2f} GB",
                f"{line['mAP']:.3f} / {line['R1']:.3f}",
            )
        )
    return rows


def _score(query: Features, gallery: Features, chain: Chain, scores: dict[str, dict[str, float]], watch: Watch) -> None:
    """From features to scores, all of it."""
    ranking = rank(chain.blocks(query, gallery, watch), query.sightings, gallery.sightings, Protocol().junk)
    per_query = score_queries(ranking.places).per_query()
    scores[str(chain)] = {name: float(np.nanmean(per_query[name])) for name in ("mAP", "R1")}


def _multiply(rows: Sequence[np.ndarray], columns: Sequence[np.ndarray], watch: Watch) -> None:
    """Every block of the product, and nothing else."""
    buffer = torch.empty(BLOCK * BLOCK)
    blocks = [[part[i : i + BLOCK] for part in side for i in range(0, len(part), BLOCK)] for side in (rows, columns)]
    pairs = list(itertools.product(*blocks))
    tick = watch.stage("bare product")
    for number, (a, b) in enumerate(pairs):
        out = buffer[: len(a) * len(b)].view(len(a), len(b))
        torch.mm(torch.from_numpy(a), torch.from_numpy(b).T, out=out)
        tick(number + 1, len(pairs))


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
