"""Inception v4."""

from __future__ import annotations

from math import ceil

from tests.backbones.counts.inception_v3 import chain
from tests.backbones.counts.terms import dense


def inception_v4(classes: int = 1000, divide: int = 1, depths: tuple[int, int, int] = (4, 7, 3)) -> int:
    def sum_of(maps: int, *chains: tuple[tuple[int, int], ...]) -> int:
        return sum(chain(maps, *steps, gamma=True, divide=divide) for steps in chains)

    def wide(*widths: int) -> int:
        return sum(ceil(width / divide) for width in widths)

    a, b, c = depths
    total = sum_of(3, ((32, 9), (32, 9), (64, 9)))
    total += sum_of(wide(64), ((96, 9),))
    total += sum_of(wide(64, 96), ((64, 1), (96, 9)), ((64, 1), (64, 7), (64, 7), (96, 9)))
    total += sum_of(wide(96, 96), ((192, 9),))
    maps = wide(192, 96, 96)
    for _ in range(a):
        total += sum_of(maps, ((96, 1),), ((64, 1), (96, 9)), ((64, 1), (96, 9), (96, 9)), ((96, 1),))
        maps = wide(96, 96, 96, 96)
    total += sum_of(maps, ((384, 9),), ((192, 1), (224, 9), (256, 9)))
    maps += wide(384, 256)
    for _ in range(b):
        long = ((192, 1), (192, 7), (224, 7), (224, 7), (256, 7))
        total += sum_of(maps, ((384, 1),), ((192, 1), (224, 7), (256, 7)), long, ((128, 1),))
        maps = wide(384, 256, 256, 128)
    total += sum_of(maps, ((192, 1), (192, 9)), ((256, 1), (256, 7), (320, 7), (320, 9)))
    maps += wide(192, 320)
    for _ in range(c):
        total += sum_of(maps, ((256, 1),), ((384, 1),), ((384, 1), (448, 3), (512, 3)), ((256, 1),))
        total += 2 * sum_of(wide(384), ((256, 3),)) + 2 * sum_of(wide(512), ((256, 3),))
        maps = wide(256, 256, 256, 256, 256, 256)
    return total + dense(maps, classes)


PAPER = {"inception_v4": inception_v4(), "inception_v4_micro": inception_v4(10, 32, (1, 1, 1))}

MICRO = {"inception_v4": "inception_v4_micro"}
