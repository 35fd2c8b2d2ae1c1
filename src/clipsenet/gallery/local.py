"""The local gallery: one folder, no server; one process writes, any number search."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import numpy as np
from jaxtyping import Float, Int

from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.features import Features
from clipsenet.files import write_folder
from clipsenet.gallery import neighbourhood
from clipsenet.gallery.adding import add, refuse_others
from clipsenet.gallery.answering import answer, checked
from clipsenet.gallery.audit import Audit, BrokenAuditError
from clipsenet.gallery.checking import find_damage
from clipsenet.gallery.entries import BEGINNING
from clipsenet.gallery.filtering import explain_nothing, meant_rows
from clipsenet.gallery.interface import EVERYTHING, Answer, Dtype, Embedding, Filter, Group, Weighting
from clipsenet.gallery.ledger import AUDIT_HEAD, NOTE, Ledger
from clipsenet.gallery.leftovers import clear_leftovers
from clipsenet.gallery.neighbourhood import KEY, Facts, Neighbourhood, build
from clipsenet.gallery.recalling import recall
from clipsenet.gallery.renewal import Renewal
from clipsenet.gallery.retention import take_out, wipe
from clipsenet.gallery.schema import explained
from clipsenet.gallery.snapshot import Snapshot
from clipsenet.gallery.writing import Writing, is_written
from clipsenet.reporting import SILENT, Watch
from clipsenet.sightings import Sightings


def create_gallery(
    folder: Path, embedding: Embedding, *, dtype: Dtype = "float16", weighting: Weighting = "equal"
) -> "LocalGallery":
    """Make an empty gallery and open it to write.

    Args:
        folder: new or empty.
        embedding: what it will hold.
        dtype: of the stored numbers; halves take half the room and change a cosine by less than 0.001.
        weighting: how a track's pictures are weighed in its vector.

    Raises:
        ClipsenetError: the folder is not empty or cannot be written.
    """
    if embedding.dim < 1:
        raise ClipsenetError(f"embeddings of length {embedding.dim}, wanted 1 or more")
    with explained(folder):
        write_folder(folder, lambda partial: Ledger.create(partial, embedding, dtype, weighting))
    return open_gallery(folder, write=True)


def open_gallery(folder: Path, *, write: bool = False) -> "LocalGallery":
    """Open a gallery: to search it as it is now, or to write to it, which one process may at a time.

    Raises:
        ClipsenetError: no gallery, one of a newer version, half made or damaged; another process writes; no rights.
    """
    return LocalGallery(Path(folder), write=write)


class LocalGallery:
    """A gallery in a folder. Opened to be read it stays as it was then while others add to it.

    Only a forgetting reaches those who read: what is forgotten is not found any longer, and the gallery is as it is now.

    A track is one name under one camera: the same name under another camera is another track.
    """

    def __init__(self, folder: Path, *, write: bool) -> None:
        self.folder = folder
        self._turn = threading.RLock()
        self._writing: Writing | None = None
        self._closed = False
        with explained(folder):
            Ledger(folder, write=False).close()  # what is no gallery gets no lock
            if write:
                self._writing = Writing(folder)
            try:
                self._ledger = Ledger(folder, write=write)
                try:
                    if write:
                        wipe(folder, self._ledger)
                        self._note_audit()
                    self._snapshot = Snapshot.load(self._ledger)
                except BaseException:
                    self._ledger.close()
                    raise
            except BaseException:
                if self._writing is not None:
                    self._writing.release()
                raise
        self._lengths = _no_lengths(self._snapshot)
        self._behind = False
        self._opened: Neighbourhood | None = None

    def __enter__(self) -> "LocalGallery":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def embedding(self) -> Embedding:
        """What it holds."""
        with self._turn:
            if self._closed or self._writing is None:
                return self._snapshot.embedding
            return self._ledger.embedding()  # the snapshot may be behind, and to renew it costs more

    @property
    def weighting(self) -> Weighting:
        """How a track's pictures are weighed in its vector."""
        return self._snapshot.weighting

    @property
    def dtype(self) -> Dtype:
        """Of its stored numbers."""
        with self._used():
            return self._ledger.layout().dtype

    def add(
        self, features: Features, content: list[str], quality: Float[np.ndarray, " n"] | None = None
    ) -> Int[np.ndarray, " n"]:
        """Keep sightings; see ``Gallery.add``."""
        with self._written():
            refuse_others(features, self._ledger.embedding())
            return add(self._ledger, features, content, quality)

    def find(self, content: list[str]) -> Int[np.ndarray, " n"]:
        """The id of each content that is in; see ``Gallery.find``."""
        with self._used():
            return self._ledger.find(content)

    def search(
        self,
        query: Float[np.ndarray, "q dim"],
        *,
        top: int = 20,
        where: Filter = EVERYTHING,
        group: Group | None = None,
        exact: bool = False,
    ) -> Answer:
        """The sightings most alike; see ``Gallery.search``.

        Args:
            query: unit embeddings of this gallery's run.
            top: how many.
            where: which sightings are searched.
            group: the best of each track or camera instead of single pictures.
            exact: whether an index of neighbours is left aside. It is anyhow with a filter, or for groups.

        Raises:
            ClipsenetError: a filter that leaves nothing, a column that does not exist, another dimension, NaN.
        """
        if top < 1:
            raise UsageError(f"the first {top} answers, wanted 1 or more")
        if group not in (None, *get_args(Group)):
            raise UsageError(f"groups by {group!r}: choose from {', '.join(get_args(Group))}")
        with self._used():
            snapshot = self._now()
            query = checked(query, snapshot.embedding)
            rows = meant_rows(snapshot, self._ledger, where)
            if not (len(snapshot) if rows is None else len(rows)):
                raise ClipsenetError(f"{self.folder}: {explain_nothing(snapshot, self._ledger, where)}")
            lengths = self._lengths
            index = None if exact or rows is not None or group is not None else self._index(snapshot)
        return answer(snapshot, query, rows, top, group, index, lengths)

    def get(self, ids: Int[np.ndarray, " n"]) -> Features:
        """Sightings and embeddings by their ids; see ``Gallery.get``."""
        with self._used():
            snapshot = self._now()
            sightings = recall(snapshot, self._ledger, ids)
            vectors = snapshot.vectors(snapshot.rows_of(ids))
        return Features(sightings, vectors, snapshot.embedding.run_id, snapshot.embedding.labels_told)

    def sightings(self, ids: Int[np.ndarray, " n"]) -> Sightings:
        """Sightings by their ids, in that order, without their embeddings.

        Raises:
            ClipsenetError: an id that is not there, or no longer.
        """
        with self._used():
            return recall(self._now(), self._ledger, ids)

    def explain(self, where: Filter) -> str:
        """Why a filter leaves nothing, in words; empty where it leaves something."""
        with self._used():
            snapshot = self._now()
            rows = meant_rows(snapshot, self._ledger, where)
            left = len(snapshot) if rows is None else len(rows)
            return "" if left else explain_nothing(snapshot, self._ledger, where)

    def ids(self, where: Filter = EVERYTHING) -> Int[np.ndarray, " n"]:
        """The ids of the sightings that are meant, ascending."""
        with self._used():
            return self._ids(where)

    def count(self, where: Filter = EVERYTHING) -> int:
        """How many sightings are meant."""
        return len(self.ids(where))

    def forget(self, where: Filter) -> int:
        """Remove sightings so that nothing of them is left in the folder; see ``Gallery.forget``.

        Of the audit go the clear texts of these sightings; of a filter by time alone also the pictures of queries that
        were asked before its end, which cannot be younger. An index of neighbours goes with them, and is built anew of what is
        left, once nothing else remains of them.
        """
        with self._written():
            ids = self._ids(where)
            by_time = where == Filter(until=where.until)
            return self._take_out(ids, where.until if by_time else None)

    def drop(self, ids: Int[np.ndarray, " n"]) -> int:
        """Remove sightings by their ids, as ``forget`` does; returns how many.

        Raises:
            ClipsenetError: an id that is not there.
        """
        with self._written():
            self._now().rows_of(ids)
            return self._take_out(np.unique(ids), None)

    def build_index(self, watch: Watch = SILENT) -> Facts:
        """Build the index of neighbours anew, of all that is in now; returns what is known of it.

        Raises:
            ClipsenetError: the gallery is empty, was opened to be read, or the disk is full.
        """
        with self._written():
            facts = build(self.folder, self._ledger, self._now(), watch)
            self._behind = True
            clear_leftovers(self._ledger)
            return facts

    def drop_index(self) -> None:
        """Remove the index of neighbours; searches are exact then."""
        with self._written():
            self._ledger.unset_meta(KEY)
            clear_leftovers(self._ledger)

    def re_embed(self, embedding: Embedding) -> Renewal:
        """Begin, or resume, to bring the gallery over to another run's embeddings; it answers as before meanwhile.

        Raises:
            ClipsenetError: it holds them already, or a re-embedding by a third run was begun.
        """
        return Renewal(self._ledger, self._used, self._written, embedding)

    @property
    def audit(self) -> Audit:
        """Its record of searches."""
        return Audit(self.folder)

    def verify(self) -> list[str]:
        """What is wrong with the store as it is now; see ``Gallery.verify``."""
        with self._used():
            return [finding.sentence for finding in find_damage(self.folder, self._others_write)]

    def remember(self, key: str, text: str) -> None:
        """Keep a text beside the gallery, such as where its run lies.

        Raises:
            ClipsenetError: the gallery was opened to be read.
        """
        with self._written():
            self._ledger.set_meta(NOTE + key, text)

    def recall(self, key: str) -> str:
        """A text that was kept; empty where there is none."""
        with self._used():
            return self._ledger.meta(NOTE + key)

    def close(self) -> None:
        """Let go of files and of the right to write; again is no error."""
        with self._turn:
            if not self._closed:
                self._closed = True
                self._ledger.close()
                if self._writing is not None:
                    self._writing.release()

    @contextmanager
    def _used(self) -> Iterator[None]:
        """One thread at a time asks the ledger."""
        with self._turn, explained(self.folder):
            if self._closed:
                raise ClipsenetError(f"{self.folder}: this gallery was closed; open it again")
            yield

    @contextmanager
    def _written(self, *, behind: bool = True) -> Iterator[None]:
        """Something is going to change; the snapshot is behind then, unless it is nothing that a search reads."""
        with self._used():
            if self._writing is None:
                raise ClipsenetError(f"{self.folder}: this gallery was opened to be read; open it with write=True")
            self._behind |= behind
            yield

    def _now(self) -> Snapshot:
        """The snapshot, after this process's own changes, and after anybody's forgetting."""
        if self._behind or self._ledger.forgettings != self._snapshot.forgettings:
            now = Snapshot.load(self._ledger, self._snapshot)
            if self._writing is None and now.embedding != self._snapshot.embedding:
                raise ClipsenetError(
                    f"{self.folder} holds embeddings of run {now.embedding.run_id[:16]} now, and was opened when it held those "
                    f"of {self._snapshot.embedding.run_id[:16]}; open it again, and embed the queries with that run"
                )
            self._snapshot, self._lengths, self._behind = now, _no_lengths(now), False
        return self._snapshot

    def _index(self, snapshot: Snapshot) -> Neighbourhood | None:
        """The index of neighbours that belongs to a snapshot, where there is one and it is worth its while."""
        if not snapshot.neighbours or len(snapshot) < neighbourhood.INDEXED_FROM:
            return None
        facts = Facts.read(snapshot.neighbours)
        if self._opened is None or self._opened.facts != facts:
            try:
                self._opened = Neighbourhood(self.folder, facts)
            except FileNotFoundError:  # dropped since by a writer: the exact search serves this snapshot
                return None
        return self._opened

    def _ids(self, where: Filter) -> Int[np.ndarray, " n"]:
        snapshot = self._now()
        rows = meant_rows(snapshot, self._ledger, where)
        ids = snapshot.columns["id"]
        return np.sort(ids if rows is None else ids[rows])

    def _take_out(self, ids: Int[np.ndarray, " n"], before: int | None) -> int:
        if len(ids) or before is not None:
            indexed = bool(self._ledger.meta(KEY))
            take_out(self._ledger, ids, before)
            self._behind = True
            self._finish_forgetting(len(ids), indexed)
        return len(ids)

    def _note_audit(self) -> None:
        """Remember how far the record of searches goes; not where it has lost what was remembered before."""
        noted = self._ledger.meta(AUDIT_HEAD)
        with contextlib.suppress(BrokenAuditError):  # verify tells of it
            head = self.audit.head()
            if head not in (noted, BEGINNING) and (not noted or self.audit.has(noted)):
                self._ledger.set_meta(AUDIT_HEAD, head)

    def _finish_forgetting(self, count: int, indexed: bool) -> None:
        gone = f"{self.folder}: {count} sightings are gone from the gallery, and no search finds them"
        try:
            wipe(self.folder, self._ledger)
        except (OSError, sqlite3.Error) as error:
            raise ClipsenetError(
                f"{gone}; but traces of them may still lie in its files ({error}). Make that possible, then clipsenet gallery "
                f"repair {self.folder} goes on wiping"
            ) from error
        if indexed and len(self._now()):
            try:
                self.build_index()
            except (ClipsenetError, OSError, sqlite3.Error) as error:
                raise ClipsenetError(
                    f"{gone}; but the index of neighbours could not be built anew ({error}). Searches are exact until "
                    f"clipsenet gallery neighbours {self.folder} builds it"
                ) from error

    def _others_write(self) -> bool:
        return self._writing is None and is_written(self.folder)


def _no_lengths(snapshot: Snapshot) -> Float[np.ndarray, " _"]:
    """Of every track: nobody has asked yet."""
    return np.full(int(np.count_nonzero(snapshot.label("track"))), np.nan)
