"""SqueezeNet."""

from __future__ import annotations

from tests.backbones.counts.terms import conv


def squeezenet(first, fires, classes) -> int:
    """A fire module squeezes to s maps and expands to e by 1x1 and e by 3x3 filters; the head is a 1x1 convolution."""
    total, maps = conv(3, *first), first[0]
    for squeezed, expanded in fires:
        total += conv(maps, squeezed, 1) + conv(squeezed, expanded, 1) + conv(squeezed, expanded, 3)
        maps = 2 * expanded
    return total + conv(maps, classes, 1)


_FIRES = [(s, 4 * s) for s in (16, 16, 32, 32, 48, 48, 64, 64)]
_MICRO = [(2, 4), (2, 4), (4, 8), (4, 8), (6, 12), (8, 16)]

PAPER = {
    "squeezenet1_0": squeezenet((96, 7), _FIRES, 1000),
    "squeezenet1_1": squeezenet((64, 3), _FIRES, 1000),
    "squeezenet1_1_keras": squeezenet((64, 3), _FIRES, 1000),
    "squeezenet1_0_micro": squeezenet((8, 7), _MICRO, 10),
    "squeezenet1_1_micro": squeezenet((8, 3), _MICRO, 10),
    "squeezenet1_1_keras_micro": squeezenet((8, 3), _MICRO, 10),
}

MICRO = {row: f"{row}_micro" for row in ("squeezenet1_0", "squeezenet1_1", "squeezenet1_1_keras")}
