"""``kill -9`` in an epoch, or in the middle of a save: nothing that was saved is lost, and the rest is as if nothing was."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clipsenet.history import read_history
from clipsenet.protocol import Benchmark
from clipsenet.runs import Run
from clipsenet.training import train
from conftest import ROOT, stopped_politely, tiny_recipe
from test_training import Noting

KEPT = ("training.ema=0.9", "optimiser.clip=1.0", "schedule.epochs=3")

PROGRAM = """
import json, os, signal, sys, torch
from pathlib import Path
from clipsenet import training, runs
from clipsenet.datasets import toy
from clipsenet.datasets.manifest import ManifestSettings
from clipsenet.recipe import load_recipe
from clipsenet.reporting import Reporter

torch.set_num_threads(1)  # as the unbroken training
pictures, folder, recipe, assignments, moment = json.loads(sys.argv[1])
losses = open(folder + ".losses", "a")
written = 0
save_file = runs.save_file

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Watch(Reporter):
    def step(self, epoch, step, steps, rate, pictures, parts):
        losses.write(json.dumps([epoch, step, parts]) + "\\n")
        losses.flush()
        if [epoch, step] == moment:
            die()

def half(tensors, path, metadata):
    global written
    written += 1
    if moment == ["save", written]:
        save_file(tensors, path, metadata)
        os.truncate(path, os.path.getsize(path) // 2)
        die()
    save_file(tensors, path, metadata)

runs.save_file = half
benchmark = toy.load(Path(pictures), ManifestSettings())
resume = (Path(folder) / "resume.safetensors").is_file()
training.train(load_recipe(Path(recipe), assignments), benchmark, Path(folder), device="cpu", resume=resume, reporter=Watch())
"""


ASSIGNMENTS = [*KEPT, "training.validate_every=1"]


@pytest.fixture(scope="module")
def unbroken(toy_benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, float]]]:
    folder, noting = tmp_path_factory.mktemp("whole") / "unbroken", Noting()
    train(tiny_recipe(*ASSIGNMENTS), toy_benchmark, folder, device="cpu", reporter=noting)
    return folder, noting.losses


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [[2, 2], ["save", 1], ["save", 6]],
    ids=["in an epoch", "saving the first checkpoint", "saving a state"],
)
def test_a_killed_training_goes_on_as_if_nothing_was(
    toy_folder: Path, unbroken: tuple[Path, list[dict[str, float]]], tmp_path: Path, moment: list[object]
) -> None:
    whole, losses = unbroken
    small = ["images.size=[32, 32]", "schedule.warmup_epochs=0", "sampler.vehicles=4"]
    folder = tmp_path / "killed"

    def begin(moment: list[object]) -> int:
        words = [str(toy_folder), str(folder), str(ROOT / "recipes" / "toy.yaml"), [*small, *ASSIGNMENTS], moment]
        return subprocess.run([sys.executable, "-c", PROGRAM, json.dumps(words)], capture_output=True, check=False).returncode

    assert begin(moment) == -signal.SIGKILL
    assert begin([]) == 0
    found: dict[tuple[int, int], dict[str, float]] = {}
    for line in Path(f"{folder}.losses").read_text().splitlines():
        epoch, step, parts = json.loads(line)
        assert found.setdefault((epoch, step), parts) == parts, "a step that is repeated has the same losses"
    assert list(found.values()) == losses
    assert Run.open(folder).id == Run.open(whole).id
    assert Run.open(folder, "best").id == Run.open(whole, "best").id
    ours, theirs = read_history(folder), read_history(whole)
    for one in (*ours, *theirs):
        one.pop("pictures_per_second")
    assert ours == theirs
    assert not list(folder.glob(".*.partial"))


@pytest.mark.slow
def test_a_polite_kill_of_the_whole_group_is_saved(toy_folder: Path, tmp_path: Path) -> None:
    """As a scheduler or a service manager sends it: to the workers that open pictures, too."""
    words = ["--data", str(toy_folder), "--threads", "1", "--set", "training.workers=1"]
    said = stopped_politely(tmp_path / "a", words, lambda process: os.killpg(process, signal.SIGTERM))
    assert "and saved; go on with the same command" in said
