"""AFEM's groups: their summands add up to T_s', and a picture's shares to 1."""

from pathlib import Path

import numpy as np
import pytest
import torch

from clipsenet.errors import UsageError
from clipsenet.models import make_model
from clipsenet.models.afem import AFEM, AfemSettings
from clipsenet.models.clip_senet import ClipSenet
from clipsenet.models.group_shares import group_shares, group_weights
from clipsenet.recipe import load_recipe

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("weights", ["scalar", "vector"])
@pytest.mark.parametrize("reading", ["heads", "slices", "chunks"])
def test_the_terms_sum_to_the_enhanced_features(reading: str, weights: str) -> None:
    torch.manual_seed(0)
    afem = AFEM(AfemSettings.model_validate({"reading": reading, "weights": weights, "groups": 4}), 16, 24).eval()
    vectors = torch.randn(5, 16)
    terms = afem.terms(vectors)
    assert terms.shape == (5, 5, 24)
    torch.testing.assert_close(terms.sum(dim=1), afem(vectors))
    if reading == "chunks":
        pieces = terms[:, 1:].reshape(5, 4, 4, 6).norm(dim=(0, 3))
        assert (pieces - torch.diag(pieces.diag())).abs().max() == 0, "each group fills its own piece only"


def small() -> ClipSenet:
    torch.manual_seed(0)
    recipe = load_recipe(ROOT / "recipes" / "two-cameras-clipsenet.yaml", ["images.size=[32, 32]"])
    return make_model(recipe.model, recipe.images.size, recipe.images.statistics).eval()


def test_shares_of_a_picture_sum_to_one() -> None:
    model, images, none = small(), torch.randn(3, 3, 32, 32), torch.full((3,), -1)
    shares = group_shares(model, images, none)
    assert shares.shape == (3, 33)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(3), rtol=1e-4, atol=1e-4)
    assert group_weights(model).shape == (32,)
    assert model.afem is not None
    with torch.no_grad():
        model.afem.w[7] = 0
    assert group_shares(model, images, none)[:, 8].abs().max() == 0, "a group that weighs nothing has no share"


def test_a_network_without_afem_says_so(run, toy_run, toy_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="this network has no AFEM"):
        group_weights(toy_run.model)
    told = run("figure", "groups", toy_run.folder, "--data", toy_folder, "--to", tmp_path / "g.png")
    assert told.code == 2
    assert "has no AFEM" in told.err


def test_weights_of_vectors_are_their_root_mean_square() -> None:
    model = small()
    assert model.afem is not None
    model.afem.w = torch.nn.Parameter(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    assert np.allclose(group_weights(model).numpy(), [np.sqrt(12.5), 0])
