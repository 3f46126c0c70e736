"""Wide ResNet in torchvision and timm: their ResNet with other sizes, under the same names. Neither has the networks for CIFAR."""

from __future__ import annotations

from zoo.backbones.wide_resnet import WideCifarResNet
from zoo.weights.foreign import Reference, resnet

REFERENCES = {name: (Reference("torchvision", name), Reference("timm", name)) for name in ("wide_resnet50_2", "wide_resnet101_2")}


def torch(row):
    return None if isinstance(row, WideCifarResNet) else resnet.torch(row)
