"""Weights from files: opened without running code in them, loaded only where every tensor fits."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from clipsenet.errors import ClipsenetError

State = Mapping[str, Tensor]

Form = Literal["safetensors", "torch zip", "old torch form"]


@dataclass(frozen=True)
class StateFile:
    """A file of tensors as it was found.

    Attributes:
        tensors: name to tensor, unwrapped.
        form: how it is written; torch.save wrote the old form before 1.6.
        wrapped: whether the dict stood in another one, as ``{"state_dict": ...}``.
        prefixed: whether all names began with ``module.``, which is dropped.
    """

    tensors: dict[str, Tensor]
    form: Form
    wrapped: bool
    prefixed: bool


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, as ``open_state`` finds them.

    Raises:
        ClipsenetError: no such file, cut off, of another kind, or with more than tensors in it.
    """
    return open_state(path).tensors


def open_state(path: Path) -> StateFile:
    """Read a state dict from a safetensors file or a PyTorch file (tensors only, never pickled code).

    A dict wrapped as ``{"state_dict": ...}`` is unwrapped, a common prefix ``module.`` dropped. What else stands beside a
    wrapped dict has to be plain values, too.

    Raises:
        ClipsenetError: no such file, cut off, of another kind, or with more than tensors in it.
    """
    if not path.is_file():
        raise ClipsenetError(f"no weights at {path}: found no such file; give the path of a .safetensors or .pth file")
    form = _form(path)
    state: Any
    try:
        state = load_file(path) if form == "safetensors" else torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise ClipsenetError(f"{path} is not a whole safetensors file ({error}); fetch it again") from error
    except (
        Exception
    ) as error:  # torch.load raises UnpicklingError, RuntimeError, EOFError, KeyError, OSError ... for a bad file
        raise ClipsenetError(
            f"{path} is not a file of tensors alone ({_fault(error)}); wanted a state dict, as safetensors or as torch.save "
            "writes it"
        ) from error
    wrapped = isinstance(state, dict) and isinstance(state.get("state_dict"), dict)
    if wrapped:
        state = state["state_dict"]
    tensors = isinstance(state, dict) and all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    )
    if not tensors or not state:
        raise ClipsenetError(f"{path}: found {type(state).__name__}, wanted a dict of tensors (a state dict)")
    prefixed = all(key.startswith("module.") for key in state)
    if prefixed:
        state = {key.removeprefix("module."): value for key, value in state.items()}
    return StateFile(state, form, wrapped, prefixed)


def _form(path: Path) -> Form:
    try:
        with path.open("rb") as file:
            begin = file.read(2)
    except OSError as error:
        raise ClipsenetError(f"cannot read {path}: {error}; give a file that can be read") from error
    if path.suffix == ".safetensors":
        return "safetensors"
    return "torch zip" if begin == b"PK" else "old torch form"


def _fault(error: Exception) -> str:
    """What torch.load says against a file, in few words."""
    lines = str(error).splitlines() or [type(error).__name__]
    code = re.search(r"GLOBAL (\S+)", str(error))
    if code is not None:
        return f"it holds {code[1]}, which is code and was not run"
    if isinstance(error, UnpicklingError):
        return "it is nothing that torch.save wrote, or holds more than tensors and plain values"
    return f"it is cut off or broken: {lines[0]}"


def load_state(module: nn.Module, state: State, source: str, surplus: Iterable[str] = ()) -> None:
    """Load a state dict into ``module``; every tensor must be there, fit, and be used.

    Args:
        module: what is filled.
        state: name to tensor.
        source: the file, for the message.
        surplus: prefixes that the file may hold beyond, such as the classifier's.

    Raises:
        ClipsenetError: tensors missing, left over or of another shape, each named.
    """
    own = module.state_dict()
    given = {key: value for key, value in state.items() if not key.startswith(tuple(surplus))}
    missing = sorted(own.keys() - given.keys())
    left_over = sorted(given.keys() - own.keys())
    other = sorted(key for key in own.keys() & given.keys() if own[key].shape != given[key].shape)
    if missing or left_over or other:
        faults = [
            f"{len(names)} {what}: {', '.join(names[:6])}{' ...' if len(names) > 6 else ''}"
            for what, names in (("missing", missing), ("left over", left_over), ("of another shape", other))
            if names
        ]
        if other:
            faults.append(f"{other[0]} is {tuple(given[other[0]].shape)}, wanted {tuple(own[other[0]].shape)}")
        raise ClipsenetError(
            f"{source} holds the weights of another network; {'; '.join(faults)}. Give the file that belongs to it, or "
            "change the network's settings"
        )
    module.load_state_dict(given)
