"""The command that fills a gallery: gallery index."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clipsenet.cli.filters import moment_of
from clipsenet.cli.opening import list_left_out, open_run, print_json, use_threads
from clipsenet.cli.options import AsJson, CheckpointName, Device, RunFolder, Set, SkipBroken, Threads
from clipsenet.errors import ClipsenetError, UsageError

if TYPE_CHECKING:
    from clipsenet.gallery.local import LocalGallery
    from clipsenet.reporting import Watch
    from clipsenet.runs import Run
    from clipsenet.sightings import Sightings


LISTS = (".csv", ".parquet", ".pq")


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
        kept = " (with the columns of then: forget them first to give them others)" if done.there else ""
        out.print(f"{done.added} pictures added{speed}; {done.there} were in already{kept}; {count} in {to}", markup=False)
        if count:
            out.print(f"next: clipsenet search {to} PICTURE", markup=False)
    list_left_out(broken)
    if broken and not skip_broken:
        raise ClipsenetError(
            f"{len(broken)} pictures could not be used, all others are in; mend them and run the same command again, or pass "
            "--skip-broken if you can do without"
        )


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
    quality, broken = measure_qualities(sightings, tick=watch.stage("measuring quality"))
    return sightings[best_of_tracks(sightings, quality, count)], [reason for _, reason in broken]


def read_pictures(pictures: Path, set_: list[str] | None) -> "Sightings":
    """A list, a folder, or one picture.

    Raises:
        UsageError: settings of something else than the list.
        ClipsenetError: neither a list, nor a folder, nor something that begins like a picture.
    """
    from clipsenet.datasets.manifest import ManifestSettings, read
    from clipsenet.gallery.paths import full_path
    from clipsenet.settings import override
    from clipsenet.sightings import Sightings

    if not pictures.is_dir() and pictures.suffix.lower() not in LISTS:
        if set_:
            raise UsageError(f"--set {' '.join(set_)}: settings say how a list is read, and {pictures} is taken for a picture")
        require_picture(pictures)
        return Sightings.of([full_path(pictures)])
    given = override({"data": {}}, set_ or ())
    if given.keys() != {"data"}:
        raise UsageError(f"--set {' '.join(set_ or ())}: wanted data.* only; the network is the run's")
    return read(pictures, ManifestSettings.from_values(given["data"], "--set data"))


def require_picture(path: Path) -> None:
    """Refuse what is no picture by its beginning, before a network is asked: a list under another name, or nothing.

    Raises:
        ClipsenetError: what was wanted.
    """
    from PIL import Image, UnidentifiedImageError

    wanted = f"wanted a picture, a list ({', '.join(LISTS)}), or a folder of pictures"
    try:
        Image.open(path).close()
    except FileNotFoundError as error:
        raise ClipsenetError(f"{path}: no such file or folder; {wanted}") from error
    except UnidentifiedImageError as error:
        raise ClipsenetError(f"{path} is no picture that can be read; {wanted}") from error
    except (OSError, ValueError, Image.DecompressionBombError):
        return  # opening it says more


def _open_or_create(
    folder: Path, run: "Run", weighting: Literal["equal", "quality"] | None, dtype: Literal["float16", "float32"] | None
) -> "LocalGallery":
    """The gallery that is there, if it is this run's, or a new one."""
    from clipsenet.gallery.embedding import embedding_of, note_run, require_run
    from clipsenet.gallery.local import create_gallery, open_gallery
    from clipsenet.gallery.schema import LEDGER

    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        gallery = create_gallery(folder, embedding_of(run), dtype=dtype or "float16", weighting=weighting or "equal")
    elif not (folder / LEDGER).exists():
        what = "holds something else" if folder.is_dir() else "is a file"
        raise ClipsenetError(f"--to {folder}: this is no gallery and {what}; give a gallery, or a folder that is new or empty")
    else:
        gallery = open_gallery(folder, write=True)
    try:
        require_run(gallery, run)
        for word, given, made in (("weighting", weighting, gallery.weighting), ("dtype", dtype, gallery.dtype)):
            if given not in (None, made):
                raise UsageError(f"--{word} {given}: {folder} was made with {made}; leave it out, or make a new gallery")
        note_run(gallery, run)
    except BaseException:
        gallery.close()
        raise
    return gallery
