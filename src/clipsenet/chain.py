"""A chain in words: transforms of a (query, gallery) pair, and a similarity at its end."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from clipsenet.errors import UsageError
from clipsenet.expansion import Sides, expand
from clipsenet.features import Features
from clipsenet.neighbours import BLOCK
from clipsenet.reporting import SILENT, Watch
from clipsenet.reranking import k_reciprocal
from clipsenet.settings import Settings, choose, parse_yaml
from clipsenet.similarity import Block, block_rows, cosine
from clipsenet.streaming import CANDIDATES, LIMIT, FixedGallery
from clipsenet.whitening import ROWS, whiten

Pair = tuple[Features, Features]
FLOAT = 4


class Step(Settings, ABC):
    """A transform or a similarity with its parameters."""

    @property
    def transductive(self) -> bool:
        """Whether a query's result depends on the other queries."""
        return False

    @abstractmethod
    def memory(self, queries: int, gallery: int, dim: int) -> int:
        """About how many bytes it takes beyond the features."""

    def label(self) -> str:
        """A few words for a table: the name, and what is not as usual."""
        unusual = [f"{name}={_number(getattr(self, name))}" for name in _unusual(self)]
        return " ".join([_name(self), *unusual])


class Transform(Step):
    """A pair of features becomes another pair."""

    @abstractmethod
    def apply(self, pair: Pair, watch: Watch) -> Pair:
        """The new pair."""


class Similarity(Step):
    """A pair of features becomes blocks of similarities."""

    reranks: ClassVar[bool] = False

    @abstractmethod
    def blocks(self, pair: Pair, watch: Watch) -> Iterator[Block]:
        """Rows of the query with ``(rows, gallery)`` float32, larger is more alike."""


class Expansion(Transform):
    """Query expansion: a query becomes the mean of its first neighbours."""

    k: int = Field(default=5, ge=1, description="Over how many the mean goes, the picture itself included.")
    alpha: float = Field(default=0.0, ge=0, description="Weights are cosines, clipped at 0, to this power; 0: all equal.")
    sides: Sides = Field(default="query", description="query, gallery (database augmentation) or both.")
    queries: Literal["alone", "together"] = Field(
        default="alone", description="alone: neighbours are gallery pictures; together: the other queries, too (transductive)."
    )

    @property
    def transductive(self) -> bool:
        return self.queries == "together"

    def apply(self, pair: Pair, watch: Watch) -> Pair:
        return expand(*pair, self.k, self.alpha, self.sides, self.transductive, watch)

    def memory(self, queries: int, gallery: int, dim: int) -> int:
        changed = {"query": queries, "gallery": gallery, "both": queries + gallery}[self.sides]
        return changed * dim * FLOAT + _neighbours(queries + gallery, self.k)


class Augmentation(Expansion):
    """Database augmentation: a gallery picture becomes the mean of its first neighbours."""

    sides: Sides = Field(default="gallery", description="gallery, or as of expansion.")


class Whitening(Transform):
    """Directions in which all pictures differ alike lose their weight."""

    dim: int | None = Field(default=None, ge=1, description="How many principal directions are kept; null: all that differ.")
    fit: Literal["gallery", "both"] = Field(default="gallery", description="Fitted on the gallery, or the queries too.")

    @property
    def transductive(self) -> bool:
        return self.fit == "both"

    def apply(self, pair: Pair, watch: Watch) -> Pair:
        watch.stage("whitening")
        return whiten(*pair, self.dim, self.fit)

    def memory(self, queries: int, gallery: int, dim: int) -> int:
        # the new embeddings, one side twice while it is turned, and a few square matrices in double precision
        return (queries + 2 * gallery) * (self.dim or dim) * FLOAT + 8 * dim * dim * 2 * FLOAT + 4 * ROWS * dim * FLOAT


class Cosine(Similarity):
    """The cosine of two embeddings."""

    def label(self) -> str:
        return ""

    def blocks(self, pair: Pair, watch: Watch) -> Iterator[Block]:
        return cosine(*pair)

    def memory(self, queries: int, gallery: int, dim: int) -> int:
        return _blocks(queries, gallery)


class KReciprocal(Similarity):
    """k-reciprocal re-ranking."""

    reranks: ClassVar[bool] = True
    k1: int = Field(default=20, ge=1, description="How many neighbours may be mutual.")
    k2: int = Field(default=6, ge=1, description="Over how many neighbours an encoding is averaged.")
    original: float = Field(default=0.3, ge=0, le=1, description="The weight of the original distance (lambda).")
    queries: Literal["together", "alone"] = Field(
        default="together",
        description="together: all queries at once, neighbours of each other, as published (transductive); alone: one by one.",
    )
    limit: int = Field(
        default=LIMIT, ge=0, description=f"alone: a larger gallery is re-ranked among the first {CANDIDATES} only."
    )

    @property
    def transductive(self) -> bool:
        return self.queries == "together"

    def label(self) -> str:
        limit = f" up to {self.limit}" if "limit" in _unusual(self) else ""
        return f"k-reciprocal {self.k1}/{self.k2}/{self.original:g}" + ("" if self.transductive else f", alone{limit}")

    def blocks(self, pair: Pair, watch: Watch) -> Iterator[Block]:
        if self.queries == "together":
            return k_reciprocal(*pair, self.k1, self.k2, self.original, watch)
        return self._one_by_one(pair, watch)

    def _one_by_one(self, pair: Pair, watch: Watch) -> Iterator[Block]:
        query, gallery = pair
        fixed = FixedGallery.of(gallery, self.k1, self.k2, self.original, self.limit, watch)
        for row in range(len(query)):
            yield slice(row, row + 1), fixed.rerank(query[np.array([row])]).similarity[None]

    def memory(self, queries: int, gallery: int, dim: int) -> int:
        n = queries + gallery if self.queries == "together" else min(gallery, max(self.limit, CANDIDATES)) + 1
        lists = min(n, max(self.k1 + 1, self.k2))
        encoded = min(n, ENTRIES_RAW * (self.k1 + 1))
        averaged = min(n, max(ENTRIES_MEAN, ENTRIES_APART * self.k2) * (self.k1 + 1)) if self.k2 > 1 else encoded
        # lists and mutual lists; then V before the mean, and V twice, by rows and by columns: 8 bytes an entry
        relations = _neighbours(n, lists) + int(8 * 4 * n * lists)
        return relations + int(8 * n * (encoded + 2.2 * averaged)) + _blocks(queries, gallery)


ENTRIES_RAW, ENTRIES_MEAN, ENTRIES_APART = 1.5, 3.3, 0.95
"""Entries of V to a list's length: before the mean, after it where pictures lie in clusters, and after it for each of k2
where they do not, as with an untrained network: the most that was measured on real, made-up and random features."""

TRANSFORMS: dict[str, type[Transform]] = {"expansion": Expansion, "augmentation": Augmentation, "whitening": Whitening}
SIMILARITIES: dict[str, type[Similarity]] = {"cosine": Cosine, "k-reciprocal": KReciprocal}
STEPS: dict[str, type[Step]] = {**TRANSFORMS, **SIMILARITIES}
SYNONYMS = {"lambda": "original"}


@dataclass(frozen=True)
class Chain:
    """Transforms, and the similarity of what they make.

    Attributes:
        transforms: applied one after the other.
        similarity: stands last.
    """

    transforms: tuple[Transform, ...]
    similarity: Similarity

    @classmethod
    def parse(cls, text: str) -> "Chain":
        """Read ``expansion:k=5 + k-reciprocal:k1=50,k2=15,original=0.5``; without a similarity it is the cosine.

        Raises:
            UsageError: an unknown name or parameter, a value out of range, a similarity before the end.
        """
        steps = [_step(part, text) for part in re.split(r"\s*\+\s*", text.strip())]
        last = steps.pop() if isinstance(steps[-1], Similarity) else Cosine()
        for step in steps:
            if isinstance(step, Similarity):
                before = ", ".join(TRANSFORMS)
                raise UsageError(f"similarity '{text}': '{_name(step)}' must stand last; before it transforms ({before})")
        assert isinstance(last, Similarity)
        return cls(tuple(step for step in steps if isinstance(step, Transform)), last)

    @property
    def plain(self) -> bool:
        """The cosine of the embeddings as they are."""
        return not self.transforms and not self.similarity.reranks

    @property
    def transductive(self) -> bool:
        """Whether a query's result depends on the other queries."""
        return any(step.transductive for step in (*self.transforms, self.similarity))

    def alone(self) -> "Chain":
        """The chain for one query at a time: nobody else is a neighbour."""
        if isinstance(self.similarity, KReciprocal):
            return Chain(self.transforms, self.similarity.model_copy(update={"queries": "alone"}))
        return self

    def __str__(self) -> str:
        """The chain with all its parameters, as ``parse`` reads it."""
        return " + ".join(_written(step) for step in (*self.transforms, self.similarity))

    def label(self) -> str:
        """The chain in a few words, for a table's row; its parameters stand on the card."""
        if self.plain:
            return "plain"
        return " + ".join(filter(None, (step.label() for step in (*self.transforms, self.similarity))))

    def describe(self) -> str:
        """The chain as the protocol card prints it."""
        if self.plain:
            return "cosine, plain (not re-ranked)"
        kind = "re-ranked" if self.similarity.reranks else "not plain"
        how = "; transductive: queries are neighbours of each other" if self.transductive else ""
        if isinstance(self.similarity, KReciprocal) and not self.similarity.transductive:
            how += f"; one query at a time, among the first {CANDIDATES} where the gallery is above {self.similarity.limit}"
        return f"{self} ({kind}{how})"

    def blocks(self, query: Features, gallery: Features, watch: Watch = SILENT) -> Iterator[Block]:
        """Blocks of similarities of the transformed pair."""
        pair = (query, gallery)
        if not len(query) or not len(gallery):
            return cosine(query, gallery)  # nothing to be a neighbour of
        for transform in self.transforms:
            pair = transform.apply(pair, watch)
        return self.similarity.blocks(pair, watch)

    def memory(self, queries: int, gallery: int, dim: int) -> int:
        """About how many bytes it takes beyond the features: each transform's result is kept to the end."""
        return sum(step.memory(queries, gallery, dim) for step in (*self.transforms, self.similarity))


PLAIN = Chain((), Cosine())
"""The cosine of the embeddings as they are."""


def summaries() -> dict[str, str]:
    """Each transform and similarity with what it does, and its parameters with their defaults."""
    return {
        name: f"{(kind.__doc__ or '').strip().splitlines()[0]} {', '.join(_parameters(kind))}".rstrip()
        for name, kind in STEPS.items()
    }


def _parameters(kind: type[Step]) -> list[str]:
    return [f"{name}={_number(field.default)}" for name, field in kind.model_fields.items()]


def _blocks(queries: int, gallery: int) -> int:
    """Bytes of the blocks of similarities: one while it is ranked, one while it is made, half of one beside."""
    return int(2.5 * FLOAT * gallery * min(queries, block_rows(gallery)))


def _neighbours(n: int, k: int) -> int:
    """Bytes of the search for neighbours: candidates of 8 bytes, half as many again waiting, the lists; and a block."""
    return n * k * (8 + 4 + 8) + BLOCK * BLOCK * FLOAT


def _step(part: str, text: str) -> Step:
    name, _, rest = part.partition(":")
    step = choose("transform or similarity", name.strip(), STEPS)
    values: dict[str, Any] = {}
    for one in filter(None, (piece.strip() for piece in rest.split(","))):
        key, equals, value = one.partition("=")
        if not equals:
            raise UsageError(f"similarity '{text}': found '{one}', wanted name=value, for instance k=5")
        key = SYNONYMS.get(key.strip(), key.strip())
        if key in values:
            raise UsageError(f"similarity '{text}': '{key}' stands twice")
        values[key] = parse_yaml(value.strip(), f"similarity '{text}'")
    return step.from_values(values, f"similarity '{text}', {name.strip()}")


def _name(step: Step) -> str:
    return next(name for name, kind in STEPS.items() if type(step) is kind)


def _unusual(step: Step) -> list[str]:
    return [name for name, field in type(step).model_fields.items() if getattr(step, name) != field.default]


def _written(step: Step) -> str:
    values = step.to_values()
    if isinstance(step, KReciprocal) and step.queries == "together":
        del values["queries"], values["limit"]  # as published; a limit has no meaning then
    parameters = ",".join(f"{key}={_number(value)}" for key, value in values.items())
    return _name(step) + (f":{parameters}" if parameters else "")


def _number(value: Any) -> str:
    return "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
