"""The dry run: one step measured, the largest piece that fits, and nothing written."""

import json
from pathlib import Path

import pytest
import torch

from clipsenet.benchmarking import fitting
from clipsenet.benchmarking.fitting import Tried, dry_run, rows_of
from clipsenet.protocol import Benchmark
from conftest import tiny_recipe


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


@pytest.mark.parametrize(("room", "tried", "answer"), [(16, [16], None), (5, [16, 8, 4], None), (1, [16, 8, 4, 2], "no")])
def test_pieces_are_halved_until_they_fit(
    toy_benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch, room: int, tried: list[int], answer: str | None
) -> None:
    def try_(recipe: object, benchmark: object, batch: object, device: str, micro_batch: int) -> Tried:
        if micro_batch > room:
            raise torch.OutOfMemoryError
        return Tried(micro_batch, fits=True, seconds=1.0, peak_gb=2.0)

    monkeypatch.setattr(fitting, "_try", try_)
    result = dry_run(tiny_recipe(), toy_benchmark, "cpu")
    assert [one["micro_batch"] for one in result["tried"]] == tried
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
