"""The index of neighbours: where to look first in a gallery too large to be compared whole.

FAISS divides the vectors into cells around centres and keeps each with a byte for a number; a search looks into the cells
nearest to the query, and what FAISS finds there is rescored from the stored vectors. What was added since is compared whole
beside it. How many cells are looked into is measured when it is built: the fewest that find what an exact search finds.
"""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from clipsenet.errors import ClipsenetError
from clipsenet.files import move_into_place
from clipsenet.gallery.interface import NOBODY
from clipsenet.gallery.ledger import Ledger
from clipsenet.gallery.leftovers import discard_unrecorded
from clipsenet.gallery.schema import transaction
from clipsenet.gallery.searching import Best, best_rows, merged, rescored_each
from clipsenet.gallery.snapshot import Snapshot
from clipsenet.memory import require_memory
from clipsenet.reporting import SILENT, Watch

KEY = "neighbours"
"""Of what the ledger remembers of the index; a snapshot has it, too."""

INDEXED_FROM = 20_000
"""Sightings from which on an index is asked; fewer are compared in milliseconds."""

TRAINED = 64
"""Vectors for each centre from which the centres are found."""

ROUNDS = 10
"""Of the search for centres."""

CANDIDATES = 100
"""How many FAISS is asked for, at least; and five times what is wanted."""

ASKED = 256
"""Stored vectors that ask when the index is tried."""

FOUND = 0.97
"""Of their ten nearest, so many must be found."""


@dataclass(frozen=True)
class Facts:
    """What is remembered of an index.

    Attributes:
        file: its name in the gallery's folder.
        covered: pairs of a segment's number and its rows that are in the index.
        probes: cells that are looked into.
        recall: of the ten nearest others of some vectors, the share that was found when it was built.
        digest: SHA-256 of the file.
    """

    file: str
    covered: tuple[tuple[int, int], ...]
    probes: int
    recall: float
    digest: str

    @classmethod
    def read(cls, text: str) -> "Facts":
        """From what is remembered."""
        facts = json.loads(text)
        return cls(**facts | {"covered": tuple((one, rows) for one, rows in facts["covered"])})

    def is_as_written(self, folder: Path) -> bool:
        """Whether the file holds what was written to it; all of it is read.

        Raises:
            OSError: it is not there, or cannot be read.
        """
        return _digest(folder / self.file) == self.digest


def _digest(path: Path) -> str:
    with path.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest()


class Neighbourhood:
    """An index of neighbours, opened with its lists mapped, not read.

    Args:
        folder: the gallery's.
        facts: of the index.

    Raises:
        OSError: it is not there (any longer), or cannot be read.
        ClipsenetError: it is broken.
    """

    def __init__(self, folder: Path, facts: Facts) -> None:
        self.facts = facts
        with (folder / facts.file).open("rb"):
            pass  # FAISS's own words for a missing file say little
        try:
            self._index = _faiss().read_index(str(folder / facts.file), _faiss().IO_FLAG_MMAP)
        except RuntimeError as error:
            raise ClipsenetError(
                f"{folder / facts.file} is broken ({str(error).splitlines()[0]}); build the index of neighbours again, "
                "or drop it"
            ) from error

    @cached_property
    def _covered(self) -> dict[int, int]:
        return dict(self.facts.covered)

    def best(self, snapshot: Snapshot, query: Float[np.ndarray, "q dim"], top: int) -> list[Best]:
        """The most alike rows of each query that the index finds, with exact similarities."""
        probes = self.facts.probes
        ids = _ask(self._index, query, max(CANDIDATES, 5 * top), probes)
        while (ids != NOBODY).sum(axis=1).min() < min(top, self._index.ntotal) and probes < self._index.nlist:
            probes *= 2  # the cells hold fewer than are wanted
            ids = _ask(self._index, query, max(CANDIDATES, 5 * top), probes)
        rows = snapshot.places_of(ids.reshape(-1)).reshape(ids.shape)  # an id that is no more, or none, has no place
        found = rescored_each(snapshot, query, [some[some >= 0] for some in rows], top)
        since = self._since(snapshot)
        if not len(since):
            return found
        beside = best_rows(snapshot, query, since, top)
        return [merged(snapshot, [a, b], top) for a, b in zip(found, beside, strict=True)]

    def _since(self, snapshot: Snapshot) -> Int[np.ndarray, " m"]:
        """Rows that were added after it was built."""
        parts = [np.empty(0, dtype=np.int64)]
        for one, first in zip(snapshot.segments, snapshot.start, strict=False):
            parts.append(np.arange(first + min(one.rows, self._covered.get(one.number, 0)), first + one.rows))
        return np.concatenate(parts)


def build(folder: Path, ledger: Ledger, snapshot: Snapshot, watch: Watch = SILENT, seed: int = 0) -> Facts:
    """Build an index of all that is in a snapshot, and record it.

    Raises:
        ClipsenetError: the gallery is empty, or memory is too small.
        OSError, sqlite3.Error: a full disk; an older index stays.
    """
    n = len(snapshot)
    if not n:
        raise ClipsenetError(f"{folder}: the gallery is empty; add pictures before an index of neighbours is built")
    faiss, rng, dim = _faiss(), np.random.default_rng(seed), snapshot.embedding.dim
    cells = max(1, min(round(2 * n**0.5), n // 2))
    watch.say(
        require_memory(
            n * (dim + 16) + min(n, TRAINED * cells) * dim * 4, "the index of neighbours", "search without it: that is exact"
        )
    )
    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.index_factory(dim, f"IVF{cells},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.seed, index.cp.min_points_per_centroid = ROUNDS, seed, 1
    sample = np.sort(rng.choice(n, min(n, TRAINED * cells), replace=False))
    tick = watch.stage("finding the centres of cells")
    index.train(snapshot.vectors(sample))
    tick(1, 1)
    tick = watch.stage("sorting vectors into cells")
    step = 16_384
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        index.add_with_ids(snapshot.vectors(rows), snapshot.columns["id"][rows])
        tick(int(rows[-1]) + 1, n)
    probes, recall = _tried(index, snapshot, cells, rng, watch)
    with transaction(ledger.db, write=True):
        file = f"{KEY}-{ledger.take_number('next_file'):08d}.faiss"
    partial = folder / f"{file}.partial"
    try:
        try:
            faiss.write_index(index, str(partial))
        except RuntimeError as error:  # FAISS's way to say that the disk is full
            raise OSError(str(error).splitlines()[0]) from error
        digest = _digest(partial)
        move_into_place(partial, folder / file)
        facts = Facts(file, tuple((one.number, one.rows) for one in snapshot.segments), probes, recall, digest)
        with transaction(ledger.db, write=True):
            ledger.set_meta(KEY, json.dumps(asdict(facts)))
    except BaseException:
        discard_unrecorded(ledger)
        raise
    return facts


def _tried(index: Any, snapshot: Snapshot, cells: int, rng: np.random.Generator, watch: Watch) -> tuple[int, float]:
    """The fewest cells that find enough, and what they find: of stored vectors the ten nearest others."""
    tick = watch.stage("trying it against the exact search")
    asking = np.sort(rng.choice(len(snapshot), min(ASKED, len(snapshot)), replace=False))
    query = snapshot.vectors(asking)
    query /= np.linalg.norm(query, axis=1, keepdims=True)
    near = [best for best, _ in best_rows(snapshot, query, None, 11)]
    wanted = [snapshot.columns["id"][best[best != own][:10]] for best, own in zip(near, asking, strict=True)]
    probes = 1
    while True:
        found = _ask(index, query, CANDIDATES, probes)
        recall = float(np.mean([np.isin(of, some).mean() for of, some in zip(wanted, found, strict=True) if len(of)] or [1.0]))
        tick(probes, cells)
        if recall >= FOUND or probes >= cells:
            return probes, recall
        probes = min(2 * probes, cells)


def _ask(index: Any, query: Float[np.ndarray, "q dim"], count: int, probes: int) -> Int[np.ndarray, "q _"]:
    faiss = _faiss()
    former = faiss.omp_get_max_threads()  # torch may share this number
    faiss.omp_set_num_threads(1)  # a query takes less than a millisecond, and waiting for a second thread takes longer
    try:
        found: Int[np.ndarray, "q _"] = index.search(query, count, params=faiss.SearchParametersIVF(nprobe=probes))[1]
    finally:
        faiss.omp_set_num_threads(former)
    return found


def _faiss() -> Any:
    import faiss

    return faiss
