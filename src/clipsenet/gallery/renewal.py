"""Re-embedding: another run's embeddings of every sighting are gathered beside, then take the old ones' place at once.

Each segment gets a second file, filled in the order of its rows; how far it is, is recorded with every batch, so that the
work can be stopped and resumed. The switch is one transaction: ids and columns stay, files, checksums and embedding change.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict

import numpy as np
from jaxtyping import Int

from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.gallery.adding import refuse_others
from clipsenet.gallery.interface import Embedding
from clipsenet.gallery.ledger import Ledger
from clipsenet.gallery.leftovers import clear_leftovers
from clipsenet.gallery.schema import transaction
from clipsenet.gallery.segments import checksums


class Renewal:
    """A re-embedding that was begun, or is resumed.

    Args:
        ledger: the gallery's.
        written: opens a moment in which the gallery is written to.
        embedding: of the new embeddings.

    Raises:
        ClipsenetError: the gallery holds them already, or another re-embedding was begun.
    """

    def __init__(self, ledger: Ledger, written: Callable[[], AbstractContextManager[None]], embedding: Embedding) -> None:
        self._ledger, self._written, self.embedding = ledger, written, embedding
        with written():
            if ledger.embedding() == embedding:
                raise ClipsenetError(f"{ledger.folder} holds embeddings of run {embedding.run_id[:16]} already")
            begun = ledger.meta("renewal")
            if begun and (other := ledger.embedding("renewal")) != embedding:
                raise ClipsenetError(
                    f"{ledger.folder}: a re-embedding by run {other.run_id[:16]} was begun and is not finished; resume it with "
                    f"that run, or give it up with --abandon, before one by run {embedding.run_id[:16]} begins"
                )
            with transaction(ledger.db, write=True):
                ledger.set_meta("renewal", json.dumps(asdict(embedding)))
                layout = ledger.layout("renewal")
                for segment, file, rows in ledger.renewals():
                    path = layout.path(file)
                    if not path.exists() or path.stat().st_size < rows * layout.row_bytes:
                        ledger.remove_renewal(segment)  # somebody took the file away: it is made again

    @property
    def total(self) -> int:
        """How many sightings there are."""
        with self._written():
            return sum(rows for _, _, rows in self._ledger.segments())

    @property
    def done(self) -> int:
        """How many have their new embedding."""
        with self._written():
            return sum(rows for _, _, rows in self._ledger.renewals())

    def waiting(self, limit: int) -> Int[np.ndarray, " n"]:
        """The ids of the next sightings, in the order in which they are wanted; empty when all are done."""
        with self._written():
            return self._waiting(limit)

    def add(self, ids: Int[np.ndarray, " n"], features: Features) -> None:
        """Keep new embeddings of the next sightings; when it returns they last.

        Args:
            ids: the first so many that are waiting.
            features: theirs, in that order.

        Raises:
            ClipsenetError: other sightings than the next ones, embeddings of another run, a full disk.
        """
        with self._written():
            refuse_others(features, self.embedding)
            if len(ids) != len(features) or not np.array_equal(ids, self._waiting(len(ids))):
                raise ClipsenetError("these are not the next sightings that wait to be embedded, one row for each")
            ledger = self._ledger
            layout = ledger.layout("renewal")
            vectors = layout.stored(features.embeddings)
            done = {segment: (file, rows) for segment, file, rows in ledger.renewals()}
            next_file, start = int(ledger.meta("next_file")), 0
            pieces: list[tuple[int, int, int, slice]] = []
            for number, _, rows in ledger.segments():
                file, before = done.get(number, (next_file, 0))
                count = min(rows - before, len(ids) - start)
                if count <= 0:
                    continue
                next_file += number not in done
                pieces.append((number, file, before, slice(start, start + count)))
                start += count
            try:
                for _, file, before, part in pieces:
                    layout.append(file, before, vectors[part])
                with transaction(ledger.db, write=True):
                    ledger.set_meta("next_file", str(next_file))
                    for number, file, before, part in pieces:
                        ledger.add_renewed(number, file, before, checksums(vectors[part]))
            except BaseException:
                for _, file, before, _ in pieces:
                    layout.cut(file, before)
                raise

    def switch(self) -> None:
        """The new embeddings take the old ones' place, all at once.

        Raises:
            ClipsenetError: some sightings have none yet.
        """
        with self._written():
            waiting = len(self._waiting(None))
            if waiting:
                raise ClipsenetError(
                    f"{self._ledger.folder}: {waiting} sightings are not embedded anew yet; go on with that first"
                )
            ledger = self._ledger
            with transaction(ledger.db, write=True):
                for segment, file, rows in ledger.renewals():
                    ledger.renew_segment(segment, file, rows)
                ledger.set_meta("embedding", ledger.meta("renewal"))
                self._end()
            clear_leftovers(ledger)

    def abandon(self) -> None:
        """Give it up; the gallery stays as it is."""
        with self._written():
            with transaction(self._ledger.db, write=True):
                self._end()
            clear_leftovers(self._ledger)

    def _end(self) -> None:
        for segment, _, _ in self._ledger.renewals():
            self._ledger.remove_renewal(segment)
        self._ledger.unset_meta("renewal")
        self._ledger.unset_meta("neighbours")

    def _waiting(self, limit: int | None) -> Int[np.ndarray, " n"]:
        done = {segment: rows for segment, _, rows in self._ledger.renewals()}
        found, count = [np.empty(0, dtype=np.int64)], 0
        for number, _, rows in self._ledger.segments():
            before = done.get(number, 0)
            if before < rows and (limit is None or count < limit):
                ids = self._ledger.columns(number, rows, only="id")["id"][before:]
                found.append(ids if limit is None else ids[: limit - count])
                count += len(found[-1])
        return np.concatenate(found)
