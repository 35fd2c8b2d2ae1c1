import csv
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from clipsenet.errors import ClipsenetError, Interrupted, UsageError
from clipsenet.features import extract, no_places
from clipsenet.history import read_history
from clipsenet.loading import SightingImages
from clipsenet.losses import Losses
from clipsenet.models import make_model
from clipsenet.objective import Objective
from clipsenet.optimisers import make_optimiser
from clipsenet.protocol import Benchmark
from clipsenet.recipe import Recipe
from clipsenet.reporting import Reporter
from clipsenet.runs import Run
from clipsenet.sampling import IdentitySampler
from clipsenet.training import train
from clipsenet.transforms import make_train_transform
from conftest import tiny_recipe


class Noting(Reporter):
    """Keeps every loss; calls something at one step."""

    def __init__(self, at: tuple[int, int] | None = None, call: object = None) -> None:
        self.losses: list[dict[str, float]] = []
        self.at, self.call = at, call

    def step(self, epoch: int, step: int, steps: int, rate: float, pictures: int, parts: dict[str, float]) -> None:
        self.losses.append(parts)
        if (epoch, step) == self.at:
            self.call()  # type: ignore[operator]


def losses_of(recipe: Recipe, benchmark: Benchmark, folder: Path, **options: object) -> list[dict[str, float]]:
    noting = Noting()
    train(recipe, benchmark, folder, device="cpu", reporter=noting, **options)  # type: ignore[arg-type]
    return noting.losses


def one_batch(recipe: Recipe, benchmark: Benchmark) -> tuple[Objective, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    model = make_model(recipe.model, recipe.images.size)
    vehicle = benchmark.train.vehicle.numbers
    objective = Objective(model, Losses(recipe.losses, model.dim, int(vehicle.max()) + 1))
    images = SightingImages(benchmark.train, make_train_transform(recipe.images, model.mean, model.std))
    draws = IdentitySampler(vehicle, recipe.sampler, 0).batches(0)[0]
    batch = torch.stack([images[draw][0] for draw in draws])
    return objective, batch, torch.from_numpy(vehicle[[draw.row for draw in draws]])


def test_one_batch_is_learned_by_heart(toy_benchmark: Benchmark) -> None:
    recipe = tiny_recipe("optimiser.rate=3e-3", "losses.metric.temperature=0.1", "losses.identity.smoothing=0")
    objective, images, vehicles = one_batch(recipe, toy_benchmark)
    optimiser = make_optimiser(recipe.optimiser, objective)
    objective.train()
    for _ in range(40):
        parts = objective(images, no_places(len(images), images.device), vehicles)
        sum(parts.values()).backward()
        optimiser.step()
        optimiser.zero_grad()
    assert float(parts["identity"].detach()) < 0.05
    # four vehicles x four pictures: the floor of SupCon is ln 3
    assert float(parts["metric"].detach()) == pytest.approx(np.log(3), abs=0.05)


@pytest.mark.parametrize(
    "change", [(), ("model.dim=16", "model.pooling=gem", "images.size=[64, 64]"), ("model.trunk=resnet18_ibn_a",)]
)
def test_a_gradient_reaches_every_trainable_tensor(toy_benchmark: Benchmark, change: tuple[str, ...]) -> None:
    objective, images, vehicles = one_batch(tiny_recipe(*change), toy_benchmark)
    optimiser = make_optimiser(tiny_recipe().optimiser, objective)
    for _ in range(2):  # timm starts each block's last norm at 0: the first update opens the way to what lies before it
        optimiser.zero_grad()
        sum(objective(images, no_places(len(images), images.device), vehicles).values()).backward()
        optimiser.step()
    for name, parameter in objective.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


def test_the_same_seed_repeats_whatever_the_workers_and_another_differs(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    first = losses_of(tiny_recipe(), toy_benchmark, tmp_path / "a")
    assert losses_of(tiny_recipe("training.workers=2"), toy_benchmark, tmp_path / "b") == first
    assert losses_of(tiny_recipe("seed=1"), toy_benchmark, tmp_path / "c") != first


def test_history_has_a_row_an_epoch_and_tensorboard_beside(toy_run: Run) -> None:
    rows = read_history(toy_run.folder)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[0]["rate"] == pytest.approx(1e-3)
    assert rows[1]["rate"] == pytest.approx(5e-4)
    assert rows[0]["loss"] == pytest.approx(rows[0]["loss.identity"] + rows[0]["loss.metric"], rel=1e-4)
    assert 0 < rows[-1]["validation.mAP"] <= 1
    assert "validation.mAP" not in rows[0], "validate_every is 3: only the last epoch is validated"
    assert list((toy_run.folder / "tensorboard").iterdir())


def test_best_is_chosen_on_validation_vehicles_and_the_test_curve_chooses_nothing(
    toy_benchmark: Benchmark, tmp_path: Path
) -> None:
    recipe = tiny_recipe("training.validate_every=1", "training.test_curve=true", "schedule.epochs=4", "optimiser.rate=0.01")
    train(recipe, toy_benchmark, tmp_path / "a", device="cpu")
    rows = read_history(tmp_path / "a")
    best = max(rows, key=lambda row: row["validation.mAP"])
    assert Run.open(tmp_path / "a", "best").epoch == best["epoch"]
    assert Run.open(tmp_path / "a", "last").epoch == 4
    assert all("test.mAP" in row for row in rows)


def test_without_validation_vehicles_there_is_no_best(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    none = replace(toy_benchmark, validation=toy_benchmark.validation[np.arange(0)])
    train(tiny_recipe(), none, tmp_path / "a", device="cpu")
    assert not (tmp_path / "a" / "best.safetensors").exists()


@pytest.mark.parametrize("at", [(1, 2), (2, 1), (1, 3)])
def test_ctrl_c_saves_and_resuming_goes_on_as_if_nothing_was(
    toy_benchmark: Benchmark, tmp_path: Path, at: tuple[int, int]
) -> None:
    unbroken = losses_of(tiny_recipe(), toy_benchmark, tmp_path / "a")
    noting = Noting(at, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(Interrupted, match=rf"stopped in epoch {at[0]} after step {at[1]} of 3.*--resume"):
        train(tiny_recipe(), toy_benchmark, tmp_path / "b", device="cpu", reporter=noting)
    rest = losses_of(tiny_recipe(), toy_benchmark, tmp_path / "b", resume=True)
    assert noting.losses + rest == unbroken
    assert Run.open(tmp_path / "b").id == Run.open(tmp_path / "a").id
    assert not (tmp_path / "b" / "resume.safetensors").exists()
    assert [row["epoch"] for row in read_history(tmp_path / "b")] == [1, 2]


def test_a_killed_epoch_is_repeated_from_its_start(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    unbroken = losses_of(tiny_recipe(), toy_benchmark, tmp_path / "a")

    def die() -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        train(tiny_recipe(), toy_benchmark, tmp_path / "b", device="cpu", reporter=Noting((2, 2), die))
    assert losses_of(tiny_recipe(), toy_benchmark, tmp_path / "b", resume=True) == unbroken[3:]


def test_a_death_between_the_first_saves_can_be_begun_again(
    toy_benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise ClipsenetError("disk full")

    monkeypatch.setattr("clipsenet.training.save_progress", full)
    with pytest.raises(ClipsenetError, match="disk full"):
        train(tiny_recipe(), toy_benchmark, tmp_path / "a", device="cpu")
    monkeypatch.undo()
    assert (tmp_path / "a" / "last.safetensors").exists()
    with pytest.raises(ClipsenetError, match="no epoch was finished; start again without --resume"):
        train(tiny_recipe(), toy_benchmark, tmp_path / "a", device="cpu", resume=True)
    train(tiny_recipe(), toy_benchmark, tmp_path / "a", device="cpu")


def test_resuming_needs_a_state_and_the_same_pictures(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(ClipsenetError, match="is not a run folder"):
        train(tiny_recipe(), toy_benchmark, tmp_path, device="cpu", resume=True)
    noting = Noting((1, 1), lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted):
        train(tiny_recipe(), toy_benchmark, tmp_path / "a", device="cpu", reporter=noting)
    fewer = replace(toy_benchmark, train=toy_benchmark.train[np.arange(len(toy_benchmark.train) - 1)])
    with pytest.raises(ClipsenetError, match="was trained on other pictures"):
        train(tiny_recipe(), fewer, tmp_path / "a", device="cpu", resume=True)


def test_a_loss_that_is_not_finite_stops_with_step_files_and_advice(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    recipe = tiny_recipe("optimiser.kind=sgd", "optimiser.rate=1e30", "training.precision=bf16-mixed")
    wanted = r"not finite in epoch 1, step \d.*16 files.*in another --run.*optimiser\.rate.*32-true"
    with pytest.raises(ClipsenetError, match=wanted) as error:
        train(recipe, toy_benchmark, tmp_path / "a", device="cpu")
    listed = (tmp_path / "a" / "not-finite.txt").read_text().splitlines()
    assert len(listed) == 16
    assert "pictures.csv, line" in listed[0]
    assert "identity" in str(error.value)


def test_best_without_validation_vehicles_is_refused_before_the_first_step(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    none = replace(toy_benchmark, validation=toy_benchmark.validation[np.arange(0)])
    with pytest.raises(ClipsenetError, match=r"evaluation\.checkpoint=best needs validation vehicles"):
        train(tiny_recipe("evaluation.checkpoint=best"), none, tmp_path / "a", device="cpu")
    assert not (tmp_path / "a").exists()


def test_validation_vehicles_without_a_match_are_refused_before_the_first_step(
    toy_benchmark: Benchmark, tmp_path: Path
) -> None:
    first_camera = toy_benchmark.validation.camera.numbers == 0
    one = replace(toy_benchmark, validation=toy_benchmark.validation[first_camera])
    with pytest.raises(ClipsenetError, match=r"seen by one camera only"):
        train(tiny_recipe(), one, tmp_path / "a", device="cpu")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("device", "precision", "message"),
    [
        ("tpu9", "32-true", "--device tpu9: .*choose from auto, cpu"),
        ("cuda:77", "32-true", "--device cuda:77"),
        ("cpu", "16-mixed", "16-mixed needs a GPU"),
    ],
)
def test_devices_and_precisions_that_are_not_here_are_refused(
    toy_benchmark: Benchmark, tmp_path: Path, device: str, precision: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        train(tiny_recipe(f"training.precision={precision}"), toy_benchmark, tmp_path / "a", device=device)


def test_a_gradient_that_is_not_finite_never_reaches_the_weights(
    toy_benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []

    def poisoned(fabric: Fabric, loss: torch.Tensor) -> None:
        loss.backward()
        steps.append(1)
        if len(steps) == 6:  # the last step of the last epoch: no later loss would tell
            model.neck.weight.grad[0] = float("nan")

    model = make_model(tiny_recipe().model, (32, 32))
    monkeypatch.setattr("clipsenet.assembling.make_model", lambda *_: model)
    monkeypatch.setattr(Fabric, "backward", poisoned)
    wanted = r"epoch 2, step 3: the gradient of model\.neck\.weight, .*what was saved before is untouched"
    with pytest.raises(ClipsenetError, match=wanted):
        train(tiny_recipe(), toy_benchmark, tmp_path / "a", device="cpu")
    assert all(torch.isfinite(p).all() for p in model.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["true", "false"])
def test_validation_changes_no_weight_in_either_memory_layout(toy_benchmark: Benchmark, tmp_path: Path, layout: str) -> None:
    # drop path: a network that draws, so that a validation that touches the generator is seen, too
    changes = (f"training.channels_last={layout}", "model.trunk=nextvit_small", "sampler.pictures=2")
    ids = {
        train(tiny_recipe(*changes, f"training.validate_every={every}"), toy_benchmark, tmp_path / str(every), device="cpu").id
        for every in (1, 100)
    }
    assert len(ids) == 1


@pytest.mark.slow
def test_a_network_that_draws_is_resumed_exactly(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    recipe = tiny_recipe("model.trunk=nextvit_small", "sampler.pictures=2")
    unbroken = losses_of(recipe, toy_benchmark, tmp_path / "a")
    noting = Noting((1, 2), lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(Interrupted):
        train(recipe, toy_benchmark, tmp_path / "b", device="cpu", reporter=noting)
    assert noting.losses + losses_of(recipe, toy_benchmark, tmp_path / "b", resume=True) == unbroken


def test_resuming_refuses_another_recipe_and_allows_what_decides_nothing(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    noting = Noting((1, 2), lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(Interrupted):
        train(tiny_recipe(), toy_benchmark, tmp_path / "a", device="cpu", reporter=noting)
    other = tiny_recipe("optimiser.rate=0.5", "losses.metric.temperature=1")
    with pytest.raises(UsageError, match=r"these settings differ: losses\.metric\.temperature, optimiser\.rate"):
        train(other, toy_benchmark, tmp_path / "a", device="cpu", resume=True)
    allowed = tiny_recipe("training.workers=1", "name=other", "evaluation.checkpoint=best")
    run = train(allowed, toy_benchmark, tmp_path / "a", device="cpu", resume=True)
    assert (run.recipe.name, run.checkpoint) == ("other", "best"), "what may change, changes"


def test_a_start_that_failed_leaves_the_folder_free(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(ClipsenetError, match=r"14 training vehicles, wanted at least sampler\.vehicles=400"):
        train(tiny_recipe("sampler.vehicles=400"), toy_benchmark, tmp_path / "a", device="cpu")
    train(tiny_recipe(), toy_benchmark, tmp_path / "a", device="cpu")


def test_the_model_in_memory_and_the_one_on_disk_embed_alike(
    toy_benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(tiny_recipe().model, (32, 32))
    monkeypatch.setattr("clipsenet.assembling.make_model", lambda *_: model)
    run = train(tiny_recipe(), toy_benchmark, tmp_path / "a", device="cpu")
    few = toy_benchmark.test[np.arange(6)]
    made = [extract(one, few, run.test_transform, "x", dim=run.dim).embeddings for one in (model, run.model)]
    assert np.array_equal(*made)


def test_no_training_pictures_is_said(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    none = replace(toy_benchmark, train=toy_benchmark.train[np.arange(0)])
    with pytest.raises(ClipsenetError, match="has no training pictures"):
        train(tiny_recipe(), none, tmp_path / "a", device="cpu")


@pytest.mark.parametrize(
    "change",
    [
        "optimiser.rate=2e-3",
        "optimiser.kind=sgd",
        "optimiser.kind=adam",
        "optimiser.weight_decay=1.0",
        "optimiser.decay_all=false",
        "schedule.warmup_epochs=1",
        "schedule.kind=multistep",
        "schedule={kind: multistep, epochs: 2, warmup_epochs: 0, milestones: [1]}",
        "schedule={kind: multistep, epochs: 2, warmup_epochs: 0, milestones: [1], gamma: 0.5}",
        "optimiser={kind: sgd, momentum: 0.5}",
        "losses.identity.smoothing=0",
        "losses.identity.weight=2",
        "losses.metric.temperature=0.5",
        "losses.metric.on=after",
        "losses.identity.on=before",
        "losses.metric={kind: triplet, margin: 0.5}",
        "losses.metric={kind: metric-learning, name: CircleLoss}",
        "sampler.pictures=3",
        "sampler.vehicles=5",
        "sampler.epoch=one-group",
        "training.precision=bf16-mixed",
        "seed=5",
    ],
)
def test_every_training_setting_changes_the_weights(
    toy_run: Run, toy_benchmark: Benchmark, tmp_path: Path, change: str
) -> None:
    # some need another one beside them to be seen: a strong decay, more than one group a vehicle, the same kind
    beside = {
        "optimiser.decay_all=false": "optimiser.weight_decay=1.0",
        "sampler.epoch=one-group": "sampler.pictures=2",
        "optimiser={kind: sgd, momentum: 0.5}": "optimiser={kind: sgd}",
        "schedule={kind: multistep, epochs: 2, warmup_epochs: 0, milestones: [1], gamma: 0.5}": (
            "schedule={kind: multistep, epochs: 2, warmup_epochs: 0, milestones: [1]}"
        ),
    }
    former = [beside[change]] if change in beside else []
    changed = train(tiny_recipe(*former, change), toy_benchmark, tmp_path / "a", device="cpu")
    if former:
        toy_run = train(tiny_recipe(*former), toy_benchmark, tmp_path / "b", device="cpu")
    assert changed.id != toy_run.id


def test_history_can_be_read_by_any_csv_reader(toy_run: Run) -> None:
    with (toy_run.folder / "history.csv").open(newline="") as file:
        header, *rows = list(csv.reader(file))
    assert header[:3] == ["epoch", "step", "rate"]
    assert all(len(row) == len(header) for row in rows)
