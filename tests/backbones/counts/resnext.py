"""ResNeXt."""

from __future__ import annotations

from tests.backbones.counts.terms import conv, dense


def resnext(depths, width, groups, group_width, classes) -> int:
    """A block of stage s has 2^s * groups * group_width maps inside, and 4 * 2^s * width outside; two numbers per normalised map."""
    total, maps = conv(3, width, 7, False) + 2 * width, width
    for stage, depth in enumerate(depths):
        inner, outer = groups * group_width * 2**stage, 4 * width * 2**stage
        total += conv(maps, outer, 1, False) + 2 * outer  # the projection
        for _ in range(depth):
            total += conv(maps, inner, 1, False) + conv(inner, inner, 3, False, groups) + conv(inner, outer, 1, False)
            total += 2 * (inner + inner + outer)
            maps = outer
    return total + dense(maps, classes)


PAPER = {
    "resnext50_32x4d": resnext((3, 4, 6, 3), 64, 32, 4, 1000),
    "resnext101_32x4d": resnext((3, 4, 23, 3), 64, 32, 4, 1000),
    "resnext101_32x8d": resnext((3, 4, 23, 3), 64, 32, 8, 1000),
    "resnext101_64x4d": resnext((3, 4, 23, 3), 64, 64, 4, 1000),
    "resnext_micro": resnext((1, 2, 1), 2, 32, 1, 10),
}

MICRO = {"resnext50_32x4d": "resnext_micro"}
