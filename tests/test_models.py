import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.features import no_places
from clipsenet.models import make_model
from clipsenet.models.backbones import Trunk, TrunkSettings, make_network
from clipsenet.models.baseline import Baseline, BaselineSettings
from clipsenet.models.ibn import IBN_TRUNKS
from clipsenet.models.pretrained import load_pretrained
from clipsenet.weights import load_state, read_state
from conftest import SHARED, golden, golden_arrays, relative_error, tensor_for

SIZE = (64, 48)


def pictures(n: int = 2, size: tuple[int, int] = SIZE) -> torch.Tensor:
    return torch.randn(n, 3, *size, generator=torch.Generator().manual_seed(0))


def embed(settings: BaselineSettings, n: int = 2) -> torch.Tensor:
    torch.manual_seed(0)
    model = make_model(settings, SIZE).eval()
    with torch.inference_mode():
        return model(pictures(n), no_places(n, torch.device("cpu")))


@pytest.mark.parametrize(
    ("trunk", "dim"),
    [
        ("resnet10t", 512),
        ("resnet26d", 2048),
        ("mobilenetv3_small_050", 288),
        ("convnext_atto", 320),
        ("vit_tiny_patch16_224", 192),
        ("test_vit", 64),
        ("swin_tiny_patch4_window7_224", 768),
        ("resnet18_ibn_a", 512),
    ],
)
def test_every_dimension_follows_from_the_trunk(trunk: str, dim: int) -> None:
    size = (64, 64)
    model = make_model(BaselineSettings(trunk=trunk), size).eval()
    with torch.inference_mode():
        found = model(pictures(2, size), no_places(2, torch.device("cpu")))
    assert found.shape == (2, dim)
    assert model.dim == dim
    assert torch.allclose(found.norm(dim=1), torch.ones(2), atol=1e-5)


def test_a_trunk_whose_features_are_no_map_asks_for_its_own_pooling() -> None:
    with pytest.raises(UsageError, match=r"set model\.pooling=own"):
        Trunk(TrunkSettings(trunk="coat_tiny"), (64, 64))(pictures(1, (64, 64)))
    assert Trunk(TrunkSettings(trunk="coat_tiny", pooling="own"), (64, 64))(pictures(1, (64, 64))).shape == (1, 152)


@pytest.mark.parametrize("trunk", ["resnet10t", "resnet26d", "resnet18", "resnet18_ibn_a", "resnet50", "resnet26t"])
def test_last_stride_one_makes_the_last_map_twice_as_fine_and_does_not_dilate(trunk: str) -> None:
    shapes = {}
    for stride in (1, 2):
        network = Trunk(TrunkSettings(trunk=trunk, last_stride=stride), SIZE).eval().network
        with torch.inference_mode():
            shapes[stride] = tuple(network.forward_features(pictures(1)).shape[2:])
        assert all(m.dilation == (1, 1) for m in network.modules() if isinstance(m, torch.nn.Conv2d))
    assert shapes == {1: (4, 3), 2: (2, 2)}


def test_last_stride_is_for_resnets() -> None:
    with pytest.raises(UsageError, match="not a ResNet"):
        Trunk(TrunkSettings(trunk="convnext_atto", last_stride=1), SIZE)
    with pytest.raises(UsageError, match="blurs where it strides"):
        Trunk(TrunkSettings(trunk="resnetblur18", last_stride=1), SIZE)


def test_an_unknown_trunk_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown trunk 'resnet_50': did you mean 'resnet50"):
        make_network("resnet_50", SIZE)


@pytest.mark.parametrize(
    "change",
    [
        {"trunk": "resnet14t"},
        {"pooling": "gem"},
        {"last_stride": 1},
        {"dim": 7},
        {"neck": False},
        {"embedding": "before"},
    ],
)
def test_every_model_setting_changes_the_embedding(change: dict) -> None:
    plain = BaselineSettings(trunk="resnet10t")
    torch.manual_seed(0)
    model = make_model(plain.model_copy(update=change), SIZE)
    # a neck that has seen something: its running mean is no longer 0
    with torch.no_grad():
        if isinstance(model.neck, torch.nn.BatchNorm1d):
            model.neck.running_mean += torch.linspace(0, 1, model.dim)
        changed = model.eval()(pictures(), no_places(2, torch.device("cpu")))
        torch.manual_seed(0)
        reference = make_model(plain, SIZE)
        reference.neck.running_mean += torch.linspace(0, 1, 512)
        found = reference.eval()(pictures(), no_places(2, torch.device("cpu")))
    assert changed.shape != found.shape or not torch.allclose(changed, found, atol=1e-4)


def test_gem_is_the_mean_at_p_one_and_nears_the_maximum() -> None:
    trunk = Trunk(TrunkSettings(trunk="resnet10t", pooling="gem"), SIZE)
    features = torch.rand(2, 6, 512) + 0.5
    with torch.no_grad():
        trunk.pool.p.fill_(1.0)
        assert torch.allclose(trunk.pool(features), features.mean(dim=1), atol=1e-5)
        trunk.pool.p.fill_(100.0)
        assert torch.allclose(trunk.pool(features), features.amax(dim=1), atol=0.05)


def test_the_necks_bias_is_not_trained() -> None:
    model = make_model(BaselineSettings(trunk="resnet10t"), SIZE)
    assert not model.neck.bias.requires_grad
    assert model.neck.weight.requires_grad


def test_pixel_statistics_are_the_trunks_own() -> None:
    assert Baseline(BaselineSettings(trunk="resnet10t"), SIZE).mean == (0.485, 0.456, 0.406)
    assert Baseline(BaselineSettings(trunk="tf_efficientnet_lite0"), SIZE).mean == (0.5, 0.5, 0.5)


def test_weights_are_loaded_whole_or_refused(tmp_path: Path) -> None:
    network = make_network("resnet10t", SIZE)
    state = dict(network.state_dict())
    published = state | {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    save_file(published, tmp_path / "good.safetensors")
    model = make_model(BaselineSettings(trunk="resnet10t", weights=tmp_path / "good.safetensors"), SIZE)
    assert torch.equal(model.appearance.network.conv1[0].weight, network.conv1[0].weight)

    for name, broken, message in (
        ("other", {k: v for k, v in state.items() if k != "layer1.0.bn1.weight"}, "1 missing: layer1.0.bn1.weight"),
        ("more", state | {"extra": torch.zeros(1)}, "1 left over: extra"),
        ("shape", state | {"bn1.weight": torch.zeros(3)}, r"bn1.weight is \(3,\), wanted \(64,\)"),
    ):
        save_file(broken, tmp_path / f"{name}.safetensors")
        with pytest.raises(ClipsenetError, match=message):
            load_pretrained(network, "resnet10t", tmp_path / f"{name}.safetensors")


def test_wrapped_and_prefixed_files_are_unwrapped(tmp_path: Path) -> None:
    torch.save({"state_dict": {"module.a": torch.ones(2)}, "epoch": 3}, tmp_path / "old.pth")
    assert list(read_state(tmp_path / "old.pth")) == ["a"]


def test_files_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"x" * 40)
    (tmp_path / "b.pth").write_bytes(b"x" * 40)
    torch.save({"a": Path("x")}, tmp_path / "code.pth")
    torch.save([torch.ones(1)], tmp_path / "list.pth")
    for name, message in (
        ("a.safetensors", "not a whole safetensors file"),
        ("b.pth", "not a file of tensors alone"),
        ("code.pth", "not a file of tensors alone"),
        ("list.pth", "found list, wanted a dict of tensors"),
        ("none.pth", "no weights at"),
    ):
        with pytest.raises(ClipsenetError, match=message):
            read_state(tmp_path / name)


def test_real_pretrained_weights_load_and_nothing_is_left(tmp_path: Path) -> None:
    path = SHARED / "weights" / "tf_efficientnet_lite0.safetensors"
    if not path.is_file():
        pytest.skip(f"no pretrained weights at {path}: they are not part of the project")
    settings = BaselineSettings(trunk="tf_efficientnet_lite0", weights=path)
    model = make_model(settings, SIZE)
    assert torch.equal(model.appearance.network.conv_stem.weight, read_state(path)["conv_stem.weight"])
    with pytest.raises(ClipsenetError, match="holds the weights of another network"):
        make_model(BaselineSettings(trunk="resnet10t", weights=path), SIZE)


@pytest.mark.golden
@pytest.mark.parametrize("name", list(IBN_TRUNKS))
@pytest.mark.parametrize("stride", [2, 1])
def test_ibn_trunks_agree_with_the_published_networks(name: str, stride: int) -> None:
    published = json.loads(golden("ibn_state_dict_shapes.json").read_text())
    wanted_key = name if stride == 2 else f"{name}_stride1"
    if name not in published or wanted_key not in golden_arrays("ibn_features.npz"):
        pytest.skip(f"the reference set has no {wanted_key}")
    shapes = published[name]
    salt = json.loads(golden("meta.json").read_text())["salt"]
    arrays = golden_arrays("ibn_features.npz")
    trunk = Trunk(TrunkSettings(trunk=name, last_stride=stride), (96, 96)).eval()
    state = {key: torch.from_numpy(tensor_for(key, tuple(shape), salt)) for key, shape in shapes.items()}
    load_state(trunk.network, state, "reference", surplus=["fc."])
    with torch.inference_mode():
        found = trunk(torch.from_numpy(arrays["images"])).numpy()
    wanted = arrays[wanted_key]
    assert relative_error(found, wanted) < 1e-3


def test_ibn_nets_files_load_in_new_and_old_form_and_a_plain_resnet_is_named(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = dict(make_network("resnet18_ibn_a", SIZE).state_dict())
    classifier = {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    counters = {key for key in state if key.endswith("num_batches_tracked")}
    forms = {
        "new": state | classifier,
        "old": {"state_dict": {f"module.{key}": value for key, value in (state | classifier).items()}, "epoch": 90},
        "ancient": {key: value for key, value in (state | classifier).items() if key not in counters},
    }
    for name, form in forms.items():
        torch.save(form, tmp_path / f"{name}.pth")
        network = make_network("resnet18_ibn_a", SIZE)
        load_pretrained(network, "resnet18_ibn_a", tmp_path / f"{name}.pth")
        assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    for name, broken, message in (
        ("missing", {key: value for key, value in state.items() if key != "layer1.0.bn1.IN.weight"}, "layer1.0.bn1.IN.weight"),
        ("left", state | {"head.weight": torch.zeros(1)}, "1 left over: head.weight"),
        (
            "plain",
            dict(make_network("resnet18", SIZE).state_dict()),
            "holds a plain ResNet .* wanted resnet18_ibn_a: give IBN-Net's",
        ),
    ):
        torch.save(broken, tmp_path / f"{name}.pth")
        with pytest.raises(ClipsenetError, match=message):
            load_pretrained(make_network("resnet18_ibn_a", SIZE), "resnet18_ibn_a", tmp_path / f"{name}.pth")
