"""Devices: by name, refused at once where there is none, and the precision each can compute in."""

from typing import Literal

import torch
from lightning_fabric import Fabric

from clipsenet.errors import UsageError

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


def find_device(name: str) -> torch.device:
    """A device by name.

    Args:
        name: ``auto`` (the first GPU, or the CPU), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    Raises:
        UsageError: it is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"--device {name}: {reason}; choose from auto, cpu, cuda, cuda:N, mps") from error
    return device


def make_fabric(name: str, precision: Precision) -> Fabric:
    """Fabric on one device.

    Raises:
        UsageError: no such device here, or a precision that it cannot compute in.
    """
    device = find_device(name)
    if device.type == "cpu" and precision == "16-mixed":  # Fabric would take bf16 instead, with a warning
        raise UsageError("training.precision=16-mixed needs a GPU; on a CPU set 32-true, or bf16-mixed")
    return Fabric(accelerator=device.type, devices=1 if device.index is None else [device.index], precision=precision)
