"""Two processes on a CPU train as one does: the same losses, weights and scores; and they end together."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from clipsenet.devices import make_fabric
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.history import read_history
from clipsenet.protocol import Benchmark
from clipsenet.runs import Run
from clipsenet.training import train
from clipsenet.weights import read_state
from conftest import ROOT, tiny_recipe
from test_stepping import FROZEN, SMALL

pytestmark = pytest.mark.slow

WHOLE = (*SMALL, FROZEN, "schedule.epochs=2", "training.validate_every=2", "optimiser.kind=sgd", "optimiser.rate=0.01")
"""SGD: Adam divides by the size of a gradient, so that a bias whose gradient is rounding alone would walk about."""


def run_of(benchmark: Benchmark, folder: Path, *assignments: str, processes: int = 1) -> Path:
    train(tiny_recipe(*WHOLE, *assignments), benchmark, folder, device="cpu", processes=processes)
    return folder


def same_training(a: Path, b: Path) -> None:
    for one, other in zip(read_history(a), read_history(b), strict=True):
        assert one.keys() == other.keys()
        for name in one.keys() - {"pictures_per_second"}:
            assert one[name] == pytest.approx(other[name], rel=1e-3, abs=1e-6), name
    ours, theirs = read_state(a / "last.safetensors"), read_state(b / "last.safetensors")
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor.float(), theirs[name].float(), rtol=1e-3, atol=1e-4, msg=name)


def test_two_processes_train_as_one(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    alone = run_of(toy_benchmark, tmp_path / "alone")
    both = run_of(toy_benchmark, tmp_path / "both", processes=2)
    same_training(alone, both)
    pieces = run_of(toy_benchmark, tmp_path / "pieces", "training.micro_batch=4", processes=2)
    same_training(alone, pieces)
    assert Run.open(both).recipe == Run.open(alone).recipe
    assert not (both / "resume.safetensors").exists()


def test_an_error_in_one_process_is_told_as_it_was_raised(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    path = np.array(toy_benchmark.train.path)
    path[::3] = "nowhere.jpg"
    broken = replace(toy_benchmark, train=replace(toy_benchmark.train, path=path))
    with pytest.raises(ClipsenetError, match=r"nowhere\.jpg \(.*line \d+\): no such file"):
        run_of(broken, tmp_path / "a", processes=2)


def test_a_signal_stops_all_processes_at_one_step_saved(toy_folder: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "clipsenet", "train", str(ROOT / "recipes" / "toy.yaml"), "--data", str(toy_folder)]
    words += ["--run", str(tmp_path / "a"), "--device", "cpu", "--processes", "2"]
    for one in ("images.size=[32, 32]", "schedule.epochs=400", "sampler.vehicles=4"):
        words += ["--set", one]
    begun = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "a" / "resume.safetensors").exists() and begun.poll() is None:
        assert time.monotonic() < deadline, "no epoch was finished"
        time.sleep(0.1)
    os.kill(begun.pid, signal.SIGTERM)
    _, errors = begun.communicate(timeout=120)
    assert begun.returncode == 130, errors
    assert "and saved; go on with the same command" in errors
    assert Run.open(tmp_path / "a").epoch == len(read_history(tmp_path / "a"))


def test_what_cannot_be_shared_out_is_refused(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"sampler.vehicles=4 cannot be shared out among 3 processes"):
        run_of(toy_benchmark, tmp_path / "a", processes=3)
    with pytest.raises(UsageError, match="names one device"):
        make_fabric("cpu:0", "32-true", 2)
