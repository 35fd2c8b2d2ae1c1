"""Commands that keep a gallery: gallery index, count, forget, re-embed, verify, repair, audit."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clipsenet.cli.filters import Cameras, Since, Until, Where, filter_of, moment_of
from clipsenet.cli.opening import complain, list_left_out, open_run, print_json, use_threads
from clipsenet.cli.options import AsJson, CheckpointName, Device, RunFolder, Set, SkipBroken, Threads
from clipsenet.errors import ClipsenetError, UsageError

if TYPE_CHECKING:
    from clipsenet.gallery.local import LocalGallery
    from clipsenet.reporting import Watch
    from clipsenet.runs import Run
    from clipsenet.sightings import Sightings

GalleryFolder = Annotated[Path, typer.Argument(metavar="GALLERY", help="A gallery's folder.")]


def index(
    run: RunFolder,
    pictures: Annotated[Path, typer.Argument(help="A manifest, a folder of pictures, or of films in MOT's layout.")],
    to: Annotated[Path, typer.Option("--to", metavar="GALLERY", help="The gallery; made where there is none.")],
    best: Annotated[
        int | None, typer.Option(min=1, help="Keep so many pictures of each track, the best. None: 5 of films, all of others.")
    ] = None,
    began: Annotated[
        str | None, typer.Option(metavar="TIME", help="When the films' first frames were taken, where they do not say so.")
    ] = None,
    tracks_by_day: Annotated[
        bool, typer.Option("--tracks-by-day", help="Put the day behind each track's name: the tracker counts from 1 every day.")
    ] = False,
    weighting: Annotated[
        Literal["equal", "quality"] | None, typer.Option(help="Of a track's pictures in its vector, in a new gallery.")
    ] = None,
    dtype: Annotated[Literal["float16", "float32"] | None, typer.Option(help="Of the vectors, in a new gallery.")] = None,
    checkpoint: CheckpointName = None,
    set_: Set = None,
    skip_broken: SkipBroken = False,
    device: Device = "auto",
    threads: Threads = None,
    json_: AsJson = False,
) -> None:
    """Put pictures into a gallery; those that are in are not embedded again, and a run that was stopped goes on."""
    from clipsenet.console import out, watching
    from clipsenet.devices import find_device
    from clipsenet.gallery.ingesting import index as index_
    from clipsenet.gallery.tracks import name_tracks_by_day

    use_threads(threads)
    opened = open_run(run, checkpoint)
    with watching() as watch:
        sightings, broken = _read(pictures, moment_of("--began", began), best, set_, watch)
        if tracks_by_day:
            sightings = name_tracks_by_day(sightings)
        with _open_or_create(to, opened, weighting, dtype) as gallery:
            done = index_(
                opened,
                sightings,
                gallery,
                batch=opened.recipe.evaluation.batch,
                workers=opened.recipe.training.workers,
                device=find_device(device),
                watch=watch,
            )
            count = gallery.count()
    broken += done.broken
    rate = done.added / done.seconds if done.added else 0.0
    if json_:
        figures = {"added": done.added, "there": done.there, "broken": broken, "sightings": count, "seconds": done.seconds}
        print_json({**figures, "run_id": opened.id})
    else:
        speed = f" in {done.seconds:.1f} s, {rate:.1f} a second" if done.added else ""
        out.print(f"{done.added} pictures added{speed}; {done.there} were in already; {count} in {to}", markup=False)
        out.print(f"next: clipsenet search {to} PICTURE", markup=False)
    list_left_out(broken)
    if broken and not skip_broken:
        raise ClipsenetError(
            f"{len(broken)} pictures could not be used, all others are in; mend them and run the same command again, or pass "
            "--skip-broken if you can do without"
        )


def count(
    gallery: GalleryFolder, camera: Cameras = None, since: Since = None, until: Until = None, where: Where = None
) -> None:
    """How many sightings a gallery holds, of all or of those that are meant."""
    from clipsenet.gallery.local import open_gallery

    with open_gallery(gallery) as opened:
        typer.echo(opened.count(filter_of(camera, since, until, where)))


def forget(
    gallery: GalleryFolder,
    before: Annotated[str | None, typer.Option(metavar="TIME", help="What was taken before this moment.")] = None,
    camera: Cameras = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many would go, and remove nothing.")] = False,
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
        removed = opened.count(meant) if dry_run else opened.forget(meant)
        left = opened.count() - (removed if dry_run else 0)
    typer.echo(f"{removed} sightings {'would be' if dry_run else 'were'} removed, {left} {'would be ' if dry_run else ''}left")


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
            opened.re_embed(embedding_of(new)).abandon()
            out.print(f"given up; {gallery} holds embeddings of run {opened.embedding.run_id[:16]} as before", markup=False)
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


def verify(gallery: GalleryFolder) -> None:
    """Look through a gallery: every vector's checksum, every record, the audit's chain."""
    from clipsenet.gallery.checking import verify_gallery

    _report(verify_gallery(gallery), f"clipsenet gallery repair {gallery} mends what can be mended")
    typer.echo(f"{gallery}: nothing is wrong")


def repair(gallery: GalleryFolder) -> None:
    """Mend what verify finds and what can be mended; what is lost is dropped and named."""
    from clipsenet.gallery.checking import verify_gallery
    from clipsenet.gallery.repairing import repair_gallery

    done = repair_gallery(gallery)
    for sentence in done:
        typer.echo(sentence)
    _report(verify_gallery(gallery), "this could not be mended")
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
    from clipsenet.tables import time_text

    open_gallery(gallery).close()  # what is no gallery has no audit
    kept = Audit(gallery)
    entries, wrong, last = kept.entries(), kept.verify(head), kept.head()
    if json_:
        print_json({"entries": [asdict(one) for one in entries], "wrong": wrong, "head": last})
    else:
        rows = [
            (
                str(one.number),
                time_text(one.time),
                one.purpose or "none given",
                _filter_text(asdict(one.where)),
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
    _report(wrong, "the record of searches is not as it was written")


def _report(wrong: Sequence[str], advice: str) -> None:
    """Name what is wrong, and fail."""
    for sentence in wrong:
        complain(sentence)
    if wrong:
        raise ClipsenetError(f"{len(wrong)} faults; {advice}")


def _filter_text(where: dict[str, object]) -> str:
    from clipsenet.tables import time_text

    texts = []
    for name, value in where.items():
        if name in ("since", "until") and isinstance(value, int):
            texts.append(f"{name} {time_text(value)}")
        elif isinstance(value, tuple | list) and value:
            texts.append(" ".join("=".join(one) if isinstance(one, tuple | list) else f"camera {one}" for one in value))
    return ", ".join(texts) or "all"


def _read(
    pictures: Path, began: int | None, best: int | None, set_: list[str] | None, watch: "Watch"
) -> "tuple[Sightings, list[str]]":
    """The pictures of a list, a folder or films; of tracks the best where that is asked for, and what cannot be used."""
    from clipsenet.datasets.films import films_in, read_films
    from clipsenet.gallery.choosing import best_of_tracks
    from clipsenet.quality import measure_qualities

    films = pictures.is_dir() and bool(films_in(pictures))
    if began is not None and not films:
        raise UsageError(f"--began is for films in MOT's layout, and {pictures} holds none; a list has a column 'time'")
    if films and set_:
        raise UsageError(f"--set {' '.join(set_)}: films in MOT's layout have no settings")
    sightings = read_films(pictures, began) if films else read_pictures(pictures, set_)
    count = best or (5 if films else 0)
    if not count:
        return sightings, []
    watch.say(f"looking for the best {count} pictures of each track among {len(sightings)}")
    quality, broken = measure_qualities(sightings)
    return sightings[best_of_tracks(sightings, quality, count)], [reason for _, reason in broken]


def read_pictures(pictures: Path, set_: list[str] | None) -> "Sightings":
    """A list, a folder, or one picture.

    Raises:
        UsageError: settings of something else than the list.
    """
    from clipsenet.datasets.manifest import ManifestSettings, read
    from clipsenet.settings import override
    from clipsenet.sightings import Sightings

    if pictures.is_file() and pictures.suffix.lower() not in (".csv", ".parquet", ".pq"):
        return Sightings.of([str(pictures.absolute())])
    given = override({"data": {}}, set_ or ())
    if given.keys() != {"data"}:
        raise UsageError(f"--set {' '.join(set_ or ())}: wanted data.* only; the network is the run's")
    return read(pictures, ManifestSettings.from_values(given["data"], "--set data"))


def _open_or_create(
    folder: Path, run: "Run", weighting: Literal["equal", "quality"] | None, dtype: Literal["float16", "float32"] | None
) -> "LocalGallery":
    """The gallery that is there, if it is this run's, or a new one."""
    from clipsenet.gallery.embedding import embedding_of, note_run, require_run
    from clipsenet.gallery.local import create_gallery, open_gallery

    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        gallery = create_gallery(folder, embedding_of(run), dtype=dtype or "float16", weighting=weighting or "equal")
    else:
        gallery = open_gallery(folder, write=True)
    try:
        require_run(gallery, run)
        if weighting not in (None, gallery.weighting):
            raise UsageError(f"--weighting {weighting}: {folder} was made with {gallery.weighting}; make a new gallery")
        note_run(gallery, run)
    except BaseException:
        gallery.close()
        raise
    return gallery
