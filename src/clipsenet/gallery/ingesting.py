"""Ingest: pictures go through a run's network into a gallery; what is in is not embedded again."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from clipsenet.contents import digest_file, with_box
from clipsenet.errors import Interrupted
from clipsenet.features import Features
from clipsenet.gallery.embedding import Embedded, embed, require_run
from clipsenet.gallery.encoding import escaped, is_utf8
from clipsenet.gallery.interface import NOBODY, Gallery
from clipsenet.gallery.tracks import refuse_repeated_tracks
from clipsenet.images import PictureError, open_sighting
from clipsenet.interrupts import Interrupts
from clipsenet.reporting import SILENT, Tick, Watch
from clipsenet.runs import Run
from clipsenet.sightings import Sightings

COMMIT, PATIENCE = 512, 5.0
"""Pictures, or seconds, after which what is embedded is committed."""


@dataclass
class Ingested:
    """What became of a list of pictures.

    Attributes:
        added: how many were embedded and are in now.
        there: how many were in already, or stood in the list twice.
        broken: what is wrong with each of the others.
        seconds: that it took.
    """

    added: int = 0
    there: int = 0
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def seen(self) -> int:
        """Pictures that are done with."""
        return self.added + self.there + len(self.broken)


def index(
    run: Run,
    sightings: Sightings,
    gallery: Gallery,
    *,
    batch: int = 64,
    workers: int = 0,
    device: torch.device | str = "cpu",
    threads: int = 2,
    watch: Watch = SILENT,
) -> Ingested:
    """Put pictures into a gallery. A picture is known by its file's bytes and its box, wherever the file lies.

    Args:
        run: of which the gallery holds embeddings.
        sightings: the pictures; all their columns are kept.
        gallery: opened to be written.
        batch: pictures through the network at once.
        workers: processes that open pictures (0: this one).
        device: where the network computes.
        threads: that read files.
        watch: told how far it is.

    Raises:
        ClipsenetError: another run than the gallery's, a track's name that was given before, a full disk, an embedding that is
            NaN; what was committed stays.
        Interrupted: Ctrl-C or a polite kill; the same call goes on.
    """
    require_run(gallery, run)
    refuse_repeated_tracks(_nameable(sightings), gallery)
    started = committed = time.monotonic()
    waiting: list[Embedded] = []
    with Interrupts() as interrupts, ThreadPoolExecutor(max_workers=threads) as pool:
        work = _Work(sightings, gallery, interrupts, watch.stage("indexing"))
        for one in embed(run, sightings, work.batches(batch, pool), workers=workers, device=device):
            waiting.append(one)
            now = time.monotonic()
            if sum(len(part.rows) + len(part.broken) for part in waiting) >= COMMIT or now - committed >= PATIENCE:
                work.commit(run, waiting)
                waiting, committed = [], now
            if interrupts.asked:
                break
        work.commit(run, waiting)
    done, left = work.done, len(sightings) - work.done.seen
    if left:
        raise Interrupted(
            f"stopped: {done.added} pictures were added, {left} of {len(sightings)} are left; the same command goes on"
        )
    done.seconds = time.monotonic() - started
    return done


class _Work:
    """What is under way: between its reading and its commit each picture's content, and the rows that have the same."""

    def __init__(self, sightings: Sightings, gallery: Gallery, interrupts: Interrupts, tick: Tick) -> None:
        self.sightings, self.gallery, self.interrupts, self.tick = sightings, gallery, interrupts, tick
        self.done = Ingested()
        self.content: dict[int, str] = {}
        self.twins: dict[str, list[int]] = {}

    def batches(self, size: int, pool: ThreadPoolExecutor) -> Iterator[list[int]]:
        """Rows that are to be embedded, until somebody asks to stop."""
        found: list[int] = []
        for start in range(0, len(self.sightings), size):
            rows = range(start, min(start + size, len(self.sightings)))
            read = dict(zip(rows, self._digests(rows, pool), strict=True))
            self.done.broken += [reason for content, reason in read.values() if not content]
            contents = [content for content, _ in read.values() if content]
            ids = dict(zip(contents, self.gallery.find(contents).tolist(), strict=True))
            for row, (content, _) in read.items():
                if not content:
                    continue
                if ids[content] != NOBODY:
                    self.done.there += 1
                elif content in self.twins:
                    self.twins[content].append(row)
                else:
                    self.twins[content] = []
                    self.content[row] = content
                    found.append(row)
            while len(found) >= size:
                yield found[:size]
                found = found[size:]
            self.tick(self.done.seen, len(self.sightings))
            if self.interrupts.asked:
                return
        if found:
            yield found

    def commit(self, run: Run, parts: list[Embedded]) -> None:
        """Add what is embedded; when it returns it lasts."""
        rows = np.concatenate([np.empty(0, dtype=np.int64), *(part.rows for part in parts)])
        if len(rows):
            vectors = np.concatenate([part.vectors for part in parts])
            features = Features(self.sightings[rows], vectors, run.id)
            contents = [self.content[row] for row in rows.tolist()]
            self.gallery.add(features, contents, np.concatenate([part.quality for part in parts]))
            self.done.added += len(rows)
        for row in rows.tolist():
            self.done.there += len(self.twins.pop(self.content.pop(row)))
        for row, reason in (one for part in parts for one in part.broken):
            twins = self.twins.pop(self.content.pop(row))
            self.done.broken += [reason, *(_reason(self.sightings, twin, reason) for twin in twins)]
        self.tick(self.done.seen, len(self.sightings))

    def _digests(self, rows: range, pool: ThreadPoolExecutor) -> list[tuple[str, str]]:
        """Each row's digest, or an empty one and what is wrong; a file with several boxes is read once."""
        files = [self.sightings.file(row) for row in rows]
        different = [file for file in dict.fromkeys(files) if is_utf8(file)]
        read = dict(zip(different, pool.map(_hash, different), strict=True))
        found = []
        for row, file in zip(rows, files, strict=True):
            digest = read.get(file, _NO_NAME)
            if isinstance(digest, str):
                found.append(("", _reason(self.sightings, row, digest)))
                continue
            found.append((with_box(digest, self.sightings.box_of(row)), ""))
        return found


def _hash(file: str) -> Any:
    """The file's digest, to be gone on with; or why it cannot be read."""
    try:
        return digest_file(file)
    except OSError as error:
        return str(error)


_NO_NAME = "its name is not UTF-8, and so cannot be kept in a gallery; rename the file, or the folder that is named so"


def _nameable(sightings: Sightings) -> Sightings:
    """The pictures whose names can be kept."""
    rows = np.array([is_utf8(file) for file in sightings.files()], dtype=bool)
    return sightings if rows.all() else sightings[rows]


def _reason(sightings: Sightings, row: int, otherwise: str) -> str:
    """What opening the picture says, which names the list's line."""
    try:
        open_sighting(sightings, row)
    except PictureError as error:
        return escaped(str(error))
    return escaped(f"{sightings.describe(row)}: {otherwise}")
