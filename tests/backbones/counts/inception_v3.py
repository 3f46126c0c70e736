"""Inception v3."""

from __future__ import annotations

from math import ceil

from tests.backbones.counts.terms import conv, dense


def chain(maps: int, *steps: tuple[int, int], gamma: bool, divide: int = 1) -> int:
    """Convolutions one after the other: (outputs, weights per pair of maps), each with a normalisation of one or two parameters."""
    total = 0
    for width, area in steps:
        width = ceil(width / divide)
        total += conv(maps, width, 1, bias=False) * area + width * (1 + gamma)
        maps = width
    return total


def inception_v3(gamma: bool, classes: int = 1000, divide: int = 1, depths: tuple[int, int, int] = (3, 4, 2)) -> int:
    def sum_of(maps: int, *chains: tuple[tuple[int, int], ...]) -> int:
        return sum(chain(maps, *steps, gamma=gamma, divide=divide) for steps in chains)

    def wide(*widths: int) -> int:
        return sum(ceil(width / divide) for width in widths)

    total = sum_of(3, ((32, 9), (32, 9), (64, 9), (80, 1), (192, 9)))
    maps = wide(192)
    for pooled in (32, 64, 64)[: depths[0]]:
        total += sum_of(maps, ((64, 1),), ((48, 1), (64, 25)), ((64, 1), (96, 9), (96, 9)), ((pooled, 1),))
        maps = wide(64, 64, 96, pooled)
    total += sum_of(maps, ((384, 9),), ((64, 1), (96, 9), (96, 9)))
    maps += wide(384, 96)
    for seven in (128, 160, 160, 192)[: depths[1]]:
        long = ((seven, 1), (seven, 7), (seven, 7), (seven, 7), (192, 7))
        total += sum_of(maps, ((192, 1),), ((seven, 1), (seven, 7), (192, 7)), long, ((192, 1),))
        maps = wide(192, 192, 192, 192)
    total += sum_of(maps, ((192, 1), (320, 9)), ((192, 1), (192, 7), (192, 7), (192, 9)))
    maps += wide(320, 192)
    for _ in range(depths[2]):
        split = 2 * sum_of(wide(384), ((384, 3),))
        total += sum_of(maps, ((320, 1),), ((384, 1),), ((448, 1), (384, 9)), ((192, 1),)) + 2 * split
        maps = wide(320, 384, 384, 384, 384, 192)
    return total + dense(maps, classes)


PAPER = {
    "inception_v3": inception_v3(True),
    "inception_v3_keras": inception_v3(False),
    "inception_v3_micro": inception_v3(True, 10, 32, (1, 1, 1)),
    "inception_v3_keras_micro": inception_v3(False, 10, 32, (1, 1, 1)),
}

MICRO = {"inception_v3": "inception_v3_micro", "inception_v3_keras": "inception_v3_keras_micro"}
