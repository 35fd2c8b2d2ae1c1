"""Recipe: everything that decides a training, composed of the parts' settings."""

import importlib.resources
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, PositiveInt

from clipsenet.caching import CacheSettings
from clipsenet.datasets import DataSettings
from clipsenet.devices import Precision
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.losses import LossSettings
from clipsenet.models import ModelSettings
from clipsenet.models.baseline import BaselineSettings
from clipsenet.optimisers import CosineSettings, OptimiserSettings, ScheduleSettings
from clipsenet.sampling import SamplerSettings
from clipsenet.settings import Settings, closest, override, read_yaml
from clipsenet.transforms import ImageSettings

FORMAT = 2
"""Of a run folder and the files in it; 2: a network's parts are named as in the paper."""

LossName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
"""It appears in logs, columns and --set, where a dot means something else."""


def _checkpoint(name: str) -> str:
    if re.fullmatch(r"last|best|epoch-[1-9][0-9]*", name) is None:
        raise ValueError("last, best, or epoch-N")
    return name


CheckpointName = Annotated[str, AfterValidator(_checkpoint)]


class TrainingSettings(Settings):
    """How the loop computes."""

    precision: Precision = Field(default="32-true", description="Of the network; similarities and losses are always float32.")
    channels_last: bool = Field(default=False, description="The memory layout of pictures and filters: measure it.")
    micro_batch: int | None = Field(
        default=None,
        ge=2,
        description="Pictures that go through the trunks at once, on each device; all else sees the whole batch. None: all.",
    )
    checkpointing: bool = Field(
        default=False, description="Compute parts of the trunks a second time instead of keeping them: less memory, more time."
    )
    compile: bool = Field(default=False, description="Let torch.compile translate the trunks: needs a C++ compiler on a CPU.")
    branch_norms: Literal["batch", "frozen", "synchronised"] = Field(
        default="batch",
        description="BatchNorm in the trunks: by the batch (of a device, or of a micro batch); frozen at its running "
        "statistics; or by the batches of all GPUs together.",
    )
    deterministic: bool = Field(
        default=False, description="Ask PyTorch for algorithms that repeat bit for bit, where the device has them; slower."
    )
    ema: float | None = Field(
        default=None, gt=0, lt=1, description="Decay of a moving average of the weights, which is then saved; none: off."
    )
    workers: int = Field(default=2, ge=0, description="Processes that open pictures; 0: the training process itself.")
    cache: CacheSettings = CacheSettings()
    validate_every: int = Field(default=1, ge=1, description="Epochs between two validations; the last is always validated.")
    keep_epochs: tuple[PositiveInt, ...] = Field(
        default=(), description="Epochs after which the weights are kept as a checkpoint of their own, epoch-N."
    )
    test_curve: bool = Field(default=False, description="Score the test part too at each validation; it chooses nothing.")


class EvaluationSettings(Settings):
    """How the test is run and what is printed beside it."""

    batch: int = Field(default=64, ge=1, description="Pictures at once.")
    map_at: tuple[PositiveInt, ...] = Field(default=(10,), description="The k of mAP@k.")
    checkpoint: CheckpointName = Field(
        default="last", description="last, best (on validation vehicles only), or epoch-N of training.keep_epochs."
    )
    reference: Literal["none", "histogram"] = Field(
        default="histogram", description="An untrained method scored beside the run, on the same trials."
    )
    labels: bool = Field(
        default=True, description="Tell a network that has camera and view rows the true labels; false: score it without."
    )
    without: Literal["appearance", "semantics"] | None = Field(
        default=None, description="Score with this branch's part of T replaced by its mean: what the other carries alone."
    )
    slices: tuple[str, ...] = Field(
        default=(), description="Queries scored apart, and the rest of them: column=value, for instance type=van."
    )
    intervals: int = Field(default=0, ge=0, description="Bootstrap draws for 95 % intervals; 0: none.")
    similarities: tuple[str, ...] | None = Field(
        default=None,
        description="What is scored beside the plain cosine, such as 'k-reciprocal:k1=50,k2=15,original=0.5'; null: as the "
        "benchmark has it.",
    )
    same_camera_kept: bool = Field(
        default=False, description="Score with the vehicle's pictures of the query's own camera kept, too: beside, not instead."
    )
    audit: bool = Field(
        default=False, description="How well the camera is told from the embedding, and the scores of many slices."
    )


class Recipe(Settings):
    """One YAML file: everything that decides a training and its test, apart from where the pictures lie."""

    name: str = Field(description="What the run folder is called.")
    seed: int = Field(default=3407, ge=0, description="Decides every random draw.")
    data: DataSettings = DataSettings()
    images: ImageSettings = ImageSettings()
    sampler: SamplerSettings = SamplerSettings()
    model: ModelSettings = BaselineSettings()
    losses: dict[LossName, LossSettings] = Field(description="Name to loss; the weighted sum is minimised.")
    optimiser: OptimiserSettings = OptimiserSettings()
    schedule: ScheduleSettings = CosineSettings()
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()

    def to_yaml(self) -> str:
        """The whole recipe with every default, as YAML that ``load_recipe`` reads back to an equal one."""
        text: str = yaml.safe_dump(self.to_values(), sort_keys=False, allow_unicode=True)
        return text


def load_recipe(name: str | Path, assignments: Sequence[str] = ()) -> Recipe:
    """A recipe from a file, or one of ours by name, with overrides.

    Args:
        name: a path, or a name as ``clipsenet list recipes`` prints it.
        assignments: dotted overrides such as ``optimiser.rate=1e-4``.

    Raises:
        UsageError: no such recipe, not YAML, an unknown setting, a wrong type.
    """
    path = find_recipe(str(name))
    values = without_format(read_yaml(path), str(path))  # a run folder's recipe has its format's number
    source = str(path) if not assignments else f"{path} with --set {' '.join(assignments)}"
    return Recipe.from_values(override(values, assignments), source)


def without_format(values: dict[str, Any], source: str) -> dict[str, Any]:
    """A run folder's recipe without the number of its format.

    Raises:
        ClipsenetError: a newer format.
    """
    found = values.get("format", FORMAT)
    if not isinstance(found, int) or found > FORMAT:
        raise ClipsenetError(f"{source} has format {found}, wanted at most {FORMAT}: update clipsenet")
    return {name: value for name, value in values.items() if name != "format"}


def find_recipe(name: str) -> Path:
    """The file of a recipe.

    Raises:
        UsageError: neither a file nor one of our names.
    """
    if Path(name).is_file():
        return Path(name)
    ours = own_recipes()
    if name in ours:
        return ours[name]
    raise UsageError(f"no recipe '{name}': neither a file nor one of ours; {closest(name, list(ours))}")


def own_recipes() -> dict[str, Path]:
    """The recipes that come with the package: name to file."""
    package = Path(str(importlib.resources.files("clipsenet")))
    # in a wheel they lie inside the package, in a checkout (or an editable installation) beside src
    for folder in (package / "recipes", package.parent.parent / "recipes"):
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    return {}
