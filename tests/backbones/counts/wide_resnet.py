"""Wide ResNet."""

from __future__ import annotations

from tests.backbones.counts.terms import conv, dense


def imagenet(depths, width, widening, classes) -> int:
    """A bottleneck of stage s has widening * 2^s * width maps inside; two numbers per normalised map."""
    total, maps = conv(3, width, 7, False) + 2 * width, width
    for stage, depth in enumerate(depths):
        inner, outer = widening * width * 2**stage, 4 * width * 2**stage
        total += conv(maps, outer, 1, False) + 2 * outer  # the projection
        for _ in range(depth):
            total += conv(maps, inner, 1, False) + conv(inner, inner, 3, False) + conv(inner, outer, 1, False)
            total += 2 * (inner + inner + outer)
            maps = outer
    return total + dense(maps, classes)


def cifar(layers, widening, classes, width=16) -> int:
    """Table 1: conv1, three groups of n = (layers - 4) / 6 blocks, a last normalisation. Every convolution is normalised *before*."""
    total, maps = conv(3, width, 3, False), width
    for wide in (width * widening, 2 * width * widening, 4 * width * widening):
        total += conv(maps, wide, 1, False)  # the projection
        for _ in range((layers - 4) // 6):
            total += 2 * maps + conv(maps, wide, 3, False) + 2 * wide + conv(wide, wide, 3, False)
            maps = wide
    return total + 2 * maps + dense(maps, classes)


PAPER = {
    "wide_resnet50_2": imagenet((3, 4, 6, 3), 64, 2, 1000),
    "wide_resnet101_2": imagenet((3, 4, 23, 3), 64, 2, 1000),
    "wide_resnet16_4": cifar(16, 4, 10),
    "wide_resnet28_10": cifar(28, 10, 10),
    "wide_resnet40_4": cifar(40, 4, 10),
    "wide_resnet_micro": imagenet((1, 1, 2), 2, 2, 10),
    "wide_resnet_cifar_micro": cifar(16, 2, 10, width=2),
}

MICRO = {"wide_resnet50_2": "wide_resnet_micro", "wide_resnet28_10": "wide_resnet_cifar_micro"}
