"""ResNet-C and ResNet-D."""

from __future__ import annotations

from tests.backbones.counts.resnet import resnet
from tests.backbones.counts.terms import conv


def resnet_d(depths, width, bottleneck, classes) -> int:
    """ResNet with three convolutions for its first: averaging has no weights, so C and D have as many."""
    half = width // 2
    deep = conv(3, half, 3, False) + conv(half, half, 3, False) + conv(half, width, 3, False) + 2 * (half + half)
    return resnet(depths, width, bottleneck, False, classes) - conv(3, width, 7, False) + deep


PAPER = {
    "resnet50_c": resnet_d((3, 4, 6, 3), 64, True, 1000),
    "resnet18_d": resnet_d((2, 2, 2, 2), 64, False, 1000),
    "resnet34_d": resnet_d((3, 4, 6, 3), 64, False, 1000),
    "resnet50_d": resnet_d((3, 4, 6, 3), 64, True, 1000),
    "resnet101_d": resnet_d((3, 4, 23, 3), 64, True, 1000),
    "resnet152_d": resnet_d((3, 8, 36, 3), 64, True, 1000),
    "resnet_d_small": resnet_d((2, 2, 2, 2), 16, True, 10),
    "resnet_c_micro": resnet_d((1, 1, 2), 4, True, 10),
    "resnet_d_micro": resnet_d((1, 1, 2), 4, False, 10),
    "resnet_d_bottleneck_micro": resnet_d((1, 1, 2), 4, True, 10),
    "resnet_d_small_micro": resnet_d((1, 1, 2), 4, True, 10),
}

MICRO = {
    "resnet50_c": "resnet_c_micro",
    "resnet18_d": "resnet_d_micro",
    "resnet50_d": "resnet_d_bottleneck_micro",
    "resnet_d_small": "resnet_d_small_micro",
}
