"""Asking: from a picture to the sightings most alike, with all that a user wants to read of them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from clipsenet.calibrating.calibration import Calibration, require_calibrated
from clipsenet.calibrating.evidence import FIRST
from clipsenet.chain import PLAIN, Chain
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.features import Features, extract
from clipsenet.gallery.adding import refuse_others
from clipsenet.gallery.believing import own_ids, with_verdicts
from clipsenet.gallery.embedding import require_run
from clipsenet.gallery.hits import Box, Found, Hit, hits_of
from clipsenet.gallery.interface import EVERYTHING, NOBODY, Answer, Filter, ForgottenError, Group
from clipsenet.gallery.local import LocalGallery
from clipsenet.gallery.paths import full_path
from clipsenet.runs import Run
from clipsenet.sightings import WHOLE, Sightings
from clipsenet.streaming import CANDIDATES

Ranked = tuple[Int[np.ndarray, " _"], Float[np.ndarray, " _"]]
"""Ids and similarities of one query, best first."""


def ask(
    gallery: LocalGallery,
    query: Features,
    *,
    top: int = 20,
    where: Filter = EVERYTHING,
    group: Group | None = None,
    similarity: Chain = PLAIN,
    exact: bool = False,
    purpose: str = "",
    calibration: Calibration | None = None,
    expect_absent: float | None = None,
) -> list[Found]:
    """Search for each query by itself, and record it in the gallery's audit before it is answered.

    Args:
        gallery: that is searched.
        query: pictures with their embeddings, of the gallery's run.
        top: how many answers.
        where: which sightings are searched.
        group: one answer for each track or camera; with the plain cosine a track is compared by its vector, else by its
            picture most alike.
        similarity: beside the plain cosine a chain, applied among the first ``CANDIDATES`` by cosine.
        exact: whether an index of neighbours is left aside.
        purpose: for the audit.
        calibration: gives confidences and a verdict, from the first ``FIRST`` pictures beside the query's own; none:
            similarities only.
        expect_absent: the share of queries whose vehicle is not in the gallery; none: the calibration's.

    Raises:
        ClipsenetError: embeddings of another run or length, or of a network that was told other labels; a calibration of
            another run or similarity; a filter that leaves nothing, which is recorded, too; a column that does not exist; an
            audit that cannot be written.
    """
    refuse_others(query, gallery.embedding)
    chain = similarity.alone()
    if calibration is not None:
        require_calibrated(calibration, query.run_id, str(chain))
    once = partial(
        _ask, gallery, query, chain, top, where, group, exact, purpose, calibration=calibration, expect_absent=expect_absent
    )
    try:
        return once()
    except ForgottenError:  # somebody has forgotten what was found just then; now nobody finds it
        return once()


def search_picture(
    gallery: LocalGallery,
    picture: Path | str,
    *,
    box: Box | None = None,
    run: Run | None = None,
    device: torch.device | str = "cpu",
    top: int = 20,
    where: Filter = EVERYTHING,
    group: Group | None = None,
    similarity: Chain = PLAIN,
    exact: bool = False,
    purpose: str = "",
    calibration: Calibration | None = None,
) -> list[Hit]:
    """Where else was this vehicle? From a picture to the sightings most alike; the search is recorded in the audit.

    Args:
        gallery: that is searched.
        picture: a file.
        box: x, y, width, height of the vehicle in it; none: all of it.
        run: whose network embeds it; none: the one that the gallery was made with, where its folder still lies.
        device: where the network computes.
        top: how many answers.
        where: which sightings are searched.
        group: one answer for each track or camera.
        similarity: as ``ask`` has it.
        exact: whether an index of neighbours is left aside.
        purpose: for the audit.
        calibration: of the run, as ``load_calibration`` reads it: each answer then has its confidence.

    Raises:
        ClipsenetError: as ``ask``; a picture that cannot be used; another run than the gallery's, or none where it lay.
    """
    run = run_of(gallery) if run is None else run
    require_run(gallery, run)
    sightings = Sightings.of([full_path(picture)], box=[box or WHOLE])
    query = extract(run.model, sightings, run.test_transform, run.id, dim=run.dim, device=device)
    (found,) = ask(
        gallery,
        query,
        top=top,
        where=where,
        group=group,
        similarity=similarity,
        exact=exact,
        purpose=purpose,
        calibration=calibration,
    )
    return found.hits


def _ask(
    gallery: LocalGallery,
    query: Features,
    chain: Chain,
    top: int,
    where: Filter,
    group: Group | None,
    exact: bool,
    purpose: str,
    *,
    calibration: Calibration | None,
    expect_absent: float | None,
) -> list[Found]:
    """``ask``, where everything fits together."""
    wide = max(top, FIRST + 1) if calibration is not None and group is None else top
    try:
        found_, answer = _ranked(gallery, query, chain, wide, where, group, exact)
    except UsageError:
        raise
    except ClipsenetError:
        if not gallery.count(where):  # which is an answer: the message tells names and times that the gallery has
            gallery.audit.append(purpose=purpose, where=where, queries=query.sightings.files(), results=[[]] * len(query))
        raise
    ranked = _known(found_)
    shown = [(ids[:top], values[:top]) for ids, values in ranked]
    words = "cosine with the track's mean vector" if group == "track" else "cosine"
    if not chain.plain:
        count = min(max(top, CANDIDATES), answer.candidates)
        words = f"{chain}, among the first {count} of {answer.candidates} by cosine, one query at a time"
    sightings = gallery.sightings(np.concatenate([np.empty(0, dtype=np.int64), *(ids for ids, _ in shown)]))
    gallery.audit.append(
        purpose=purpose, where=where, queries=query.sightings.files(), results=[ids.tolist() for ids, _ in shown]
    )
    own = own_ids(gallery, query)
    found, start = [], 0
    for row, (ids, values) in enumerate(shown):
        count = len(ids)
        part = sightings[np.arange(start, start + count)]
        hits = [replace(hit, own=hit.id == int(own[row])) for hit in hits_of(part, ids.tolist(), values.tolist())]
        found.append(Found(hits, words, answer.candidates, answer.exact))
        start += count
    if calibration is None:
        return found
    looked = ranked if group is None else _known(_ranked(gallery, query, chain, FIRST + 1, where, None, exact)[0])
    return with_verdicts(gallery, query, found, looked, own, calibration, group=group, expect_absent=expect_absent)


def run_of(gallery: LocalGallery, folder: Path | None = None, checkpoint: str | None = None) -> Run:
    """The run of a gallery's embeddings.

    Args:
        gallery: whose run is wanted.
        folder: of a run; none: where it lay when the gallery was made.
        checkpoint: which weights; none: those that the gallery was made with.

    Raises:
        ClipsenetError: no run there, or another one.
    """
    hint = gallery.recall("run")
    if folder is None:
        if not hint or not Path(hint).is_dir():
            where = f"no longer lies in {hint}" if hint else "is not noted in it"
            raise ClipsenetError(f"the run of {gallery.folder} {where}: give its folder with --run")
        folder = Path(hint)
    run = Run.open(folder, checkpoint or gallery.recall("checkpoint") or None)
    require_run(gallery, run)
    return run


def _ranked(
    gallery: LocalGallery, query: Features, chain: Chain, top: int, where: Filter, group: Group | None, exact: bool
) -> tuple[list[Ranked], Answer]:
    """Ids and similarities for each query, and what the search by cosine says of itself."""
    if chain.plain:
        answer = gallery.search(query.embeddings, top=top, where=where, group=group, exact=exact)
        return list(zip(answer.ids, answer.similarity, strict=True)), answer
    answer = gallery.search(query.embeddings, top=max(top, CANDIDATES), where=where, exact=exact)
    ranked = [
        _reranked(gallery, query[np.array([row])], ids[ids != NOBODY], chain, top, group) for row, ids in enumerate(answer.ids)
    ]
    return ranked, answer


def _known(ranked: list[Ranked]) -> list[Ranked]:
    """Without what fills an answer that is shorter than was asked for."""
    return [(ids[ids != NOBODY], values[ids != NOBODY]) for ids, values in ranked]


def _reranked(gallery: LocalGallery, query: Features, ids: np.ndarray, chain: Chain, top: int, group: Group | None) -> Ranked:
    """The first ``top`` of the candidates by the chain, one of each group."""
    candidates = gallery.get(ids)
    ((_, rows),) = chain.blocks(query, candidates)
    order = np.lexsort((ids, -rows[0]))
    if group is not None:
        names = _group_names(candidates.sightings, group)
        order = np.array(_first_of_each([names[row] for row in order.tolist()], order.tolist()), dtype=np.int64)
    order = order[:top]
    return ids[order], rows[0][order]


def _group_names(sightings: Sightings, group: Group) -> list[tuple[str, ...]]:
    camera, track = sightings.camera.texts().tolist(), sightings.track.texts().tolist()
    if group == "camera":
        return [(name,) if name else () for name in camera]
    return [(name, of) if name else () for name, of in zip(track, camera, strict=True)]


def _first_of_each(names: Sequence[tuple[str, ...]], rows: Sequence[int]) -> list[int]:
    """Of each name the first row; who has none stands for itself."""
    seen: set[tuple[str, ...]] = set()
    kept = []
    for name, row in zip(names, rows, strict=True):
        if not name or name not in seen:
            kept.append(row)
        seen.add(name)
    return kept
