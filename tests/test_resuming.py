"""Going on: on the right devices, with the same processes, and out of every way to die before the first state is saved."""

import os
import signal
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim import Optimizer

from clipsenet import training
from clipsenet.averaging import MovingAverage
from clipsenet.continuing import train_or_go_on
from clipsenet.errors import ClipsenetError, Interrupted, UsageError
from clipsenet.history import read_history
from clipsenet.protocol import Benchmark
from clipsenet.recipe import Recipe
from clipsenet.reporting import Reporter
from clipsenet.runs import RESUME, Run, is_finished, read_facts, save_tensors
from clipsenet.training import train
from clipsenet.weights import read_state
from conftest import tiny_recipe
from test_training import Noting, losses_of


def stopped(recipe: Recipe, benchmark: Benchmark, folder: Path, at: tuple[int, int] = (1, 2)) -> None:
    """A training that Ctrl-C stopped after this step."""
    noting = Noting(at, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(Interrupted):
        train(recipe, benchmark, folder, device="cpu", reporter=noting)


def dying(recipe: Recipe, benchmark: Benchmark, folder: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """A training that dies when it comes to this function."""

    def die(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(f"clipsenet.training.{where}", die)
        with pytest.raises(MemoryError):
            train(recipe, benchmark, folder, device="cpu")


def test_a_state_is_loaded_when_everything_is_on_its_device(
    toy_benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An optimiser takes its moments to where its weights are: on a GPU they may not stay behind on the CPU."""
    recipe = tiny_recipe("training.ema=0.9")
    stopped(recipe, toy_benchmark, tmp_path / "a")
    moved: list[object] = []
    setup, to, load = Fabric.setup, nn.Module.to, training.load_progress

    def setup_noted(self: Fabric, module: nn.Module, *optimisers: Optimizer) -> object:
        moved.extend([module, *optimisers])
        return setup(self, module, *optimisers)

    def to_noted(self: nn.Module, *words: object, **options: object) -> nn.Module:
        moved.append(self)
        return to(self, *words, **options)

    def load_noted(
        folder: Path, data: str, processes: int, objective: nn.Module, optimiser: Optimizer, average: MovingAverage
    ) -> object:
        for one in (objective, optimiser, average.module):
            assert any(one is other for other in moved), type(one)
        return load(folder, data, processes, objective, optimiser, average)

    monkeypatch.setattr(Fabric, "setup", setup_noted)
    monkeypatch.setattr(nn.Module, "to", to_noted)
    monkeypatch.setattr(training, "load_progress", load_noted)
    train(recipe, toy_benchmark, tmp_path / "a", device="cpu", resume=True)


def test_another_number_of_processes_is_refused(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    stopped(tiny_recipe(), toy_benchmark, tmp_path / "a")
    path = tmp_path / "a" / RESUME
    facts, tensors = read_facts(path), read_state(path)
    assert facts["processes"] == 1
    save_tensors(path, tensors, {**facts, "processes": 2})
    with pytest.raises(UsageError, match=r"begun with --processes 2, found --processes 1: .*resume with --processes 2"):
        train(tiny_recipe(), toy_benchmark, tmp_path / "a", device="cpu", resume=True)
    # an older clipsenet did not write it down
    save_tensors(path, tensors, {name: value for name, value in facts.items() if name != "processes"})
    train(tiny_recipe(), toy_benchmark, tmp_path / "a", device="cpu", resume=True)


def test_an_epoch_that_is_over_can_no_more_be_kept(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    stopped(tiny_recipe("training.keep_epochs=[1]", "schedule.epochs=3"), toy_benchmark, tmp_path / "a", (3, 1))
    with pytest.raises(UsageError, match=r"keep_epochs names 2, not kept in .*a, which has finished 2 epochs; leave"):
        train(
            tiny_recipe("training.keep_epochs=[1, 2, 3]", "schedule.epochs=3"),
            toy_benchmark,
            tmp_path / "a",
            device="cpu",
            resume=True,
        )
    later = tiny_recipe("training.keep_epochs=[1, 3]", "schedule.epochs=3")
    train(later, toy_benchmark, tmp_path / "a", device="cpu", resume=True)
    assert [Run.open(tmp_path / "a", f"epoch-{epoch}").epoch for epoch in (1, 3)] == [1, 3]


@pytest.mark.parametrize("where", ["save_progress", "validate"])
def test_a_death_in_the_first_of_some_epochs_that_is_kept_can_be_begun_again(
    toy_benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    recipe = tiny_recipe("training.keep_epochs=[1]", "training.validate_every=1")
    unbroken = losses_of(recipe, toy_benchmark, tmp_path / "a")
    dying(recipe, toy_benchmark, tmp_path / "b", monkeypatch, where)
    assert (tmp_path / "b" / "epoch-1.safetensors").is_file()
    with pytest.raises(ClipsenetError, match="no epoch was finished; start again without --resume"):
        train(recipe, toy_benchmark, tmp_path / "b", device="cpu", resume=True)
    assert losses_of(recipe, toy_benchmark, tmp_path / "b") == unbroken


def test_a_death_in_the_validation_of_the_only_epoch_can_be_begun_again(
    toy_benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe("schedule.epochs=1")
    for name in "ab":
        dying(recipe, toy_benchmark, tmp_path / name, monkeypatch, "validate")
        assert not is_finished(tmp_path / name)
    with pytest.raises(ClipsenetError, match="no epoch was finished; start again without --resume"):
        train(recipe, toy_benchmark, tmp_path / "a", device="cpu", resume=True)
    train(recipe, toy_benchmark, tmp_path / "a", device="cpu")
    train_or_go_on(recipe, toy_benchmark, tmp_path / "b", "cpu", Reporter)
    for name in "ab":
        assert is_finished(tmp_path / name)
        assert "validation.mAP" in read_history(tmp_path / name)[0]
    with pytest.raises(ClipsenetError, match="finished: there is nothing left to resume"):
        train(recipe, toy_benchmark, tmp_path / "a", device="cpu", resume=True)


def test_a_finished_training_is_not_begun_again_by_a_longer_one(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    run = train(tiny_recipe("schedule.epochs=1"), toy_benchmark, tmp_path / "a", device="cpu")
    with pytest.raises(ClipsenetError, match="exists and is not empty"):
        train(tiny_recipe(), toy_benchmark, tmp_path / "a", device="cpu")
    assert Run.open(tmp_path / "a").id == run.id


def test_what_was_begun_before_leaves_nothing_to_what_is_begun_again(
    toy_benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying(tiny_recipe("training.validate_every=1"), toy_benchmark, tmp_path / "a", monkeypatch, "save_progress")
    assert (tmp_path / "a" / "best.safetensors").is_file()
    (tmp_path / "a" / ".last.safetensors.1-00.partial").write_text("half")
    dying(tiny_recipe("schedule.epochs=1"), toy_benchmark, tmp_path / "a", monkeypatch, "freeze_for")
    left = {path.name for path in (tmp_path / "a").iterdir()}
    assert left.isdisjoint({"best.safetensors", "last.safetensors", "history.csv", ".last.safetensors.1-00.partial"})


def test_half_files_of_a_killed_process_are_removed_when_it_goes_on(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    stopped(tiny_recipe(), toy_benchmark, tmp_path / "a")
    (tmp_path / "a" / ".resume.safetensors.1-00.partial").write_text("half")
    train(tiny_recipe(), toy_benchmark, tmp_path / "a", device="cpu", resume=True)
    assert not list((tmp_path / "a").glob(".*"))


def test_one_of_several_processes_lists_the_files_of_a_batch_that_is_not_finite(
    toy_benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe("optimiser.kind=sgd", "optimiser.rate=1e30")
    monkeypatch.setattr(Fabric, "is_global_zero", property(lambda self: False))
    with pytest.raises(ClipsenetError, match="not finite in epoch 1"):
        train(recipe, toy_benchmark, tmp_path / "a", device="cpu")
    assert not (tmp_path / "a").exists(), "only the first writes"


def test_determinism_begins_before_the_first_forward_pass(
    toy_benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    forward, make = training.spreads, training.assemble

    def note() -> None:
        seen.append(torch.are_deterministic_algorithms_enabled())

    monkeypatch.setattr(training, "spreads", lambda *words: (note(), forward(*words))[1])
    monkeypatch.setattr(training, "assemble", lambda *words: (note(), make(*words))[1])
    recipe = tiny_recipe("training.deterministic=true", "schedule.epochs=1")
    train(recipe, toy_benchmark, tmp_path / "a", device="cpu")
    assert seen == [True, True]
    assert not torch.are_deterministic_algorithms_enabled()
