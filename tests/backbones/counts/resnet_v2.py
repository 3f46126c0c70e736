"""ResNet v2."""

from __future__ import annotations

from tests.backbones.counts.terms import conv, dense


def resnet_v2(depths, width, classes) -> int:
    """Three normalisations in front of three convolutions; a projection with bias in the first block of every stage."""
    total, maps = conv(3, width, 7), width
    for stage, depth in enumerate(depths):
        inner, outer = width * 2**stage, 4 * width * 2**stage
        for block in range(depth):
            total += 2 * maps + conv(maps, inner, 1, bias=False)
            total += 2 * inner + conv(inner, inner, 3, bias=False)
            total += 2 * inner + conv(inner, outer, 1)
            total += conv(maps, outer, 1) if block == 0 else 0
            maps = outer
    return total + 2 * maps + dense(maps, classes)


PAPER = {
    "resnet50_v2": resnet_v2((3, 4, 6, 3), 64, 1000),
    "resnet101_v2": resnet_v2((3, 4, 23, 3), 64, 1000),
    "resnet152_v2": resnet_v2((3, 8, 36, 3), 64, 1000),
    "resnet_v2_micro": resnet_v2((2, 2, 2, 2), 2, 10),
}

MICRO = {"resnet50_v2": "resnet_v2_micro"}
