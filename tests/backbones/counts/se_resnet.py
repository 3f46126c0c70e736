"""SE-ResNet."""

from __future__ import annotations

from tests.backbones.counts.resnet import resnet
from tests.backbones.counts.terms import dense


def se_resnet(depths, width, reduction, classes) -> int:
    """ResNet and, per block, two fully connected layers from its maps to a `reduction`th of them and back."""
    gates = sum(depth * dense(4 * width * 2**s, 4 * width * 2**s // reduction, 4 * width * 2**s) for s, depth in enumerate(depths))
    return resnet(depths, width, True, False, classes) + gates


PAPER = {
    "se_resnet50": se_resnet((3, 4, 6, 3), 64, 16, 1000),
    "se_resnet101": se_resnet((3, 4, 23, 3), 64, 16, 1000),
    "se_resnet152": se_resnet((3, 8, 36, 3), 64, 16, 1000),
    "se_resnet_micro": se_resnet((1, 1, 2), 4, 4, 10),
}

MICRO = {"se_resnet50": "se_resnet_micro"}
