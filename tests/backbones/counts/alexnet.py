"""AlexNet."""

from __future__ import annotations

from tests.backbones.counts.terms import conv, dense


def alexnet(widths, groups, side, hidden, classes) -> int:
    a, b, c, d, e = widths
    convolutions = (
        conv(3, a, 11) + conv(a, b, 5, groups=groups) + conv(b, c, 3) + conv(c, d, 3, groups=groups) + conv(d, e, 3, groups=groups)
    )
    return convolutions + dense(e * side * side, *hidden, classes)


PAPER = {
    "alexnet": alexnet((96, 256, 384, 384, 256), 2, 6, (4096, 4096), 1000),
    "alexnet_torchvision": alexnet((64, 192, 384, 256, 256), 1, 6, (4096, 4096), 1000),
    "alexnet_micro": alexnet((4, 8, 8, 8, 8), 2, 2, (16, 16), 10),
    "alexnet_torchvision_micro": alexnet((4, 8, 8, 8, 8), 1, 2, (16, 16), 10),
}

MICRO = {"alexnet": "alexnet_micro", "alexnet_torchvision": "alexnet_torchvision_micro"}
