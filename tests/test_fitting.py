"""The dry run: one step measured, the largest piece that fits, and nothing written."""

import json
import sys
from pathlib import Path

import pytest
import torch

from clipsenet.assembling import assemble
from clipsenet.benchmarking import bare_step, fitting
from clipsenet.benchmarking.bare_step import make_bare_step
from clipsenet.benchmarking.first_batches import load
from clipsenet.benchmarking.fitting import Tried, dry_run, rows_of
from clipsenet.devices import make_fabric
from clipsenet.models import resolved
from clipsenet.objective import Objective
from clipsenet.protocol import Benchmark
from clipsenet.recipe import Recipe
from conftest import tiny_recipe
from test_stepping import SMALL


def test_on_a_cpu_it_measures_and_says_that_it_cannot_know(toy_benchmark: Benchmark) -> None:
    result = dry_run(tiny_recipe("training.ema=0.9", "training.micro_batch=4"), toy_benchmark, "cpu")
    assert result["fits"] is None
    assert (result["pictures_per_step"], result["epochs"]) == (16, 2)
    (tried,) = result["tried"]
    assert tried["micro_batch"] == 4
    assert tried["fits"]
    hours = tried["seconds"] * result["steps_per_epoch"] * 2 / 3600
    assert result["hours_in_all"] == pytest.approx(hours)
    assert dict(rows_of(result))["fits?"].startswith("cannot be known on a CPU")


def test_a_step_is_one_of_the_last_epochs_clipped(toy_benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is frozen at first takes no time and no memory then, and nearly all of it later."""
    made: list[Objective] = []

    def keep(recipe: Recipe, vehicles: int) -> tuple[Objective, torch.optim.Optimizer]:
        made.append(assemble(recipe, vehicles)[0])
        return made[-1], torch.optim.SGD(made[-1].parameters(), lr=1.0)

    def moved(*assignments: str) -> dict[str, float]:
        recipe = tiny_recipe(*SMALL, *assignments)
        recipe = recipe.model_copy(update={"model": resolved(recipe.model, toy_benchmark.train)})
        (batch, *_), _ = load(recipe, toy_benchmark, 1)
        step = make_bare_step(recipe, toy_benchmark, batch, make_fabric("cpu", "32-true"))
        before = {name: tensor.detach().clone() for name, tensor in made[-1].named_parameters()}
        step()
        return {name: float((tensor.detach() - before[name]).norm()) for name, tensor in made[-1].named_parameters()}

    monkeypatch.setattr(bare_step, "assemble", keep)
    branch = "optimiser.branches.semantics"
    for frozen in (f"{branch}.frozen=true", f"{branch}.frozen_epochs=2"):  # of two epochs
        assert not any(way for name, way in moved(frozen).items() if name.startswith("model.semantics"))
    thawed = moved(f"{branch}.frozen_epochs=1", "optimiser.clip=1e-3")
    assert any(way for name, way in thawed.items() if name.startswith("model.semantics"))
    assert sum(way**2 for way in thawed.values()) ** 0.5 == pytest.approx(1e-3, rel=0.01)


def test_the_cache_is_left_alone(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    dry_run(tiny_recipe(f"training.cache.folder={tmp_path / 'cache'}"), toy_benchmark, "cpu")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(("room", "tried", "answer"), [(16, [16], None), (5, [16, 8, 4], None), (1, [16, 8, 4, 2], "no")])
def test_pieces_are_halved_until_they_fit(
    toy_benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch, room: int, tried: list[int], answer: str | None
) -> None:
    def try_(recipe: object, benchmark: object, batch: object, device: str, micro_batch: int) -> Tried:
        if micro_batch > room:
            raise torch.OutOfMemoryError
        return Tried(micro_batch, fits=True, seconds=1.0, peak_gb=2.0)

    freed: list[object] = []
    monkeypatch.setattr(fitting, "_try", try_)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: freed.append(sys.exc_info()[0]))
    result = dry_run(tiny_recipe(), toy_benchmark, "cpu")
    assert [one["micro_batch"] for one in result["tried"]] == tried
    assert freed == [None] * (len(tried) - 1), "while the error is handled it holds what is to be freed"
    on_gpu = {**result, "fits": result["tried"][-1]["fits"], "gpu_memory_gb": 8.0}
    said = dict(rows_of(on_gpu))["fits?"]
    if answer == "no":
        assert said == "no, not even 2 pictures into 8.0 GB: --set training.checkpointing=true"
    else:
        assert said.endswith("as it is" if len(tried) == 1 else f"training.micro_batch={tried[-1]}")


def test_the_command_prints_and_writes_nothing(run, toy_folder: Path, tmp_path: Path) -> None:
    words = ["train", "toy", "--data", toy_folder, "--run", tmp_path / "run", "--device", "cpu", "--dry-run"]
    words += ["--set", "images.size=[32, 32]"]
    said = run(*words)
    assert said.code == 0, said.err
    assert "nothing was written" in said.out
    assert json.loads(run(*words, "--json").out)["recipe"] == "toy"
    assert not (tmp_path / "run").exists()
    for more, message in ((["--processes", "2"], "measures one process"), (["--resume"], "measures one process")):
        refused = run(*words, *more)
        assert refused.code == 2
        assert message in refused.err
    alone = run(*words[:-3], "--json")
    assert alone.code == 2
    assert "--json is for --dry-run" in alone.err
