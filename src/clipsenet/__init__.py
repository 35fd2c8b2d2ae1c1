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
    from clipsenet.gallery.asking import search_picture
    from clipsenet.gallery.ingesting import index
    from clipsenet.gallery.interface import Filter
    from clipsenet.gallery.local import create_gallery, open_gallery
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
    "Filter": "gallery.interface",
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
    "create_gallery": "gallery.local",
    "evaluate": "evaluation",
    "extract": "features",
    "index": "gallery.ingesting",
    "k_reciprocal": "reranking",
    "load_recipe": "recipe",
    "open_gallery": "gallery.local",
    "rank": "ranking",
    "search_picture": "gallery.asking",
    "train": "training",
}

__all__ = [
    "Benchmark",
    "Chain",
    "ClipsenetError",
    "Features",
    "Filter",
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
    "create_gallery",
    "evaluate",
    "extract",
    "index",
    "k_reciprocal",
    "load_recipe",
    "open_gallery",
    "rank",
    "search_picture",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"clipsenet.{_HOME[name]}"), name)
    raise AttributeError(f"module 'clipsenet' has no attribute '{name}'")
