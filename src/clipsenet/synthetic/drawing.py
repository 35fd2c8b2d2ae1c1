"""Drawing: a plan becomes a folder of pictures and lists; a drawing that was stopped goes on."""

import contextlib
import importlib.metadata
import itertools
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from clipsenet.errors import ClipsenetError, Interrupted
from clipsenet.files import require_new_folder, write_text
from clipsenet.interrupts import Interrupts
from clipsenet.leftovers import remove_leftovers
from clipsenet.reporting import SILENT, Watch
from clipsenet.synthetic import records
from clipsenet.synthetic.contents import Contents, Exposure, make_contents
from clipsenet.synthetic.layouts import write_lists
from clipsenet.synthetic.plan import FORMAT, Plan
from clipsenet.synthetic.workers import Opening, Worker, begin, draw_chunk, look_ahead, real_studio

try:
    import fcntl
except ImportError:  # no Unix
    fcntl = None  # type: ignore[assignment]

PLAN = "plan.json"
LIBRARIES = ("numpy", "pillow", "scipy", "vtk")
"""A picture's pixels depend on their versions."""

PATIENCE = 0.2
"""Seconds between two looks whether Ctrl-C was pressed."""


@dataclass(frozen=True)
class Drawn:
    """What a drawing came to.

    Attributes:
        about: what about.json says: counts, settings, versions.
        new: pictures drawn now; the others were there.
        seconds: that it took.
    """

    about: dict[str, object]
    new: int
    seconds: float


def draw(plan: Plan, folder: Path, processes: int = 2, watch: Watch = SILENT, opening: Opening | None = None) -> Drawn:
    """Draw all pictures of a plan that are not there yet, then write the lists.

    Names, identities and poses follow from the plan alone; a picture's pixels from the plan, the shot and the machine,
    whatever was drawn before. Each picture is whole or not there, and the lists come last: after a kill the same call goes on.

    Args:
        plan: what is wanted.
        folder: new, empty, or begun by the same plan.
        processes: that draw at once; 1 draws in this process.
        watch: told how far it is.
        opening: makes a studio; none: the real one.

    Raises:
        ClipsenetError: another set or something else in the folder, no way to draw on this machine, a full disk, a process
            that died.
        UsageError: too few vehicles for the parts that are asked for.
        Interrupted: by Ctrl-C; what was drawn is kept.
    """
    versions = _versions()
    if opening is None:
        versions["renderer"] = look_ahead(plan.bodies)
    contents = make_contents(plan)
    _settle(plan, versions, folder)
    with _alone(folder):
        return _draw(contents, folder, processes, watch, opening or real_studio, versions)


def _draw(contents: Contents, folder: Path, processes: int, watch: Watch, opening: Opening, versions: dict[str, str]) -> Drawn:
    """As ``draw``, in a folder that is this process's alone."""
    plan = contents.plan
    records.mend(folder)
    done = {path for path, record in records.read(folder).items() if record.holds(folder)}
    chunks = [left for chunk in contents.chunks if (left := tuple(one for one in chunk if one.path not in done))]
    wanted = sum(map(len, chunks))
    if done:
        watch.say(f"going on: {len(done):,} pictures of {folder} are whole, {wanted:,} are to be drawn")
    started = time.monotonic()
    for name in sorted({os.path.dirname(one.path) for one in contents.exposures()}):
        (folder / name).mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder / name)
    if chunks:
        make = partial(Worker, opening, (plan.seed, contents.vehicles, contents.sites, plan.size, plan.bodies), folder)
        tick = watch.stage(f"drawing {wanted:,} pictures")
        drawn = 0
        with Interrupts() as interrupts:
            run = (
                _draw_here(chunks, make(), interrupts) if processes == 1 else _draw_beside(chunks, make, processes, interrupts)
            )
            with contextlib.closing(run):
                for more in run:
                    drawn += more
                    tick(drawn, wanted)
        if drawn < wanted:
            raise Interrupted(f"stopped with {len(done) + drawn:,} pictures in {folder}; the same command goes on")
    found = records.read(folder)
    about = write_lists(contents, found, folder, {"libraries": versions})
    return Drawn(about, wanted, time.monotonic() - started)


@contextlib.contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Keep a second drawing out of the folder, where the system can."""
    with (folder / PLAN).open("rb") as file:
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ClipsenetError(f"another process draws into {folder}; let it finish, or give another folder") from error
        yield


def _draw_here(chunks: Sequence[Sequence[Exposure]], worker: Worker, interrupts: Interrupts) -> Generator[int]:
    """Draw one picture after the other in this process; yields 1 for each."""
    try:
        for exposure in itertools.chain.from_iterable(chunks):
            if interrupts.asked:
                return
            worker.draw(exposure)
            yield 1
    finally:
        worker.close()


def _draw_beside(
    chunks: Sequence[Sequence[Exposure]], make: Callable[[], Worker], processes: int, interrupts: Interrupts
) -> Generator[int]:
    """Draw in processes of their own; yields how many pictures each chunk came to."""
    context = multiprocessing.get_context("spawn")  # a process that was forked cannot draw
    stop = context.Event()
    pool = ProcessPoolExecutor(min(processes, len(chunks)), context, begin, (stop, make))
    try:
        waiting: set[Future[int]] = {pool.submit(draw_chunk, chunk) for chunk in chunks}
        while waiting:
            ready, waiting = wait(waiting, PATIENCE, FIRST_COMPLETED)
            yield from (future.result() for future in ready if not future.cancelled())
            if interrupts.asked and not stop.is_set():
                stop.set()
                waiting = {future for future in waiting if not future.cancel()}
    except BrokenProcessPool as error:
        raise ClipsenetError(
            "a process that draws died: it was killed, or memory ran out; what was drawn is kept. The same command goes on; "
            "--processes 1 takes the least memory"
        ) from error
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _settle(plan: Plan, versions: dict[str, str], folder: Path) -> None:
    """Keep the plan in the folder, or compare it with the one that is there."""
    file = folder / PLAN
    ours = {"format": FORMAT, "settings": plan.settings(), "libraries": versions}
    if not file.is_file():
        require_new_folder(folder)
        write_text(file, json.dumps(ours, indent=2) + "\n")
        return
    try:
        theirs = json.loads(file.read_text(encoding="utf-8"))
        assert isinstance(theirs, dict)
    except (ValueError, AssertionError) as error:
        raise ClipsenetError(f"{file} is not what a drawing left there; give another folder, or remove this one") from error
    differing = _differences(theirs, ours)
    if differing:
        raise ClipsenetError(
            f"{folder} holds another set: {'; '.join(differing)}. Give another folder, or the settings and versions of that one"
        )


def _differences(theirs: Mapping[str, object], ours: Mapping[str, object]) -> list[str]:
    """What differs between two plans, in words."""
    found = []
    for name in dict.fromkeys([*ours, *theirs]):
        one, other = theirs.get(name), ours.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            found += _differences(one, other)
        elif one != other:
            found.append(f"{name} is {one} there, {other} here")
    return found


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "none"
    return found
