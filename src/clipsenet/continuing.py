"""One training among many: begun, gone on with, or there already."""

from collections.abc import Callable
from pathlib import Path

from clipsenet.errors import ClipsenetError
from clipsenet.files import short_name
from clipsenet.models import resolved
from clipsenet.protocol import Benchmark
from clipsenet.recipe import Recipe
from clipsenet.reporting import Reporter
from clipsenet.resuming import as_begun, differences
from clipsenet.runs import RESUME, Run, is_finished, read_recipe, trained_on
from clipsenet.training import train


def train_or_go_on(recipe: Recipe, benchmark: Benchmark, folder: Path, device: str, reporter: Callable[[], Reporter]) -> Run:
    """The run in a folder where it is whole; else what is left of it is trained, and then watched by a reporter.

    Returns:
        It, with its checkpoint ``last``.

    Raises:
        ClipsenetError: the folder holds a training by another recipe, or on other pictures; or as ``train``.
    """
    if is_finished(folder):
        _require_same(folder, recipe, benchmark)
    else:
        resume = (folder / RESUME).is_file()
        train(recipe, benchmark, folder, device=device, resume=resume, reporter=reporter())
    return Run.open(folder, "last")


def _require_same(folder: Path, recipe: Recipe, benchmark: Benchmark) -> None:
    """Refuse a run that was trained otherwise, or on other pictures, than is asked for."""
    recipe = as_begun(recipe, folder)
    recipe = recipe.model_copy(update={"model": resolved(recipe.model, benchmark.train)})
    other = differences(read_recipe(folder), recipe)
    learned = benchmark.train
    if trained_on(folder) != set(zip(learned.vehicle.texts().tolist(), map(short_name, learned.files()), strict=True)):
        other.append("list, number of folds or of training vehicles")
    if other:
        raise ClipsenetError(
            f"{folder} holds a training with another {', '.join(other)}; give another folder with --to, or remove this one"
        )
