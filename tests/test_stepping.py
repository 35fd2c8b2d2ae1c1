"""The gradients of a step: piece by piece, checkpointed, clipped, averaged, frozen."""

import os
import signal
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from timm.layers import drop_path
from torch import nn

from clipsenet import stepping
from clipsenet.assembling import assemble, freeze_for
from clipsenet.averaging import MovingAverage
from clipsenet.devices import make_fabric
from clipsenet.errors import Interrupted, UsageError
from clipsenet.models import Model, make_model, resolved
from clipsenet.models.reached import unreached
from clipsenet.objective import Objective
from clipsenet.preparing import prepare_trunks
from clipsenet.protocol import Benchmark
from clipsenet.recipe import Recipe
from clipsenet.runs import Run
from clipsenet.sightings import Sightings
from clipsenet.stepping import Stepper
from clipsenet.training import train
from clipsenet.weights import read_state
from conftest import tiny_recipe
from test_training import Noting, losses_of

SMALL = (
    "model={kind: clip-senet, appearance: {trunk: resnet10t, last_stride: null}, semantics: {tower: test_vit, projection: 16}, "
    "afem: {groups: 4}, dim: 24, places: {labels: camera}}",
)
"""Both branches, AFEM, camera rows: every part whose statistics are the batch's."""

FROZEN = "training.branch_norms=frozen"


def whole_recipe(*assignments: str) -> Recipe:
    return tiny_recipe(*SMALL, *assignments)


def gradients(
    recipe: Recipe, *, micro_batch: int | None = None, checkpointing: bool = False
) -> tuple[dict[str, float], dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Loss parts, gradients and buffers after one batch of 12 random pictures of 4 vehicles."""
    train_part = Sightings.of(["a", "b"], camera=["1", "2"])
    recipe = recipe.model_copy(update={"model": resolved(recipe.model, train_part)})
    torch.manual_seed(0)
    objective, optimiser = assemble(recipe, 4)
    fabric = make_fabric("cpu", recipe.training.precision)
    settings = recipe.training.model_copy(update={"checkpointing": checkpointing})
    prepare_trunks(objective, settings, fabric, recipe.images.size)
    wrapped, _ = fabric.setup(objective, optimiser)
    objective.train()
    for module in objective.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 0.5  # so that running statistics show what they have seen
    stepper = Stepper(fabric, objective, wrapped, micro_batch=micro_batch, checkpointing=checkpointing)
    images = torch.randn(12, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    parts = stepper.gradients(images, torch.arange(12) % 2, torch.arange(12) // 3, (5, 0, 0), lambda values: None)
    slopes = {name: p.grad.clone() for name, p in objective.named_parameters() if p.grad is not None}
    return parts, slopes, {name: buffer.clone() for name, buffer in objective.named_buffers()}


def same_gradients(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    """But for rounding: a bias before BatchNorm has the gradient 0, of which only that is left."""
    largest = max(float(slope.abs().max()) for slope in wanted.values())
    for name, slope in wanted.items():
        torch.testing.assert_close(found[name], slope, rtol=1e-3, atol=1e-6 * largest, msg=name)


@pytest.mark.parametrize("size", [2, 5, 12])
def test_pieces_give_the_gradients_of_the_whole_batch(size: int) -> None:
    parts, wanted, buffers = gradients(whole_recipe(FROZEN))
    found_parts, found, found_buffers = gradients(whole_recipe(FROZEN), micro_batch=size)
    assert found_parts == pytest.approx(parts, rel=1e-5)
    assert found.keys() == wanted.keys()
    assert any(name.startswith("model.appearance") for name in found)
    assert any(name.startswith("model.semantics") for name in found)
    same_gradients(found, wanted)
    for name, buffer in buffers.items():  # the head's statistics are the whole batch's; the trunks' stay
        torch.testing.assert_close(found_buffers[name], buffer, rtol=1e-4, atol=1e-6, msg=name)


def test_without_frozen_norms_a_trunk_sees_its_pieces_statistics() -> None:
    """What pieces cannot do: BatchNorm in the trunks is by the piece, so that losses differ; documented, and seen here."""
    parts, _, _ = gradients(whole_recipe())
    pieces, _, _ = gradients(whole_recipe(), micro_batch=4)
    assert pieces["metric"] != pytest.approx(parts["metric"], rel=1e-4)


def test_running_statistics_take_each_piece_in_once() -> None:
    _, _, found = gradients(whole_recipe(), micro_batch=4)
    name = "model.appearance.network.bn1" if "model.appearance.network.bn1.running_mean" in found else None
    counters = {key: int(value) for key, value in found.items() if key.endswith("num_batches_tracked")}
    trunk = {value for key, value in counters.items() if key.startswith("model.appearance")}
    head = {value for key, value in counters.items() if not key.startswith(("model.appearance", "model.semantics"))}
    assert name is not None
    assert trunk == {3}, "three pieces, the second pass not counted"
    assert head == {1}, "one whole batch"


def test_a_piece_draws_the_same_in_both_passes() -> None:
    """Drop path: if the second pass drew anew, its gradients would belong to other features than the losses saw."""
    recipe = whole_recipe(FROZEN)
    train_part = Sightings.of(["a", "b"], camera=["1", "2"])
    recipe = recipe.model_copy(update={"model": resolved(recipe.model, train_part)})
    torch.manual_seed(0)
    objective, optimiser = assemble(recipe, 4)
    dropout = nn.Dropout(0.5)
    seen: list[torch.Tensor] = []
    objective.model.appearance.pool.register_forward_hook(
        lambda module, inputs, output: seen.append(dropout(output)) or seen[-1]
    )
    fabric = make_fabric("cpu", "32-true")
    wrapped, _ = fabric.setup(objective, optimiser)
    objective.train()
    stepper = Stepper(fabric, objective, wrapped, micro_batch=4)
    stepper.gradients(torch.randn(8, 3, 32, 32), torch.zeros(8).long(), torch.arange(8) // 2, (1, 2, 3), lambda values: None)
    first, second = seen[:2], seen[2:]
    assert len(first) == len(second) == 2
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other)
    assert not torch.equal(first[0] == 0, first[1] == 0), "each piece draws its own"


def test_checkpointing_changes_nothing_but_memory() -> None:
    parts, wanted, buffers = gradients(whole_recipe())
    found_parts, found, found_buffers = gradients(whole_recipe(), checkpointing=True)
    assert found_parts == pytest.approx(parts, rel=1e-5)
    same_gradients(found, wanted)
    for name, buffer in buffers.items():  # computed twice, counted once
        torch.testing.assert_close(found_buffers[name], buffer, msg=name)


def test_synchronised_norms_are_refused_on_a_cpu() -> None:
    recipe = tiny_recipe("training.branch_norms=synchronised")
    objective, _ = assemble(recipe, 4)
    with pytest.raises(UsageError, match="SyncBatchNorm takes GPU tensors only; set batch or frozen"):
        prepare_trunks(objective, recipe.training, make_fabric("cpu", "32-true"), recipe.images.size)


@pytest.mark.parametrize("trunk", ["tf_efficientnet_lite0", "regnety_002", "resnet18_ibn_a"])
def test_synchronised_norms_keep_the_activations_that_timm_keeps_in_its_norms(
    monkeypatch: pytest.MonkeyPatch, trunk: str
) -> None:
    recipe = tiny_recipe("training.branch_norms=synchronised", f"model.trunk={trunk}")
    torch.manual_seed(0)
    objective, optimiser = assemble(recipe, 4)
    images, names = torch.randn(2, 3, 32, 32), list(objective.state_dict())
    wanted = objective.model.eval().branches(images)["T_a"]
    monkeypatch.setattr(Fabric, "device", property(lambda self: torch.device("cuda")))
    prepare_trunks(objective, recipe.training, make_fabric("cpu", "32-true"), recipe.images.size)
    norms = [one for one in objective.model.appearance.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    assert norms
    assert all(isinstance(one, nn.SyncBatchNorm) for one in norms)
    torch.testing.assert_close(objective.model.branches(images)["T_a"], wanted)
    assert list(objective.state_dict()) == names
    taken = {parameter for group in optimiser.param_groups for parameter in group["params"]}
    assert set(objective.parameters()) <= taken | {objective.model.neck.bias}, "the same tensors learn"


@pytest.mark.parametrize(
    ("trunk", "pooling", "left_out"),
    [
        ("test_convnext", "gap", {"head.norm.weight", "head.norm.bias"}),
        ("test_convnext", "own", set()),
        ("mobilenetv3_small_050", "gap", {"conv_head.weight", "conv_head.bias"}),
        ("test_vit", "gap", set()),
        ("resnet10t", "gem", set()),
    ],
)
def test_the_weights_that_no_gradient_reaches_are_found_and_nothing_is_changed(
    trunk: str, pooling: str, left_out: set[str]
) -> None:
    torch.manual_seed(0)
    recipe = tiny_recipe(f"model.trunk={trunk}", f"model.pooling={pooling}", "images.size=[64, 64]")
    branch = make_model(recipe.model, (64, 64)).branch("appearance").train()
    branch.network.get_submodule(next(name for name, _ in branch.network.named_children())).eval()
    modes = [module.training for module in branch.modules()]
    buffers = {name: buffer.clone() for name, buffer in branch.named_buffers()}
    drawn = torch.get_rng_state()
    found = unreached(branch, (64, 64))
    names = {parameter: name.removeprefix("network.") for name, parameter in branch.named_parameters()}
    assert {names[parameter] for parameter in found} == left_out
    assert [module.training for module in branch.modules()] == modes
    assert all(torch.equal(buffer, buffers[name]) for name, buffer in branch.named_buffers())
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(parameter.grad is None for parameter in branch.parameters())
    branch(torch.randn(4, 3, 64, 64)).sum().backward()  # what a step finds
    assert {names[one] for one in branch.parameters() if one.grad is None} == left_out
    assert unreached(branch.requires_grad_(False), (64, 64)) == []


def test_the_mean_over_the_devices_is_taken_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gathered, a gradient would be there once for each of them."""
    asked: list[str] = []

    def all_reduce(self: Fabric, tensor: torch.Tensor, reduce_op: str) -> torch.Tensor:
        asked.append(reduce_op)
        return tensor.mul_(0.5)

    layer = nn.Linear(2, 2)
    layer.weight.grad = torch.ones(2, 2)
    kept = layer.weight.grad
    monkeypatch.setattr(Fabric, "all_reduce", all_reduce)
    stepping._average(make_fabric("cpu", "32-true"), layer)
    assert asked == ["mean"]
    assert layer.weight.grad is kept
    assert torch.equal(kept, torch.full((2, 2), 0.5))
    assert layer.bias.grad is None


def test_clipping_bounds_the_step_and_a_high_bound_changes_nothing(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    sgd = ("optimiser.kind=sgd", "optimiser.momentum=0", "optimiser.weight_decay=0", "schedule.epochs=1")
    plain = losses_of(tiny_recipe(*sgd), toy_benchmark, tmp_path / "a")
    assert losses_of(tiny_recipe(*sgd, "optimiser.clip=1e6"), toy_benchmark, tmp_path / "b") == plain
    clipped = losses_of(tiny_recipe(*sgd, "optimiser.clip=1e-6"), toy_benchmark, tmp_path / "c")
    assert clipped[0] == plain[0]
    assert clipped[1:] != plain[1:]
    # steps of length rate * 1e-6 leave the weights where they began
    weights = read_state(tmp_path / "c" / "last.safetensors")
    begun = begin_of(tiny_recipe(*sgd))
    for name, tensor in weights.items():
        if name.endswith("weight"):
            torch.testing.assert_close(tensor, begun[name], rtol=0, atol=1e-7)


def begin_of(recipe: Recipe) -> dict[str, torch.Tensor]:
    torch.manual_seed(recipe.seed)
    objective, _ = assemble(recipe, 24)
    return dict(objective.model.state_dict())


def test_a_branch_learns_nothing_in_its_frozen_epochs(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    recipe = whole_recipe(
        "optimiser.branches.semantics.frozen_epochs=1", "schedule.epochs=2", "training.keep_epochs=[1]", "seed=3"
    )
    train(recipe, toy_benchmark, tmp_path / "a", device="cpu")
    resolved_recipe = recipe.model_copy(update={"model": resolved(recipe.model, toy_benchmark.train)})
    begun, first, second = (
        begin_of(resolved_recipe),
        dict(Run.open(tmp_path / "a", "epoch-1").model.state_dict()),
        dict(Run.open(tmp_path / "a", "last").model.state_dict()),
    )
    semantics = [name for name in begun if name.startswith("semantics.")]
    appearance = [name for name in begun if name.startswith("appearance.") and name.endswith("weight")]
    assert all(torch.equal(first[name], begun[name]) for name in semantics)
    assert any(not torch.equal(first[name], begun[name]) for name in appearance)
    assert any(not torch.equal(second[name], begun[name]) for name in semantics)
    assert Run.open(tmp_path / "a", "epoch-1").epoch == 1


def test_frozen_norms_keep_their_statistics_and_still_learn() -> None:
    recipe = tiny_recipe(FROZEN)
    model = assemble(recipe, 4)[0].model.train()
    norms = [one for one in model.appearance.modules() if isinstance(one, nn.BatchNorm2d)]
    assert norms
    assert not any(one.training for one in norms)
    assert all(one.weight.requires_grad for one in norms)
    assert model.neck.training, "the BNNeck is no part of a trunk"


def test_the_moving_average_is_the_one_of_its_formula() -> None:
    model = make_model(tiny_recipe().model, (32, 32))
    average = MovingAverage(model, 0.5)
    name, parameter = next(iter(model.named_parameters()))
    expected = parameter.detach().double().clone()
    for step in range(1, 5):
        with torch.no_grad():
            parameter.add_(float(step))
        average.update(model)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * parameter.detach().double()
    found = dict(average.module.named_parameters())[name]
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    assert not any(one.requires_grad for one in average.module.parameters())
    counters = {key: value for key, value in average.module.named_buffers() if key.endswith("num_batches_tracked")}
    assert all(int(value) == int(dict(model.named_buffers())[key]) for key, value in counters.items())


def test_what_is_saved_is_the_moving_average_of_the_weights_after_each_step(
    toy_benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after: list[dict[str, torch.Tensor]] = []
    models: list[Model] = []

    def keep() -> None:
        after.append({name: tensor.detach().clone() for name, tensor in models[-1].state_dict().items()})

    def assemble_kept(recipe: Recipe, vehicles: int) -> tuple[Objective, torch.optim.Optimizer]:
        made = assemble(recipe, vehicles)
        models.append(made[0].model)
        keep()
        return made

    class Keeping(Noting):
        def step(self, *words: object) -> None:
            super().step(*words)  # type: ignore[arg-type]
            keep()

    losses = losses_of(tiny_recipe(), toy_benchmark, tmp_path / "a")
    monkeypatch.setattr("clipsenet.training.assemble", assemble_kept)
    keeping = Keeping()
    train(tiny_recipe("training.ema=0.3"), toy_benchmark, tmp_path / "b", device="cpu", reporter=keeping)
    assert keeping.losses == losses, "training itself is the same"
    begun, *steps = after
    assert len(steps) == 6
    saved = read_state(tmp_path / "b" / "last.safetensors")
    for name, first in begun.items():
        if first.is_floating_point():
            average = first.double()
            for number, one in enumerate(steps, 1):
                decay = min(0.3, (1 + number) / (10 + number))
                average = decay * average + (1 - decay) * one[name].double()
            torch.testing.assert_close(saved[name].double(), average, rtol=1e-5, atol=1e-6, msg=name)
        else:
            assert torch.equal(saved[name], steps[-1][name])


def test_an_epoch_that_there_is_not_cannot_be_kept_or_evaluated(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="keep_epochs=5, but the schedule has 2"):
        train(tiny_recipe("training.keep_epochs=[5]"), toy_benchmark, tmp_path / "a", device="cpu")
    with pytest.raises(UsageError, match="checkpoint=epoch-1 is not kept"):
        train(tiny_recipe("evaluation.checkpoint=epoch-1"), toy_benchmark, tmp_path / "a", device="cpu")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("step", [1, 2])
def test_micro_batches_resume_like_any_other(
    toy_benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """With the trunk's statistics by the piece, and with drop path: what each piece draws depends on nothing before it."""

    def with_drop_path(*words: object) -> Model:
        model = make_model(*words)  # type: ignore[arg-type]
        drops = lambda module, inputs, output: drop_path(output, 0.5, module.training)  # noqa: E731 - a hook
        model.appearance.network.layer4.register_forward_hook(drops)
        return model

    monkeypatch.setattr("clipsenet.assembling.make_model", with_drop_path)
    recipe = tiny_recipe("training.micro_batch=6")
    unbroken = losses_of(recipe, toy_benchmark, tmp_path / "a")
    noting = Noting((2, step), lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(Interrupted):
        train(recipe, toy_benchmark, tmp_path / "b", device="cpu", reporter=noting)
    torch.manual_seed(9)  # as whatever came between
    assert noting.losses + losses_of(recipe, toy_benchmark, tmp_path / "b", resume=True) == unbroken
    assert Run.open(tmp_path / "b").id == Run.open(tmp_path / "a").id


def test_micro_batches_train_like_any_other(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    whole = losses_of(tiny_recipe(FROZEN), toy_benchmark, tmp_path / "a")
    pieces = losses_of(tiny_recipe(FROZEN, "training.micro_batch=6"), toy_benchmark, tmp_path / "b")
    for one, other in zip(pieces, whole, strict=True):
        assert one == pytest.approx(other, rel=2e-3)


def test_freezing_is_undone_when_its_epochs_are_over() -> None:
    recipe = whole_recipe("optimiser.branches.semantics.frozen_epochs=2", "model.places=null")
    model = assemble(recipe, 4)[0].model
    images = torch.randn(2, 3, 32, 32)
    for epoch, learns in ((0, False), (1, False), (2, True)):
        freeze_for(model, recipe, epoch)
        model.train()
        assert model.branches(images)["T_s"].requires_grad is learns
        assert model.semantics.training is learns


def test_determinism_is_asked_for_while_it_trains_and_not_after(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    seen = []
    asked = lambda: seen.append(torch.are_deterministic_algorithms_enabled())  # noqa: E731 - what the step calls
    for name, wanted in (("a", "false"), ("b", "true")):
        recipe = tiny_recipe(f"training.deterministic={wanted}", "schedule.epochs=1")
        train(recipe, toy_benchmark, tmp_path / name, device="cpu", reporter=Noting((1, 1), asked))
    assert seen == [False, True]
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # of torch.compile's own tracing
def test_compiled_trunks_give_the_same_losses(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    import shutil

    if shutil.which("c++") is None and shutil.which("g++") is None:
        pytest.skip("torch.compile needs a C++ compiler on a CPU")
    one_epoch = "schedule.epochs=1"
    plain = losses_of(tiny_recipe(one_epoch), toy_benchmark, tmp_path / "a")
    compiled = losses_of(tiny_recipe(one_epoch, "training.compile=true"), toy_benchmark, tmp_path / "b")
    assert compiled[0] == pytest.approx(plain[0], rel=1e-3)
    assert Run.open(tmp_path / "b").epoch == 1, "names of weights are as ever"
