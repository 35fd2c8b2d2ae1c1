import json
from pathlib import Path

import pytest
import torch

from clipsenet.describing import describe
from clipsenet.features import no_places
from clipsenet.losses import Losses
from clipsenet.models import make_model
from clipsenet.objective import Objective
from clipsenet.optimisers import make_optimiser
from clipsenet.recipe import load_recipe, own_recipes
from conftest import ROOT

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_loads_builds_and_does_one_step(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    torch.manual_seed(0)
    model = make_model(recipe.model, recipe.images.size)
    objective = Objective(model, Losses(recipe.losses, model.dim, 2))
    optimiser = make_optimiser(recipe.optimiser, [objective])
    before = [p.detach().clone() for p in objective.parameters() if p.requires_grad]
    images = torch.randn(4, 3, *recipe.images.size)
    parts = objective.train()(images, no_places(4, images.device), torch.tensor([0, 0, 1, 1]))
    sum(parts.values()).backward()
    optimiser.step()
    after = [p for p in objective.parameters() if p.requires_grad]
    assert any(not torch.equal(a, b) for a, b in zip(after, before, strict=True))
    assert all(torch.isfinite(p).all() for p in after)


def test_our_recipes_are_found_by_name() -> None:
    assert sorted(own_recipes()) == sorted(path.stem for path in RECIPES)
    assert load_recipe("toy") == load_recipe(ROOT / "recipes" / "toy.yaml")


def test_parameters_and_multiply_adds_are_those_of_the_network() -> None:
    recipe = load_recipe("two-cameras", ["model.trunk=resnet50", "images.size=[224, 224]", "model.dim=128"])
    parts = {part.name: part for part in describe(recipe, vehicles=576)}
    assert parts["trunk"].parameters == 23_508_032  # ResNet50's published 25,557,032 without its classifier
    assert parts["trunk"].multiply_adds == 4_087_136_256  # the usual 4.09 G, the classifier's 2,048,000 aside
    assert parts["linear"].parameters == 2048 * 128 + 128
    assert parts["linear"].multiply_adds == 2048 * 128
    assert parts["neck"].parameters == 256
    assert parts["classifier"].parameters == 128 * 576
    assert json.dumps([part.name for part in describe(recipe)]) == '["trunk", "linear", "neck"]'
