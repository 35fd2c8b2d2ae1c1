"""Commands that keep a gallery: gallery count, forget, re-embed, neighbours, verify, repair, audit."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from clipsenet.cli.filters import Cameras, Since, Until, Where, filter_of, moment_of
from clipsenet.cli.opening import complain, list_left_out, open_run, print_json, use_threads
from clipsenet.cli.options import AsJson, CheckpointName, Device, GalleryFolder, Threads
from clipsenet.errors import ClipsenetError, UsageError

WRONG_RECORD = "the record of searches is not as it was written"


def count(
    gallery: GalleryFolder,
    camera: Cameras = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    json_: AsJson = False,
) -> None:
    """How many sightings a gallery holds, of all or of those that are meant."""
    from clipsenet.gallery.local import open_gallery

    with open_gallery(gallery) as opened:
        meant = filter_of(camera, since, until, where)
        found, why = opened.count(meant), opened.explain(meant)
    if json_:
        print_json({"sightings": found, "why_none": why or None})
        return
    typer.echo(found)
    if why:
        typer.echo(why, err=True)


def forget(
    gallery: GalleryFolder,
    before: Annotated[str | None, typer.Option(metavar="TIME", help="What was taken before this moment.")] = None,
    camera: Cameras = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many would go, and remove nothing.")] = False,
    json_: AsJson = False,
) -> None:
    """Remove sightings so that nothing of them is left: vectors, paths, and their place in the audit."""
    from clipsenet.gallery.interface import EVERYTHING
    from clipsenet.gallery.local import open_gallery

    if before is not None and until is not None:
        raise UsageError("--before and --to mean the same end; give one of them")
    moment_of("--before", before)
    meant = filter_of(camera, since, before or until, where)
    if meant == EVERYTHING:
        raise UsageError("forget what? give --before TIME, --where COLUMN=VALUE, --camera or --from and --to")
    with open_gallery(gallery, write=not dry_run) as opened:
        why = opened.explain(meant)
        removed = opened.count(meant) if dry_run else opened.forget(meant)
        left = opened.count() - (removed if dry_run else 0)
    if json_:
        print_json({"removed": removed, "left": left, "dry_run": dry_run, "why_none": why or None})
        return
    typer.echo(f"{removed} sightings {'would be' if dry_run else 'were'} removed, {left} {'would be ' if dry_run else ''}left")
    if why:
        typer.echo(why, err=True)


def re_embed(
    gallery: GalleryFolder,
    run: Annotated[Path, typer.Option("--run", metavar="RUN", help="The run whose embeddings it is to hold.")],
    checkpoint: CheckpointName = None,
    drop_broken: Annotated[
        bool, typer.Option("--drop-broken", help="Forget sightings whose picture can no longer be opened.")
    ] = False,
    abandon: Annotated[bool, typer.Option("--abandon", help="Give up a re-embedding by this run that was begun.")] = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Embed all pictures anew with another run, beside, then switch over; one that was stopped goes on."""
    from clipsenet.console import out, watching
    from clipsenet.devices import find_device
    from clipsenet.gallery.embedding import embedding_of
    from clipsenet.gallery.local import open_gallery
    from clipsenet.gallery.reembedding import re_embed as re_embed_

    use_threads(threads)
    new = open_run(run, checkpoint)
    with open_gallery(gallery, write=True) as opened, watching() as watch:
        if abandon:
            renewal = opened.re_embed(embedding_of(new))
            done, held_by = renewal.done, opened.embedding.run_id[:16]
            renewal.abandon()
            out.print(f"{done} new embeddings given up; {gallery} holds those of run {held_by} as before", markup=False)
            return
        dropped = re_embed_(
            new,
            opened,
            drop_broken=drop_broken,
            batch=new.recipe.evaluation.batch,
            workers=new.recipe.training.workers,
            device=find_device(device),
            watch=watch,
        )
        held = opened.count()
    list_left_out(dropped)
    out.print(f"{held} pictures embedded anew; {gallery} holds embeddings of run {new.id[:16]} now", markup=False)


def neighbours(
    gallery: GalleryFolder,
    drop: Annotated[bool, typer.Option("--drop", help="Remove it; every search then compares all.")] = False,
    threads: Threads = None,
) -> None:
    """Build an index of neighbours: searches without a filter in a large gallery get quicker, and may miss some."""
    from clipsenet.console import out, watching
    from clipsenet.gallery.local import open_gallery
    from clipsenet.gallery.neighbourhood import INDEXED_FROM

    use_threads(threads)
    with open_gallery(gallery, write=True) as opened, watching() as watch:
        if drop:
            opened.drop_index()
            out.print("no index of neighbours: every search compares all", markup=False)
            return
        facts = opened.build_index(watch)
        held = opened.count()
    out.print(
        f"{held} sightings indexed; tried on some of them, {facts.recall:.3f} of the ten nearest were found; "
        "search --exact compares all",
        markup=False,
    )
    if held < INDEXED_FROM:
        out.print(f"below {INDEXED_FROM:,} sightings it is not asked: all are compared", markup=False)


def verify(gallery: GalleryFolder, json_: AsJson = False) -> None:
    """Look through a gallery: every vector's and record's checksum, the index of neighbours, the audit's chain."""
    from clipsenet.gallery.checking import findings_of

    found = findings_of(gallery)
    if json_:
        print_json({"wrong": [{"sentence": one.sentence, "repair_mends": one.mends, "lost": one.lost} for one in found]})
    mends = any(one.mends for one in found)
    advice = (
        f"clipsenet gallery repair {gallery} mends what can be mended"
        if mends
        else "clipsenet gallery repair mends none of them"
    )
    _report([one.sentence for one in found], advice)
    if not json_:
        typer.echo(f"{gallery}: nothing is wrong")


def repair(
    gallery: GalleryFolder,
    drop_lost: Annotated[
        bool, typer.Option("--drop-lost", help="Remove, and name, sightings whose vector or record is lost.")
    ] = False,
    json_: AsJson = False,
) -> None:
    """Mend what verify finds and what can be mended; what is lost is dropped on request only."""
    from clipsenet.gallery.checking import verify_gallery
    from clipsenet.gallery.repairing import repair_gallery

    done, wrong = repair_gallery(gallery, drop_lost=drop_lost), verify_gallery(gallery)
    if json_:
        print_json({"done": done, "wrong": wrong})
    else:
        for sentence in done:
            typer.echo(sentence)
    _report(wrong, "this was not mended")
    if not json_:
        typer.echo(f"{gallery}: {'nothing is wrong now' if done else 'nothing was wrong'}")


def audit(
    gallery: GalleryFolder,
    head: Annotated[str | None, typer.Option(help="A head that was written down: it must be in the chain.")] = None,
    json_: AsJson = False,
) -> None:
    """The searches that were made, and whether their record is as it was written."""
    from clipsenet.console import out, print_rows
    from clipsenet.gallery.audit import Audit
    from clipsenet.gallery.local import open_gallery

    open_gallery(gallery).close()  # what is no gallery has no audit
    kept = Audit(gallery)
    wrong = kept.verify(head)
    try:
        entries, last = kept.entries(), kept.head()
    except ClipsenetError as error:
        if not wrong:
            raise
        wrong = list(dict.fromkeys([*wrong, str(error)]))
        if json_:
            print_json({"entries": None, "wrong": wrong, "head": None})
        _report(wrong, WRONG_RECORD)
        raise
    if json_:
        print_json({"entries": [asdict(one) for one in entries], "wrong": wrong, "head": last})
    else:
        rows = [
            (
                str(one.number),
                _moment_text(one.time),
                _printable(one.purpose) or "none given",
                _printable(_filter_text(asdict(one.where))),
                ", ".join("forgotten" if path is None else path for path in one.queries[:3])
                + (" ..." * (len(one.queries) > 3)),
                str(sum(map(len, one.results))),
            )
            for one in entries
        ]
        print_rows(("search", "when", "purpose", "filter", "query", "answers"), rows)
        out.print(
            f"head {last}: write it down elsewhere, and pass it with --head to see that nothing was cut off", markup=False
        )
    _report(wrong, WRONG_RECORD)


def _report(wrong: Sequence[str], advice: str) -> None:
    """Name what is wrong, and fail."""
    for sentence in wrong:
        complain(sentence)
    if wrong:
        raise ClipsenetError(f"{len(wrong)} fault{'s' * (len(wrong) > 1)}; {advice}")


def _filter_text(where: dict[str, object]) -> str:
    texts = []
    for name, value in where.items():
        if name in ("since", "until") and isinstance(value, int):
            texts.append(f"{name} {_moment_text(value)}")
        elif isinstance(value, tuple | list) and value:
            texts.append(" ".join("=".join(one) if isinstance(one, tuple | list) else f"camera {one}" for one in value))
    return ", ".join(texts) or "all"


def _moment_text(microseconds: int) -> str:
    """A time that was recorded, also one that no calendar has."""
    from clipsenet.tables import time_text

    try:
        return time_text(microseconds)
    except OverflowError:
        return f"{microseconds} microseconds from 1970"


def _printable(text: str) -> str:
    """A word of whoever searched, also one that is no UTF-8."""
    return text.encode(errors="replace").decode()
