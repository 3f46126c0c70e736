"""The detectors' parameters with pencil and paper: layer tables as arithmetic, without building a model.

A second writing of `zoo/detect`, so that a wrong model and a wrong constant cannot agree by accident.
"""

from __future__ import annotations

import math

from tests.backbones.counts.resnet import resnet
from tests.backbones.counts.terms import conv, dense


def unit(a: int, b: int, kernel: int) -> int:
    """A convolution without bias and its normalisation."""
    return conv(a, b, kernel, bias=False) + 2 * b


# --- RetinaNet


def pyramid(maps: tuple[int, int, int], width: int, p6: int) -> int:
    """Lateral 1x1 and output 3x3 of three levels, P6 from `p6` maps, P7."""
    return sum(conv(c, width, 1) + conv(width, width, 3) for c in maps) + conv(p6, width, 3) + conv(width, width, 3)


def slide(width: int, depth: int, classes: int, anchors: int = 9) -> int:
    tower = depth * conv(width, width, 3)
    return 2 * tower + conv(width, anchors * classes, 3) + conv(width, anchors * 4, 3)


def trunk(depths, width: int, bottleneck: bool) -> int:
    """A ResNet without its fully connected layer."""
    last = width * 8 * (4 if bottleneck else 1)
    return resnet(depths, width, bottleneck, False, 1) - dense(last, 1)


def retinanet(body: int, maps: tuple[int, int, int], classes: int, p6: str, width: int = 256, depth: int = 4) -> int:
    return body + pyramid(maps, width, maps[-1] if p6 == "c5" else width) + slide(width, depth, classes)


# --- YOLOv3


def darknet(widths, depths) -> int:
    total = unit(3, widths[0], 3)
    for before, width, depth in zip(widths[:-1], widths[1:], depths, strict=True):
        total += unit(before, width, 3) + depth * (unit(width, width // 2, 1) + unit(width // 2, width, 3))
    return total


def yolov3(body: int, maps, widths, classes: int, spp: bool = False) -> int:
    """maps, widths: finest first."""
    total, above = body, 0
    for level, width in reversed(list(zip(maps, widths, strict=True))):
        inputs = level
        if above:
            total += unit(above, width, 1)
            inputs += width
        wide = 2 * width
        total += unit(inputs, width, 1) + 2 * unit(wide, width, 1) + 3 * unit(width, wide, 3)
        total += unit(4 * width, width, 1) if spp and not above else 0
        total += conv(wide, 3 * (5 + classes), 1)
        above = width
    return total


def yolov3_tiny(widths, neck, classes: int) -> int:
    total = sum(unit(a, b, 3) for a, b in zip((3, *widths[:-1]), widths, strict=True))
    fine, coarse = neck
    total += unit(widths[-1], coarse, 1) + unit(coarse, 2 * coarse, 3) + conv(2 * coarse, 3 * (5 + classes), 1)
    return total + unit(coarse, fine, 1) + unit(fine + widths[4], 2 * fine, 3) + conv(2 * fine, 3 * (5 + classes), 1)


# --- YOLOv5-style and YOLOv8-style


def c3(a: int, b: int, n: int) -> int:
    half = b // 2
    return 2 * unit(a, half, 1) + n * (unit(half, half, 1) + unit(half, half, 3)) + unit(b, b, 1)


def c2f(a: int, b: int, n: int) -> int:
    """As its authors write it: one 1x1 convolution to b maps, split in two."""
    half = b // 2
    return unit(a, b, 1) + n * 2 * unit(half, half, 3) + unit((2 + n) * half, b, 1)


def style(kind: str, depth: float, width: float, most: int, classes: int, box: int | None = None) -> int:
    def maps(c: int) -> int:
        return math.ceil(min(c, most) * width / 8) * 8

    def blocks(n: int) -> int:
        return max(round(n * depth), 1)

    five, part = kind == "yolov5", c3 if kind == "yolov5" else c2f
    w = [maps(c) for c in (64, 128, 256, 512, 1024)]
    total = unit(3, w[0], 6 if five else 3)
    for a, b, n in zip(w[:-1], w[1:], (3, 6, 9, 3) if five else (3, 6, 6, 3), strict=True):
        total += unit(a, b, 3) + part(b, b, blocks(n))
    total += unit(w[4], w[4] // 2, 1) + unit(2 * w[4], w[4], 1)
    n, (narrow, middle, wide) = blocks(3), w[2:]
    if five:
        total += unit(wide, middle, 1) + unit(middle, narrow, 1)
    total += part((middle if five else wide) + middle, middle, n) + part((narrow if five else middle) + narrow, narrow, n)
    total += unit(narrow, narrow, 3) + part(narrow + (narrow if five else middle), middle, n)
    total += unit(middle, middle, 3) + part(middle + (middle if five else wide), wide, n)
    if five:
        return total + sum(conv(c, 3 * (5 + classes), 1) for c in (narrow, middle, wide))
    box, kinds = box or max(16, narrow // 4, 64), max(narrow, min(classes, 100))
    for c in (narrow, middle, wide):
        total += unit(c, box, 3) + unit(box, box, 3) + conv(box, 64, 1)
        total += unit(c, kinds, 3) + unit(kinds, kinds, 3) + conv(kinds, classes, 1)
    return total


_R18, _R50 = trunk((2, 2, 2, 2), 64, False), trunk((3, 4, 6, 3), 64, True)
_RMICRO, _DMICRO = trunk((1, 1, 1, 2), 2, False), darknet((4, 8, 8, 12, 16, 24), (1, 1, 1, 2, 1))
_D53 = darknet((32, 64, 128, 256, 512, 1024), (1, 2, 8, 8, 4))
_TINY = (16, 32, 64, 128, 256, 512, 1024)
SIZES = {"n": (0.33, 0.25), "s": (0.33, 0.5), "m": (0.67, 0.75), "l": (1.0, 1.0), "x": (1.33, 1.25)}
_V8 = {"n": (0.33, 0.25, 1024), "s": (0.33, 0.5, 1024), "m": (0.67, 0.75, 768), "l": (1.0, 1.0, 512), "x": (1.0, 1.25, 512)}

PAPER = {
    "retinanet_resnet18_fpn": retinanet(_R18, (128, 256, 512), 80, "c5"),
    "retinanet_resnet50_fpn": retinanet(_R50, (512, 1024, 2048), 80, "c5"),
    "retinanet_resnet50_fpn_p5": retinanet(_R50, (512, 1024, 2048), 91, "p5"),
    "retinanet_micro": retinanet(_RMICRO, (4, 8, 16), 3, "c5", 20, 1),
    "retinanet_p5_micro": retinanet(_RMICRO, (4, 8, 16), 3, "p5", 20, 1),
    "yolov3": yolov3(_D53, (256, 512, 1024), (128, 256, 512), 80),
    "yolov3_spp": yolov3(_D53, (256, 512, 1024), (128, 256, 512), 80, spp=True),
    "yolov3_tiny": yolov3_tiny(_TINY, (128, 256), 80),
    "yolov3_micro": yolov3(_DMICRO, (12, 16, 24), (8, 8, 8), 3),
    "yolov3_spp_micro": yolov3(_DMICRO, (12, 16, 24), (8, 8, 8), 3, spp=True),
    "yolov3_tiny_micro": yolov3_tiny((4, 8, 8, 12, 16, 16, 24), (8, 8), 3),
    **{f"yolov5_style_{size}": style("yolov5", *factors, 1024, 80) for size, factors in SIZES.items()},
    **{f"yolov8_style_{size}": style("yolov8", *factors, 80) for size, factors in _V8.items()},
    "yolov5_style_micro": style("yolov5", 0.33, 0.125, 128, 3),
    "yolov8_style_micro": style("yolov8", 0.33, 0.125, 128, 3, box=16),
}
"""Row -> trainable parameters."""
