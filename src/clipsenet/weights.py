"""Weights from files: opened without running code in them, loaded only where every tensor fits."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from clipsenet.errors import ClipsenetError

State = Mapping[str, Tensor]


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a safetensors file or a PyTorch file (tensors only, never pickled code).

    A dict wrapped as ``{"state_dict": ...}`` is unwrapped, a common prefix ``module.`` dropped.

    Raises:
        ClipsenetError: no such file, cut off, of another kind, or with more than tensors in it.
    """
    if not path.is_file():
        raise ClipsenetError(f"no weights at {path}: found no such file; give the path of a .safetensors or .pth file")
    state: Any
    try:
        state = load_file(path) if path.suffix == ".safetensors" else _load_torch(path)
    except SafetensorError as error:
        raise ClipsenetError(f"{path} is not a whole safetensors file ({error}); fetch it again") from error
    except Exception as error:  # torch.load raises UnpicklingError, RuntimeError, EOFError, KeyError ... for a bad file
        raise ClipsenetError(
            f"{path} is not a file of tensors alone ({str(error).splitlines()[0]}); wanted a state dict, as safetensors or "
            "as torch.save writes it"
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise ClipsenetError(f"{path}: found {type(state).__name__}, wanted a dict of tensors (a state dict)")
    if all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): value for key, value in state.items()}
    tensors: dict[str, Tensor] = state
    return tensors


def _load_torch(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


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
