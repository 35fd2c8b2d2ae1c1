"""A tiny CLIP-SENet with camera rows from training to scorecard: what the whole does with two branches and labels."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from clipsenet.cli import main
from clipsenet.errors import ClipsenetError, Interrupted, UsageError
from clipsenet.evaluation import evaluate
from clipsenet.features import Features, extract
from clipsenet.protocol import Benchmark
from clipsenet.recipe import EvaluationSettings, Recipe
from clipsenet.removal import WithoutBranch, remove_branch
from clipsenet.reporting import Reporter
from clipsenet.runs import Run, run_id
from clipsenet.sightings import Labels, Sightings
from clipsenet.training import train
from conftest import id_in_another_process, tiny_recipe
from test_tinyclip import published


def recipe(*assignments: str) -> Recipe:
    values = tiny_recipe("training.validate_every=1").to_values()
    values["model"] = {
        "kind": "clip-senet",
        "appearance": {"trunk": "resnet10t", "last_stride": 2},
        "semantics": {"tower": "test_vit", "projection": 16},
        "afem": {"groups": 4},
        "places": {"labels": "camera"},
    }
    from clipsenet.settings import override

    return Recipe.from_values(override(values, assignments), "test")


class Lines(Reporter):
    """Keeps the first line and the losses, and stops where it is told to."""

    def __init__(self, stop_at: int = -1) -> None:
        self.first, self.losses, self.stop_at = "", [], stop_at

    def begin(self, text: str, epochs: int, steps: int, done: int) -> None:
        self.first = text

    def step(self, epoch: int, step: int, steps: int, rate: float, pictures: int, parts: dict[str, float]) -> None:
        self.losses.append(parts)
        if len(self.losses) == self.stop_at:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, toy_benchmark: Benchmark) -> Run:
    return train(recipe(), toy_benchmark, tmp_path_factory.mktemp("two") / "run", device="cpu")


def test_the_first_line_tells_the_spreads_and_the_run_keeps_the_cameras(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    lines = Lines()
    found = train(recipe(), toy_benchmark, tmp_path / "a", device="cpu", reporter=lines)
    assert "resnet10t + test_vit + AFEM of 4 heads + rows of camera on T" in lines.first
    assert re.search(r"spreads over the first batch: T_u \d\.\d+, T_s' \d\.\d+$", lines.first)
    text = (tmp_path / "a" / "recipe.yaml").read_text()
    assert "cameras:\n    - '1'\n    - '2'\n    - '3'" in text
    assert found.recipe.model.places is not None
    assert found.recipe.model.places.cameras == ("1", "2", "3")


@pytest.mark.slow
def test_measuring_the_spreads_changes_no_training(toy_benchmark: Benchmark, tmp_path: Path, monkeypatch) -> None:
    first = Lines()
    train(recipe(), toy_benchmark, tmp_path / "a", device="cpu", reporter=first)
    monkeypatch.setattr("clipsenet.training.spreads", lambda *_: {})
    second = Lines()
    train(recipe(), toy_benchmark, tmp_path / "b", device="cpu", reporter=second)
    assert first.losses == second.losses
    ours, theirs = (load_file(tmp_path / name / "last.safetensors") for name in "ab")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.slow
def test_resuming_goes_on_as_if_nothing_was(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    changes = ("optimiser.branches={semantics: {rate: 0.5}}", "optimiser.decay_all=false")
    unbroken, stopped, rest = Lines(), Lines(stop_at=4), Lines()
    train(recipe(*changes), toy_benchmark, tmp_path / "a", device="cpu", reporter=unbroken)
    with pytest.raises(Interrupted):
        train(recipe(*changes), toy_benchmark, tmp_path / "b", device="cpu", reporter=stopped)
    train(recipe(*changes), toy_benchmark, tmp_path / "b", device="cpu", resume=True, reporter=rest)
    assert stopped.losses + rest.losses == unbroken.losses


@pytest.mark.slow
def test_stopped_after_the_last_step_it_is_resumed_to_its_end(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    unbroken = Lines()
    train(recipe(), toy_benchmark, tmp_path / "a", device="cpu", reporter=unbroken)
    with pytest.raises(Interrupted):
        train(recipe(), toy_benchmark, tmp_path / "b", device="cpu", reporter=Lines(stop_at=len(unbroken.losses)))
    found = train(recipe(), toy_benchmark, tmp_path / "b", device="cpu", resume=True)
    assert found.id == Run.open(tmp_path / "a").id
    assert (tmp_path / "b" / "history.csv").read_text().count("\n") == 3


def test_other_cameras_are_other_pictures_to_a_resumed_training(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train(recipe(), toy_benchmark, tmp_path / "b", device="cpu", reporter=Lines(stop_at=2))
    labels = toy_benchmark.train.camera
    swapped = Labels((labels.numbers + 1) % 3, labels.names)
    other = replace(toy_benchmark, train=replace(toy_benchmark.train, camera=swapped))
    with pytest.raises(ClipsenetError, match=r"trained on other pictures.*cameras or views"):
        train(recipe(), other, tmp_path / "b", device="cpu", resume=True)


def test_a_branch_frozen_at_random_weights_is_said(toy_benchmark: Benchmark, tmp_path: Path, caplog) -> None:
    changes = ("schedule.epochs=1", "optimiser.branches={semantics: {frozen: true}}")
    train(recipe(*changes), toy_benchmark, tmp_path / "a", device="cpu")
    assert "the branch 'semantics' is frozen at RANDOM weights" in caplog.text


def test_a_frozen_branch_is_resumed_frozen(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    changes = ("optimiser.branches={appearance: {frozen: true}}",)
    with pytest.raises(Interrupted):
        train(recipe(*changes), toy_benchmark, tmp_path / "b", device="cpu", reporter=Lines(stop_at=2))
    before = load_file(tmp_path / "b" / "resume.safetensors")
    found = train(recipe(*changes), toy_benchmark, tmp_path / "b", device="cpu", resume=True).model.state_dict()
    for name, value in found.items():
        if name.startswith("appearance."):
            assert torch.equal(value, before[f"objective.model.{name}"])


@pytest.mark.slow
def test_an_auto_pruned_tower_needs_its_file_only_to_begin(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    torch.save(published(), tmp_path / "pruned.pt")
    pruned = (
        "model.semantics.tower=auto-pruned",
        f"model.semantics.weights={tmp_path / 'pruned.pt'}",
        "model.semantics.projection=7",
    )
    with pytest.raises(Interrupted):
        train(recipe(*pruned), toy_benchmark, tmp_path / "run", device="cpu", reporter=Lines(stop_at=2))
    (tmp_path / "pruned.pt").unlink()
    found = train(recipe(*pruned), toy_benchmark, tmp_path / "run", device="cpu", resume=True)
    again = Run.open(tmp_path / "run")
    assert again.id == found.id
    assert "blocks:" in (tmp_path / "run" / "recipe.yaml").read_text()


def test_saved_and_loaded_it_is_the_same_and_its_id_too(run: Run, toy_benchmark: Benchmark) -> None:
    again = Run.open(run.folder)
    assert again.id == run.id
    few = toy_benchmark.test[np.arange(6)]
    rows = run.model.place_rows(few)
    assert (rows >= 0).all()
    first, second = (
        extract(one.model, few, one.test_transform, one.id, dim=one.dim, places=rows).embeddings for one in (run, again)
    )
    assert np.array_equal(first, second)
    renamed = run.recipe.model.model_copy(
        update={"places": run.recipe.model.places.model_copy(update={"cameras": ("1", "3", "2")})}
    )
    assert run_id(run.model, run.recipe.model_copy(update={"model": renamed})) != run.id


@pytest.mark.slow
def test_the_id_is_the_same_in_another_process_and_with_other_threads(run: Run) -> None:
    assert {id_in_another_process(run.folder, threads) for threads in (1, 2)} == {run.id}


# labels at test


def test_the_card_says_which_labels_were_told(run: Run, toy_benchmark: Benchmark) -> None:
    told = evaluate(run, toy_benchmark, EvaluationSettings(reference="none"))
    untold = evaluate(run, toy_benchmark, EvaluationSettings(reference="none", labels=False))
    count = len(toy_benchmark.test)
    assert told.card.labels_at_test == f"true camera (by the names of the training set), of {count} of {count} pictures"
    assert untold.card.labels_at_test == "none (trained with rows of camera, which were not told)"
    half = toy_benchmark.test.camera.numbers.copy()
    half[: count // 2] = -1
    partly = replace(toy_benchmark, test=replace(toy_benchmark.test, camera=Labels(half, toy_benchmark.test.camera.names)))
    card = evaluate(run, partly, EvaluationSettings(reference="none")).card
    assert card.labels_at_test == f"true camera (by the names of the training set), of {count - count // 2} of {count} pictures"


def test_a_training_set_without_the_labels_is_refused(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(ClipsenetError, match="none of the 84 training pictures has the labels for it; give the columns"):
        train(recipe("model.places.labels=camera-view"), toy_benchmark, tmp_path / "a", device="cpu")


def test_pictures_without_a_row_are_counted(toy_benchmark: Benchmark, tmp_path: Path, caplog) -> None:
    camera = toy_benchmark.train.camera.numbers.copy()
    camera[:5] = -1
    partly = replace(toy_benchmark, train=replace(toy_benchmark.train, camera=Labels(camera, toy_benchmark.train.camera.names)))
    train(recipe("schedule.epochs=1"), partly, tmp_path / "a", device="cpu")
    assert "5 of 84 training pictures have no camera and get no row of it" in caplog.text


def test_embed_and_compare_say_what_they_were_told(run: Run, toy_folder: Path, tmp_path: Path, capsys) -> None:
    def call(*words: object) -> str:
        with pytest.raises(SystemExit, match="0"):
            main([str(word) for word in words])
        return capsys.readouterr().out

    out = call("embed", run.folder, toy_folder / "pictures.csv", "--to", tmp_path / "all")
    assert "camera known to the network for 144 of 144 pictures\n" in out
    one = toy_folder / "shape000_c1_0.png"
    out = call("embed", run.folder, one, "--to", tmp_path / "one")
    assert "camera known to the network for 0 of 1 pictures, so all are embedded without" in out
    told = json.loads(call("embed", run.folder, toy_folder / "pictures.csv", "--to", tmp_path / "again", "--json"))
    assert told["labels_told"] == 144
    call("embed", run.folder, toy_folder / "pictures.csv", "--to", tmp_path / "without", "--no-labels")
    with_, without = (Features.load(tmp_path / name) for name in ("all", "without"))
    assert (with_.labels_told, without.labels_told) == (True, False)
    assert not np.allclose(with_.embeddings, without.embeddings)
    out = call("compare", run.folder, one, toy_folder / "shape000_c2_0.png")
    assert "camera known to the network for 0 of 2 pictures" in out
    assert "cosine similarity" in out


# a branch removed


def test_removing_a_branch_leaves_what_the_other_knows(run: Run, toy_benchmark: Benchmark) -> None:
    test = toy_benchmark.test
    rows = run.model.place_rows(test)
    bare, spread = remove_branch(run.model, "semantics", test, run.test_transform, rows, batch=7)
    images = torch.stack([run.test_transform(image) for image in opened(test)])
    places = torch.from_numpy(rows)
    with torch.inference_mode():
        parts = run.model.parts_of(images, places)
        wanted = run.model.embed(parts["appearance"] + parts["rest"] + parts["semantics"].mean(dim=0))
        assert torch.allclose(bare(images, places), wanted, atol=1e-4)
        for name in ("appearance", "semantics"):
            assert spread[name] == pytest.approx(parts[name].var(dim=0, correction=0).mean().sqrt().item(), rel=1e-3)
        # other pixels for the removed branch alone change nothing
        semantics = run.model.semantics.network.patch_embed.proj
        semantics.bias.data += 3.0
        changed = WithoutBranch(run.model, "semantics", bare.mean)(images, places)
        semantics.bias.data -= 3.0
    assert torch.allclose(changed, wanted, atol=1e-4)


def opened(sightings: Sightings) -> list:
    from clipsenet.images import open_sighting

    return [open_sighting(sightings, row) for row in range(len(sightings))]


def test_the_scorecard_of_a_removed_branch_says_so(run: Run, toy_benchmark: Benchmark, toy_run: Run) -> None:
    for branch in ("appearance", "semantics"):
        card = evaluate(run, toy_benchmark, EvaluationSettings(without=branch))
        assert f"WITHOUT {branch}" in card.card.embedding
        assert re.search(r"part of T over the tested pictures: appearance \d.*, semantics \d", " ".join(card.card.notes))
        assert card.sections[0].lines[0].method == f"toy without {branch}"
        assert not run.model.training
    with pytest.raises(UsageError, match="one branch only"):
        evaluate(toy_run, toy_benchmark, EvaluationSettings(without="semantics"))
