import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from clipsenet.errors import ClipsenetError
from clipsenet.features import Features, extract
from clipsenet.protocol import Benchmark
from clipsenet.runs import Run
from clipsenet.sightings import NO_TIME, WHOLE, Sightings


def some() -> Features:
    pictures = Sightings.of(
        ["a", "b", "c"],
        vehicle=["x", "", "y"],
        camera=["1", "2", ""],
        time=[5, NO_TIME, -7],
        box=[list(WHOLE), [0, 1, 2, 3], list(WHOLE)],
        extra={"type": ["car", "", "bus"]},
    )
    return Features(pictures, np.eye(3, 4, dtype=np.float32), "run")


def test_a_folder_gives_back_what_was_saved(tmp_path: Path) -> None:
    saved = some()
    saved.save(tmp_path / "f")
    found = Features.load(tmp_path / "f")
    assert np.array_equal(found.embeddings, saved.embeddings)
    assert found.run_id == "run"
    a, b = found.sightings, saved.sightings
    assert a.path.tolist() == b.path.tolist()
    for name in ("vehicle", "camera", "view", "track", "type"):
        assert a.column(name).tolist() == b.column(name).tolist()
    assert a.time.tolist() == b.time.tolist()
    assert a.box is not None
    assert a.box.tolist() == b.box.tolist()  # type: ignore[union-attr]
    assert sorted(path.name for path in (tmp_path / "f").iterdir()) == [
        "card.json",
        "embeddings.safetensors",
        "sightings.parquet",
    ]


def test_an_old_folder_is_never_overwritten(tmp_path: Path) -> None:
    some().save(tmp_path / "f")
    with pytest.raises(ClipsenetError, match="exists and is not empty"):
        some().save(tmp_path / "f")


def test_a_folder_left_half_written_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / ".f.partial").mkdir()
    (tmp_path / ".f.partial" / "card.json").write_text("{")
    some().save(tmp_path / "f")
    assert len(Features.load(tmp_path / "f")) == 3
    assert not (tmp_path / ".f.partial").exists()


def test_broken_and_newer_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipsenetError, match="not a whole features folder"):
        Features.load(tmp_path)
    some().save(tmp_path / "f")
    card = json.loads((tmp_path / "f" / "card.json").read_text())
    (tmp_path / "f" / "card.json").write_text(json.dumps(card | {"format": 99}))
    with pytest.raises(ClipsenetError, match=r"format 99.*update clipsenet"):
        Features.load(tmp_path / "f")
    (tmp_path / "f" / "card.json").write_text(json.dumps(card))
    (tmp_path / "f" / "embeddings.safetensors").write_bytes(b"x")
    with pytest.raises(ClipsenetError, match="not a whole features folder"):
        Features.load(tmp_path / "f")


@pytest.mark.parametrize("bad", [np.nan, 0.0, 2.0])
def test_only_unit_vectors_are_features(bad: float) -> None:
    vectors = np.eye(3, 4, dtype=np.float32)
    vectors[1] *= bad
    with pytest.raises(ClipsenetError, match="1 embeddings are not unit vectors, the first: b"):
        replace(some(), embeddings=vectors)
    with pytest.raises(ClipsenetError, match=r"wanted \(3, dim\)"):
        replace(some(), embeddings=vectors[:2])


def test_extraction_does_not_depend_on_batches_or_workers_and_repeats(toy_run: Run, toy_benchmark: Benchmark) -> None:
    def made(batch: int, workers: int = 0) -> np.ndarray:
        few = toy_benchmark.test[np.arange(10)]
        return extract(
            toy_run.model, few, toy_run.test_transform, toy_run.id, dim=toy_run.dim, batch=batch, workers=workers
        ).embeddings

    assert np.array_equal(made(4), made(4))
    assert np.array_equal(made(4), made(4, workers=1))
    assert np.abs(made(4) - made(10)).max() < 1e-5


def test_extraction_leaves_the_model_in_its_mode_and_tells_its_progress(toy_run: Run, toy_benchmark: Benchmark) -> None:
    model, told = toy_run.model.train(), []
    few = toy_benchmark.test[np.arange(5)]
    extract(model, few, toy_run.test_transform, "x", dim=toy_run.dim, batch=2, progress=lambda *now: told.append(now))
    assert model.training
    model.eval()
    assert told == [(2, 5), (4, 5), (5, 5)]
    assert torch.is_grad_enabled()
