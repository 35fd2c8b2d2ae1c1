"""Devices: by name, refused at once where there is none, and the precision each can compute in."""

from typing import Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor

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


def make_fabric(name: str, precision: Precision, processes: int = 1, *, some_unused: bool = False) -> Fabric:
    """Fabric on one device, or in several processes with a device each (data parallel).

    Args:
        name: as ``find_device`` takes it; with several processes without a number.
        precision: of the network.
        processes: how many; on a GPU each has its own, on a CPU they share the cores.
        some_unused: whether some weights get no gradient in some steps, which several processes must know.

    Raises:
        UsageError: no such device here, not so many of them, or a precision that it cannot compute in.
    """
    device = find_device(name)
    if device.type == "cpu" and precision == "16-mixed":  # Fabric would take bf16 instead, with a warning
        raise UsageError("training.precision=16-mixed needs a GPU; on a CPU set 32-true, or bf16-mixed")
    index: int | None = device.index
    if processes == 1:
        return Fabric(accelerator=device.type, devices=1 if index is None else [index], precision=precision)
    if index is not None:
        raise UsageError(f"--device {name} names one device, wanted {device.type} for {processes} processes")
    if device.type == "mps" or (device.type == "cuda" and torch.cuda.device_count() < processes):
        have = torch.cuda.device_count() if device.type == "cuda" else 1
        raise UsageError(f"--processes {processes}: found {have} devices of type {device.type}; each process wants its own")
    strategy = DDPStrategy(start_method="spawn", find_unused_parameters=some_unused)
    return Fabric(accelerator=device.type, devices=processes, strategy=strategy, precision=precision)


def gathered(fabric: Fabric, tensor: Tensor, *, gradients: bool = False) -> Tensor:
    """``(processes, ...)``: this tensor as each process has it, in their order.

    Args:
        fabric: launched; all its processes must call this.
        tensor: of one shape everywhere.
        gradients: whether gradients flow back; each process then receives the sum of what all of them found for its part.
    """
    found = fabric.all_gather(tensor, sync_grads=gradients)
    assert isinstance(found, Tensor)
    return found if fabric.world_size > 1 else found[None]
