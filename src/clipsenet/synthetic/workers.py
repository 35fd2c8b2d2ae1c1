"""Workers: processes that draw, each with a studio of its own; here is what runs in them."""

import importlib.util
import io
import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from multiprocessing import parent_process
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

from PIL import Image

from clipsenet.errors import ClipsenetError
from clipsenet.files import write_whole
from clipsenet.synthetic.contents import Exposure
from clipsenet.synthetic.identity import Vehicle
from clipsenet.synthetic.records import Record, Sight, append
from clipsenet.synthetic.shots import Shot
from clipsenet.synthetic.sites import Site


class Photographer(Protocol):
    """What a studio does, as far as a set is concerned."""

    def photograph(self, shot: Shot) -> Any:
        """A Photograph."""

    def frame(self, site: Site, shots: Sequence[Shot], time: int, key: int) -> Any:
        """A Frame."""

    def close(self) -> None:
        """Give everything back."""


Opening = Callable[[int, Sequence[Vehicle], Sequence[Site], int, Path | None], Any]
"""Makes a studio of seed, vehicles, sites, size and bodies; found by its name in another process."""


class Worker:
    """Draws pictures into a folder; its studio is opened with the first one.

    Args:
        opening: of the studio.
        arguments: seed, vehicles, sites, size, bodies.
        folder: the set's.
    """

    def __init__(
        self,
        opening: Opening,
        arguments: tuple[int, tuple[Vehicle, ...], tuple[Site, ...], int, Path | None],
        folder: Path,
    ) -> None:
        self.opening, self.arguments, self.folder = opening, arguments, folder
        self.studio: Photographer | None = None

    def draw(self, exposure: Exposure) -> None:
        """Draw one picture: first its file, whole, then its record.

        Raises:
            ClipsenetError: no way to draw on this machine, or a full disk.
        """
        if self.studio is None:
            self.studio = self.opening(*self.arguments)
        if exposure.frame:
            site = self.arguments[2][exposure.camera - 1]
            taken = self.studio.frame(site, exposure.shots, exposure.time, exposure.frame)
            sights = tuple(None if one is None else _sight(one, one.box, one.visibility) for one in taken.seen)
        else:
            taken = self.studio.photograph(exposure.shots[0])
            sights = (_sight(taken, None, None),)
        file = io.BytesIO()
        Image.fromarray(taken.image).save(file, "JPEG", quality=int(taken.quality))
        data = file.getvalue()
        write_whole(self.folder / exposure.path, lambda partial: _put(partial, data))
        append(self.folder, Record(exposure.path, len(data), crc32(data), taken.light, taken.weather, sights))

    def close(self) -> None:
        """Close the studio, if it was opened."""
        if self.studio is not None:
            self.studio.close()
            self.studio = None


def look_ahead(bodies: Path | None) -> str:
    """Find out before a folder is begun whether this machine can draw, and whether the user's meshes can be read.

    Returns:
        The name of what draws, such as ``llvmpipe (LLVM 15.0.6, 256 bits)``: pixels depend on it.

    Raises:
        ClipsenetError: VTK is not installed, nothing draws without a display, or a mesh is broken.
    """
    if importlib.util.find_spec("vtkmodules") is None:
        raise ClipsenetError("drawing needs VTK, which is not installed; install it: pip install 'clipsenet[synthetic]'")
    if bodies is not None:
        from clipsenet.synthetic.bodies.imported import read_bodies

        read_bodies(bodies)
    from clipsenet.synthetic.renderer import Renderer

    renderer = Renderer(8, 8)
    name = renderer.name
    renderer.close()
    return name


def real_studio(*arguments: Any) -> Any:
    """The studio that draws with VTK; of use where ``look_ahead`` raises nothing.

    Raises:
        ClipsenetError: nothing on this system draws without a display.
    """
    from clipsenet.synthetic.studio import Studio

    return Studio(*arguments)


_worker: Worker | None = None
_stop: Event | None = None


def begin(stop: Event, make: Callable[[], Worker]) -> None:
    """The first thing in a process: Ctrl-C is the parent's affair, and without a parent there is nothing to do."""
    global _worker, _stop
    os.environ.setdefault("LP_NUM_THREADS", "0")  # Mesa's software renderer: each process draws on its own core
    logging.getLogger("clipsenet").setLevel(logging.ERROR)  # what there is to say of meshes was said in ``look_ahead``
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _worker, _stop = make(), stop
    threading.Thread(target=_end_with_parent, daemon=True).start()


def draw_chunk(chunk: Sequence[Exposure]) -> int:
    """Draw some pictures in a process that has begun; how many, fewer where it was asked to stop."""
    assert _worker is not None
    assert _stop is not None
    for done, exposure in enumerate(chunk):
        if _stop.is_set():
            return done
        _worker.draw(exposure)
    return len(chunk)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _sight(seen: Any, box: Any, visibility: Any) -> Sight:
    return Sight(
        str(seen.view),
        None if seen.plate is None else _four(seen.plate),
        None
        if box is None
        else (round(float(box[0]), 2), round(float(box[1]), 2), round(float(box[2]), 2), round(float(box[3]), 2)),
        None if visibility is None else round(float(visibility), 3),
    )


def _four(values: Sequence[Any]) -> tuple[int, int, int, int]:
    return int(values[0]), int(values[1]), int(values[2]), int(values[3])


def _put(path: Path, data: bytes) -> None:
    path.write_bytes(data)
