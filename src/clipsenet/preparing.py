"""What a training prepares before its first step: checkpointing, SyncBatchNorm, torch.compile; determinism."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import torch
from lightning_fabric import Fabric
from timm.layers.norm_act import convert_sync_batchnorm

from clipsenet.errors import UsageError
from clipsenet.models.reached import unreached
from clipsenet.objective import Objective
from clipsenet.recipe import TrainingSettings


def prepare_trunks(objective: Objective, settings: TrainingSettings, fabric: Fabric, size: tuple[int, int]) -> None:
    """Prepare the branches as the settings ask; names and shapes of weights stay as they are.

    Args:
        objective: its model's branches are prepared.
        settings: what is asked for.
        fabric: the device, or one of several processes, which have to know what learns nothing.
        size: height and width of the pictures, in pixels.

    Raises:
        UsageError: a trunk that cannot be checkpointed; synchronised norms on a CPU, which PyTorch refuses.
    """
    model = objective.model
    branches = {
        name: one for name, one in (("appearance", model.appearance), ("semantics", model.semantics)) if one is not None
    }
    if fabric.world_size > 1:  # DDP waits for a gradient of whatever wants one
        for branch in branches.values():
            for parameter in unreached(branch, size):
                parameter.requires_grad_(False)
    if settings.branch_norms == "synchronised":
        if fabric.device.type != "cuda":
            raise UsageError(
                f"training.branch_norms=synchronised on {fabric.device.type}: PyTorch's SyncBatchNorm takes GPU tensors only; "
                "set batch or frozen"
            )
        for name, branch in branches.items():
            # timm's own: PyTorch's would lose the activations that timm keeps within its norms
            setattr(model, name, convert_sync_batchnorm(branch))  # type: ignore[no-untyped-call]
    for name in branches:
        trunk: Any = model.branch(name)
        if settings.checkpointing:
            try:
                trunk.network.set_grad_checkpointing(True)
            except (AttributeError, AssertionError, NotImplementedError) as error:
                raise UsageError(
                    f"training.checkpointing: the {name} branch cannot be checkpointed; set it to false"
                ) from error
        if settings.compile:
            trunk.compile()


@contextlib.contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Inside, PyTorch takes algorithms that repeat bit for bit where it has them, and warns where it has none.

    On a CPU a training repeats anyway, with the same number of threads; on a GPU some sums are added in any order.
    """
    if not wanted:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS asks for
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmarked = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = benchmarked
