"""Re-embedding: a gallery's pictures go through another run's network; it answers as before until the switch."""

import numpy as np
import torch

from clipsenet.errors import ClipsenetError, Interrupted
from clipsenet.features import Features
from clipsenet.gallery.embedding import embed, embedding_of, notes_of
from clipsenet.gallery.local import LocalGallery
from clipsenet.gallery.renewal import Renewal
from clipsenet.images import missing_files
from clipsenet.interrupts import Interrupts
from clipsenet.reporting import SILENT, Watch
from clipsenet.runs import Run

BLOCK = 512
"""Pictures whose new embeddings are kept at once."""

LOOKED_FOR = 65_536
"""Pictures whose files are looked for at once: each time their folders are listed."""

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
        drop_broken: forget sightings whose picture can no longer be opened, all together just before the gallery is
            switched over, instead of stopping there.
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
    with Interrupts() as interrupts:
        broken = _absent(gallery, renewal, interrupts)
        _settle(broken, drop_broken)
        tick = watch.stage("embedding anew")
        while len(ids := renewal.waiting(BLOCK, _ids(broken))):
            sightings = gallery.sightings(ids)
            batches = [list(range(start, min(start + batch, len(ids)))) for start in range(0, len(ids), batch)]
            parts = list(embed(run, sightings, batches, workers=workers, device=device))
            rows = np.concatenate([part.rows for part in parts])
            if len(rows):
                renewal.add(ids[rows], Features(sightings[rows], np.concatenate([part.vectors for part in parts]), run.id))
            found = {int(ids[row]): reason for part in parts for row, reason in part.broken}
            _settle(found, drop_broken)
            broken |= found
            tick(renewal.done + len(broken), renewal.total)
            if interrupts.asked and renewal.done + len(broken) < renewal.total:
                raise _stopped(renewal)
        renewal.switch(notes_of(run), without=_ids(broken))
    return list(broken.values())


def _absent(gallery: LocalGallery, renewal: Renewal, interrupts: Interrupts) -> dict[int, str]:
    """The sightings that wait and whose file is not there, before hours are spent on the others."""
    found: dict[int, str] = {}
    waiting = renewal.waiting(renewal.total)
    for start in range(0, len(waiting), LOOKED_FOR):
        ids = waiting[start : start + LOOKED_FOR]
        sightings = gallery.sightings(ids)
        found |= {int(ids[row]): f"{sightings.describe(row)}: no such file" for row in missing_files(sightings)}
        if interrupts.asked:
            raise _stopped(renewal)
    return found


def _settle(broken: dict[int, str], drop: bool) -> None:
    """Stop at broken pictures, unless their sightings are to be forgotten."""
    if broken and not drop:
        reasons = list(broken.values())
        more = "" if len(reasons) <= NAMED else f"; and {len(reasons) - NAMED} more"
        raise ClipsenetError(
            f"{len(reasons)} pictures of the gallery can no longer be used: {'; '.join(reasons[:NAMED])}{more}. Bring them "
            "back, or pass --drop-broken to forget them; the gallery answers as before"
        )


def _stopped(renewal: Renewal) -> Interrupted:
    return Interrupted(
        f"stopped: {renewal.done} of {renewal.total} pictures are embedded anew, the gallery answers as before; the same "
        "command goes on"
    )


def _ids(broken: dict[int, str]) -> np.ndarray:
    return np.array(list(broken), dtype=np.int64)
