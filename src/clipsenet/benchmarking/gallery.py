"""A gallery of a given size: how fast it is filled, opened and searched, beside the bare product of the same vectors."""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clipsenet.benchmarking.made_up_gallery import BEGIN, CAMERAS, DAY, DAYS, RUN, World, likeness
from clipsenet.errors import ClipsenetError
from clipsenet.gallery.interface import EVERYTHING, Dtype, Embedding, Filter, Group
from clipsenet.gallery.local import LocalGallery, create_gallery, open_gallery
from clipsenet.memory import free_bytes
from clipsenet.reporting import SILENT, Watch

BATCH = 1024
"""Sightings that are added at once."""

QUERIES = 64
"""Queries that are asked at once; also one by one."""

TENTH_OF_CAMERAS = tuple(f"c{number:03d}" for number in range(CAMERAS // 10))
CAMERA_AND_TIME = Filter(cameras=TENTH_OF_CAMERAS, since=BEGIN + 10 * DAY, until=BEGIN + 10 * DAY + DAYS * DAY // 10)
"""A tenth of the cameras, a tenth of the time: one sighting in a hundred."""

COLUMN = Filter(equal=(("type", "tractor"),))
"""One sighting in a hundred, scattered over all cameras and days."""

SEARCHES: tuple[tuple[str, Filter, Group | None], ...] = (
    ("none", EVERYTHING, None),
    ("camera and time", CAMERA_AND_TIME, None),
    ("another column", COLUMN, None),
    ("none", EVERYTHING, "track"),
    ("none", EVERYTHING, "camera"),
)
"""A filter's name, the filter, and whose best is wanted instead of single pictures."""

FORGOTTEN = (("the first day", Filter(until=BEGIN + DAY)), ("another column", COLUMN))
"""A file as a whole; and one sighting in a hundred out of each."""


def measure(
    rows: int,
    dim: int,
    folder: Path,
    *,
    dtype: Dtype = "float16",
    rounds: int = 30,
    neighbours: bool = True,
    seed: int = 0,
    watch: Watch = SILENT,
) -> dict[str, Any]:
    """Fill a gallery with made-up sightings and search it.

    Searches and bare products take turns, so that a busy moment hits both. The bare product multiplies the same vectors,
    converted beforehand to one block of float32 in memory, and looks at nothing; where memory is too small for that block,
    it is left out.

    Args:
        rows: sightings.
        dim: the embeddings' length.
        folder: a new one, in which the gallery is made.
        dtype: of the stored numbers.
        rounds: how often each search with one query is made; with 64 a third as often.
        neighbours: whether the index of neighbours is built and searched, too.
        seed: of the made-up sightings.
        watch: told how far it is.

    Returns:
        Seconds, bytes, ratios and what the generator really gave.

    Raises:
        ClipsenetError: the folder is not empty, the disk is full.
    """
    if rows < 1000:
        raise ClipsenetError(f"{rows} sightings, wanted 1000 or more: a filter of one in a hundred must leave some")
    world = World.draw(rows, dim, seed)
    adding, quiet = _fill(world, dim, folder, dtype, watch)
    world_facts = {"vehicles": len(world.model), "models": len(world.models), **likeness(world)}
    queries = world.queries(QUERIES).embeddings
    del world
    before = _anonymous()
    started = time.perf_counter()
    gallery = open_gallery(folder, write=True)
    opening = time.perf_counter() - started
    try:
        opened = _above(before)
        result: dict[str, Any] = {
            "rows": rows,
            "dim": dim,
            "dtype": dtype,
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
            "threads": torch.get_num_threads(),
            **world_facts,
            "ingest_rows_per_second": rows / adding,
            "ingest_slowest_batch_seconds": quiet,
            "vectors_bytes": _size(folder / "vectors"),
            "ledger_bytes": (folder / "ledger.sqlite").stat().st_size,
            "opening_seconds": opening,
            "opening_anonymous_bytes": opened,
        }
        result["searches"] = _searches(gallery, queries, rounds, watch)
        result["anonymous_bytes_after_searches"] = _above(before)
        result["bare"] = _bare(gallery, queries, rounds, watch)
        for line in result["searches"]:
            if line["filter"] == "none" and line["group"] is None and result["bare"]:
                line["ratio"] = line["p50"] / result["bare"][str(line["queries"])]["p50"]
        if neighbours:
            result["neighbours"] = _neighbours(gallery, folder, queries, rounds, watch)
            gallery.drop_index()  # else a forgetting would also build it anew
        result["forgetting"] = _forgetting(gallery, watch)
    finally:
        gallery.close()
    return result


def rows_of(result: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures as a table for people."""
    table = [
        (
            "adding",
            f"{result['ingest_rows_per_second']:.0f} sightings/s by {BATCH}, synced; "
            f"slowest batch {result['ingest_slowest_batch_seconds']:.2f} s",
        ),
        ("size", f"{result['vectors_bytes'] / 1e9:.2f} GB of vectors, {result['ledger_bytes'] / 1e9:.2f} GB of ledger"),
        ("opening", f"{result['opening_seconds']:.2f} s, {_megabytes(result['opening_anonymous_bytes'])} anonymous"),
    ]
    for line in result["searches"]:
        beside = f"; {line['ratio']:.2f} of the bare product" if "ratio" in line else ""
        by = "" if line["group"] is None else f", best of each {line['group']}"
        title = f"exact, {line['queries']} at once, filter {line['filter']} ({line['candidates']} left){by}"
        first = f"; the first {line['first']:.1f} s" if line["group"] == "track" and line["queries"] == 1 else ""
        table.append((title, f"{_shown(line)}{beside}{first}"))
    table += [(f"bare product, {count} at once", _shown(line)) for count, line in result["bare"].items()]
    table.append(("anonymous memory after the searches", _megabytes(result["anonymous_bytes_after_searches"])))
    if found := result.get("neighbours"):
        table.append(
            (
                "index of neighbours",
                f"built in {found['build_seconds']:.0f} s, {found['bytes'] / 1e9:.2f} GB, {found['probes']} cells a query",
            )
        )
        for count in ("1", str(QUERIES)):
            table.append((f"by neighbours, {count} at once", _shown(found[count])))
        table.append(("recall at 10 against exact", f"{found['recall_at_10']:.4f} over {found['recall_queries']} queries"))
    for line in result["forgetting"]:
        table.append((f"forgetting {line['what']}", f"{line['sightings']} sightings in {line['seconds']:.1f} s"))
    return table


def _shown(line: dict[str, Any]) -> str:
    return f"p50 {line['p50'] * 1e3:.1f} ms, p99 {line['p99'] * 1e3:.1f} ms, processors {line['cpu'] * 1e3:.1f} ms"


def _fill(world: World, dim: int, folder: Path, dtype: Dtype, watch: Watch) -> tuple[float, float]:
    """Seconds of adding, drawing not counted; and of the slowest batch."""
    gallery = create_gallery(folder, Embedding(RUN, dim, "made up"), dtype=dtype)
    tick, total, slowest, done = watch.stage("adding made-up sightings"), 0.0, 0.0, 0
    try:
        for features in world.batches(BATCH):
            content = features.sightings.path.tolist()
            started = time.perf_counter()
            gallery.add(features, content)
            seconds = time.perf_counter() - started
            total, slowest, done = total + seconds, max(slowest, seconds), done + len(features)
            tick(done, len(world.vehicle))
    finally:
        gallery.close()
    return total, slowest


def _searches(gallery: LocalGallery, queries: np.ndarray, rounds: int, watch: Watch) -> list[dict[str, Any]]:
    kinds = [(*kind, count) for kind in SEARCHES for count in (1, QUERIES)]
    times: list[list[tuple[float, float]]] = [[] for _ in kinds]
    tick = watch.stage("exact searches")
    for round_ in range(rounds + 1):
        for number, (_, where, group, count) in enumerate(kinds):
            if count == 1 or round_ % 3 == 0:
                part = queries[:count] if count > 1 else queries[round_ % QUERIES : round_ % QUERIES + 1]
                times[number].append(_timed(partial(gallery.search, part, where=where, group=group, exact=True)))
        tick(round_ + 1, rounds + 1)
    return [
        {
            "filter": name,
            "group": group,
            "queries": count,
            "candidates": gallery.count(where),
            "first": found[0][0],  # reads files that nobody has touched, and lengths of tracks that nobody has asked for
            **_quantiles(found[1:]),
        }
        for (name, where, group, count), found in zip(kinds, times, strict=True)
    ]


def _forgetting(gallery: LocalGallery, watch: Watch) -> list[dict[str, Any]]:
    tick, found = watch.stage("forgetting"), []
    for number, (what, where) in enumerate(FORGOTTEN):
        started = time.perf_counter()
        gone = gallery.forget(where)
        found.append({"what": what, "sightings": gone, "seconds": time.perf_counter() - started})
        tick(number + 1, len(FORGOTTEN))
    return found


def _bare(gallery: LocalGallery, queries: np.ndarray, rounds: int, watch: Watch) -> dict[str, dict[str, Any]]:
    """Products with all vectors as one block of float32; empty where memory does not hold it."""
    wanted = gallery.count() * queries.shape[1] * 4
    if 1.2 * wanted > free_bytes():
        return {}
    block = torch.from_numpy(gallery.get(gallery.ids()).embeddings)
    asking = torch.from_numpy(queries)
    tick, found = watch.stage("bare products"), {}
    for number, count in enumerate((1, QUERIES)):
        turned = asking[:count].T.contiguous()
        work = partial(torch.mv, block, turned[:, 0]) if count == 1 else partial(torch.mm, block, turned)
        found[str(count)] = _quantiles([_timed(work) for _ in range(max(3, rounds // 3))])
        tick(number + 1, 2)
    return found


def _neighbours(gallery: LocalGallery, folder: Path, queries: np.ndarray, rounds: int, watch: Watch) -> dict[str, Any]:
    started = time.perf_counter()
    facts = gallery.build_index(watch)
    built = time.perf_counter() - started
    found: dict[str, Any] = {"build_seconds": built, "probes": facts.probes, "bytes": (folder / facts.file).stat().st_size}
    if gallery.search(queries[:1]).exact:
        raise ClipsenetError(f"{gallery.count()} sightings are too few for an index of neighbours; give --no-neighbours")
    for count in (1, QUERIES):
        times: list[tuple[float, float]] = []
        for round_ in range(rounds + 1):
            part = queries[:count] if count > 1 else queries[round_ % QUERIES : round_ % QUERIES + 1]
            times.append(_timed(partial(gallery.search, part)))
        found[str(count)] = _quantiles(times[1:])
    near, all_ = gallery.search(queries, top=10).ids, gallery.search(queries, top=10, exact=True).ids
    found["recall_at_10"] = float(np.mean([np.isin(a, b).mean() for a, b in zip(all_, near, strict=True)]))
    found["recall_queries"] = len(queries)
    return found


def _quantiles(times: list[tuple[float, float]]) -> dict[str, Any]:
    """Of seconds by the clock; and the median of the processors' seconds, which others on the machine change less."""
    clock, processors = np.array(times).T
    return {
        "p50": float(np.quantile(clock, 0.5)),
        "p99": float(np.quantile(clock, 0.99)),
        "cpu": float(np.median(processors)),
        "times": len(times),
    }


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of all processors together."""
    started, computed = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - computed


def _anonymous() -> int | None:
    """Bytes of this process that no file holds; none where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:")]
    return found[0] if found else None


def _above(before: int | None) -> int | None:
    now = _anonymous()
    return None if before is None or now is None else now - before


def _megabytes(size: int | None) -> str:
    return "not told here" if size is None else f"{size / 1e6:.0f} MB"


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
