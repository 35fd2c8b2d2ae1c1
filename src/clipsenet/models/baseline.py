"""Baseline: the appearance trunk alone."""

from typing import Literal

from clipsenet.models.backbones import TrunkSettings
from clipsenet.models.clip_senet import AppearanceSettings, ClipSenet, ClipSenetSettings, EmbeddingSettings
from clipsenet.transforms import Three


class BaselineSettings(TrunkSettings, EmbeddingSettings):
    """A CNN or ViT alone: the paper's baseline with any trunk."""

    kind: Literal["baseline"] = "baseline"

    def as_clip_senet(self) -> ClipSenetSettings:
        """The same network as one branch of ``ClipSenet``."""
        trunk = AppearanceSettings(**{name: getattr(self, name) for name in TrunkSettings.model_fields})
        rest = {name: getattr(self, name) for name in EmbeddingSettings.model_fields}
        return ClipSenetSettings(appearance=trunk, semantics=None, afem=None, **rest)


class Baseline(ClipSenet):
    """``(images, places) -> embeddings``: a trunk, an optional linear layer, the BNNeck."""

    APPEARANCE = "model."

    def __init__(
        self, settings: BaselineSettings, size: tuple[int, int], statistics: tuple[Three, Three] | None = None
    ) -> None:
        super().__init__(settings.as_clip_senet(), size, statistics)
