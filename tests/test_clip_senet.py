import functools
import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from clipsenet.assembling import assemble
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.features import no_places
from clipsenet.losses import Losses, SupConLoss, SupConSettings
from clipsenet.models import make_model, resolved
from clipsenet.models.afem import AFEM, AfemSettings
from clipsenet.models.baseline import Baseline, BaselineSettings
from clipsenet.models.clip_senet import ClipSenet, ClipSenetSettings
from clipsenet.models.places import PlaceSettings, named_after
from clipsenet.models.spreads import spreads
from clipsenet.recipe import Recipe
from clipsenet.sightings import Sightings
from clipsenet.transforms import make_train_transform, seeded

SIZE = (32, 32)
SMALL = {"appearance": {"trunk": "resnet10t", "last_stride": 2}, "semantics": {"tower": "test_vit", "projection": 16}}
CAMERAS = {"cameras": ["1", "2"], "views": ["front", "rear"]}


def recipe(**changes: object) -> Recipe:
    """A tiny CLIP-SENet; ``changes`` are dotted, with __ for the dots."""
    values: dict = {
        "name": "tiny",
        "images": {"size": list(SIZE)},
        "model": {"kind": "clip-senet", **json.loads(json.dumps(SMALL)), "afem": {"groups": 4}, "places": dict(CAMERAS)},
        "losses": {"identity": {"kind": "cross-entropy"}, "metric": {"kind": "supcon"}},
    }
    for name, value in changes.items():
        *outer, last = name.split("__")
        place = values
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = value
    return Recipe.from_values(values, "test")


def model(**changes: object) -> ClipSenet:
    torch.manual_seed(0)
    made = recipe(**{f"model__{name}": value for name, value in changes.items()})
    return make_model(made.model, SIZE, made.images.statistics)


def pictures(n: int = 8) -> torch.Tensor:
    return torch.randn(n, 3, *SIZE, generator=torch.Generator().manual_seed(0))


PLACES = torch.tensor([0, 1, 2, 3, 0, 1, 2, -1])
VEHICLES = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])


# the equations, written out a second time


def test_the_embedding_is_equations_three_to_five_written_out() -> None:
    net = model().eval()
    with torch.no_grad():
        net.places.weight.normal_()
        vectors = net.branches(pictures())
        found = net.join(vectors, PLACES)
        fused = vectors["T_s"] @ net.fusion.linear.weight[:, :16].T + vectors["T_a"] @ net.fusion.linear.weight[:, 16:].T
        fused = fused + net.fusion.linear.bias
        enhanced = slow_afem(net.afem, vectors["T_s"])
        rows = torch.stack([net.places.weight[place] if place >= 0 else torch.zeros(net.dim) for place in PLACES])
    assert torch.allclose(found, fused + enhanced + rows, atol=1e-4)
    assert torch.allclose(net(pictures(), PLACES).norm(dim=1), torch.ones(8), atol=1e-5)


def slow_afem(afem: AFEM, vectors: torch.Tensor) -> torch.Tensor:
    """Equation 4 with a loop over the groups."""
    return slow_f(afem.original, vectors, 0) + sum(
        afem.w[group] * slow_f(afem.grouped, vectors, group) for group in range(afem.groups)
    )


def slow_f(f: nn.Module, vectors: torch.Tensor, group: int) -> torch.Tensor:
    """Linear, BatchNorm, ReLU of one group, in evaluation mode."""
    outputs = f.weight.shape[1]
    own = slice(group * outputs, (group + 1) * outputs)
    linear = vectors @ f.weight[group].T + f.bias[own]
    normed = (linear - f.norm.running_mean[own]) / (f.norm.running_var[own] + f.norm.eps).sqrt()
    return (normed * f.norm.weight[own] + f.norm.bias[own]).clamp(min=0)


def with_statistics(afem: AFEM) -> AFEM:
    """One whose BatchNorms have seen something."""
    with torch.no_grad():
        for part in afem.modules():
            if isinstance(part, nn.BatchNorm1d):
                part.running_mean.normal_(std=0.1)
                part.running_var.uniform_(0.5, 1.5)
                part.bias.normal_(std=0.1)
    return afem.eval()


@pytest.mark.parametrize("weights", ["scalar", "vector"])
def test_heads_are_parallel_and_weighted(weights: str) -> None:
    afem = with_statistics(AFEM(AfemSettings(groups=4, weights=weights), 12, 8))  # type: ignore[arg-type]
    vectors = torch.randn(5, 12)
    with torch.no_grad():
        assert torch.allclose(afem(vectors), slow_afem(afem, vectors), atol=1e-5)
    assert afem.w.shape == ((4, 1) if weights == "scalar" else (4, 8))


@pytest.mark.parametrize("weights", ["scalar", "vector"])
def test_slices_see_their_own_inputs_only(weights: str) -> None:
    afem = with_statistics(AFEM(AfemSettings(reading="slices", groups=4, weights=weights), 12, 8))  # type: ignore[arg-type]
    vectors = torch.randn(5, 12)
    with torch.no_grad():
        wanted = slow_f(afem.original, vectors, 0)
        for group in range(4):
            wanted = wanted + afem.w[group] * slow_f(afem.grouped, vectors[:, 3 * group : 3 * group + 3], group)
        assert torch.allclose(afem(vectors), wanted, atol=1e-5)


@pytest.mark.parametrize("weights", ["scalar", "vector"])
def test_chunks_cut_one_output(weights: str) -> None:
    afem = with_statistics(AFEM(AfemSettings(reading="chunks", groups=4, weights=weights), 12, 8))  # type: ignore[arg-type]
    vectors = torch.randn(5, 12)
    with torch.no_grad():
        one = slow_f(afem.original, vectors, 0)
        gains = (1 + afem.w).expand(4, 2).flatten()
        assert torch.allclose(afem(vectors), one * gains, atol=1e-5)
    assert afem.grouped is None


def test_what_g_cuts_must_be_divisible() -> None:
    with pytest.raises(UsageError, match=r"groups=5 does not divide its input of 12, as 'slices' needs"):
        AFEM(AfemSettings(reading="slices", groups=5), 12, 8)
    with pytest.raises(UsageError, match=r"groups=5 does not divide its output of 8, as 'chunks' needs"):
        AFEM(AfemSettings(reading="chunks", groups=5), 12, 8)


def test_the_weights_start_as_wide_as_they_are_asked_to() -> None:
    torch.manual_seed(0)
    wide = AFEM(AfemSettings(groups=64, weights="vector"), 4, 64).w.std().item()
    narrow = AFEM(AfemSettings(groups=64, weights="vector", weight_scale="1/sqrt(G)"), 4, 64).w.std().item()
    assert wide == pytest.approx(1.0, rel=0.1)
    assert narrow == pytest.approx(1 / 8, rel=0.1)


# parts, counted


def test_the_papers_parameters_exactly() -> None:
    with torch.device("meta"):
        net = make_model(
            ClipSenetSettings(dim=2048, places=PlaceSettings(cameras=tuple(map(str, range(20))), views=tuple("01234567"))),
            (320, 320),
        )
        classifier = Losses(recipe().losses, net.dim, 576)
    parts = {name: sum(p.numel() for p in part.parameters()) for name, part in net.named_children()}
    assert parts == {
        "appearance": 42_128_704,
        "semantics": 39_718_400,
        "fusion": 5_244_928,
        "afem": 34_805_792,
        "sum": 0,
        "places": 327_680,
        "neck": 4_096,
    }
    of_classifier = sum(p.numel() for p in classifier.parameters())
    assert of_classifier == 1_179_648
    assert sum(parts.values()) - parts["places"] + of_classifier == 123_081_568


@pytest.mark.parametrize(("groups", "millions"), [(4, 5.27), (32, 34.81), (128, 136.06)])
def test_afems_parameters_by_groups(groups: int, millions: float) -> None:
    with torch.device("meta"):
        afem = AFEM(AfemSettings(groups=groups), 512, 2048)
    found = sum(p.numel() for p in afem.parameters())
    assert found == (groups + 1) * (512 * 2048 + 2048 + 4096) + groups
    assert found / 1e6 == pytest.approx(millions, abs=0.05)


# the same parts, put together by settings


def test_without_parts_it_is_sem_tinyclip_alone_and_the_baseline() -> None:
    def children(**changes: object) -> list[str]:
        return [name for name, _ in model(places=None, **changes).named_children()]

    assert children() == ["appearance", "semantics", "fusion", "afem", "sum", "neck"]
    assert children(afem=None) == ["appearance", "semantics", "fusion", "neck"]
    assert children(afem=None, appearance=None) == ["semantics", "neck"]
    assert children(afem=None, semantics=None) == ["appearance", "neck"]
    torch.manual_seed(0)
    baseline = make_model(BaselineSettings(trunk="resnet10t", last_stride=2), SIZE)
    torch.manual_seed(0)
    cut = model(afem=None, semantics=None, places=None)
    assert isinstance(baseline, Baseline)
    assert torch.equal(baseline.eval()(pictures(), PLACES), cut.eval()(pictures(), PLACES))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"appearance": None, "semantics": None, "afem": None}, "at least one branch"),
        ({"semantics": None}, "semantics where there is an afem"),
        ({"appearance": None, "places__on": "T_a"}, "no appearance branch"),
        ({"kind": "clipsenet"}, r"'model\.kind' is 'clipsenet', wanted: 'baseline', 'clip-senet'"),
        ({"semantics__shape": {"width": 1, "patch": 1, "projection": 1, "blocks": []}}, "sizes are those of tower=auto-pruned"),
        ({"afem__reading": "parallel"}, "'heads', 'slices' or 'chunks'"),
        ({"semantics__towr": "x"}, "unknown setting 'model.semantics.towr': did you mean 'tower'"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        recipe(**{f"model__{name}": value for name, value in changes.items()})


# each setting of the paper's open points changes the output or the update


def step(made: Recipe) -> torch.Tensor:
    """What a tiny network is after two steps, seen in the embeddings of the test and before and after the BNNeck."""
    torch.manual_seed(0)
    objective, optimiser = assemble(made, 4)
    net = objective.model
    with torch.no_grad():
        if isinstance(net.neck, nn.BatchNorm1d):
            net.neck.running_mean += 0.3
    with seeded(1):
        noise = torch.randint(0, 255, (8, 3, 48, 40), dtype=torch.uint8).numpy()
        from PIL import Image

        transform = make_train_transform(made.images, net.mean, net.std)
        images = torch.stack([transform(Image.fromarray(one.transpose(1, 2, 0))) for one in noise])
    torch.manual_seed(2)
    rows = 1 if net.places is None else len(net.places.weight)
    places = torch.where(PLACES < 0, PLACES, PLACES % rows)
    for _ in range(2):
        parts = objective.train()(images, places, VEHICLES)
        sum(parts.values()).backward()
        optimiser.step()
        optimiser.zero_grad()
    with torch.no_grad():
        return torch.cat([net.eval()(images, places).flatten(), *(p.flatten() for p in objective.parameters())])


@pytest.mark.parametrize(
    "change",
    [
        {"model__semantics__tower": "vit_xsmall_patch16_clip_224.tinyclip_yfcc15m"},
        {"model__semantics__projection": None},
        {"model__semantics__size": [16, 16]},
        {"model__semantics__statistics": "own"},
        {"images__statistics": [[0.5, 0.5, 0.5], [0.2, 0.2, 0.2]]},
        {"optimiser__branches": {"semantics": {"rate": 0.1}}},
        {"optimiser__branches": {"semantics": {"frozen": True}}},
        {"optimiser__branches": {"appearance": {"frozen": True}}},
        {"model__afem__weight_scale": "1/sqrt(G)"},
        {"model__afem__weights": "vector"},
        {"model__afem__reading": "slices"},
        {"model__afem__reading": "chunks"},
        {"model__afem__groups": 8},
        {"model__afem__input": "T_u"},
        {"model__afem": None},
        {"model__appearance__last_stride": 1},
        {"model__appearance__pooling": "gem"},
        {"model__dim": 24},
        {"model__neck": False},
        {"model__embedding": "before"},
        {"losses__metric__on": "after"},
        {"losses__metric__denominator": "negatives"},
        {"losses__metric__temperature": 0.1},
        {"losses__metric__weight": 0.5},
        {"losses__identity__smoothing": 0.0},
        {"losses__metric": {"kind": "triplet"}},
        {"optimiser__decay_all": False, "optimiser__weight_decay": 0.5},
        {"optimiser__kind": "adamw"},
        {"optimiser__rate": 1e-3},
        {"optimiser__weight_decay": 0.5},
        {"images__interpolation": "bilinear"},
        {"images__jitter": [0.4, 0.4, 0.4, 0.1]},
        {"images__crop_scale": [0.5, 1.0]},
        {"images__flip": 0.0},
        {"images__pad": 0},
        {"images__erase": 0.0},
        {"model__places__labels": "camera"},
        {"model__places__labels": "view"},
        {"model__places__on": "T_a"},
        {"model__places__on": "T_u"},
        {"model__places": None},
    ],
    ids=lambda change: "-".join(f"{name}={value}" for name, value in change.items()),
)
def test_every_open_point_changes_the_output_or_the_update(change: dict) -> None:
    before, after = stepped(0.5 if "optimiser__decay_all" in change else 5e-4), step(recipe(**change))
    assert before.shape != after.shape or not torch.equal(before, after)


@functools.cache
def stepped(weight_decay: float) -> torch.Tensor:
    """The network with no setting changed; twice, so that what differs elsewhere is the setting's doing."""
    once, again = (step(recipe(optimiser__weight_decay=weight_decay)) for _ in range(2))
    assert torch.equal(once, again)
    return once


# camera and view


def labelled() -> Sightings:
    return Sightings.of(
        [f"{number}.jpg" for number in range(6)],
        vehicle=list("aabbcc"),
        camera=["c2", "c1", "c2", "", "c1", "c9"],
        view=["rear", "front", "front", "rear", "", "front"],
    )


def test_rows_are_counted_from_the_training_set_and_unknown_ones_get_none() -> None:
    train = labelled()[np.arange(5)]
    both = named_after(PlaceSettings(), train)
    assert (both.cameras, both.views, both.rows) == (("c1", "c2"), ("front", "rear"), 4)
    #  c2 rear, c1 front, c2 front, no camera, no view, a camera that training has not seen
    assert both.of(labelled()).tolist() == [3, 0, 2, -1, -1, -1]
    assert named_after(PlaceSettings(labels="camera"), train).of(labelled()).tolist() == [1, 0, 1, -1, 0, -1]
    assert named_after(PlaceSettings(labels="view"), train).of(labelled()).tolist() == [1, 0, 0, 1, -1, 0]
    # other pictures number their cameras otherwise: names decide, not numbers
    other = Sightings.of(["x.jpg"], camera=["c2"], view=["front"])
    assert both.of(other).tolist() == [2]
    assert both.of(Sightings.of(["x.jpg"])).tolist() == [-1]


def test_rows_begin_at_zero_and_a_picture_without_one_stays_as_it_is() -> None:
    net = model().eval()
    nowhere = no_places(8, torch.device("cpu"))
    with torch.no_grad():
        assert torch.equal(net(pictures(), PLACES), net(pictures(), nowhere))
        net.places.weight.fill_(1.0)
        told, untold = net(pictures(), PLACES), net(pictures(), nowhere)
    assert not torch.allclose(told[:7], untold[:7])
    assert torch.equal(told[7], untold[7])


def test_rows_learn_only_from_their_own_pictures() -> None:
    net = model()
    before, _ = net.before_and_after(pictures(), torch.tensor([0, 0, 0, 0, 2, 2, -1, -1]))
    before.square().sum().backward()
    assert net.places.weight.grad.abs().sum(dim=1).gt(0).tolist() == [True, False, True, False]


def test_a_network_without_names_for_its_rows_is_refused() -> None:
    settings = ClipSenetSettings.from_values({**SMALL, "places": {}}, "test")
    with pytest.raises(UsageError, match="which cameras and views have rows is not known"):
        make_model(settings, SIZE)
    assert make_model(resolved(settings, labelled()), SIZE).places.weight.shape == (6, 512)


# branches


def test_a_frozen_branch_stays_as_it_is_even_its_running_statistics() -> None:
    made = recipe(optimiser__branches={"appearance": {"frozen": True}})
    torch.manual_seed(0)
    objective, optimiser = assemble(made, 4)
    before = {name: value.clone() for name, value in objective.model.appearance.state_dict().items()}
    objective.train()
    sum(objective(pictures(), PLACES, VEHICLES).values()).backward()
    optimiser.step()
    assert all(torch.equal(value, before[name]) for name, value in objective.model.appearance.state_dict().items())
    assert not objective.model.appearance.training
    assert objective.model.semantics.training


def test_a_branchs_rate_is_a_multiple_of_the_schedules() -> None:
    from clipsenet.optimisers import set_rate

    objective, optimiser = assemble(recipe(optimiser__branches={"semantics": {"rate": 0.1}}), 4)
    set_rate(optimiser, 0.5)
    of_tower = {id(p) for p in objective.model.semantics.parameters()}
    rates = {group["lr"]: {id(p) in of_tower for p in group["params"]} for group in optimiser.param_groups}
    assert rates == {0.5: {False}, 0.05: {True}}


def test_a_branch_that_is_not_there_is_refused() -> None:
    made = recipe(optimiser__branches={"semantics": {"rate": 0.1}}, model__semantics=None, model__afem=None)
    with pytest.raises(UsageError, match="no branch 'semantics': found appearance"):
        assemble(made, 4)


def test_the_parts_of_the_branches_sum_to_the_embedding() -> None:
    net = model().eval()
    with torch.no_grad():
        net.places.weight.normal_()
        parts = net.parts_of(pictures(), PLACES)
        # the rest knows nothing of the pictures: the bias, and the camera's row
        rest = net.fusion.linear.bias + torch.where(PLACES[:, None] >= 0, net.places.weight[PLACES.clamp(min=0)], 0.0)
        vectors = net.branches(pictures())
        weight = net.fusion.linear.weight
        semantics = vectors["T_s"] @ weight[:, :16].T + slow_afem(net.afem, vectors["T_s"])
    assert torch.allclose(parts["rest"], rest, atol=1e-4)
    assert torch.allclose(parts["appearance"], vectors["T_a"] @ weight[:, 16:].T, atol=1e-4)
    assert torch.allclose(parts["semantics"], semantics, atol=1e-4)
    with pytest.raises(UsageError, match="enhances both branches together"):
        model(afem={"groups": 4, "input": "T_u"}).parts_of(pictures(), PLACES)
    with pytest.raises(UsageError, match="one branch only"):
        model(afem=None, semantics=None).parts_of(pictures(), PLACES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"appearance__trunk": "convnext_atto", "appearance__last_stride": 1}, r"set model\.appearance\.last_stride=null"),
        ({"appearance__weights": "none.pth"}, r"model\.appearance\.weights: found no file none\.pth; give yours with --set"),
        ({"semantics__weights": "none.pth"}, r"model\.semantics\.weights: found no file none\.pth"),
        ({"semantics__tower": "auto_pruned"}, r"unknown model\.semantics\.tower 'auto_pruned': did you mean 'auto-pruned'"),
        ({"semantics__size": [40, 32]}, r"40 x 32 pixels, which its patches of 16 x 16 do not divide"),
    ],
)
def test_messages_name_the_setting_that_is_meant(changes: dict, message: str) -> None:
    with pytest.raises(ClipsenetError, match=message):
        model(**changes)


def test_gradients_reach_every_trainable_tensor() -> None:
    objective, optimiser = assemble(recipe(), 4)
    for _ in range(2):  # the last BatchNorm of a ResNet's block begins at 0, and hides the block until it has moved
        optimiser.zero_grad()
        sum(objective.train()(pictures(), PLACES, VEHICLES).values()).backward()
        optimiser.step()
    without = [name for name, p in objective.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    # a linear bias before a BatchNorm is taken out again by it
    assert [name for name in without if not name.endswith((".original.bias", ".grouped.bias"))] == []


def test_w_and_biases_are_spared_from_decay_when_only_matrices_are_meant() -> None:
    made = recipe(optimiser__decay_all=False, model__afem__weights="vector")
    objective, optimiser = assemble(made, 4)
    spared = {id(p) for group in optimiser.param_groups if group["weight_decay"] == 0 for p in group["params"]}
    names = {name for name, p in objective.named_parameters() if id(p) in spared}
    assert {"model.afem.w", "model.afem.grouped.bias", "model.fusion.linear.bias", "model.neck.weight"} <= names
    assert "model.fusion.linear.weight" not in names


# pixels


def test_clips_own_statistics_are_those_of_pictures_normalised_its_way() -> None:
    ours, theirs = model(semantics={**SMALL["semantics"], "statistics": "own"}), model()
    mean, std = (torch.tensor(both).view(1, 3, 1, 1) for both in (ours.mean, ours.std))
    raw = pictures() * std + mean
    config = ours.semantics.network.pretrained_cfg
    own = (raw - torch.tensor(config["mean"]).view(1, 3, 1, 1)) / torch.tensor(config["std"]).view(1, 3, 1, 1)
    with torch.no_grad():
        assert torch.allclose(ours.eval().semantics(pictures()), theirs.eval().semantics(own), atol=1e-4)


def test_the_recipes_statistics_are_what_the_branch_undoes() -> None:
    made = recipe(images__statistics=[[0.5, 0.5, 0.5], [0.25, 0.25, 0.25]], model__semantics__statistics="own")
    net = make_model(made.model, SIZE, made.images.statistics)
    assert net.mean == (0.5, 0.5, 0.5)
    config = net.semantics.network.pretrained_cfg
    grey = torch.zeros(1, 3, *SIZE)  # 0.5 in every channel
    wanted = (0.5 - torch.tensor(config["mean"])) / torch.tensor(config["std"])
    found = grey * net.semantics.scale + net.semantics.shift
    assert torch.allclose(found[0, :, 0, 0], wanted, atol=1e-6)


# spreads


def test_spreads_are_those_of_the_first_batch_and_leave_the_network_as_it_was() -> None:
    net = model().eval()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    found = spreads(net, pictures(), PLACES)
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert not net.training
    with torch.no_grad():
        net.train()
        vectors = net.branches(pictures())
        wanted = net.fusion(vectors["T_s"], vectors["T_a"]).std(), net.afem(vectors["T_s"]).std()
    assert list(found) == ["T_u", "T_s'"]
    assert found["T_u"] == pytest.approx(wanted[0].item(), rel=1e-4)
    assert found["T_s'"] == pytest.approx(wanted[1].item(), rel=1e-4)
    assert spreads(model(afem=None), pictures(), PLACES) == {}


def test_heads_are_some_times_wider_than_one_head() -> None:
    """The trap: the sum of G weighted ReLU vectors grows with the root of G, the BNNeck does not mend the ratio."""
    torch.manual_seed(0)
    vectors = torch.randn(64, 512)
    wide = AFEM(AfemSettings(groups=32), 512, 256).train()(vectors).std()
    narrow = AFEM(AfemSettings(groups=32, weight_scale="1/sqrt(G)"), 512, 256).train()(vectors).std()
    assert wide / narrow > math.sqrt(32) / 3


# the metric loss without its positives in the denominator


def test_supcon_without_positives_in_the_denominator_by_hand() -> None:
    loss = SupConLoss(SupConSettings(temperature=1.0, denominator="negatives"), 2, 2)
    unit = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    # every positive has cosine 1, both negatives 0: -log(e / (1 + 1))
    assert loss(unit, torch.tensor([0, 0, 1, 1])).item() == pytest.approx(math.log(2) - 1, abs=1e-6)
    with pytest.raises(ClipsenetError, match="a batch of one vehicle"):
        loss(unit, torch.zeros(4, dtype=torch.int64))
