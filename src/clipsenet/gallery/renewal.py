"""Re-embedding: another run's embeddings of every sighting are gathered beside, then take the old ones' place at once.

Each segment gets a second file with its rows in the same places; which of them are in is recorded with every batch, so that
the work can be stopped and resumed, and a picture that cannot be opened may wait. The switch is one transaction: ids and
columns stay, files, checksums and embedding change; whose picture never came is forgotten just before.
"""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict

import numpy as np
from jaxtyping import Int

from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.gallery.adding import refuse_others
from clipsenet.gallery.carrying import Carried, record_renewed, renewed_rows
from clipsenet.gallery.interface import Embedding
from clipsenet.gallery.ledger import NOTE, Ledger
from clipsenet.gallery.leftovers import clear_leftovers, discard_unrecorded
from clipsenet.gallery.retention import take_out, wipe
from clipsenet.gallery.schema import transaction
from clipsenet.gallery.segments import checksums

NOBODY_ELSE: Int[np.ndarray, " 0"] = np.empty(0, dtype=np.int64)
"""The ids of no sightings."""


class Renewal:
    """A re-embedding that was begun, or is resumed.

    Args:
        ledger: the gallery's.
        used: opens a moment in which nobody else asks the ledger.
        written: the same to write; with ``behind=False`` to write what no search reads.
        embedding: of the new embeddings.

    Raises:
        ClipsenetError: the gallery holds them already, or another re-embedding was begun.
    """

    def __init__(
        self,
        ledger: Ledger,
        used: Callable[[], AbstractContextManager[None]],
        written: Callable[..., AbstractContextManager[None]],
        embedding: Embedding,
    ) -> None:
        self._ledger, self._used, self._written, self.embedding = ledger, used, written, embedding
        with written(behind=False):
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
        with self._used():
            return sum(rows for _, _, rows in self._ledger.segments())

    @property
    def done(self) -> int:
        """How many have their new embedding."""
        with self._used():
            return sum(self._ledger.count_renewed().values())

    def waiting(self, limit: int, but: Int[np.ndarray, " m"] = NOBODY_ELSE) -> Int[np.ndarray, " n"]:
        """The ids of the next sightings without a new embedding, in the order in which they are wanted.

        Args:
            limit: so many at most.
            but: ids of those that are left aside.
        """
        with self._used():
            found, count = [NOBODY_ELSE], 0
            for _, _, ids in self._missing():
                found.append(ids[~np.isin(ids, but)][: limit - count])
                count += len(found[-1])
                if count == limit:
                    break
            return np.concatenate(found)

    def add(self, ids: Int[np.ndarray, " n"], features: Features) -> None:
        """Keep new embeddings of sightings that wait for them; when it returns they last.

        Args:
            ids: of these, some of those that are waiting, in the order in which they are wanted.
            features: theirs, in that order.

        Raises:
            ClipsenetError: sightings that do not wait, embeddings of another run, a full disk.
        """
        with self._written(behind=False):
            refuse_others(features, self.embedding)
            ledger = self._ledger
            layout = ledger.layout("renewal")
            vectors = layout.stored(features.embeddings)
            files = {segment: file for segment, file, _ in ledger.renewals()}
            next_file, start = int(ledger.meta("next_file")), 0
            pieces: list[tuple[int, Carried, slice]] = []
            for number, rows, waiting in self._missing():
                here = np.isin(waiting, ids)
                part = slice(start, start + int(np.count_nonzero(here)))
                if not np.array_equal(waiting[here], ids[part]):
                    break
                if here.any():
                    new = Carried(files.get(number, next_file), rows[here], checksums(vectors[part]))
                    next_file += number not in files
                    pieces.append((number, new, part))
                start = part.stop
                if start == len(ids):
                    break
            if start != len(ids) or len(ids) != len(features):
                raise ClipsenetError(
                    f"{len(ids)} ids for {len(features)} embeddings; wanted sightings that wait to be embedded, in the order "
                    "in which they are wanted, each once and with one embedding"
                )
            try:
                for _, new, part in pieces:
                    layout.put(new.file, new.rows, vectors[part])
                with transaction(ledger.db, write=True):
                    ledger.set_meta("next_file", str(next_file))
                    for number, new, _ in pieces:
                        record_renewed(ledger, number, new)
            except BaseException:
                discard_unrecorded(ledger)
                raise

    def switch(self, notes: Mapping[str, str] | None = None, *, without: Int[np.ndarray, " n"] = NOBODY_ELSE) -> None:
        """The new embeddings take the old ones' place, all at once.

        Args:
            notes: what the gallery is to remember from that moment on, as ``LocalGallery.remember``.
            without: ids of sightings that are forgotten just before, since they will never have a new embedding.

        Raises:
            ClipsenetError: some of the others have none yet; a full disk; or what was replaced cannot be removed now.
        """
        with self._written():
            ledger = self._ledger
            self._require_all_but(without)
            if len(without):
                take_out(ledger, without)
            try:
                self._require_all_but(NOBODY_ELSE)  # a file of theirs may be gone
                with transaction(ledger.db, write=True):
                    for segment, file, rows in ledger.renewals():
                        ledger.renew_segment(segment, file, rows)
                    ledger.set_meta("embedding", ledger.meta("renewal"))
                    for key, text in (notes or {}).items():
                        ledger.set_meta(NOTE + key, text)
                    ledger.unset_meta("neighbours")
                    self._end()
            except BaseException:
                with contextlib.suppress(OSError, sqlite3.Error):
                    wipe(ledger.folder, ledger)  # of those who were forgotten; else the next writer does it
                raise
            try:
                wipe(ledger.folder, ledger)
            except (OSError, sqlite3.Error) as error:
                raise ClipsenetError(
                    f"{ledger.folder} holds embeddings of run {self.embedding.run_id[:16]} now; but what they replace may "
                    f"still lie in its files ({error}). Make that possible, then clipsenet gallery repair {ledger.folder} "
                    "clears it away"
                ) from error

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

    def _require_all_but(self, without: Int[np.ndarray, " n"]) -> None:
        waiting = sum(int(np.count_nonzero(~np.isin(ids, without))) for _, _, ids in self._missing())
        if waiting:
            raise ClipsenetError(f"{self._ledger.folder}: {waiting} sightings are not embedded anew yet; go on with that first")

    def _missing(self) -> Iterator[tuple[int, Int[np.ndarray, " n"], Int[np.ndarray, " n"]]]:
        """Of each segment that is not done: its number, the rows without a new embedding, and their ids."""
        done = self._ledger.count_renewed()
        for number, _, rows in self._ledger.segments():
            if done.get(number, 0) < rows:
                waits = np.ones(rows, dtype=bool)
                waits[renewed_rows(self._ledger, number)[0]] = False
                yield number, np.flatnonzero(waits), self._ledger.columns(number, rows, only="id")["id"][waits]
