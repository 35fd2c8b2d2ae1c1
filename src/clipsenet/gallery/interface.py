"""What a gallery is: one small interface, which every store has; ``local`` is the one that needs no server."""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from clipsenet.errors import ClipsenetError
from clipsenet.features import Features

Group = Literal["track", "camera"]
Weighting = Literal["equal", "quality"]
Dtype = Literal["float16", "float32"]

NOBODY = -1
"""An id that no sighting has: fills an answer that is shorter than was asked for."""


class ForgottenError(ClipsenetError):
    """A sighting that was found a moment ago is not there any longer; the same search again finds others."""


@dataclass(frozen=True)
class Embedding:
    """Which embeddings a gallery holds; others mean something else and are refused.

    Attributes:
        run_id: ``Run.id``, which covers weights, model and test transform.
        dim: their length.
        preprocessing: the test transform in words, for messages and for those who come later.
        labels_told: whether the network was told camera or view.
    """

    run_id: str
    dim: int
    preprocessing: str
    labels_told: bool = False


@dataclass(frozen=True)
class Filter:
    """Which sightings are meant; all conditions must hold, and without any all are meant.

    Attributes:
        cameras: names; one of them.
        since: microseconds since 1970 UTC, the first moment that counts. A sighting without a time is never meant by it.
        until: the first moment that no longer counts.
        equal: pairs of a column and a value: ``type=van``.
    """

    cameras: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    equal: tuple[tuple[str, str], ...] = ()


EVERYTHING = Filter()


@dataclass(frozen=True, eq=False)
class Answer:
    """What a search found, best first; equal similarities in the order of their ids.

    Attributes:
        ids: ``(q, top)`` of sightings, ``NOBODY`` behind the last. Of a group the sighting that is most alike.
        similarity: ``(q, top)``, -1 to 1; NaN behind the last. Of a track that of its vector, the mean of its pictures'.
        candidates: how many sightings the filter left to be searched.
        exact: whether every one of them was compared; an index of neighbours may miss some.
    """

    ids: Int[np.ndarray, "q top"]
    similarity: Float[np.ndarray, "q top"]
    candidates: int
    exact: bool


@runtime_checkable
class Gallery(Protocol):
    """A store of sightings and their embeddings. A sighting's id is given once and never to another."""

    @property
    def embedding(self) -> Embedding:
        """What it holds."""

    def add(
        self, features: Features, content: list[str], quality: Float[np.ndarray, " n"] | None = None
    ) -> Int[np.ndarray, " n"]:
        """Keep sightings; when it returns they last, and before that none of them is there.

        Args:
            features: of this gallery's run. Of their sightings path, box, camera, view, track, time and extra columns are
                kept; a vehicle's name, where known, too.
            content: of each a digest of what its picture and box hold; one that is already in is left as it is.
            quality: of each picture, above 0 to 1; the weight in its track's vector where the gallery weighs by quality.

        Returns:
            The id of each, that of the earlier one where the content was in.

        Raises:
            ClipsenetError: embeddings of another run, NaN or without length, a full disk, a gallery opened to be read.
        """

    def find(self, content: list[str]) -> Int[np.ndarray, " n"]:
        """The id of each content that is in, ``NOBODY`` for the others: what need not be embedded again."""

    def search(
        self, query: Float[np.ndarray, "q dim"], *, top: int = 20, where: Filter = EVERYTHING, group: Group | None = None
    ) -> Answer:
        """The sightings most alike.

        Args:
            query: unit embeddings of this gallery's run.
            top: how many.
            where: which sightings are searched.
            group: the best of each track (by the mean vector of all its pictures, if one of them is meant by ``where``; a
                sighting without a track stands for itself) or of each camera, instead of single pictures.

        Raises:
            ClipsenetError: a filter that leaves nothing, a column that does not exist, another dimension, NaN.
        """

    def get(self, ids: Int[np.ndarray, " n"]) -> Features:
        """Sightings and embeddings by their ids, in that order.

        Raises:
            ForgottenError: an id that is not there, or no longer.
        """

    def forget(self, where: Filter) -> int:
        """Remove sightings so that nothing of them is left in the folder; returns how many.

        Who has the gallery open elsewhere does not find them from then on.
        """

    def count(self, where: Filter = EVERYTHING) -> int:
        """How many sightings are meant."""

    def verify(self) -> list[str]:
        """What is wrong with the store, a sentence each; empty where nothing is."""

    def close(self) -> None:
        """Let go of files and of the right to write."""
