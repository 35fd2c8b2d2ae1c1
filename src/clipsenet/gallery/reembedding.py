"""Re-embedding: a gallery's pictures go through another run's network; it answers as before until the switch."""

import numpy as np
import torch

from clipsenet.errors import ClipsenetError, Interrupted
from clipsenet.features import Features
from clipsenet.gallery.embedding import embed, embedding_of, note_run
from clipsenet.gallery.local import LocalGallery
from clipsenet.images import missing_files
from clipsenet.interrupts import Interrupts
from clipsenet.reporting import SILENT, Watch
from clipsenet.runs import Run

BLOCK = 512
"""Pictures whose new embeddings are kept at once."""

NAMED = 10
"""How many broken pictures an error names."""


def re_embed(
    run: Run,
    gallery: LocalGallery,
    *,
    drop_broken: bool = False,
    batch: int = 64,
    workers: int = 0,
    device: torch.device | str = "cpu",
    watch: Watch = SILENT,
) -> list[str]:
    """Bring a gallery over to another run; what was done before a stop is not done again.

    Args:
        run: whose embeddings it is to hold.
        gallery: opened to be written.
        drop_broken: forget sightings whose picture can no longer be opened, instead of stopping there.
        batch: pictures through the network at once.
        workers: processes that open pictures (0: this one).
        device: where the network computes.
        watch: told how far it is.

    Returns:
        What was wrong with each picture that was forgotten.

    Raises:
        ClipsenetError: a picture that can no longer be opened, the gallery holds this run's embeddings already, another
            re-embedding was begun, a full disk.
        Interrupted: Ctrl-C or a polite kill; the same call goes on.
    """
    renewal = gallery.re_embed(embedding_of(run))
    dropped: list[str] = []
    waiting = renewal.waiting(renewal.total)
    for start in range(0, len(waiting), BLOCK):
        ids = waiting[start : start + BLOCK]
        sightings = gallery.sightings(ids)
        rows = missing_files(sightings)
        _settle(gallery, ids[rows], [f"{sightings.describe(row)}: no such file" for row in rows], drop_broken, dropped)
    tick = watch.stage("embedding anew")
    with Interrupts() as interrupts:
        while len(ids := renewal.waiting(BLOCK)):
            sightings = gallery.sightings(ids)
            batches = [list(range(start, min(start + batch, len(ids)))) for start in range(0, len(ids), batch)]
            parts = list(embed(run, sightings, batches, workers=workers, device=device))
            broken = [one for part in parts for one in part.broken]
            if broken:
                _settle(gallery, ids[[row for row, _ in broken]], [reason for _, reason in broken], drop_broken, dropped)
                continue  # the order in which the others are wanted may be another one now
            vectors = np.concatenate([part.vectors for part in parts])
            renewal.add(ids, Features(sightings, vectors, run.id))
            tick(renewal.done, renewal.total)
            if interrupts.asked and renewal.done < renewal.total:
                raise Interrupted(
                    f"stopped: {renewal.done} of {renewal.total} pictures are embedded anew, the gallery answers as before; "
                    "the same command goes on"
                )
    renewal.switch()
    note_run(gallery, run)
    return dropped


def _settle(gallery: LocalGallery, ids: np.ndarray, reasons: list[str], drop: bool, dropped: list[str]) -> None:
    """Forget broken sightings, or stop there."""
    if not reasons:
        return
    if not drop:
        more = "" if len(reasons) <= NAMED else f"; and {len(reasons) - NAMED} more"
        raise ClipsenetError(
            f"{len(reasons)} pictures of the gallery can no longer be used: {'; '.join(reasons[:NAMED])}{more}. Bring them "
            "back, or pass --drop-broken to forget them; the gallery answers as before"
        )
    gallery.drop(ids)
    dropped += reasons
