"""Activation maps: exact where a network is linear in its places; and the deletion test that judges them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F  # noqa: N812 - the usual name

from clipsenet.attribution import activation_maps, enlarged, strongest
from clipsenet.benchmarking.deletion import _drop, _pairs
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.models import Model, make_model
from clipsenet.models.baseline import BaselineSettings
from clipsenet.models.clip_senet import ClipSenetSettings
from clipsenet.runs import Run
from clipsenet.sightings import Sightings

SIZE = (32, 32)


def made(**settings: object) -> Model:
    torch.manual_seed(0)
    model = make_model(BaselineSettings.model_validate({"trunk": "resnet10t", "last_stride": 1, **settings}), SIZE)
    for name, buffer in model.named_buffers():  # statistics that are not the identity
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    return model.eval()


def pictures(n: int = 3) -> torch.Tensor:
    return torch.randn(n, 3, *SIZE, generator=torch.Generator().manual_seed(1))


def test_a_baselines_map_sums_to_the_likeness_exactly() -> None:
    model, images = made(embedding="before"), pictures()
    none = torch.full((3,), -1)
    maps = activation_maps(model, images, none)["appearance"]
    assert maps.shape[1] == maps.shape[2] > 0
    torch.testing.assert_close(maps.sum(dim=(1, 2)), torch.ones(3), rtol=1e-4, atol=1e-5)  # with itself
    other = model(pictures(4)[1:], none)
    of_pairs = activation_maps(model, images, none, other)["appearance"]
    torch.testing.assert_close(of_pairs.sum(dim=(1, 2)), (model(images, none) * other).sum(dim=1), rtol=1e-3, atol=1e-4)


def test_behind_the_bnneck_only_its_constant_is_missing() -> None:
    model, images = made(embedding="after"), pictures()
    none = torch.full((3,), -1)
    towards = F.normalize(torch.ones(1, model.dim)).expand(3, -1)
    maps = activation_maps(model, images, none, towards)["appearance"]
    _, after = model.before_and_after(images, none)
    likeness = (F.normalize(after) * towards).sum(dim=1)
    constant = model.neck(torch.zeros(1, model.dim))
    missing = (constant * towards).sum(dim=1) / after.norm(dim=1)
    torch.testing.assert_close(maps.sum(dim=(1, 2)) + missing, likeness, rtol=1e-3, atol=1e-4)


def test_a_coarse_trunk_is_asked_at_the_last_stage_that_is_fine_enough() -> None:
    """64 pixels: 2 x 2 places at the end, 4 x 4 at the stage before."""
    settings = {"trunk": "resnet10t", "last_stride": 2}
    model, none = make_model(BaselineSettings.model_validate(settings), (64, 64)).eval(), torch.full((2,), -1)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    maps = activation_maps(model, images, none)["appearance"]
    assert maps.shape == (2, 4, 4)
    share, towards = maps[0, 1, 2], model(images, none)[:1].detach()

    def likeness(factor: float) -> float:
        def longer(module: object, inputs: object, output: torch.Tensor) -> torch.Tensor:
            changed = output.clone()
            changed[0, :, 1, 2] *= factor
            return changed

        handle = model.appearance.network.layer3.register_forward_hook(longer)
        with torch.no_grad():
            _, after = model.before_and_after(images[:1], none[:1])
        handle.remove()
        return float((after * towards).sum())

    with torch.no_grad():
        length = float(model.before_and_after(images[:1], none[:1])[1].norm())
    slope = (likeness(1.001) - likeness(0.999)) / 0.002 / length
    assert float(share) == pytest.approx(slope, rel=2e-2, abs=1e-4)
    frozen = make_model(BaselineSettings.model_validate(settings), (64, 64)).eval()
    frozen.load_state_dict(model.state_dict())
    frozen.requires_grad_(False)
    torch.testing.assert_close(activation_maps(frozen, images, none)["appearance"], maps, msg="a frozen trunk has the same map")


@pytest.mark.parametrize("trunk", ["test_convnext", "test_vit3", "test_efficientnet", "swin_tiny_patch4_window7_224"])
def test_other_trunks_have_maps_of_their_pictures_shape(trunk: str) -> None:
    model = make_model(BaselineSettings.model_validate({"trunk": trunk}), (160, 160)).eval()
    maps = activation_maps(model, torch.randn(1, 3, 160, 160), torch.full((1,), -1))["appearance"]
    assert maps.shape == (1, 10, 10)
    assert maps.abs().sum() > 0


def test_both_branches_have_maps_and_nothing_is_left_behind() -> None:
    settings = {
        "appearance": {"trunk": "resnet10t", "last_stride": None},
        "semantics": {"tower": "test_vit", "projection": 16},
        "afem": {"groups": 4},
        "dim": 24,
    }
    model = make_model(ClipSenetSettings.model_validate(settings), (64, 64)).eval()
    images, none = torch.randn(2, 3, 64, 64), torch.full((2,), -1)
    with torch.inference_mode():
        before = model(images, none).clone()
    maps = activation_maps(model, images, none)
    grid = model.semantics.network.patch_embed.grid_size
    assert maps["semantics"].shape == (2, *grid)
    assert maps["appearance"].ndim == 3
    assert all(torch.isfinite(one).all() and one.abs().sum() > 0 for one in maps.values())
    assert all(parameter.grad is None for parameter in model.parameters())
    with torch.inference_mode():
        assert torch.equal(model(images, none), before), "no hook stays"
    model.freeze("semantics", "appearance")
    assert activation_maps(model, images, none).keys() == maps.keys(), "a frozen branch has its map, too"


def test_the_semantic_map_is_the_slope_of_the_likeness() -> None:
    """A token, as the last attention reads it, made a little longer changes the likeness by its share, to first order."""
    settings = {"appearance": None, "semantics": {"tower": "test_vit", "projection": 16}, "afem": None}
    model = make_model(ClipSenetSettings.model_validate(settings), (64, 64)).eval()
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():  # as they begin, patches hardly matter
        if name.endswith("gamma"):
            torch.nn.init.ones_(parameter)
        elif parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    images, none = torch.randn(1, 3, 64, 64), torch.full((1,), -1)
    towards = F.normalize(torch.randn(1, model.dim))
    share = activation_maps(model, images, none, towards)["semantics"][0]
    prefix = model.semantics.network.num_prefix_tokens
    row, column = divmod(int(share.abs().argmax()), share.shape[1])
    step = 1e-2

    def likeness(factor: float) -> float:
        def longer(module: object, inputs: object, output: torch.Tensor) -> torch.Tensor:
            tokens = output.clone()
            tokens[:, prefix + row * share.shape[1] + column] *= factor
            return tokens

        handle = model.semantics.network.blocks[-1].norm1.register_forward_hook(longer)
        with torch.no_grad():
            total = model.neck(model.join(model.branches(images), none))
        handle.remove()
        return float((total * towards).sum())

    with torch.no_grad():
        length = float(model.neck(model.join(model.branches(images), none)).norm())
    slope = (likeness(1 + step) - likeness(1 - step)) / (2 * step) / length
    assert abs(slope) > 1e-4
    assert float(share[row, column]) == pytest.approx(slope, rel=2e-2)


def test_a_trunk_without_places_is_refused() -> None:
    model = made(trunk="test_vit3", pooling="own", last_stride=None)
    model.appearance.network.forward_features = lambda images: {"tokens": images}  # what some networks give
    with pytest.raises(UsageError, match="no activation map"):
        activation_maps(model, pictures(), torch.full((3,), -1))


@pytest.mark.parametrize("trunk", ["mvitv2_tiny", "pit_ti_224"])
def test_a_trunk_that_merges_its_patches_says_so(trunk: str) -> None:
    model = make_model(BaselineSettings.model_validate({"trunk": trunk, "pooling": "own"}), (224, 224)).eval()
    none = torch.full((1,), -1)
    assert model(torch.randn(1, 3, 224, 224), none).shape == (1, model.dim)
    with pytest.raises(UsageError, match="no activation map"):
        activation_maps(model, torch.randn(1, 3, 224, 224), none)


def test_the_strongest_pixels_are_so_many_and_the_strongest() -> None:
    maps = torch.arange(200.0).view(2, 10, 10)
    mask = strongest(maps, 0.2)
    assert mask.sum(dim=(1, 2)).tolist() == [20, 20]
    assert maps[0][mask[0] == 1].min() == 80
    assert enlarged(maps, (30, 20)).shape == (2, 30, 20)


def test_covering_what_matters_lowers_the_likeness_more_than_covering_elsewhere() -> None:
    """An embedding that looks at one corner: the mask on it takes all away, a moved one seldom does."""

    def embed(images: torch.Tensor) -> torch.Tensor:
        corner = images[:, 0, :8, :8].mean(dim=(1, 2))
        return torch.stack([corner, torch.full_like(corner, 1e-3)], dim=1)

    image = torch.ones(1, 3, 32, 32)
    mask = torch.zeros(1, 32, 32)
    mask[:, :8, :8] = 1
    by_map, by_chance = _drop(embed, image, torch.tensor([[1.0, 0.0]]), mask, 50, np.random.default_rng(0))
    assert by_map == pytest.approx(1.0)
    assert 0 < by_chance < 0.3


def test_pairs_are_of_one_vehicle_and_two_cameras_where_there_are_two() -> None:
    sightings = Sightings.of(list("abcdefg"), vehicle=list("xxxyyzw"), camera=list("1121112"))
    rng = np.random.default_rng(0)
    pairs = _pairs(sightings, 9, rng)
    vehicles = {tuple(sightings.vehicle.texts()[list(pair)]) for pair in pairs}
    assert vehicles == {("x", "x"), ("y", "y")}
    for a, b in pairs:
        if sightings.vehicle.texts()[a] == "x":
            assert sightings.camera.texts()[a] != sightings.camera.texts()[b]
    with pytest.raises(ClipsenetError, match="no vehicle has two pictures"):
        _pairs(sightings[np.array([5, 6])], 9, rng)


def test_the_commands_show_and_judge_maps(run, toy_folder: Path, toy_run: Run, tmp_path: Path) -> None:
    for words in ([], ["--pairs", "--queries", "best"]):
        drawn = run("figure", "maps", toy_run.folder, "--data", toy_folder, "--to", tmp_path / "maps.png", "--count", 2, *words)
        assert drawn.code == 0, drawn.err
        with Image.open(tmp_path / "maps.png") as image:
            assert len(np.unique(np.asarray(image).reshape(-1, 3), axis=0)) > 100
    judged = run("bench", "deletion", toy_run.folder, "--data", toy_folder / "pictures.csv", "--count", 3, "--json")
    assert judged.code == 0, judged.err
    values = json.loads(judged.out)
    assert [(one["branch"], one["of"]) for one in values["results"]] == [("appearance", "own"), ("appearance", "pairs")]
    for one in values["results"]:
        assert one["difference"][0] == pytest.approx(one["by_map"][0] - one["by_chance"][0])
        assert one["difference"][1] <= one["difference"][0] <= one["difference"][2]
    again = run("bench", "deletion", toy_run.folder, "--data", toy_folder / "pictures.csv", "--count", 3, "--json")
    assert json.loads(again.out) == values
