"""Vehicle re-identification: sightings become features, features a ranking, a ranking a scorecard.

The public names are loaded when they are first used, so that ``import clipsenet`` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipsenet.chain import Chain
    from clipsenet.errors import ClipsenetError, UsageError
    from clipsenet.evaluation import evaluate
    from clipsenet.features import Features, extract
    from clipsenet.protocol import Benchmark, Protocol
    from clipsenet.ranking import Ranking, rank
    from clipsenet.recipe import Recipe, load_recipe
    from clipsenet.reranking import k_reciprocal
    from clipsenet.runs import Run
    from clipsenet.scorecard import Scorecard
    from clipsenet.sightings import Sightings, Trial
    from clipsenet.similarity import cosine
    from clipsenet.streaming import FixedGallery
    from clipsenet.training import train

_HOME = {
    "Benchmark": "protocol",
    "Chain": "chain",
    "ClipsenetError": "errors",
    "Features": "features",
    "FixedGallery": "streaming",
    "Protocol": "protocol",
    "Ranking": "ranking",
    "Recipe": "recipe",
    "Run": "runs",
    "Scorecard": "scorecard",
    "Sightings": "sightings",
    "Trial": "sightings",
    "UsageError": "errors",
    "cosine": "similarity",
    "evaluate": "evaluation",
    "extract": "features",
    "k_reciprocal": "reranking",
    "load_recipe": "recipe",
    "rank": "ranking",
    "train": "training",
}

__all__ = [
    "Benchmark",
    "Chain",
    "ClipsenetError",
    "Features",
    "FixedGallery",
    "Protocol",
    "Ranking",
    "Recipe",
    "Run",
    "Scorecard",
    "Sightings",
    "Trial",
    "UsageError",
    "cosine",
    "evaluate",
    "extract",
    "k_reciprocal",
    "load_recipe",
    "rank",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"clipsenet.{_HOME[name]}"), name)
    raise AttributeError(f"module 'clipsenet' has no attribute '{name}'")
