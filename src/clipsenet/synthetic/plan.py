"""Plan: all that decides a drawn set, and is kept in its folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zlib import crc32

from clipsenet.errors import ClipsenetError, UsageError

FORMAT = 1
"""Of a drawn set. It rises whenever the same plan would give other pictures, names or columns."""

MOST_PICTURES = 1000
"""Of one vehicle: its trips then fill some weeks."""

Layout = Literal["manifest", "veri776"]


@dataclass(frozen=True)
class Plan:
    """What a user asks for.

    Attributes:
        vehicles: from 1.
        cameras: from 2.
        pictures: of each vehicle, 2 to MOST_PICTURES; with ``frames`` about so many frames that show it.
        seed: from 0; decides everything that is drawn by lot.
        layout: how lists and folders are laid out.
        frames: whole frames with boxes instead of one picture a vehicle.
        validation, test: shares of the vehicles, 0 to 1; the rest trains.
        size: longest side of a picture, in pixels; frames have a size of their own.
        bodies: a folder with the user's own meshes, or none.

    Raises:
        UsageError: a number out of its range, or two wishes that exclude each other.
    """

    vehicles: int = 200
    cameras: int = 12
    pictures: int = 20
    seed: int = 0
    layout: Layout = "manifest"
    frames: bool = False
    validation: float = 0.1
    test: float = 0.4
    size: int = 256
    bodies: Path | None = None

    def __post_init__(self) -> None:
        ranges = {
            "vehicles": (1, 99999),
            "cameras": (2, 999),
            "pictures": (2, MOST_PICTURES),
            "seed": (0, 2**63),
            "validation": (0, 1),
            "test": (0, 1),
            "size": (32, 1024),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"--{name} {getattr(self, name)}: wanted {low} to {high}")
        if self.validation + self.test > 1 + 1e-9:
            raise UsageError(f"--validation {self.validation} and --test {self.test} are more than 1 together; lower one")
        if self.layout == "veri776" and not 0 < self.test < 1:
            raise UsageError(
                f"--test {self.test} with --layout veri776: that layout has vehicles of both kinds; choose between 0 and 1"
            )
        if self.frames and self.layout == "veri776":
            raise UsageError("--frames with --layout veri776: that layout has a picture a vehicle; leave one of them out")

    def settings(self) -> dict[str, object]:
        """What plan.json keeps of it, and what must be the same where a drawing goes on."""
        kept: dict[str, object] = {
            name: getattr(self, name)
            for name in ("vehicles", "cameras", "pictures", "seed", "layout", "frames", "validation", "test", "size")
        }
        return {**kept, "bodies": None if self.bodies is None else _contents(self.bodies)}

    def command(self) -> str:
        """The command that draws this set again."""
        words = [
            f"--{name} {getattr(self, name)}"
            for name in ("vehicles", "cameras", "pictures", "seed", "layout", "validation", "test", "size")
        ]
        words += ["--frames"] * self.frames + ["--bodies DIR"] * (self.bodies is not None)
        return " ".join(["clipsenet synthesize OUT", *words])


def _contents(folder: Path) -> dict[str, str]:
    """The files of a folder, each with a checksum: the folder itself may move."""
    if not folder.is_dir():
        raise ClipsenetError(f"--bodies {folder}: no such folder; wanted one with .obj, .glb or .ply files")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): f"{crc32(path.read_bytes()):08x}" for path in files}
