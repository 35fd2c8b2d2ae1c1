"""The command that asks a gallery: search."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clipsenet.cli.filters import Cameras, Since, Until, Where, filter_of
from clipsenet.cli.gallery import read_pictures
from clipsenet.cli.opening import list_left_out, print_json, usable_calibration, use_threads
from clipsenet.cli.options import AsJson, CheckpointName, Device, ExpectAbsent, GalleryFolder, Set, SkipBroken, Threads
from clipsenet.errors import ClipsenetError, UsageError

if TYPE_CHECKING:
    from clipsenet.gallery.hits import Found
    from clipsenet.sightings import Sightings

LISTS = (".csv", ".parquet", ".pq")

NO_VERDICT = "no verdict: these are similarities only; which of them mean 'the same vehicle' is not calibrated for this run"

NOBODY_ELSE = "no verdict: nothing but the query's own picture was found"

SURENESS = "confidence is the chance that a picture shows the queried vehicle"


def search(
    gallery: GalleryFolder,
    pictures: Annotated[Path, typer.Argument(metavar="PICTURE", help="A picture; or a manifest or folder, with --out.")],
    run: Annotated[
        Path | None, typer.Option("--run", metavar="RUN", help="The gallery's run; none: where it lay when that was made.")
    ] = None,
    box: Annotated[str | None, typer.Option(metavar="X,Y,W,H", help="The vehicle in the picture, in pixels.")] = None,
    camera: Cameras = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    top: Annotated[int, typer.Option(min=1, help="How many answers.")] = 20,
    group_by: Annotated[
        Literal["track", "camera"] | None, typer.Option(help="One answer for each track, by its vector, or for each camera.")
    ] = None,
    similarity: Annotated[
        str, typer.Option(metavar="CHAIN", help="cosine, or one such as k-reciprocal, among the first 1,000 by cosine.")
    ] = "cosine",
    exact: Annotated[bool, typer.Option("--exact", help="Compare all, and leave an index of neighbours aside.")] = False,
    expect_absent: ExpectAbsent = None,
    purpose: Annotated[str, typer.Option(metavar="TEXT", help="Why; kept in the gallery's audit.")] = "",
    out_: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the answers to a .csv or .parquet file.")
    ] = None,
    checkpoint: CheckpointName = None,
    set_: Set = None,
    skip_broken: SkipBroken = False,
    device: Device = "auto",
    threads: Threads = None,
    json_: AsJson = False,
) -> None:
    """Where else was this vehicle? The sightings of a gallery most alike; each search is recorded in its audit."""
    from clipsenet.chain import Chain
    from clipsenet.console import watching
    from clipsenet.devices import find_device
    from clipsenet.gallery.asking import ask, run_of
    from clipsenet.gallery.embedding import embed_queries
    from clipsenet.gallery.interface import EVERYTHING
    from clipsenet.gallery.local import open_gallery

    use_threads(threads)
    meant, chain = filter_of(camera, since, until, where), Chain.parse(similarity)
    many = pictures.is_dir() or pictures.suffix.lower() in LISTS
    if many and out_ is None:
        raise UsageError(f"{pictures} holds many queries: give --out FILE.csv or FILE.parquet for their answers")
    if out_ is not None and out_.suffix.lower() not in LISTS:
        raise UsageError(f"--out {out_}: wanted a name that ends in .csv or .parquet")
    if many and (box or json_):
        raise UsageError("--box and --json are for one picture; a list has its boxes in columns, its answers go to --out")
    queries, left_out = _queries(pictures, box, set_, skip_broken)
    list_left_out(left_out)
    with open_gallery(gallery) as opened, watching() as watch:
        if not opened.count():
            raise ClipsenetError(f"{gallery}: {opened.explain(EVERYTHING)}")
        used = run_of(opened, run, checkpoint)
        calibration, why_not = usable_calibration(used.folder, used.id, str(chain.alone()), NO_VERDICT)
        if calibration is None and expect_absent is not None:
            raise UsageError(f"--expect-absent {expect_absent:g} restates a confidence, and there is none; {why_not}")

        def answers() -> "Iterator[tuple[Sightings, list[Found]]]":
            tick, done = watch.stage("searching"), 0
            workers = used.recipe.training.workers if many else 0
            for features in embed_queries(used, queries, workers=workers, device=find_device(device)):
                found = ask(
                    opened,
                    features,
                    top=top,
                    where=meant,
                    group=group_by,
                    similarity=chain,
                    exact=exact,
                    purpose=purpose,
                    calibration=calibration,
                    expect_absent=expect_absent,
                )
                yield features.sightings, found
                done += len(features)
                tick(done, len(queries))

        if out_ is not None:
            _write(out_, answers(), why_not)
            return
        ((_, (found,)),) = answers()
    if json_:
        hits = [asdict(hit) for hit in found.hits]
        verdict = None if found.verdict is None else asdict(found.verdict)
        facts = {"similarity": found.similarity, "candidates": found.candidates, "exact": found.exact, "verdict": verdict}
        facts |= {"no_verdict": None if verdict else why_not or NOBODY_ELSE}
        print_json({"query": queries.file(0), "run_id": used.id, **facts, "answers": hits})
        return
    _print(found, why_not)


def _print(found: "Found", why_not: str) -> None:
    from clipsenet.console import out, print_rows

    rows = [
        (
            str(hit.place),
            f"{hit.similarity:.3f}",
            *([] if found.verdict is None else ["none" if hit.confidence is None else f"{hit.confidence:.3f}"]),
            *(value or "unknown" for value in (hit.camera, _short(hit.time), hit.track)),
            hit.path + (f" {','.join(map(str, hit.box))}" if hit.box else "") + (" (the query itself)" if hit.own else ""),
        )
        for hit in found.hits
    ]
    sure = [] if found.verdict is None else ["confidence"]
    titles = ("place", "similarity", *sure, "camera", "time", "track", "picture")
    told = [number for number in range(len(titles)) if any(row[number] != "unknown" for row in rows)]
    print_rows([titles[number] for number in told], [[row[number] for number in told] for row in rows])
    how = "all compared" if found.exact else "found by an index of neighbours, which may miss some"
    out.print(f"similarity: {found.similarity}; {found.candidates} sightings searched, {how}", markup=False)
    if found.verdict is None:
        out.print(why_not or NOBODY_ELSE, markup=False)
        return
    out.print(SURENESS, markup=False)
    for warning in found.verdict.warnings:
        out.print(f"warning: {warning}", markup=False)
    out.print(f"verdict: {found.verdict}", markup=False)


def _short(time: str) -> str:
    """A time in UTC to the second: ``2026-05-01 08:30:00Z``."""
    return f"{time[:19].replace('T', ' ')}Z" if time else ""


def _queries(pictures: Path, box: str | None, set_: list[str] | None, skip_broken: bool) -> "tuple[Sightings, list[str]]":
    from clipsenet.broken import leave_out_broken
    from clipsenet.gallery.paths import full_path
    from clipsenet.images import require_files
    from clipsenet.sightings import Sightings

    if box is not None:
        try:
            x, y, width, height = map(int, box.split(","))
        except ValueError as error:
            raise UsageError(f"--box {box}: wanted four whole numbers X,Y,W,H in pixels, such as 12,40,200,150") from error
        return Sightings.of([full_path(pictures)], box=[(x, y, width, height)]), []
    queries = read_pictures(pictures, set_)
    if skip_broken:
        return leave_out_broken(queries)
    require_files(queries)
    return queries, []


def _write(path: Path, answers: "Iterator[tuple[Sightings, list[Found]]]", why_not: str) -> None:
    """The answers of many queries as one table, block by block; the file is whole or not there."""
    from clipsenet.console import out
    from clipsenet.gallery.tabulating import write_answers

    written = write_answers(path, answers)
    out.print(f"{written.queries} queries, {written.answers} answers in {path}", markup=False)
    if written.verdicts:
        out.print(f"verdicts on {written.verdicts} of them; threshold and goal stand beside each", markup=False)
        for warning, count in written.warnings.items():
            out.print(f"warning, of {count} queries: {warning}", markup=False)
    elif written.queries:
        out.print(why_not or NOBODY_ELSE, markup=False)
