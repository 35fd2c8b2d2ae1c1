"""The networks, by name."""

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from clipsenet.models.baseline import Baseline, BaselineSettings
from clipsenet.models.clip_senet import ClipSenet, ClipSenetSettings
from clipsenet.models.places import named_after
from clipsenet.models.semantics import with_shape
from clipsenet.sightings import Sightings
from clipsenet.transforms import Three

Model = ClipSenet

AnySettings = BaselineSettings | ClipSenetSettings

MODELS: dict[str, Any] = {"baseline": Baseline, "clip-senet": ClipSenet}
"""A model's kind to its class: ``(settings, size, statistics) -> module (images, places) -> embeddings``."""


def _kind(values: Any) -> str:
    """A recipe that names no kind means the baseline."""
    kind: str = values.get("kind", "baseline") if isinstance(values, dict) else getattr(values, "kind", "baseline")
    return kind


ModelSettings = Annotated[
    Annotated[BaselineSettings, Tag("baseline")] | Annotated[ClipSenetSettings, Tag("clip-senet")], Discriminator(_kind)
]


def make_model(
    settings: AnySettings,
    size: tuple[int, int],
    statistics: tuple[Three, Three] | None = None,
) -> Model:
    """The model that the settings describe.

    Args:
        settings: its parts.
        size: height and width of the pictures, in pixels.
        statistics: mean and standard deviation of the pixels as they come; none: the trunk's own.

    Raises:
        UsageError, ClipsenetError: a part that is unknown or does not fit.
    """
    model: Model = MODELS[settings.kind](settings, size, statistics)
    return model


def resolved(settings: AnySettings, train: Sightings) -> AnySettings:
    """The settings with all filled in that data or files decide: names of cameras and views, sizes of a pruned tower.

    What comes out needs neither training set nor weights to be made again.

    Raises:
        UsageError, ClipsenetError: as ``with_shape``.
    """
    update: dict[str, Any] = {}
    if settings.places is not None:
        update["places"] = named_after(settings.places, train)
    if isinstance(settings, ClipSenetSettings) and settings.semantics is not None:
        update["semantics"] = with_shape(settings.semantics)
    return settings.model_copy(update=update)


def without_weights(settings: AnySettings) -> AnySettings:
    """The settings without any file of pretrained weights."""
    update: dict[str, Any] = {"weights": None} if isinstance(settings, BaselineSettings) else {}
    if isinstance(settings, ClipSenetSettings):
        for name in ("appearance", "semantics"):
            part = getattr(settings, name)
            update[name] = None if part is None else part.model_copy(update={"weights": None})
    return settings.model_copy(update=update)


def describe_settings(settings: AnySettings) -> str:
    """The network in a few words: its trunk, its tower, its AFEM."""
    whole = settings.as_clip_senet()
    words = []
    if whole.appearance is not None:
        words.append(whole.appearance.trunk)
    if whole.semantics is not None:
        words.append(whole.semantics.tower)
    if whole.afem is not None:
        words.append(f"AFEM of {whole.afem.groups} {whole.afem.reading}")
    if whole.places is not None:
        words.append(f"rows of {whole.places.labels} on {whole.places.on}")
    return " + ".join(words)
