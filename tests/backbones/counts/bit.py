"""BiT."""

from __future__ import annotations

from tests.backbones.counts.terms import conv, dense


def bit(depths, width, classes) -> int:
    """No bias anywhere; gain and shift of a normalisation in front of every convolution but the stem; projections without their own."""
    total, maps = conv(3, width, 7, bias=False), width
    for stage, depth in enumerate(depths):
        inner, outer = width * 2**stage, 4 * width * 2**stage
        for block in range(depth):
            for a, b, kernel in ((maps, inner, 1), (inner, inner, 3), (inner, outer, 1)):
                total += 2 * a + conv(a, b, kernel, bias=False)
            total += conv(maps, outer, 1, bias=False) if block == 0 else 0
            maps = outer
    return total + 2 * maps + dense(maps, classes)


PAPER = {
    "bit_r50x1": bit((3, 4, 6, 3), 64, 1000),
    "bit_r50x3": bit((3, 4, 6, 3), 3 * 64, 1000),
    "bit_r101x1": bit((3, 4, 23, 3), 64, 1000),
    "bit_r101x3": bit((3, 4, 23, 3), 3 * 64, 1000),
    "bit_r152x2": bit((3, 8, 36, 3), 2 * 64, 1000),
    "bit_micro": bit((1, 1, 1, 2), 2, 10),
}

MICRO = {"bit_r50x1": "bit_micro"}
