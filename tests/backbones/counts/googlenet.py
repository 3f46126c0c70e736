"""GoogLeNet."""

from __future__ import annotations

from math import ceil

from tests.backbones.counts.terms import conv, dense

MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
"""Table 1 of the paper."""


def googlenet(large: int, normed: bool, classes: int = 1000, divide: int = 1, modules=tuple(MODULES)) -> int:
    """Biases, or a normalisation with two parameters per map."""

    def unit(a: int, b: int, kernel: int) -> int:
        return conv(a, b, kernel, bias=not normed) + 2 * b * normed

    a, b = ceil(64 / divide), ceil(192 / divide)
    total, maps = unit(3, a, 7) + unit(a, a, 1) + unit(a, b, 3), b
    for name in modules:
        one, reduce3, three, reduce5, five, project = (ceil(width / divide) for width in MODULES[name])
        total += unit(maps, one, 1) + unit(maps, reduce3, 1) + unit(reduce3, three, 3)
        total += unit(maps, reduce5, 1) + unit(reduce5, five, large) + unit(maps, project, 1)
        maps = one + three + five + project
    return total + dense(maps, classes)


PAPER = {
    "googlenet": googlenet(5, False),
    "googlenet_torchvision": googlenet(3, True),
    "googlenet_micro": googlenet(5, False, 10, 10, ("3a", "4a", "5a")),
    "googlenet_torchvision_micro": googlenet(3, True, 10, 10, ("3a", "4a", "5a")),
}

MICRO = {"googlenet": "googlenet_micro", "googlenet_torchvision": "googlenet_torchvision_micro"}
