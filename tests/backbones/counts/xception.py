"""Xception."""

from __future__ import annotations

from tests.backbones.counts.terms import dense


def xception(stem, entry, middle, exit, classes) -> int:
    """A separable 3x3 convolution from a to b maps has 9a + ab weights, every convolution is followed by 2b of the normalisation."""

    def separable(*chain: int) -> int:
        return sum(9 * a + a * b + 2 * b for a, b in zip(chain[:-1], chain[1:], strict=True))

    total = 27 * stem[0] + 2 * stem[0] + 9 * stem[0] * stem[1] + 2 * stem[1]
    maps = stem[1]
    for width in entry:
        total += separable(maps, width, width) + maps * width + 2 * width
        maps = width
    total += middle * separable(maps, maps, maps, maps)
    total += separable(maps, maps, exit[0]) + maps * exit[0] + 2 * exit[0]
    return total + separable(*exit) + dense(exit[-1], classes)


PAPER = {
    **{row: xception((32, 64), (128, 256, 728), 8, (1024, 1536, 2048), 1000) for row in ("xception", "xception_timm")},
    **{row: xception((4, 8), (12, 16, 20), 2, (24, 28, 32), 10) for row in ("xception_micro", "xception_timm_micro")},
}

MICRO = {"xception": "xception_micro", "xception_timm": "xception_timm_micro"}
