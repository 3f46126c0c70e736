"""Inception-ResNet."""

from __future__ import annotations

from math import ceil

from tests.backbones.counts.inception_v3 import chain
from tests.backbones.counts.terms import conv, dense

BRANCHES = {
    1: (
        (((32, 1),), ((32, 1), (32, 9)), ((32, 1), (32, 9), (32, 9))),
        (((128, 1),), ((128, 1), (128, 7), (128, 7))),
        (((192, 1),), ((192, 1), (192, 3), (192, 3))),
    ),
    2: (
        (((32, 1),), ((32, 1), (32, 9)), ((32, 1), (48, 9), (64, 9))),
        (((192, 1),), ((128, 1), (160, 7), (192, 7))),
        (((192, 1),), ((192, 1), (224, 3), (256, 3))),
    ),
}
REDUCTIONS = {
    1: (
        (((384, 9),), ((192, 1), (192, 9), (256, 9))),
        (((256, 1), (384, 9)), ((256, 1), (256, 9)), ((256, 1), (256, 9), (256, 9))),
    ),
    2: (
        (((384, 9),), ((256, 1), (256, 9), (384, 9))),
        (((256, 1), (384, 9)), ((256, 1), (288, 9)), ((256, 1), (288, 9), (320, 9))),
    ),
}
"""Per branch: (outputs, weights per pair of maps)."""


def inception_resnet(version: int, depths, gamma: bool = False, classes: int = 1000, divide: int = 1) -> int:
    """Normalisations with one or two parameters per map; projections with biases instead."""

    def sum_of(maps: int, chains) -> int:
        return sum(chain(maps, *steps, gamma=gamma, divide=divide) for steps in chains)

    def ends(chains) -> int:
        return sum(ceil(steps[-1][0] / divide) for steps in chains)

    maps = ceil(192 / divide)
    total = sum_of(3, [((32, 9), (32, 9), (64, 9), (80, 1), (192, 9))])
    first = [((256, 9),)] if version == 1 else [((96, 1),), ((48, 1), (64, 25)), ((64, 1), (96, 9), (96, 9)), ((64, 1),)]
    total, maps = total + sum_of(maps, first), ends(first)
    for stage, depth in enumerate(depths):
        if stage:
            reduction = REDUCTIONS[version][stage - 1]
            total, maps = total + sum_of(maps, reduction), maps + ends(reduction)
        modules = BRANCHES[version][stage]
        total += depth * (sum_of(maps, modules) + conv(ends(modules), maps, 1))
    if version == 2:
        last = [((1536, 1),)]
        total, maps = total + sum_of(maps, last), ends(last)
    return total + dense(maps, classes)


PAPER = {
    "inception_resnet_v1": inception_resnet(1, (5, 10, 5)),
    "inception_resnet_v2": inception_resnet(2, (10, 20, 10)),
    "inception_resnet_v2_timm": inception_resnet(2, (10, 20, 10), gamma=True),
    "inception_resnet_v1_micro": inception_resnet(1, (1, 1, 1), False, 10, 32),
    "inception_resnet_v2_micro": inception_resnet(2, (1, 1, 2), False, 10, 32),
    "inception_resnet_v2_timm_micro": inception_resnet(2, (1, 1, 2), True, 10, 32),
}

MICRO = {name: f"{name}_micro" for name in ("inception_resnet_v1", "inception_resnet_v2", "inception_resnet_v2_timm")}
