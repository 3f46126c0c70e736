"""MobileNet."""

from __future__ import annotations

from tests.backbones.counts.terms import conv, dense

TABLE_1 = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
"""Maps after each of the thirteen pairs of convolutions."""


def mobilenet(alpha: float, classes: int = 1000, stem: int = 32, widths=TABLE_1) -> int:
    """Thirteen pairs; every convolution is followed by a gain and a shift per map."""
    before = int(stem * alpha)
    total = conv(3, before, 3, bias=False) + 2 * before
    for width in widths:
        after = int(width * alpha)
        total += 9 * before + 2 * before + before * after + 2 * after
        before = after
    return total + dense(before, classes)


PAPER = {
    "mobilenet": mobilenet(1.0),
    "mobilenet_075": mobilenet(0.75),
    "mobilenet_050": mobilenet(0.5),
    "mobilenet_025": mobilenet(0.25),
    "mobilenet_timm": mobilenet(1.0),
    "mobilenet_micro": mobilenet(1.0, 10, 4, (8, 8, 8, 12, 16, 24, 24)),
    "mobilenet_timm_micro": mobilenet(1.0, 10, 4, (8, 8, 8, 12, 16, 24, 24)),
}

MICRO = {"mobilenet": "mobilenet_micro", "mobilenet_050": "mobilenet_micro", "mobilenet_timm": "mobilenet_timm_micro"}
