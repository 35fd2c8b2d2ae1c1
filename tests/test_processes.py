"""Two processes on a CPU train as one does: the same losses, weights and scores; and they end together."""

import hashlib
import os
import signal
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch.multiprocessing.spawn import ProcessRaisedException

from clipsenet import training
from clipsenet.devices import make_fabric
from clipsenet.errors import ClipsenetError, Interrupted, UsageError
from clipsenet.history import read_history
from clipsenet.launching import run_in_processes
from clipsenet.protocol import Benchmark
from clipsenet.reporting import Reporter
from clipsenet.runs import Run
from clipsenet.training import train
from clipsenet.weights import read_state
from conftest import stopped_politely, tiny_recipe
from test_stepping import FROZEN, SMALL

pytestmark = pytest.mark.slow

WHOLE = (*SMALL, FROZEN, "schedule.epochs=2", "training.validate_every=2", "optimiser.kind=sgd", "optimiser.rate=0.01")
"""SGD: Adam divides by the size of a gradient, so that a bias whose gradient is rounding alone would walk about."""


EVERYTHING = (
    "training.checkpointing=true",
    "training.ema=0.5",
    "optimiser.clip=0.5",
    "optimiser.branches.semantics.frozen_epochs=1",
)


class Stopping(Reporter):
    """Asks its process to stop at one step."""

    def __init__(self, at_epoch: int, at_step: int) -> None:
        self.at = (at_epoch, at_step)

    def step(self, epoch: int, step: int, steps: int, rate: float, pictures: int, parts: dict[str, float]) -> None:
        if (epoch, step) == self.at:
            os.kill(os.getpid(), signal.SIGINT)


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


@pytest.mark.parametrize("pieces", [(), ("training.micro_batch=4",)], ids=["whole", "in pieces"])
def test_two_processes_train_as_one_with_all_that_a_step_may_have(
    toy_benchmark: Benchmark, tmp_path: Path, pieces: tuple[str, ...]
) -> None:
    """And go on after a stop in the middle of an epoch."""
    wanted = (*EVERYTHING, *pieces)
    alone = run_of(toy_benchmark, tmp_path / "alone", *wanted)
    with pytest.raises(Interrupted, match=r"stopped in epoch 2 after step 1 of 3, and saved"):
        train(
            tiny_recipe(*WHOLE, *wanted), toy_benchmark, tmp_path / "both", device="cpu", processes=2, reporter=Stopping(2, 1)
        )
    with pytest.raises(UsageError, match="resume with --processes 2"):
        train(tiny_recipe(*WHOLE, *wanted), toy_benchmark, tmp_path / "both", device="cpu", resume=True)
    train(tiny_recipe(*WHOLE, *wanted), toy_benchmark, tmp_path / "both", device="cpu", processes=2, resume=True)
    same_training(alone, tmp_path / "both")


def test_two_processes_train_a_trunk_whose_own_head_is_left_out(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    """Its last norm gets no gradient; DDP would wait for one."""
    small = ("schedule.epochs=1", "optimiser.kind=sgd", "optimiser.rate=0.01", "training.validate_every=9")
    recipe = tiny_recipe("model.trunk=test_convnext", *small)
    none = replace(toy_benchmark, validation=toy_benchmark.validation[np.arange(0)])
    for name, processes in (("alone", 1), ("both", 2)):
        train(recipe, none, tmp_path / name, device="cpu", processes=processes)
    same_training(tmp_path / "alone", tmp_path / "both")


@pytest.mark.parametrize(("saved", "advice"), [(False, "nothing was saved yet: start again"), (True, "go on with --resume")])
def test_an_error_that_is_none_of_ours_is_named_by_its_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saved: bool, advice: str
) -> None:
    try:
        raise RuntimeError("what is wrong\nwhat one might do\n\n In addition, what nobody asked for\n")
    except RuntimeError:
        text = f"\n\n-- Process 1 terminated with the following error:\n{traceback.format_exc()}"

    def launch(self: Fabric, work: object) -> None:
        raise ProcessRaisedException(text, 1, 4711)

    monkeypatch.setattr(Fabric, "launch", launch)
    if saved:
        (tmp_path / "state").write_text("")
    with pytest.raises(ClipsenetError, match=rf"processes ended: RuntimeError: what is wrong; .*{advice}$"):
        run_in_processes(make_fabric("cpu", "32-true"), print, state=tmp_path / "state")


def test_an_error_in_one_process_is_told_as_it_was_raised(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    path = np.array(toy_benchmark.train.path)
    path[::3] = "nowhere.jpg"
    broken = replace(toy_benchmark, train=replace(toy_benchmark.train, path=path))
    with pytest.raises(ClipsenetError, match=r"nowhere\.jpg \(.*line \d+\): no such file"):
        run_of(broken, tmp_path / "a", processes=2)


def test_a_signal_stops_all_processes_at_one_step_saved(toy_folder: Path, tmp_path: Path) -> None:
    words = ["--data", str(toy_folder), "--processes", "2", "--set", "sampler.vehicles=4"]
    said = stopped_politely(tmp_path / "a", words, lambda process: os.kill(process, signal.SIGTERM))
    assert "and saved; go on with the same command" in said
    assert Run.open(tmp_path / "a").epoch == len(read_history(tmp_path / "a"))


def test_what_cannot_be_shared_out_is_refused(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"sampler.vehicles=4 cannot be shared out among 3 processes"):
        run_of(toy_benchmark, tmp_path / "a", processes=3)
    with pytest.raises(UsageError, match="names one device"):
        make_fabric("cpu:0", "32-true", 2)


def test_processes_that_number_vehicles_differently_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fabric, "world_size", property(lambda self: 2))
    two = make_fabric("cpu", "32-true")
    digest = hashlib.sha256(b"ours").hexdigest()
    for other, differs in ((digest, False), (digest[:-1] + ("0" if digest[-1] != "0" else "1"), True)):
        theirs = torch.tensor([int(other[i : i + 8], 16) for i in range(0, 64, 8)])
        monkeypatch.setattr(training, "gathered", lambda fabric, ours, theirs=theirs: torch.stack([ours, theirs]))
        if differs:
            with pytest.raises(ClipsenetError, match="number their vehicles differently; look that --data is the same"):
                training._require_same_everywhere(two, digest)
        else:
            training._require_same_everywhere(two, digest)
