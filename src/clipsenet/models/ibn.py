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
    "se_resnet101_ibn_a": "resnet101",
    "resnext101_ibn_a": "resnext101_32x4d",
}
"""Our name (IBN-Net's) to the network of timm whose layers are swapped."""

Maps = Float[Tensor, "batch channels height width"]


class InstanceBatchNorm(nn.Module):
    """InstanceNorm on the first half of the channels, BatchNorm on the rest (Pan et al. 2018, IBN-a)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.instance_channels = channels // 2
        self.IN = nn.InstanceNorm2d(self.instance_channels, affine=True)
        self.BN = nn.BatchNorm2d(channels - self.instance_channels)

    def forward(self, features: Maps) -> Maps:
        return torch.cat(
            [self.IN(features[:, : self.instance_channels]), self.BN(features[:, self.instance_channels :])], dim=1
        )


class SqueezeExcitation(nn.Module):
    """Each channel weighted by a gate that sees the mean of all channels (Hu et al. 2018), without biases as in IBN-Net."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(channels, channels // reduction, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(channels // reduction, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, features: Maps) -> Maps:
        gate: Tensor = self.fc(features.mean(dim=(2, 3)))
        return features * gate[:, :, None, None]


def make_ibn_network(name: str) -> nn.Module:
    """A trunk of ``IBN_TRUNKS`` with random weights and without classifier; tensors are named as in IBN-Net's files."""
    network: Any = timm.create_model(IBN_TRUNKS[name], pretrained=False, num_classes=0)
    for stage in (network.layer1, network.layer2, network.layer3):
        for block in stage:
            block.bn1 = InstanceBatchNorm(block.bn1.num_features)
    if name.startswith("se_"):
        for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
            for block in stage:
                block.se = SqueezeExcitation(block.bn3.num_features)  # timm's blocks apply it before the sum
    made: nn.Module = network
    return made
