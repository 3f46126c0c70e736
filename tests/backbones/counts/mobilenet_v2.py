"""MobileNetV2."""

from __future__ import annotations

from tests.backbones.counts.terms import dense

TABLE_2 = ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1))
"""Expansion t, maps c, repetitions n."""


def eight(width: float) -> int:
    """The multiple of eight next to a width, the one above where that would lose more than a tenth."""
    near = max(8, 8 * int((width + 4) // 8))
    return near if near >= 0.9 * width else near + 8


def mobilenet_v2(alpha: float, classes: int = 1000, stem: int = 32, table=TABLE_2, last: int = 1280) -> int:
    def with_norm(weights: int, maps: int) -> int:
        return weights + 2 * maps

    before = eight(stem * alpha)
    total = with_norm(27 * before, before)
    for expansion, maps, repeats in table:
        after = eight(maps * alpha)
        for _ in range(repeats):
            inner = expansion * before
            if expansion > 1:
                total += with_norm(before * inner, inner)
            total += with_norm(9 * inner, inner) + with_norm(inner * after, after)
            before = after
    last = eight(last * alpha) if alpha > 1 else last
    return total + with_norm(before * last, last) + dense(last, classes)


_ALPHAS = {"_035": 0.35, "_050": 0.5, "_075": 0.75, "": 1.0, "_130": 1.3, "_140": 1.4, "_torchvision": 1.0}
_SMALL = mobilenet_v2(1.0, 10, 8, ((1, 8, 1), (2, 8, 2), (2, 8, 1), (2, 16, 1), (2, 16, 2), (2, 16, 1), (2, 24, 1)), 48)

PAPER = {
    **{f"mobilenet_v2{suffix}": mobilenet_v2(alpha) for suffix, alpha in _ALPHAS.items()},
    "mobilenet_v2_micro": _SMALL,
    "mobilenet_v2_torchvision_micro": _SMALL,
}

MICRO = {"mobilenet_v2": "mobilenet_v2_micro", "mobilenet_v2_torchvision": "mobilenet_v2_torchvision_micro"}
