"""Darknet-53."""

from __future__ import annotations

from tests.backbones.counts.terms import conv, dense


def darknet(depths, widths, classes: int) -> int:
    """No biases; every convolution is followed by a normalisation with two parameters per map."""

    def unit(a: int, b: int, kernel: int) -> int:
        return conv(a, b, kernel, bias=False) + 2 * b

    total = unit(3, widths[0], 3)
    for before, width, depth in zip(widths[:-1], widths[1:], depths, strict=True):
        total += unit(before, width, 3) + depth * (unit(width, width // 2, 1) + unit(width // 2, width, 3))
    return total + dense(widths[-1], classes)


PAPER = {
    "darknet53": darknet((1, 2, 8, 8, 4), (32, 64, 128, 256, 512, 1024), 1000),
    "darknet_micro": darknet((1, 1, 1, 2, 1), (4, 8, 8, 12, 16, 24), 10),
}

MICRO = {"darknet53": "darknet_micro"}
