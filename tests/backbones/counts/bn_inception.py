"""BN-Inception."""

from __future__ import annotations

from math import ceil

from tests.backbones.counts.terms import conv, dense

MODULES = {
    "3a": (64, 64, 64, 64, 96, 32),
    "3b": (64, 64, 96, 64, 96, 64),
    "3c": (0, 128, 160, 64, 96, 0),
    "4a": (224, 64, 96, 96, 128, 128),
    "4b": (192, 96, 128, 96, 128, 128),
    "4c": (160, 128, 160, 128, 160, 128),
    "4d": (96, 128, 192, 160, 192, 128),
    "4e": (0, 128, 192, 192, 256, 0),
    "5a": (352, 192, 320, 160, 224, 128),
    "5b": (352, 192, 320, 192, 224, 128),
}
"""Figure 5 of the paper; without a projection the pooled map passes through."""


def bn_inception(multiplier: int = 8, classes: int = 1000, divide: int = 1, modules=tuple(MODULES)) -> int:
    def unit(a: int, b: int, kernel: int) -> int:
        return conv(a, b, kernel, bias=False) + 2 * b

    first, maps = ceil(64 / divide), ceil(192 / divide)
    total = 3 * multiplier * 49 + unit(3 * multiplier, first, 1) + unit(first, first, 1) + unit(first, maps, 3)
    for name in modules:
        one, reduce3, three, reduce33, double, project = (ceil(width / divide) for width in MODULES[name])
        total += unit(maps, one, 1) + unit(maps, reduce3, 1) + unit(reduce3, three, 3)
        total += unit(maps, reduce33, 1) + unit(reduce33, double, 3) + unit(double, double, 3) + unit(maps, project, 1)
        maps = one + three + double + (project or maps)
    return total + dense(maps, classes)


PAPER = {
    "bn_inception": bn_inception(),
    "bn_inception_micro": bn_inception(2, 10, 32, ("3a", "3c", "4a", "4e", "5a", "5b")),
}

MICRO = {"bn_inception": "bn_inception_micro"}
