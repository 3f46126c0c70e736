"""MobileNetV3."""

from __future__ import annotations

from tests.backbones.counts.mobilenet_v2 import eight
from tests.backbones.counts.terms import dense

LARGE = """
3  16  16 - 1
3  64  24 - 2
3  72  24 - 1
5  72  40 S 2
5 120  40 S 1
5 120  40 S 1
3 240  80 - 2
3 200  80 - 1
3 184  80 - 1
3 184  80 - 1
3 480 112 S 1
3 672 112 S 1
5 672 160 S 2
5 960 160 S 1
5 960 160 S 1
"""
"""Table 1: kernel, exp size, #out, SE, stride."""

SMALL = """
3  16  16 S 2
3  72  24 - 2
3  88  24 - 1
5  96  40 S 2
5 240  40 S 1
5 240  40 S 1
5 120  48 S 1
5 144  48 S 1
5 288  96 S 2
5 576  96 S 1
5 576  96 S 1
"""
"""Table 2."""

MICRO_TABLE = """
3  8  8 - 1
3 24 16 - 2
5 32 16 S 2
5 48 16 S 1
3 48 24 - 2
"""


def lines(table: str) -> list[tuple[int, int, int, bool, int]]:
    cells = [line.split() for line in table.strip().splitlines()]
    return [(int(k), int(inner), int(out), gate == "S", int(stride)) for k, inner, out, gate, stride in cells]


def mobilenet_v3(table: str, head: int, alpha: float = 1.0, minimal: bool = False, classes: int = 1000, stem: int = 16) -> int:
    """Gates have a bottleneck of a quarter and biases; convolutions have a gain and a shift per map instead."""
    total, before, listed = 27 * stem + 2 * stem, stem, stem
    for kernel, exp, out, gated, _ in lines(table):
        inner, after = eight(before * exp / listed), eight(out * alpha)
        if inner != before:
            total += before * inner + 2 * inner
        total += (9 if minimal else kernel**2) * inner + 2 * inner
        if gated and not minimal:
            total += dense(inner, eight(inner / 4), inner)
        total += inner * after + 2 * after
        before, listed = after, out
    last = eight(6 * before)
    return total + before * last + 2 * last + dense(last, head, classes)


_MICRO = {"classes": 10, "stem": 8}

PAPER = {
    **{
        f"mobilenet_v3_{size}{suffix}": mobilenet_v3(table, head, *rest)
        for size, table, head in (("large", LARGE, 1280), ("small", SMALL, 1024))
        for suffix, rest in (("", ()), ("_075", (0.75,)), ("_minimalistic", (1.0, True)), ("_torchvision", ()))
    },
    "mobilenet_v3_micro": mobilenet_v3(MICRO_TABLE, 24, **_MICRO),
    "mobilenet_v3_minimalistic_micro": mobilenet_v3(MICRO_TABLE, 24, minimal=True, **_MICRO),
    "mobilenet_v3_torchvision_micro": mobilenet_v3(MICRO_TABLE, 24, **_MICRO),
}

MICRO = {
    "mobilenet_v3_large": "mobilenet_v3_micro",
    "mobilenet_v3_large_minimalistic": "mobilenet_v3_minimalistic_micro",
    "mobilenet_v3_large_torchvision": "mobilenet_v3_torchvision_micro",
}
