"""Extraction shared out among the processes of a training; each gets all of it."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from lightning_fabric import Fabric

from clipsenet.devices import gathered
from clipsenet.features import Features, extract
from clipsenet.models import Model
from clipsenet.sightings import Sightings
from clipsenet.transforms import Transform


def extract_shared(
    fabric: Fabric,
    model: Model,
    sightings: Sightings,
    transform: Transform,
    run_id: str,
    *,
    places: Int[np.ndarray, " n"] | None = None,
    **options: Any,
) -> Features:
    """``extract`` with each process at its own rows; all must call it, and all get the features of all pictures.

    Args:
        fabric: tells which process this is.
        model: the same everywhere.
        sightings: all pictures.
        transform: the test transform.
        run_id: what the features say they come from.
        places: rows of camera and view of all pictures.
        options: as ``extract`` takes them.

    Raises:
        PictureError, ClipsenetError: as ``extract``.
    """
    shares = np.array_split(np.arange(len(sightings)), fabric.world_size)
    mine = shares[fabric.global_rank]
    own = extract(
        model,
        sightings[mine],
        transform,
        run_id,
        dim=model.dim,
        places=None if places is None else places[mine],
        device=fabric.device,
        **options,
    )
    told = places is not None and bool((places >= 0).any())
    if fabric.world_size == 1:
        return own
    longest = max(map(len, shares))  # what is gathered must be of one length
    padded = torch.zeros(longest, own.dim, device=fabric.device)
    padded[: len(mine)] = torch.from_numpy(own.embeddings).to(fabric.device)
    all_ = gathered(fabric, padded).cpu().numpy()
    joined = np.concatenate([one[: len(rows)] for one, rows in zip(all_, shares, strict=True)])
    return Features(sightings, joined, run_id, told)
