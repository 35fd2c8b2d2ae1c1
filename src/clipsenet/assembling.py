"""From a recipe to what is trained: network, losses, optimiser."""

from torch import nn
from torch.optim import Optimizer

from clipsenet.losses import Losses
from clipsenet.models import Model, make_model, without_weights
from clipsenet.objective import Objective
from clipsenet.optimisers import make_optimiser
from clipsenet.recipe import Recipe


def assemble(recipe: Recipe, vehicles: int) -> tuple[Objective, Optimizer]:
    """Network and losses as one module, and its optimiser.

    Args:
        recipe: with a resolved model, see ``clipsenet.models.resolved``.
        vehicles: how many there are to learn.

    Raises:
        UsageError: a part that does not exist or does not fit, a branch that the network does not have.
        ClipsenetError: pretrained weights that do not fit.
    """
    model = make_model(recipe.model, recipe.images.size, recipe.images.statistics)
    wanted = recipe.optimiser.branches
    branches: dict[str, nn.Module] = {name: model.branch(name) for name in wanted}
    for name, one in wanted.items():
        if one.frozen:
            branches[name].requires_grad_(False)
    freeze_for(model, recipe, 0)
    if recipe.training.branch_norms == "frozen":
        model.freeze_norms()
    objective = Objective(model, Losses(recipe.losses, model.dim, vehicles))
    return objective, make_optimiser(recipe.optimiser, objective, branches)


def freeze_for(model: Model, recipe: Recipe, epoch: int) -> None:
    """Freeze the branches that learn nothing in this epoch, counted from 0."""
    wanted = recipe.optimiser.branches
    model.freeze(*(name for name, one in wanted.items() if one.frozen or epoch < one.frozen_epochs))


def model_of(recipe: Recipe) -> Model:
    """The network alone, with random weights where its own are to be loaded."""
    return make_model(without_weights(recipe.model), recipe.images.size, recipe.images.statistics)
