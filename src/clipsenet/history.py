"""History: one row an epoch, in history.csv and TensorBoard."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clipsenet.files import write_text

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Row = Mapping[str, float]


class History:
    """The rows of a run so far; every new one is on disk before ``add`` returns.

    Args:
        folder: the run folder.
        epochs: how many epochs are kept of a history that is there already (later ones are repeated).
    """

    def __init__(self, folder: Path, epochs: int = 0) -> None:
        self.path = folder / "history.csv"
        self.rows: list[Row] = [row for row in read_history(folder) if row["epoch"] <= epochs]
        self._board_folder = folder / "tensorboard"
        self._board: SummaryWriter | None = None

    def add(self, row: Row) -> None:
        """Append one epoch: ``epoch`` (from 1), ``step`` and any figures."""
        self.rows.append(row)
        columns = list(dict.fromkeys(name for one in self.rows for name in one))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _short(value) for name, value in one.items()} for one in self.rows)
        write_text(self.path, text.getvalue())
        if self._board is None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(self._board_folder), purge_step=int(row["epoch"]))
        for name, value in row.items():
            if name not in ("epoch", "step"):
                self._board.add_scalar(name.replace(".", "/"), value, int(row["epoch"]))
        self._board.flush()

    def close(self) -> None:
        """Close TensorBoard's file."""
        if self._board is not None:
            self._board.close()


def read_history(folder: Path) -> list[dict[str, float]]:
    """The rows of ``history.csv``; none if there is no such file."""
    path = folder / "history.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: float(text) for name, text in row.items() if text} for row in csv.DictReader(file)]


def _short(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"
