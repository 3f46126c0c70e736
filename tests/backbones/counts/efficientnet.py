"""EfficientNet and EfficientNetV2: Tan & Le 2019, table 1, and 2021, table 4, with the scaling rules of the published code."""

from __future__ import annotations

import math

from tests.backbones.counts.terms import conv, dense


def _unit(a: int, b: int, kernel: int, groups: int = 1) -> int:
    """A convolution without bias and its normalisation."""
    return conv(a, b, kernel, bias=False, groups=groups) + 2 * b


def mbconv(a: int, b: int, expansion: int, kernel: int) -> int:
    inner, squeezed = a * expansion, a // 4
    widen = _unit(a, inner, 1) if expansion > 1 else 0
    return widen + _unit(inner, inner, kernel, groups=inner) + dense(inner, squeezed, inner) + _unit(inner, b, 1)


def fused(a: int, b: int, expansion: int) -> int:
    return _unit(a, b, 3) if expansion == 1 else _unit(a, a * expansion, 3) + _unit(a * expansion, b, 1)


def network(stem: int, stages, last: int, classes: int) -> int:
    """stages: (function of the maps before and after, maps, blocks)."""
    total, maps = _unit(3, stem, 3), stem
    for block, width, depth in stages:
        for _ in range(depth):
            total, maps = total + block(maps, width), width
    return total + _unit(maps, last, 1) + dense(last, classes)


def eights(width: float, limit: float) -> int:
    """The nearest multiple of 8, one more if that is less than `limit` times the width."""
    near = 8 * math.floor(width / 8 + 0.5)
    return near + 8 * (near < limit * width)


def v1(width: float, depth: float) -> int:
    table = [(16, 1, 1, 3), (24, 2, 6, 3), (40, 2, 6, 5), (80, 3, 6, 3), (112, 3, 6, 5), (192, 4, 6, 5), (320, 1, 6, 3)]
    stages = [
        (lambda a, b, e=e, k=k: mbconv(a, b, e, k), eights(maps * width, 0.9), math.ceil(blocks * depth)) for maps, blocks, e, k in table
    ]
    return network(eights(32 * width, 0.9), stages, eights(1280 * width, 0.9), 1000)


def v2(stem: int, early, late, last: int = 1280, classes: int = 1000) -> int:
    """early, late: (maps, blocks, expansion) of the fused stages and of the others."""
    stages = [(lambda a, b, e=e: fused(a, b, e), maps, blocks) for maps, blocks, e in early]
    stages += [(lambda a, b, e=e: mbconv(a, b, e, 3), maps, blocks) for maps, blocks, e in late]
    return network(stem, stages, last, classes)


def base(width: float, depth: float) -> int:
    def scaled(rows):
        return [(eights(maps * width, 0), math.ceil(blocks * depth), e) for maps, blocks, e in rows]

    early, late = [(16, 1, 1), (32, 2, 4), (48, 2, 4)], [(96, 3, 4), (112, 5, 6), (192, 8, 6)]
    return v2(eights(32 * width, 0), scaled(early), scaled(late), eights(1280 * width, 0))


_SCALES = {
    **{"b0": (1.0, 1.0), "b1": (1.0, 1.1), "b2": (1.1, 1.2), "b3": (1.2, 1.4)},
    **{"b4": (1.4, 1.8), "b5": (1.6, 2.2), "b6": (1.8, 2.6), "b7": (2.0, 3.1)},
}
_LARGE = {
    "s": v2(24, [(24, 2, 1), (48, 4, 4), (64, 4, 4)], [(128, 6, 4), (160, 9, 6), (256, 15, 6)]),
    "m": v2(24, [(24, 3, 1), (48, 5, 4), (80, 5, 4)], [(160, 7, 4), (176, 14, 6), (304, 18, 6), (512, 5, 6)]),
    "l": v2(32, [(32, 4, 1), (64, 7, 4), (96, 7, 4)], [(192, 10, 4), (224, 19, 6), (384, 25, 6), (640, 7, 6)]),
}
_MICRO = network(
    8,
    [
        (lambda a, b, e=e, k=k: mbconv(a, b, e, k), maps, blocks)
        for maps, blocks, e, k in [(8, 1, 1, 3), (8, 2, 2, 3), (8, 1, 2, 5), (16, 1, 2, 3), (16, 2, 2, 5), (16, 1, 2, 5), (24, 1, 2, 3)]
    ],
    32,
    10,
)
_MICRO_V2 = v2(8, [(8, 2, 1), (8, 2, 4), (8, 1, 4)], [(8, 1, 4), (8, 2, 6), (16, 1, 6)], 32, 10)

PAPER = {
    **{f"efficientnet_{name}{end}": v1(*scale) for name, scale in _SCALES.items() for end in ("", "_torchvision")},
    **{f"efficientnet_v2_{name}": base(*_SCALES[name]) for name in ("b0", "b1", "b2", "b3")},
    **{f"efficientnet_v2_{name}{end}": count for name, count in _LARGE.items() for end in ("", "_torchvision")},
    **dict.fromkeys(("efficientnet_micro", "efficientnet_torchvision_micro"), _MICRO),
    **dict.fromkeys(("efficientnet_v2_micro", "efficientnet_v2_torchvision_micro"), _MICRO_V2),
}

MICRO = {
    "efficientnet_b0": "efficientnet_micro",
    "efficientnet_b0_torchvision": "efficientnet_torchvision_micro",
    "efficientnet_v2_s": "efficientnet_v2_micro",
    "efficientnet_v2_s_torchvision": "efficientnet_v2_torchvision_micro",
}
