import json
from pathlib import Path
from typing import Any

import pytest
import torch

from clipsenet.assembling import assemble
from clipsenet.describing import Counts, describe
from clipsenet.models import resolved
from clipsenet.models.clip_senet import ClipSenetSettings
from clipsenet.recipe import Recipe, load_recipe, own_recipes
from clipsenet.sightings import Sightings
from clipsenet.studies import COMPONENTS
from conftest import ROOT

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


def without_files(path: Path) -> list[str]:
    """Overrides that let a recipe whose weights are the user's begin at random."""
    recipe = load_recipe(path)
    if isinstance(recipe.model, ClipSenetSettings):
        parts = [name for name in ("appearance", "semantics") if getattr(recipe.model, name) is not None]
        return [f"model.{name}.weights=null" for name in parts]
    return ["model.weights=null"]


def shrunk(path: Path) -> list[str]:
    """Overrides that keep a recipe's form and make its network small."""
    recipe = load_recipe(path)
    small = ["images.size=[64, 64]"]
    if not isinstance(recipe.model, ClipSenetSettings):
        return [*small, "model.trunk=resnet18_ibn_a"] if "ibn" in recipe.model.trunk else small
    small += ["model.dim=64"] if recipe.model.appearance is not None else []
    small += ["model.appearance.trunk=resnet18_ibn_a"] if recipe.model.appearance is not None else []
    return [*small, "model.semantics.tower=test_vit"]


def one_step(recipe: Recipe, pictures: int) -> None:
    """Forward, backward and update with random pictures of two vehicles."""
    train = Sightings.of(["a", "b"], camera=["1", "2"], view=["front", "rear"])
    recipe = recipe.model_copy(update={"model": resolved(recipe.model, train)})
    torch.manual_seed(0)
    objective, optimiser = assemble(recipe, 2)
    before = [p.detach().clone() for p in objective.parameters() if p.requires_grad]
    images = torch.randn(pictures, 3, *recipe.images.size)
    places = torch.from_numpy(objective.model.place_rows(train))[torch.arange(pictures) % 2]
    parts = objective.train()(images, places, torch.arange(pictures) // 2 % 2)
    torch.stack(list(parts.values())).sum().backward()
    optimiser.step()
    after = [p for p in objective.parameters() if p.requires_grad]
    assert any(not torch.equal(a, b) for a, b in zip(after, before, strict=True))
    assert all(torch.isfinite(p).all() for p in after)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_loads_builds_and_does_one_step(path: Path) -> None:
    assert load_recipe(path).name == path.stem
    one_step(load_recipe(path, [*without_files(path), *shrunk(path)]), 4)


@pytest.mark.slow
def test_the_papers_full_network_does_one_step() -> None:
    path = ROOT / "recipes" / "veri776.yaml"
    one_step(load_recipe(path, without_files(path)), 4)


def test_our_recipes_are_found_by_name() -> None:
    assert sorted(own_recipes()) == sorted(path.stem for path in RECIPES)
    assert load_recipe("toy") == load_recipe(ROOT / "recipes" / "toy.yaml")


def test_recipes_of_the_paper_say_that_we_never_trained_them() -> None:
    ours = [path for path in RECIPES if path.stem.startswith("ve")]
    assert len(ours) == 12
    assert all("Never trained by us." in path.read_text(encoding="utf-8").splitlines()[0] for path in ours)


def test_recipes_of_the_paper_differ_from_the_full_one_where_they_say_so() -> None:
    def values(name: str) -> dict[str, Any]:
        recipe = load_recipe(name)
        return flat(recipe.model_copy(update={"model": recipe.model.as_clip_senet()}).to_values())

    def different(name: str, other: str = "veri776") -> set[str]:
        ours, theirs = values(name), values(other)
        return {key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)} - {"name"}

    def parts(name: str) -> set[str]:
        return {".".join(key.split(".")[:2]) for key in different(name)}

    assert parts("veri776-no-cv") == {"model.places"}
    rows = different("veri776-no-cv")
    assert parts("veri776-sem") == {"model.places", "model.afem"}
    assert parts("veri776-baseline") == {"model.places", "model.afem", "model.semantics", "model.dim"}
    assert different("veri776-baseline-cv", "veri776-baseline") == rows
    assert different("veri776-sem-cv", "veri776-sem") == rows
    assert parts("veri776-tinyclip") == {"model.places", "model.afem", "model.appearance", "model.dim"}
    long = {"data.benchmark", "optimiser.rate", "training.validate_every"}
    long |= {f"schedule.{key}" for key in ("kind", "epochs", "warmup_epochs", "milestones", "gamma")}
    branch = {f"optimiser.branches.semantics.{key}" for key in ("rate", "frozen", "frozen_epochs")}
    strong = {"model.afem.weight_scale", "optimiser.decay_all", "schedule.warmup_epochs"} | branch
    assert different("veri776-strong") == strong
    for name in ("vehicleid", "veriwild"):
        assert different(name, "veri776-no-cv") == long
        assert different(f"{name}-baseline", "veri776-baseline") == long


def test_every_row_of_table_iv_is_a_recipe() -> None:
    """What ``ablate components`` makes of veri776 is what the row's own file says."""
    files = {
        "baseline": "veri776-baseline",
        "sem": "veri776-sem",
        "sem-afem": "veri776-no-cv",
        "cv": "veri776-baseline-cv",
        "sem-cv": "veri776-sem-cv",
        "sem-afem-cv": "veri776",
        "tinyclip": "veri776-tinyclip",
    }
    assert set(files) == {row.name for row in COMPONENTS.rows}
    for row in COMPONENTS.rows:
        made, own = load_recipe("veri776", row.assignments), load_recipe(files[row.name])
        assert made.model.as_clip_senet() == own.model.as_clip_senet()
        assert made.model_copy(update={"name": "", "model": own.model}) == own.model_copy(update={"name": ""})
        if row.paper is not None:
            assert str(row.paper[0]) in own_recipes()[files[row.name]].read_text(encoding="utf-8").splitlines()[0]


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def test_parameters_and_multiply_adds_are_those_of_the_network() -> None:
    recipe = load_recipe("two-cameras", ["model.trunk=resnet50", "images.size=[224, 224]", "model.dim=128"])
    parts = {part.name: part for part in describe(recipe, Counts(vehicles=576))}
    assert parts["appearance"].parameters == 23_508_032  # ResNet50's published 25,557,032 without its classifier
    assert parts["appearance"].multiply_adds == 4_087_136_256  # the usual 4.09 G, the classifier's 2,048,000 aside
    assert parts["fusion"].parameters == 2048 * 128 + 128
    assert parts["fusion"].multiply_adds == 2048 * 128
    assert parts["neck"].parameters == 256
    assert parts["classifier"].parameters == 128 * 576
    assert json.dumps([part.name for part in describe(recipe)]) == '["appearance", "fusion", "neck"]'
