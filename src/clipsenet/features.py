"""Features: sightings with their unit embeddings; extract() makes them, a folder keeps them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

from clipsenet.caching import PictureCache
from clipsenet.errors import ClipsenetError
from clipsenet.files import write_folder
from clipsenet.loading import Paint, SightingImages, in_order, make_loader
from clipsenet.sightings import Rows, Sightings, same_file
from clipsenet.tables import from_arrow, to_arrow
from clipsenet.transforms import Transform

FORMAT = 1
Progress = Callable[[int, int], None]
"""Told after each batch: pictures done, pictures in all."""


@dataclass(frozen=True, eq=False)
class Features:
    """Pictures and their embeddings, row by row.

    Attributes:
        sightings: the pictures.
        embeddings: ``(n, dim)`` float32, each of length 1.
        run_id: ``Run.id`` of the model that made them.
        labels_told: whether the model was told camera or view of any of them; such embeddings and others of the same
            run are not alike.

    Raises:
        ClipsenetError: another number of rows, or an embedding that is NaN or has no direction.
    """

    sightings: Sightings
    embeddings: Float[np.ndarray, "n dim"]
    run_id: str
    labels_told: bool = False

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 2 or len(self.embeddings) != len(self.sightings):
            raise ClipsenetError(f"embeddings of shape {self.embeddings.shape}, wanted ({len(self.sightings)}, dim)")
        length = np.sqrt(np.einsum("nd,nd->n", self.embeddings, self.embeddings))
        bad = np.flatnonzero(~(np.abs(length - 1) < 1e-3))
        if len(bad):
            raise ClipsenetError(
                f"{len(bad)} embeddings are not unit vectors, the first: {self.sightings.describe(int(bad[0]))} with length "
                f"{length[bad[0]]:.3g}; the model that made them is broken or untrained"
            )

    def __len__(self) -> int:
        return len(self.sightings)

    def __getitem__(self, rows: Rows) -> "Features":
        """The pictures at ``rows`` (numbers or a mask); rows that follow each other are a view, not a copy."""
        chosen: Rows | slice = rows
        if rows.dtype != bool and len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
            chosen = slice(int(rows[0]), int(rows[-1]) + 1)
        return replace(self, sightings=self.sightings[rows], embeddings=self.embeddings[chosen])

    def of(self, sightings: Sightings, run_id: str, labels_told: bool, where: str) -> "Features":
        """The features of other pictures, all of which are among these; found by file and box.

        Args:
            sightings: the pictures.
            run_id: the run that must have made them.
            labels_told: whether it must have been told camera or view.
            where: these features' folder, for messages.

        Raises:
            ClipsenetError: another run, labels told otherwise, or a picture that is not among them.
        """
        if (self.run_id, self.labels_told) != (run_id, labels_told):
            told = {True: "told camera or view", False: "told no labels"}
            raise ClipsenetError(
                f"{where} holds features of run {self.run_id[:16]}, {told[self.labels_told]}; wanted run {run_id[:16]}, "
                f"{told[labels_told]}: name another folder, which is then made"
            )
        number = same_file(self.sightings, sightings)
        ours, theirs = number[: len(self)], number[len(self) :]
        first, row = np.unique(ours, return_index=True)
        place = np.minimum(np.searchsorted(first, theirs), len(first) - 1)
        absent = np.flatnonzero(first[place] != theirs)
        if len(absent):
            raise ClipsenetError(
                f"{where} lacks {len(absent)} of the {len(sightings)} pictures, the first: "
                f"{sightings.describe(int(absent[0]))}; name another folder, which is then made"
            )
        rows = row[place]
        if labels_told:
            for name in ("camera", "view"):
                ours, theirs = self.sightings.column(name)[rows], sightings.column(name)
                if (ours != theirs).any():
                    other = int(np.flatnonzero(ours != theirs)[0])
                    raise ClipsenetError(
                        f"{where} was made with {name} '{ours[other]}' told for {sightings.describe(other)}, which is "
                        f"'{theirs[other]}' now: name another folder, which is then made"
                    )
        in_order = len(rows) == len(self) and (rows == np.arange(len(rows))).all()
        return replace(self, sightings=sightings, embeddings=self.embeddings if in_order else self.embeddings[rows])

    @property
    def dim(self) -> int:
        """The embeddings' length."""
        return int(self.embeddings.shape[1])

    def save(self, folder: Path) -> None:
        """Write a features folder: ``embeddings.safetensors``, ``sightings.parquet``, ``card.json``.

        Raises:
            ClipsenetError: the folder is there already, or cannot be written.
        """
        card = {"format": FORMAT, "run_id": self.run_id, "pictures": len(self), "dim": self.dim}
        card["labels_told"] = self.labels_told

        def write(partial: Path) -> None:
            save_file({"embeddings": np.ascontiguousarray(self.embeddings)}, partial / "embeddings.safetensors")
            pq.write_table(to_arrow(self.sightings), partial / "sightings.parquet")
            (partial / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")

        write_folder(folder, write)

    @classmethod
    def load(cls, folder: Path) -> "Features":
        """Read a features folder.

        Raises:
            ClipsenetError: something is missing, broken, of a newer format, or does not belong together.
        """
        try:
            card: dict[str, Any] = json.loads((folder / "card.json").read_text(encoding="utf-8"))
            if int(card["format"]) > FORMAT:
                raise ClipsenetError(
                    f"{folder} has format {card['format']}, this version reads up to {FORMAT}: update clipsenet"
                )
            embeddings = load_file(folder / "embeddings.safetensors")["embeddings"]
            sightings = from_arrow(pq.read_table(folder / "sightings.parquet"), str(folder / "sightings.parquet"))
            found = cls(sightings, embeddings, str(card["run_id"]), bool(card.get("labels_told", False)))
            if (card["pictures"], card["dim"]) != (len(found), found.dim):
                raise ValueError(f"card.json tells of {card['pictures']} x {card['dim']}, found {len(found)} x {found.dim}")
        except (OSError, KeyError, TypeError, ValueError, SafetensorError, pa.ArrowException) as error:
            raise ClipsenetError(
                f"{folder} is not a whole features folder ({type(error).__name__}: {error}); make it again: clipsenet embed"
            ) from error
        return found


def extract(
    model: nn.Module,
    sightings: Sightings,
    transform: Transform,
    run_id: str,
    *,
    dim: int,
    places: Int[np.ndarray, " n"] | None = None,
    batch: int = 64,
    workers: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
    cache: PictureCache | None = None,
    paint: Paint | None = None,
) -> Features:
    """The embeddings of pictures, batch by batch; in memory are the result and a few batches, nothing else.

    Args:
        model: ``(images, places) -> embeddings``; moved to ``device``, left in the mode it came in.
        sightings: the pictures.
        transform: the test transform.
        run_id: what the features say they come from.
        dim: the embeddings' length.
        places: ``(n,)`` row of the camera and view table for each picture, -1 for none, as ``model.place_rows`` tells
            them; none: the network is told no labels.
        batch: pictures at once.
        workers: processes that open pictures (0: this one).
        device: where the model computes.
        progress: told after each batch.
        cache: keeps decoded pictures from one call to the next, as in a validation after each epoch.
        paint: what is done first to each row's picture, such as covering a part of it.

    Raises:
        PictureError: a picture that cannot be used.
        ClipsenetError: an embedding is NaN.
    """
    embeddings = np.empty((len(sightings), dim), dtype=np.float32)
    pictures = SightingImages(sightings, transform, cache=cache, paint=paint)
    place = no_places(len(sightings), torch.device("cpu")) if places is None else torch.from_numpy(places)
    training = model.training
    # the layout of its weights stays: an optimiser may be walking them
    model.eval().to(device)
    try:
        with torch.inference_mode():
            for images, rows in make_loader(pictures, in_order(len(sightings), batch), workers):
                on_device = images.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)
                embeddings[rows.numpy()] = model(on_device, place[rows].to(device)).float().cpu().numpy()
                if progress is not None:
                    progress(int(rows[-1]) + 1, len(sightings))
    finally:
        model.train(training)
    return Features(sightings, embeddings, run_id, places is not None and bool((places >= 0).any()))


def no_places(n: int, device: torch.device) -> Tensor:
    """``(n,)`` of -1: no camera or view is told to the model."""
    return torch.full((n,), -1, dtype=torch.int64, device=device)
