"""What is looked at before the first step, and the scores on vehicles held out of training."""

import logging

import numpy as np
from jaxtyping import Int
from lightning_fabric import Fabric

from clipsenet.caching import PictureCache
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.models import Model
from clipsenet.models.places import PlaceSettings
from clipsenet.protocol import Benchmark
from clipsenet.recipe import Recipe
from clipsenet.sharing import extract_shared
from clipsenet.sightings import UNKNOWN, Sightings, Trial
from clipsenet.transforms import make_test_transform
from clipsenet.trials import all_against_all, require_matches, search

log = logging.getLogger("clipsenet")


def check_before_training(recipe: Recipe, benchmark: Benchmark) -> None:
    """Refuse what could only fail hours later, and warn of vehicles with one picture.

    Raises:
        ClipsenetError: no training pictures; validation or test curve that can score nothing; ``best`` asked for
            without validation vehicles.
        UsageError: an epoch to be kept, or evaluated, that there is not.
    """
    if len(benchmark.train) == 0:
        raise ClipsenetError(f"{benchmark.name} has no training pictures; give some in the split column as 'train'")
    if len(benchmark.validation) == 0 and recipe.evaluation.checkpoint == "best":
        raise ClipsenetError(
            f"evaluation.checkpoint=best needs validation vehicles, and {benchmark.name} has none: hold some out with --set "
            "data.validation_vehicles=N, or set evaluation.checkpoint=last"
        )
    late = [epoch for epoch in recipe.training.keep_epochs if epoch > recipe.schedule.epochs]
    if late:
        raise UsageError(f"training.keep_epochs={late[0]}, but the schedule has {recipe.schedule.epochs} epochs")
    kept = {"last", "best", *(f"epoch-{epoch}" for epoch in recipe.training.keep_epochs)}
    if recipe.evaluation.checkpoint not in kept:
        raise UsageError(
            f"evaluation.checkpoint={recipe.evaluation.checkpoint} is not kept: add that epoch to training.keep_epochs"
        )
    for _, sightings, trials in _watched(recipe, benchmark):
        require_matches(sightings, trials, benchmark.protocol.junk)
    _warn_of_few(benchmark.train, recipe.sampler.pictures)


def require_share(recipe: Recipe, processes: int) -> None:
    """Refuse batches that several processes cannot share out by whole vehicles.

    Raises:
        UsageError: the vehicles of a batch are no multiple of the processes.
    """
    if recipe.sampler.vehicles % processes:
        raise UsageError(
            f"sampler.vehicles={recipe.sampler.vehicles} cannot be shared out among {processes} processes; set a multiple"
        )


def warn_of_frozen(recipe: Recipe) -> None:
    """Say where a branch is frozen that nothing was loaded into: it stays as random as it begins."""
    for name, branch in recipe.optimiser.branches.items():
        part = getattr(recipe.model, name, recipe.model)
        if branch.frozen and getattr(part, "weights", None) is None:
            log.warning("the branch '%s' is frozen at RANDOM weights: give it some, or let it learn", name)


def require_places(settings: PlaceSettings, rows: Int[np.ndarray, " n"]) -> None:
    """Refuse a network with camera and view rows where no training picture has one; warn where some have none.

    Raises:
        ClipsenetError: not one picture has the labels.
    """
    without = int((rows == UNKNOWN).sum())
    if without == len(rows):
        raise ClipsenetError(
            f"model.places.labels={settings.labels}: none of the {len(rows)} training pictures has the labels for it; give the "
            "columns camera and view, or set model.places=null"
        )
    if without:
        log.warning("%d of %d training pictures have no %s and get no row of it", without, len(rows), settings.labels)


def validate(
    recipe: Recipe, benchmark: Benchmark, model: Model, fabric: Fabric, cache: PictureCache | None = None
) -> dict[str, float]:
    """``validation.mAP`` and ``validation.R1``; the same of the test part, for a curve, where the recipe asks for it.

    Several processes share the extraction; each has the scores.
    """
    row: dict[str, float] = {}
    transform = make_test_transform(recipe.images, model.mean, model.std)
    for name, sightings, trials in _watched(recipe, benchmark):
        features = extract_shared(
            fabric,
            model,
            sightings,
            transform,
            run_id="in training",
            places=model.place_rows(sightings) if recipe.evaluation.labels else None,
            batch=recipe.evaluation.batch,
            workers=recipe.training.workers,
            cache=cache,
        )
        scores = search(features, trials, benchmark.protocol)[benchmark.protocol.junk].scores()
        row |= {f"{name}.mAP": scores["mAP"], f"{name}.R1": scores["R1"]}
    return row


def _watched(recipe: Recipe, benchmark: Benchmark) -> list[tuple[str, Sightings, tuple[Trial, ...]]]:
    """The parts that are scored while training."""
    parts: list[tuple[str, Sightings, tuple[Trial, ...]]] = []
    if len(benchmark.validation):
        parts.append(("validation", benchmark.validation, all_against_all(benchmark.validation)))
    if recipe.training.test_curve:
        parts.append(("test", benchmark.test, benchmark.trials))
    return parts


def _warn_of_few(pictures: Sightings, wanted: int) -> None:
    """Vehicles that the sampler has to fill up by repeating their pictures."""
    _, counts = np.unique(pictures.vehicle.numbers, return_counts=True)
    if (counts == 1).any():
        log.warning(
            "%d of %d training vehicles have one picture only: it is its own positive, repeated %d times in a batch",
            (counts == 1).sum(),
            len(counts),
            wanted,
        )
