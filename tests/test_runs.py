import errno
import json
import re
from copy import deepcopy as copy_of
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from clipsenet import files
from clipsenet.errors import ClipsenetError
from clipsenet.features import extract
from clipsenet.protocol import Benchmark
from clipsenet.recipe import Recipe, load_recipe
from clipsenet.runs import Run, run_id, save_tensors, start_folder
from clipsenet.training import train
from conftest import id_in_another_process, tiny_recipe


def embeddings(run: Run, benchmark: Benchmark) -> np.ndarray:
    few = benchmark.test[np.arange(6)]
    return extract(run.model, few, run.test_transform, run.id, dim=run.dim).embeddings


def copy(run: Run, to: Path, names: tuple[str, ...] = ("recipe.yaml", "last.safetensors")) -> Path:
    to.mkdir()
    for name in names:
        (to / name).write_bytes((run.folder / name).read_bytes())
    return to


def test_a_run_folder_holds_all_it_needs(toy_run: Run) -> None:
    evaluated = {"scorecards"}  # other tests evaluate the run that all share
    assert {path.name for path in toy_run.folder.iterdir()} - evaluated == {
        "recipe.yaml",
        "environment.json",
        "history.csv",
        "tensorboard",
        "trained-on.csv",
        "last.safetensors",
        "best.safetensors",
    }
    environment = json.loads((toy_run.folder / "environment.json").read_text())
    assert torch.__version__.startswith(environment["versions"]["torch"])
    assert (toy_run.folder / "trained-on.csv").read_text().splitlines()[:2] == [
        "vehicle,picture",
        "shape000,pictures/shape000_c1_0.png",
    ]
    recipe = (toy_run.folder / "recipe.yaml").read_text()
    assert "smoothing: 0.1" in recipe, "the recipe is written with every default"


def test_reloading_from_the_folder_alone_gives_the_same_embeddings_bit_for_bit(
    toy_run: Run, toy_benchmark: Benchmark, tmp_path: Path
) -> None:
    moved = Run.open(copy(toy_run, tmp_path / "elsewhere"))
    assert moved.id == toy_run.id
    assert np.array_equal(embeddings(moved, toy_benchmark), embeddings(toy_run, toy_benchmark))


@pytest.mark.slow
def test_the_id_is_the_same_in_another_process_and_with_other_threads(toy_run: Run) -> None:
    assert {id_in_another_process(toy_run.folder, threads) for threads in (1, 2)} == {toy_run.id}


def test_the_id_follows_weights_and_what_the_test_does_and_nothing_else(toy_run: Run) -> None:
    def with_(**images: object) -> Recipe:
        return toy_run.recipe.model_copy(update={"images": toy_run.recipe.images.model_copy(update=images)})

    same = (
        with_(flip=0.1),
        toy_run.recipe.model_copy(update={"seed": 9, "name": "x"}),
        toy_run.recipe.model_copy(update={"model": toy_run.recipe.model.model_copy(update={"weights": Path("w")})}),
    )
    for recipe in same:
        assert run_id(toy_run.model, recipe) == toy_run.id
    other = (with_(size=(32, 40)), with_(interpolation="bilinear"), with_(statistics=((0.5,) * 3, (0.5,) * 3)))
    ids = {run_id(toy_run.model, recipe) for recipe in other}
    before = toy_run.recipe.model_copy(update={"model": toy_run.recipe.model.model_copy(update={"embedding": "before"})})
    ids.add(run_id(toy_run.model, before))
    touched = copy_of(toy_run.model)
    with torch.no_grad():
        touched.neck.weight[0] += 1e-3
    ids.add(run_id(touched, toy_run.recipe))
    assert len(ids | {toy_run.id}) == 6


def test_folders_that_are_no_runs_are_refused(toy_run: Run, tmp_path: Path) -> None:
    with pytest.raises(ClipsenetError, match=r"is not a run folder: found no recipe.yaml"):
        Run.open(tmp_path)
    folder = copy(toy_run, tmp_path / "a", ("recipe.yaml",))
    with pytest.raises(ClipsenetError, match=r"no checkpoint 'last'.*found none"):
        Run.open(folder)
    folder = copy(toy_run, tmp_path / "b")
    with pytest.raises(ClipsenetError, match=r"no checkpoint 'best'.*validation vehicles.*found last"):
        Run.open(folder, "best")


def test_weights_of_another_network_and_newer_formats_are_refused(toy_run: Run, tmp_path: Path) -> None:
    folder = copy(toy_run, tmp_path / "a")
    tensors = load_file(folder / "last.safetensors")
    removed = tensors.pop("neck.weight")
    facts = {"epoch": 2}
    save_tensors(folder / "last.safetensors", tensors, facts)
    with pytest.raises(ClipsenetError, match=r"1 missing: neck.weight"):
        Run.open(folder)
    tensors["neck.weight"] = removed
    save_file(tensors, folder / "last.safetensors", {"clipsenet": json.dumps({"format": 99, **facts})})
    with pytest.raises(ClipsenetError, match=r"format 99.*update clipsenet"):
        Run.open(folder)
    save_file(tensors, folder / "last.safetensors")
    with pytest.raises(ClipsenetError, match=r"not a whole checkpoint of clipsenet"):
        Run.open(folder)
    (folder / "last.safetensors").write_bytes((toy_run.folder / "last.safetensors").read_bytes()[:-10])
    with pytest.raises(ClipsenetError, match=r"not a whole"):
        Run.open(folder)


def test_a_recipe_of_a_newer_format_is_refused(toy_run: Run, tmp_path: Path) -> None:
    folder = copy(toy_run, tmp_path / "a")
    text = (folder / "recipe.yaml").read_text()
    assert text.startswith("format: 2\n")
    (folder / "recipe.yaml").write_text(text.replace("format: 2", "format: 99\nfrom_the_future: 1"))
    with pytest.raises(ClipsenetError, match=r"format 99, wanted at most 2: update clipsenet"):
        Run.open(folder)
    (folder / "recipe.yaml").write_text(text.removeprefix("format: 2\n"))
    with pytest.raises(ClipsenetError, match=r"found no format number"):
        Run.open(folder)


def test_a_run_of_format_1_is_still_read(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    now = train(tiny_recipe("model.dim=16", "schedule.epochs=1"), toy_benchmark, tmp_path / "now", device="cpu")
    folder = copy(now, tmp_path / "then")
    text = (folder / "recipe.yaml").read_text()
    before, _, rest = text.partition("model:\n")
    after = rest[re.search(r"^\w", rest, re.MULTILINE).start() :]  # type: ignore[union-attr]
    model = "  trunk: resnet10t\n  weights: null\n  pooling: gap\n  last_stride: null\n  dim: 16\n"
    model += "  neck: true\n  embedding: after\n"
    (folder / "recipe.yaml").write_text(
        f"{before}model:\n  kind: baseline\n{model}{after}".replace("format: 2", "format: 1", 1)
    )
    theirs = {
        key.replace("appearance.", "trunk.", 1).replace("fusion.linear.", "linear.", 1): value
        for key, value in load_file(folder / "last.safetensors").items()
    }
    assert {"trunk.network.bn1.weight", "linear.weight", "neck.weight"} <= theirs.keys()
    save_file(theirs, folder / "last.safetensors", {"clipsenet": json.dumps({"format": 1, "epoch": 1})})
    found = Run.open(folder)
    assert found.id == now.id
    assert np.array_equal(embeddings(found, toy_benchmark), embeddings(now, toy_benchmark))


def test_a_used_folder_is_not_begun_again_but_one_without_anything_saved_is(tmp_path: Path, toy_benchmark: Benchmark) -> None:
    for _ in range(2):
        start_folder(tmp_path / "a", tiny_recipe(), toy_benchmark.train)
    (tmp_path / "a" / "something").touch()
    with pytest.raises(ClipsenetError, match=r"exists and is not empty; go on with --resume"):
        start_folder(tmp_path / "a", tiny_recipe(), toy_benchmark.train)


def test_a_users_own_recipe_in_the_folder_is_not_overwritten(tmp_path: Path, toy_benchmark: Benchmark) -> None:
    (tmp_path / "recipe.yaml").write_text("# mine\n")
    with pytest.raises(ClipsenetError, match=r"exists and is not empty"):
        start_folder(tmp_path, tiny_recipe(), toy_benchmark.train)
    assert (tmp_path / "recipe.yaml").read_text() == "# mine\n"


def test_a_runs_recipe_is_a_recipe(toy_run: Run) -> None:
    assert load_recipe(toy_run.folder / "recipe.yaml") == toy_run.recipe


def test_a_path_through_a_file_keeps_its_own_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ClipsenetError, match=r"cannot write .*file/run/x"):
        files.write_text(tmp_path / "file" / "run" / "x", "text")


def test_weights_can_be_read_by_whoever_may_read_the_recipe(toy_run: Run) -> None:
    modes = {(toy_run.folder / name).stat().st_mode for name in ("recipe.yaml", "last.safetensors", "history.csv")}
    assert len(modes) == 1


def test_a_full_disk_leaves_the_old_checkpoint_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.safetensors"
    save_tensors(path, {"a": torch.ones(3)}, {"epoch": 1})
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(ClipsenetError, match=r"No space left on device.*what was there before is untouched"):
        save_tensors(path, {"a": torch.zeros(3)}, {"epoch": 2})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_touch_each_others_half(tmp_path: Path) -> None:
    """As the workers of a study write one table: the second begins and ends while the first is still at it."""
    path = tmp_path / "table.md"

    def slowly(partial: Path) -> None:
        partial.write_text("the first's beginning, ")
        files.write_text(path, "the second's")
        with partial.open("a") as file:
            file.write("and its end")

    files.write_whole(path, slowly)
    assert path.read_text() == "the first's beginning, and its end"
    assert list(tmp_path.iterdir()) == [path]


def test_safetensors_own_way_to_say_full_is_understood(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="only Unix limits a file's size")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # the device /dev/full would be replaced by a file
    try:
        with pytest.raises(ClipsenetError, match=r"cannot write .*Free some space"):
            files.write_whole(tmp_path / "x", lambda path: save_file({"a": torch.zeros(1000)}, path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "x").exists()
