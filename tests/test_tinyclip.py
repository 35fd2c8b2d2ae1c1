import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.models import make_model, resolved, without_weights
from clipsenet.models.backbones import make_network
from clipsenet.models.clip_senet import ClipSenetSettings
from clipsenet.models.semantics import Semantics, SemanticsSettings, with_shape
from clipsenet.models.tinyclip import NAMES, PrunedShape, image_tower
from clipsenet.sightings import Sightings
from conftest import golden, golden_arrays, relative_error, tensor_for

SIZE = (224, 224)
TOWER = "vit_xsmall_patch16_clip_224.tinyclip_yfcc15m"


def features(settings: SemanticsSettings, images: np.ndarray) -> np.ndarray:
    semantics = Semantics(settings, tuple(images.shape[2:]), None).eval()
    with torch.inference_mode():
        return semantics(torch.from_numpy(images)).numpy()


# against the published code


@pytest.mark.golden
def test_the_40m_tower_agrees_with_the_published_one(tmp_path: Path) -> None:
    shapes = json.loads(golden("tinyclip_40m_shapes.json").read_text())
    salt = json.loads(golden("meta.json").read_text())["salt"]
    arrays = golden_arrays("tinyclip_40m_features.npz")
    state = {key: torch.from_numpy(tensor_for(key, tuple(shape), salt)) for key, shape in shapes.items()}
    save_file(state, tmp_path / "tower.safetensors")
    settings = SemanticsSettings(weights=tmp_path / "tower.safetensors", projection=arrays["features"].shape[1])
    assert relative_error(features(settings, arrays["images"]), arrays["features"]) < 1e-3


@pytest.mark.golden
def test_the_auto_pruned_tower_agrees_with_the_published_one(tmp_path: Path) -> None:
    arrays = golden_arrays("tinyclip_auto_pruned.npz")
    state = {key.removeprefix("sd/"): torch.from_numpy(array) for key, array in arrays.items() if key.startswith("sd/")}
    torch.save(state, tmp_path / "pruned.pt")
    settings = SemanticsSettings(tower="auto-pruned", weights=tmp_path / "pruned.pt", projection=arrays["features"].shape[1])
    assert relative_error(features(settings, arrays["images"]), arrays["features"]) < 2e-3
    # without module. in the prefix, and wrapped, it is the same file
    renamed = {key.replace("_image_encoder.module.", "_image_encoder."): value for key, value in state.items()}
    torch.save({"epoch": 3, "state_dict": renamed}, tmp_path / "renamed.pt")
    again = settings.model_copy(update={"weights": tmp_path / "renamed.pt"})
    assert relative_error(features(again, arrays["images"]), arrays["features"]) < 2e-3


# a small file in the published form, drawn here


def published(
    *, width: int = 12, heads: tuple[int, ...] = (1, 0, 2), mlp: tuple[int, ...] = (20, 9, 16)
) -> dict[str, torch.Tensor]:
    """An auto-pruned image tower for pictures of 64 pixels in patches of 32, with random tensors."""
    torch.manual_seed(0)
    shapes: dict[str, tuple[int, ...]] = {
        "class_embedding": (width,),
        "positional_embedding": (5, width),
        "proj": (width, 7),
        "conv1.weight": (width, 3, 32, 32),
    }
    for name in ("ln_pre", "ln_post"):
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    for number, (count, hidden) in enumerate(zip(heads, mlp, strict=True)):
        block = f"transformer.resblocks.{number}."
        if count:
            shapes |= {f"{block}ln_1.weight": (width,), f"{block}ln_1.bias": (width,)}
            shapes |= {f"{block}attn.in_proj_weight": (192 * count, width), f"{block}attn.in_proj_bias": (192 * count,)}
            shapes |= {f"{block}attn.out_proj.weight": (width, 64 * count), f"{block}attn.out_proj.bias": (width,)}
        shapes |= {f"{block}ln_2.weight": (width,), f"{block}ln_2.bias": (width,)}
        shapes |= {f"{block}mlp.c_fc.weight": (hidden, width), f"{block}mlp.c_fc.bias": (hidden,)}
        shapes |= {f"{block}mlp.c_proj.weight": (width, hidden), f"{block}mlp.c_proj.bias": (width,)}
    tower = {f"_image_encoder.module.visual.{key}": torch.randn(shape).half() for key, shape in shapes.items()}
    return tower | {"_text_encoder.module.ln_final.weight": torch.ones(3), "_logit_scale.logit_scale": torch.ones(())}


@pytest.fixture
def pruned(tmp_path: Path) -> SemanticsSettings:
    torch.save(published(), tmp_path / "pruned.pt")
    return SemanticsSettings(tower="auto-pruned", weights=tmp_path / "pruned.pt", projection=7)


def test_every_size_of_a_pruned_tower_comes_from_its_tensors(pruned: SemanticsSettings) -> None:
    shape = with_shape(pruned).shape
    assert shape is not None
    assert (shape.width, shape.patch, shape.projection) == (12, 32, 7)
    assert [(block.heads, block.mlp) for block in shape.blocks] == [(1, 20), (0, 9), (2, 16)]
    before_projection = Semantics(pruned.model_copy(update={"projection": None}), (64, 64), None)
    assert before_projection(torch.randn(2, 3, 64, 64)).shape == (2, 12)
    with pytest.raises(UsageError, match="projection=512, but the pruned tower projects to 7"):
        Semantics(pruned.model_copy(update={"projection": 512}), (64, 64), None)


def test_a_pruned_tower_is_made_again_from_settings_alone(pruned: SemanticsSettings) -> None:
    settings = ClipSenetSettings(appearance=None, semantics=pruned, afem=None)
    known = resolved(settings, Sightings.of(["a.jpg"]))
    first = make_model(known, (64, 64))
    assert pruned.weights is not None
    pruned.weights.unlink()
    again = make_model(ClipSenetSettings.from_values(without_weights(known).to_values(), "test"), (64, 64))
    again.load_state_dict(first.state_dict())
    images, nowhere = torch.randn(2, 3, 64, 64), torch.tensor([-1, -1])
    assert torch.equal(first.eval()(images, nowhere), again.eval()(images, nowhere))


def test_positions_are_resampled_to_the_pictures_size(pruned: SemanticsSettings) -> None:
    same = Semantics(pruned, (64, 64), None).network.pos_embed
    larger = Semantics(pruned, (128, 96), None).network.pos_embed
    assert same.shape == (1, 5, 12)
    assert larger.shape == (1, 13, 12)
    given = published()["_image_encoder.module.visual.positional_embedding"].float()
    assert torch.equal(same[0], given)
    assert torch.equal(larger[0, 0], given[0])  # the class token has no place
    # as many patches in another shape are not ours yet
    flatter = Semantics(pruned, (32, 128), None).network.pos_embed
    assert flatter.shape == same.shape
    assert not torch.equal(flatter, same)
    # a grid whose values are all the same stays so at any size
    flat = {key: torch.ones_like(value) if "positional" in key else value for key, value in published().items()}
    assert pruned.weights is not None
    torch.save(flat, pruned.weights)
    assert torch.allclose(Semantics(pruned, (320, 320), None).network.pos_embed, torch.ones(1, 101, 12), atol=1e-5)


def test_only_text_encoder_and_scale_are_dropped(pruned: SemanticsSettings) -> None:
    assert pruned.weights is not None
    for extra, message in (
        ("_other.weight", r"1 tensors that are neither the image tower .* nor the text encoder .*: _other.weight"),
        ("_image_encoder.module.visual.extra", "1 left over: extra"),
    ):
        torch.save(published() | {extra: torch.ones(1)}, pruned.weights)
        with pytest.raises(ClipsenetError, match=message):
            Semantics(pruned, (64, 64), None)
    missing = {key: value for key, value in published().items() if not key.endswith("0.mlp.c_fc.bias")}
    torch.save(missing, pruned.weights)
    with pytest.raises(ClipsenetError, match=r"1 missing: blocks\.0\.mlp\.fc1\.bias"):
        Semantics(pruned, (64, 64), None)
    torch.save({key: value for key, value in published().items() if not key.endswith("class_embedding")}, pruned.weights)
    with pytest.raises(ClipsenetError, match="is no whole CLIP image tower: 'cls_token'"):
        with_shape(pruned)


def test_files_that_are_no_pruned_tower_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"takes every size from a file: set model\.semantics\.weights"):
        with_shape(SemanticsSettings(tower="auto-pruned"))
    torch.save({"conv1.weight": torch.ones(1)}, tmp_path / "other.pt")
    with pytest.raises(UsageError, match="is no file of CLIP's image tower"):
        with_shape(SemanticsSettings(tower="auto-pruned", weights=tmp_path / "other.pt"))
    torch.save(published(heads=(1, 1, 1)) | {
        "_image_encoder.module.visual.transformer.resblocks.0.attn.in_proj_weight": torch.ones(100, 12)
    }, tmp_path / "odd.pt")  # fmt: skip
    with pytest.raises(ClipsenetError, match="block 0 has 100 rows of query, key and value, wanted a multiple of 3 x 64"):
        with_shape(SemanticsSettings(tower="auto-pruned", weights=tmp_path / "odd.pt"))


# timm's towers


def microsofts(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A timm tower under Microsoft's names, in float16, with what else their files hold."""
    state = {}
    for key, value in network.state_dict().items():
        if key == "head.bias":
            continue
        if key == "head.weight":
            state["_image_encoder.module.visual.proj"] = value.T.contiguous().half()
            continue
        name = key
        for theirs, ours in NAMES[:-5]:
            name = name.replace(ours, theirs) if name.startswith(ours) else name
        block, _, rest = name.partition("resblocks.")
        if rest:
            number, _, rest = rest.partition(".")
            for theirs, ours in NAMES[-5:]:
                rest = rest.replace(ours, theirs)
            name = f"{block}resblocks.{number}.{rest}"
        bare = value[0, 0] if name == "class_embedding" else value[0] if name == "positional_embedding" else value
        state[f"_image_encoder.module.visual.{name}"] = bare.half()
    return state | {"_text_encoder.module.x": torch.ones(1), "_logit_scale.logit_scale": torch.ones(())}


def test_microsofts_file_and_timms_give_the_same_tower(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = make_network(TOWER, SIZE, 512)
    network.load_state_dict({key: value.half().float() for key, value in network.state_dict().items()})
    save_file(dict(network.state_dict()), tmp_path / "timm.safetensors")
    torch.save(microsofts(network), tmp_path / "theirs.pt")
    images = np.random.default_rng(0).standard_normal((1, 3, 96, 64)).astype(np.float32)
    ours = features(SemanticsSettings(tower=TOWER, weights=tmp_path / "timm.safetensors"), images)
    theirs = features(SemanticsSettings(tower=TOWER, weights=tmp_path / "theirs.pt"), images)
    assert np.array_equal(ours, theirs)
    assert ours.shape == (1, 512)
    before = features(SemanticsSettings(tower=TOWER, weights=tmp_path / "theirs.pt", projection=None), images)
    assert before.shape == (1, 256)


def test_another_towers_file_is_refused_with_names(tmp_path: Path) -> None:
    torch.save(published(), tmp_path / "pruned.pt")
    with pytest.raises(ClipsenetError, match=r"holds the weights of another network; .* missing"):
        Semantics(SemanticsSettings(tower=TOWER, weights=tmp_path / "pruned.pt"), (64, 64), None)
    with pytest.raises(UsageError, match="is no vision transformer of timm"):
        Semantics(SemanticsSettings(tower="resnet10t"), (64, 64), None)


def test_a_larger_input_is_resized_inside_the_branch() -> None:
    torch.manual_seed(0)
    semantics = Semantics(SemanticsSettings(tower="test_vit", size=(32, 32)), (64, 64), None).eval()
    images = torch.randn(2, 3, 64, 64)
    resized = torch.nn.functional.interpolate(images, (32, 32), mode="bicubic", antialias=True)
    with torch.inference_mode():
        assert torch.equal(semantics(images), semantics.network(resized))


def test_clips_names_become_timms() -> None:
    tower = image_tower(published(), "test")
    assert "blocks.0.attn.qkv.weight" in tower
    assert "blocks.1.norm2.bias" in tower
    assert "blocks.1.norm1.bias" not in tower
    assert tower["head.weight"].shape == (7, 12)
    assert tower["head.bias"].tolist() == [0.0] * 7
    assert all(value.dtype == torch.float32 for value in tower.values())


def test_shape_is_a_setting_like_any_other() -> None:
    values = {"width": 12, "patch": 32, "projection": 7, "blocks": [{"heads": 1, "mlp": 20}]}
    assert PrunedShape.from_values(values, "test").blocks[0].mlp == 20
    with pytest.raises(UsageError, match=r"'blocks\.0\.mlp' is missing"):
        PrunedShape.from_values({**values, "blocks": [{"heads": 1}]}, "test")
