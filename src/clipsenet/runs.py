"""A run folder: weights, resolved recipe, history, scorecards, environment; reloaded from itself alone."""

import csv
import hashlib
import io
import json
import platform
import sys
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from clipsenet.assembling import model_of
from clipsenet.errors import ClipsenetError
from clipsenet.files import short_name, write_text, write_whole
from clipsenet.history import read_history
from clipsenet.leftovers import remove_leftovers
from clipsenet.models import Model, without_weights
from clipsenet.recipe import FORMAT, Recipe, without_format
from clipsenet.settings import read_yaml
from clipsenet.sightings import Sightings
from clipsenet.transforms import Transform, make_test_transform
from clipsenet.weights import load_state, read_state

TRAINED_ON = "trained-on.csv"
RESUME = "resume.safetensors"
"""The file of a training that is under way."""

OF_FIRST_EPOCH = ("history.csv", "best.safetensors", "epoch-1.safetensors", "last.safetensors")
"""What a training that dies before its first state is saved may leave behind; the last of them is there where any is."""

Checkpoint = str
"""``last``, ``best`` (on validation vehicles), or ``epoch-N`` of an epoch that the recipe kept."""


@dataclass(frozen=True, eq=False)
class Run:
    """A trained model with all that is needed to use it.

    Attributes:
        folder: where it lies.
        recipe: what it was trained with.
        checkpoint: which of its weights: ``last``, ``best`` on validation vehicles, or ``epoch-N``.
        epoch: the epoch after which those were saved, counted from 1.
        model: with these weights, in evaluation mode.
    """

    folder: Path
    recipe: Recipe
    checkpoint: Checkpoint
    epoch: int
    model: Model

    @classmethod
    def open(cls, folder: Path, checkpoint: Checkpoint | None = None) -> "Run":
        """Open a run folder.

        Args:
            folder: as ``train`` wrote it.
            checkpoint: which weights; none: as its recipe says.

        Raises:
            ClipsenetError: no run there, no such checkpoint, a newer format, weights that do not fit.
        """
        recipe = read_recipe(folder)
        chosen: Checkpoint = checkpoint or recipe.evaluation.checkpoint
        path = folder / f"{chosen}.safetensors"
        if not path.is_file():
            reasons = {"best": "it needs validation vehicles, and one validation", "last": "no epoch was finished"}
            why = reasons.get(chosen, "it was not kept: training.keep_epochs")
            raise ClipsenetError(f"{folder} has no checkpoint '{chosen}' ({why}); found {_checkpoints(folder)}")
        facts = read_facts(path)
        model = model_of(recipe)
        load_state(model, _named_as_now(read_state(path), int(facts["format"])), str(path))
        return cls(folder, recipe, chosen, int(facts["epoch"]), model.eval().to(memory_format=torch.channels_last))

    @cached_property
    def id(self) -> str:
        """SHA-256 over the embedding's weights and the settings of model and test transform, in hex."""
        return run_id(self.model, self.recipe)

    @property
    def test_transform(self) -> Transform:
        """Picture to the model's input."""
        return make_test_transform(self.recipe.images, self.model.mean, self.model.std)

    @property
    def dim(self) -> int:
        """The embeddings' length."""
        return self.model.dim


def run_id(model: Model, recipe: Recipe) -> str:
    """The identity of an embedding: SHA-256 over its weights (name, dtype, shape, bytes) and canonical settings.

    Counters of BatchNorm and the place of pretrained weights are no part of it: they change no embedding.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            continue
        value = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.flatten().view(torch.uint8).numpy().data if value.numel() else b"")
    mean, std = recipe.images.statistics or (model.mean, model.std)
    settings = {
        "model": without_weights(recipe.model).to_values(),
        "images": {
            "size": list(recipe.images.size),
            "interpolation": recipe.images.interpolation,
            "mean": list(mean),
            "std": list(std),
        },
    }
    digest.update(json.dumps(settings, sort_keys=True, separators=(",", ":")).encode())
    return digest.hexdigest()


def save_checkpoint(folder: Path, name: Checkpoint, model: nn.Module, epoch: int) -> None:
    """Write the embedding's weights as safetensors; format and epoch stand in the file itself.

    Raises:
        ClipsenetError: the disk is full; the checkpoint that was there is untouched.
    """
    save_tensors(folder / f"{name}.safetensors", dict(model.state_dict()), {"epoch": epoch})


def save_tensors(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write tensors and facts as one safetensors file, whole or not at all."""
    metadata = {"clipsenet": json.dumps({"format": FORMAT, **facts})}
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_whole(path, lambda partial: save_file(plain, partial, metadata))


def read_facts(path: Path) -> dict[str, Any]:
    """What stands beside the tensors of a file that ``save_tensors`` wrote.

    Raises:
        ClipsenetError: broken, not one of ours, or of a newer format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            facts: dict[str, Any] = json.loads((file.metadata() or {})["clipsenet"])
            newer, _ = int(facts["format"]) > FORMAT, int(facts["epoch"])
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ClipsenetError(f"{path} is not a whole checkpoint of clipsenet ({type(error).__name__}: {error})") from error
    if newer:
        raise ClipsenetError(f"{path} has format {facts['format']}, wanted at most {FORMAT}: update clipsenet")
    return facts


def start_folder(folder: Path, recipe: Recipe, pictures: Sightings) -> None:
    """Begin a run folder: the resolved recipe, the environment, and the pictures that are trained on.

    A folder in which a training was begun, but nothing saved, is begun again.

    Raises:
        ClipsenetError: the folder holds something else already, or cannot be written.
    """
    if folder.exists() and not _may_begin(folder):
        raise ClipsenetError(f"{folder} exists and is not empty; go on with --resume, give another --run, or remove it")
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("vehicle", "picture"))
    writer.writerows(zip(pictures.vehicle.texts(), map(short_name, pictures.files()), strict=True))
    write_text(folder / TRAINED_ON, text.getvalue())
    write_text(folder / "environment.json", json.dumps(environment(), indent=2) + "\n")
    for name in OF_FIRST_EPOCH:
        (folder / name).unlink(missing_ok=True)
    remove_leftovers(folder)
    write_recipe(folder, recipe)


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """The resolved recipe of a run folder, with its format's number."""
    write_text(folder / "recipe.yaml", f"format: {FORMAT}\n" + recipe.to_yaml())


def is_finished(folder: Path) -> bool:
    """Whether a training did all that it had to do: its last epoch was validated, too, and no state is left to go on from.

    Raises:
        ClipsenetError: the folder's recipe, or its checkpoint, is broken or of a newer format.
    """
    last = folder / "last.safetensors"
    if not last.is_file() or not (folder / "recipe.yaml").is_file() or (folder / RESUME).is_file():
        return False
    epochs = read_recipe(folder).schedule.epochs
    return int(read_facts(last)["epoch"]) == epochs and any(row["epoch"] == epochs for row in read_history(folder))


def _may_begin(folder: Path) -> bool:
    """An empty folder, or one in which a training was begun and died before its first epoch was saved whole."""
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    begun = {"recipe.yaml", "environment.json", TRAINED_ON, "not-finite.txt", "tensorboard"}
    if "last.safetensors" in names and RESUME not in names and not is_finished(folder):
        begun |= set(OF_FIRST_EPOCH) if int(read_facts(folder / "last.safetensors")["epoch"]) == 1 else set()
    return not names or (TRAINED_ON in names and names <= begun)


def read_recipe(folder: Path) -> Recipe:
    """The recipe of a run folder.

    Raises:
        ClipsenetError: no run folder, or one of a newer format.
    """
    path = folder / "recipe.yaml"
    if not path.is_file():
        raise ClipsenetError(f"{folder} is not a run folder: found no recipe.yaml in it; give a folder that train wrote")
    values = read_yaml(path)
    if "format" not in values:
        raise ClipsenetError(f"{path}: found no format number in it; give a folder that train wrote")
    return Recipe.from_values(without_format(values, str(path)), str(path))


def trained_on(folder: Path) -> set[tuple[str, str]] | None:
    """Vehicle and picture's short name of all that a run was trained on; none where its folder does not tell."""
    path = folder / TRAINED_ON
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="") as file:
        return {(row["vehicle"], row["picture"]) for row in csv.DictReader(file)}


def environment() -> dict[str, Any]:
    """What a number may depend on beyond the recipe: versions, processor, threads."""
    libraries = ("clipsenet", "torch", "torchvision", "timm", "pillow", "numpy", "lightning-fabric", "pytorch-metric-learning")
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "versions": {name: version(name) for name in libraries},
    }


def _named_as_now(state: dict[str, Tensor], format_: int) -> dict[str, Tensor]:
    """The tensors of a checkpoint under the names of today's parts."""
    if format_ >= FORMAT:
        return state
    names = (("trunk.", "appearance."), ("linear.", "fusion.linear."))  # of format 1
    for theirs, ours in names:
        state = {ours + key.removeprefix(theirs) if key.startswith(theirs) else key: value for key, value in state.items()}
    return state


def _checkpoints(folder: Path) -> str:
    found = [path.stem for path in sorted(folder.glob("*.safetensors")) if path.name != RESUME]
    return ", ".join(found) or "none"
