"""What the gallery's tests share: made-up sightings, and the slow, obvious search that is the oracle."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipsenet.features import Features
from clipsenet.gallery.interface import EVERYTHING, Embedding, Filter
from clipsenet.gallery.local import LocalGallery, create_gallery
from clipsenet.sightings import NO_TIME, Sightings

RUN = "a" * 64
HOUR = 3600 * 10**6
DIM = 8


def embedding(dim: int = DIM, run: str = RUN) -> Embedding:
    return Embedding(run_id=run, dim=dim, preprocessing="drawn")


def unit(rng: np.random.Generator, n: int, dim: int = DIM) -> np.ndarray:
    drawn = rng.standard_normal((n, dim)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@dataclass
class Row:
    """One sighting as the oracle sees it."""

    id: int
    vector: np.ndarray
    camera: str
    track: str
    time: int
    type: str
    quality: float


def made(
    rng: np.random.Generator, n: int, *, start: int = 0, dim: int = DIM, repeats: bool = True, run: str = RUN, gaps: bool = True
) -> tuple[Features, list[str], np.ndarray]:
    """Sightings of a few days, cameras and tracks, some unknown; some vectors are equal, so that there are ties."""
    vectors = unit(rng, n, dim)
    if repeats and n > 1:
        vectors[rng.integers(n, size=n // 3)] = vectors[rng.integers(n)]
    cameras, tracks, types = ["", "north", "south", "gate"], ["", "t1", "t2", "t3", "t4"], ["", "van", "bus"]
    first = 0 if gaps else 1
    time = [NO_TIME if gaps and rng.random() < 0.2 else int(rng.integers(0, 72)) * HOUR for _ in range(n)]
    sightings = Sightings.of(
        [f"pictures/{start + row}.jpg" for row in range(n)],
        camera=[cameras[rng.integers(first, 4)] for _ in range(n)],
        track=[tracks[rng.integers(first, 5)] for _ in range(n)],
        time=time,
        extra={"type": [types[rng.integers(first, 3)] for _ in range(n)]},
    )
    quality = rng.uniform(0.1, 1, n).astype(np.float32)
    return Features(sightings, vectors, run), [f"{start + row}" for row in range(n)], quality


def filled(
    folder: Path, rng: np.random.Generator, n: int, *, batches: int = 3, dtype: str = "float16", weighting: str = "equal"
) -> tuple[LocalGallery, list[Row]]:
    """A gallery of so many sightings, and the same rows for the oracle."""
    gallery = create_gallery(folder, embedding(), dtype=dtype, weighting=weighting)  # type: ignore[arg-type]
    rows: list[Row] = []
    for batch in np.array_split(np.arange(n), batches):
        if len(batch):
            features, content, quality = made(rng, len(batch), start=int(batch[0]))
            rows += rows_of(features, gallery.add(features, content, quality), quality, dtype)
    return gallery, rows


def rows_of(features: Features, ids: np.ndarray, quality: np.ndarray, dtype: str = "float16") -> list[Row]:
    sightings = features.sightings
    return [
        Row(
            int(ids[row]),
            features.embeddings[row].astype(dtype).astype(np.float64),
            str(sightings.column("camera")[row]),
            str(sightings.column("track")[row]),
            int(sightings.time[row]),
            str(sightings.column("type")[row]),
            float(quality[row]),
        )
        for row in range(len(features))
    ]


def meant(row: Row, where: Filter) -> bool:
    if where.cameras and row.camera not in where.cameras:
        return False
    if (where.since is not None or where.until is not None) and row.time == NO_TIME:
        return False
    if where.since is not None and row.time < where.since:
        return False
    if where.until is not None and row.time >= where.until:
        return False
    return all(getattr(row, name) == value for name, value in where.equal)


def brute(
    rows: list[Row], query: np.ndarray, top: int, where: Filter = EVERYTHING, group: str | None = None, weighting: str = "equal"
) -> list[tuple[int, float]]:
    """Ids and similarities, best first, one picture and one group at a time."""

    def cosine(vector: np.ndarray) -> float:
        return float(np.float32(np.clip((vector * query.astype(np.float64)).sum(), -1, 1)))

    answers: list[tuple[int, float]] = []
    groups: dict[object, list[Row]] = defaultdict(list)
    for row in rows:
        key: object = row.id
        if group == "camera" and row.camera:
            key = ("camera", row.camera)
        if group == "track" and row.track:
            key = ("track", row.track, row.camera)
        groups[key].append(row)
    for key, members in groups.items():
        shown = sorted((-cosine(row.vector), row.id) for row in members if meant(row, where))
        if not shown:
            continue
        similarity = -shown[0][0]
        if isinstance(key, tuple) and key[0] == "track":
            total = sum((row.quality if weighting == "quality" else 1.0) * row.vector for row in members)
            length = float(np.linalg.norm(total))
            similarity = float(total @ query.astype(np.float64)) / length if length > 1e-5 else 0.0
        answers.append((shown[0][1], similarity))
    return sorted(answers, key=lambda answer: (-answer[1], answer[0]))[:top]
