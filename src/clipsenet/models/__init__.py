"""The networks, by name."""

from typing import Any

from clipsenet.models.baseline import Baseline, BaselineSettings

ModelSettings = BaselineSettings
Model = Baseline

MODELS: dict[str, Any] = {"baseline": Baseline}
"""A model's kind to its class: ``(settings, size) -> module (images, places) -> embeddings``."""


def make_model(settings: ModelSettings, size: tuple[int, int]) -> Model:
    """The model that the settings describe.

    Args:
        settings: its parts.
        size: height and width of the pictures, in pixels.

    Raises:
        UsageError, ClipsenetError: a part that is unknown or does not fit.
    """
    model: Model = MODELS[settings.kind](settings, size)
    return model
