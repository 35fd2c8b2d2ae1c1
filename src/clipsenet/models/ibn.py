"""IBN-a: a ResNet of timm whose first three stages normalise half of their channels picture by picture."""

from typing import Any

import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn

IBN_TRUNKS = {
    "resnet18_ibn_a": "resnet18",
    "resnet34_ibn_a": "resnet34",
    "resnet50_ibn_a": "resnet50",
    "resnet101_ibn_a": "resnet101",
    "resnext101_ibn_a": "resnext101_32x4d",
}
"""Our name (IBN-Net's) to the network of timm whose layers are swapped."""


class InstanceBatchNorm(nn.Module):
    """InstanceNorm on the first half of the channels, BatchNorm on the rest (Pan et al. 2018, IBN-a)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.instance_channels = channels // 2
        self.IN = nn.InstanceNorm2d(self.instance_channels, affine=True)
        self.BN = nn.BatchNorm2d(channels - self.instance_channels)

    def forward(self, features: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
        return torch.cat(
            [self.IN(features[:, : self.instance_channels]), self.BN(features[:, self.instance_channels :])], dim=1
        )


def make_ibn_network(name: str) -> nn.Module:
    """A trunk of ``IBN_TRUNKS`` with random weights and without classifier; tensors are named as in IBN-Net's files."""
    network: Any = timm.create_model(IBN_TRUNKS[name], pretrained=False, num_classes=0)
    for stage in (network.layer1, network.layer2, network.layer3):
        for block in stage:
            block.bn1 = InstanceBatchNorm(block.bn1.num_features)
    made: nn.Module = network
    return made
