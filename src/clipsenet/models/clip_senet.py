"""ClipSenet: the paper's network; with parts left out by settings, its ablations down to the baseline."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from clipsenet.errors import UsageError
from clipsenet.models.afem import AFEM, AfemSettings
from clipsenet.models.backbones import Trunk, TrunkSettings
from clipsenet.models.heads import BNNeck, Fusion, Sum
from clipsenet.models.places import PlaceRows, PlaceSettings
from clipsenet.models.semantics import Semantics, SemanticsSettings
from clipsenet.settings import Settings
from clipsenet.sightings import UNKNOWN, Sightings
from clipsenet.transforms import Three

Branch = Literal["appearance", "semantics"]
Vectors = Float[Tensor, "batch dim"]

SYMBOLS = {"appearance": "T_a", "semantics": "T_s", "fusion": "T_u", "afem": "T_s'", "sum": "T"}
"""A part's name to the paper's name of what it gives."""


class EmbeddingSettings(Settings):
    """What every network has behind its branches."""

    dim: int | None = Field(default=None, ge=1, description="Length of T, by a linear layer; none: the appearance trunk's.")
    places: PlaceSettings | None = Field(default=None, description="CV: learned rows of camera and view; none: no labels used.")
    neck: bool = Field(default=True, description="A BNNeck between the metric loss's embedding and the classifier's.")
    embedding: Literal["before", "after"] = Field(default="after", description="At test: before or after the BNNeck.")


class AppearanceSettings(TrunkSettings):
    """The appearance trunk, as in the paper."""

    trunk: str = Field(default="resnext101_ibn_a", description="Any network of timm, or IBN-Net's; see: clipsenet list trunks.")
    last_stride: Literal[1, 2] | None = Field(default=1, description="Of a ResNet's last stage; none: the trunk's own.")


class ClipSenetSettings(EmbeddingSettings):
    """The paper's network. Without ``afem`` it is +SEM, without ``appearance`` too TinyCLIP alone."""

    kind: Literal["clip-senet"] = "clip-senet"
    appearance: AppearanceSettings | None = Field(
        default=AppearanceSettings(), description="The CNN, T_a; none: TinyCLIP alone."
    )
    semantics: SemanticsSettings | None = Field(default=SemanticsSettings(), description="TinyCLIP, T_s; none: the CNN alone.")
    afem: AfemSettings | None = Field(default=AfemSettings(), description="The enhancement T_s'; none: T = T_u.")

    def as_clip_senet(self) -> "ClipSenetSettings":
        """Itself; a baseline's settings answer with its one branch."""
        return self

    @model_validator(mode="after")
    def _belongs_together(self) -> "ClipSenetSettings":
        if self.appearance is None and self.semantics is None:
            raise ValueError("a network with at least one branch: appearance, semantics, or both")
        if self.afem is not None and self.semantics is None:
            raise ValueError("semantics where there is an afem, which enhances it; leave both out for the CNN alone")
        if self.places is not None and self.places.on == "T_a" and self.appearance is None:
            raise ValueError("places.on=T or T_u where there is no appearance branch")
        return self


class ClipSenet(nn.Module):
    """``(images, places) -> embeddings``, equations 1 to 5.

    Args:
        settings: the parts.
        size: height and width of the pictures, in pixels.
        statistics: mean and standard deviation of the pixels as they come; none: the appearance trunk's own.

    Attributes:
        dim: the embeddings' length.
        mean, std: the pixel statistics that pictures must be normalised with.
        frozen: names of branches that stay in evaluation mode and learn nothing.
        norms_frozen: whether BatchNorm in the branches stays in evaluation mode.

    Raises:
        UsageError, ClipsenetError: a part that is unknown or does not fit.
    """

    APPEARANCE = "model.appearance."
    """What stands before the trunk's settings, for messages."""

    def __init__(
        self, settings: ClipSenetSettings, size: tuple[int, int], statistics: tuple[Three, Three] | None = None
    ) -> None:
        super().__init__()
        self.settings = settings
        self.frozen: frozenset[str] = frozenset()
        self.norms_frozen = False
        self.appearance = None if settings.appearance is None else Trunk(settings.appearance, size, self.APPEARANCE)
        if self.appearance is not None:
            statistics = statistics or (self.appearance.mean, self.appearance.std)
        self.semantics = None if settings.semantics is None else Semantics(settings.semantics, size, statistics)
        branches = [one for one in (self.semantics, self.appearance) if one is not None]
        self.mean, self.std = statistics or (branches[0].mean, branches[0].std)
        self.dim = settings.dim or branches[-1].dim
        lengths = [branch.dim for branch in branches]
        self.fusion = None if len(lengths) == 1 and settings.dim is None else Fusion(lengths, self.dim)
        self.afem: AFEM | None = None
        if settings.afem is not None and self.semantics is not None:
            self.afem = AFEM(settings.afem, self.semantics.dim if settings.afem.input == "T_s" else self.dim, self.dim)
        self.sum = Sum() if self.afem is not None else None
        self.places: PlaceRows | None = None
        if settings.places is not None:
            if not settings.places.named:
                raise UsageError("model.places: which cameras and views have rows is not known; see clipsenet.models.resolved")
            self.places = PlaceRows(settings.places.rows, self._length_of(settings.places.on))
        self.neck = BNNeck(self.dim) if settings.neck else nn.Identity()

    def branches(self, images: Float[Tensor, "batch 3 height width"]) -> dict[str, Float[Tensor, "batch _"]]:
        """``T_a`` (equation 1) and ``T_s`` (equation 2) of those branches that there are."""
        found = {}
        for name, symbol, branch in (("appearance", "T_a", self.appearance), ("semantics", "T_s", self.semantics)):
            if branch is not None:
                with torch.set_grad_enabled(torch.is_grad_enabled() and name not in self.frozen):
                    found[symbol] = branch(images)
        return found

    def join(self, branches: dict[str, Float[Tensor, "batch _"]], places: Int[Tensor, " batch"]) -> Vectors:
        """``T``, equations 3 to 5, in float32; not normalised."""
        vectors = dict(branches)
        self._place("T_a", vectors, places)
        parts = [vectors[name] for name in ("T_s", "T_a") if name in vectors]
        vectors["T_u"] = parts[0] if self.fusion is None else self.fusion(*parts)
        self._place("T_u", vectors, places)
        vectors["T"] = vectors["T_u"].float()
        if self.afem is not None and self.sum is not None and self.settings.afem is not None:
            enhanced: Tensor = self.afem(vectors[self.settings.afem.input])
            vectors["T"] = self.sum(vectors["T_u"], enhanced)
        self._place("T", vectors, places)
        return vectors["T"]

    def before_and_after(
        self, images: Float[Tensor, "batch 3 height width"], places: Int[Tensor, " batch"]
    ) -> tuple[Vectors, Vectors]:
        """``T`` and the same behind the BNNeck, as the losses want them; not normalised."""
        before = self.join(self.branches(images), places)
        return before, self.neck(before)

    def forward(self, images: Float[Tensor, "batch 3 height width"], places: Int[Tensor, " batch"]) -> Vectors:
        """The embeddings of the test, of length 1.

        Args:
            images: RGB, normalised.
            places: rows of the camera and view table, -1 for none; a network without such rows does not read them.
        """
        before, after = self.before_and_after(images, places)
        return F.normalize(after if self.settings.embedding == "after" else before)

    def parts_of(
        self, images: Float[Tensor, "batch 3 height width"], places: Int[Tensor, " batch"]
    ) -> dict[str, Float[Tensor, "batch dim"]]:
        """What each branch adds to ``T``; with ``rest`` (bias, camera and view) they sum to it.

        ``appearance`` is ``W_a T_a``, ``semantics`` is ``W_s T_s + T_s'``, of ``T_u = W_s T_s + W_a T_a + b``.

        Raises:
            UsageError: one branch only, or branches that are mixed before the sum.
        """
        if self.fusion is None or self.appearance is None or self.semantics is None:
            raise UsageError("this network has one branch only: nothing of its embedding belongs to another")
        if self.settings.afem is not None and self.settings.afem.input == "T_u":
            raise UsageError("model.afem.input=T_u enhances both branches together: no part of T belongs to one of them")
        vectors = self.branches(images)
        whole = self.join(vectors, places)
        share = self.fusion.shares(vectors["T_s"], vectors["T_a"])
        parts = {"appearance": share[1].float(), "semantics": share[0].float()}
        if self.afem is not None:
            parts["semantics"] = parts["semantics"] + self.afem(vectors["T_s"]).float()
        return {**parts, "rest": whole - parts["appearance"] - parts["semantics"]}

    def embed(self, total: Vectors) -> Vectors:
        """From ``T`` to the embedding of the test: the BNNeck where it is meant to pass it, and length 1."""
        return F.normalize(self.neck(total) if self.settings.embedding == "after" else total)

    def place_rows(self, sightings: Sightings) -> Int[np.ndarray, " n"]:
        """``(n,)`` row of the camera and view table for each picture; -1 where there is none."""
        if self.settings.places is None:
            return np.full(len(sightings), UNKNOWN, dtype=np.int64)
        return self.settings.places.of(sightings)

    def branch(self, name: str) -> nn.Module:
        """A branch by name.

        Raises:
            UsageError: the network has none of that name.
        """
        found = {name: one for name, one in (("appearance", self.appearance), ("semantics", self.semantics)) if one is not None}
        if name not in found:
            raise UsageError(f"this network has no branch '{name}': found {', '.join(found)}")
        return found[name]

    def freeze(self, *names: str) -> None:
        """Let these branches learn nothing, and the others again: no gradient, no running statistics, no dropout.

        Raises:
            UsageError: the network has none of that name.
        """
        for name in names:
            self.branch(name)
        self.frozen = frozenset(names)
        self.train(self.training)

    def freeze_norms(self) -> None:
        """Let BatchNorm in the branches keep its running statistics and normalise by them; its weights still learn."""
        self.norms_frozen = True
        self.train(self.training)

    def train(self, mode: bool = True) -> "ClipSenet":
        super().train(mode)
        for name in self.frozen:
            self.branch(name).eval()
        if self.norms_frozen:
            for branch in (self.appearance, self.semantics):
                for module in branch.modules() if branch is not None else ():
                    if isinstance(module, nn.modules.batchnorm._BatchNorm):
                        module.eval()
        return self

    def _length_of(self, symbol: str) -> int:
        return self.appearance.dim if symbol == "T_a" and self.appearance is not None else self.dim

    def _place(self, symbol: str, vectors: dict[str, Tensor], places: Int[Tensor, " batch"]) -> None:
        """Add the rows where the settings want them."""
        if self.places is not None and self.settings.places is not None and self.settings.places.on == symbol:
            vectors[symbol] = self.places(vectors[symbol], places)
