"""The heads of YOLOv3, YOLOv5-style and YOLOv8-style: maps -> what every anchor or cell says, in float32 under every precision policy.

Redmon & Farhadi 2018, "YOLOv3", arXiv:1804.02767, section 2: at three scales a 1x1 convolution gives each of three anchors four numbers
for the box, one for objectness, and one per class, each with its own logistic. The v5-style head is the same layer.
The v8-style head has no anchors and no objectness: two branches per level, for classes and for the distributions of four distances
(Feng et al. 2021, "TOOD", arXiv:2108.07755, for the decoupling; Li et al. 2020, "Generalized focal loss", arXiv:2006.04388, section 3).

How they start: biases from how many objects an image of 640 pixels is expected to hold (8, or 5 per class), as the detectors' tables of
facts give them, kernels of the last convolutions N(0, 0.01).
Deviation: YOLOv3's objectness starts as v5-style's; darknet starts at probability 1/2 everywhere, from a trained trunk.
"""

from __future__ import annotations

import math

import keras
from keras import layers

from zoo.backbones import csp_darknet
from zoo.heads.retinanet import flat, joined
from zoo.layers import Repeated


def anchored(levels: dict, classes: int, strides: tuple[int, ...], anchors: int = 3):
    """{name: map} -> raw logits (b, a, 5 + classes): x, y, w, h, objectness, classes; `anchors` of them per cell (YOLOv3 and v5-style)."""
    rows = []
    for (level, x), stride in zip(levels.items(), strides, strict=True):
        objectness = math.log(8 / (640 / stride) ** 2)  # 8 objects among the cells of an image of 640 pixels
        bias = [0.0] * 4 + [objectness] + [math.log(0.6 / (classes - 0.99999))] * classes
        rows.append(flat(_last(x, anchors * (5 + classes), bias, f"head_{level}_output"), 5 + classes, f"raw_{level}"))
    return joined(rows, "raw")


def anchor_free(levels: dict, classes: int, strides: tuple[int, ...], bins: int = 16, width: int | None = None) -> dict:
    """{name: map} -> {"scores": class logits (b, a, classes), "distances": logits (b, a, 4 * bins)} (v8-style).

    width: maps of the box branch; default: a quarter of the finest level's, at least 16 and at least 4 * bins.
    """
    finest = next(iter(levels.values())).shape[-1]
    box, kind = width or max(16, finest // 4, 4 * bins), max(finest, min(classes, 100))
    scores, distances = [], []
    for (level, x), stride in zip(levels.items(), strides, strict=True):
        prior = math.log(5 / classes / (640 / stride) ** 2)  # 5 objects among the cells and classes of an image of 640 pixels
        away = _last(_branch(x, box, f"head_{level}_box"), 4 * bins, [1.0], f"head_{level}_box_output")
        named = _last(_branch(x, kind, f"head_{level}_class"), classes, [prior], f"head_{level}_class_output")
        distances.append(flat(away, 4 * bins, f"distances_{level}"))
        scores.append(flat(named, classes, f"scores_{level}"))
    return {"scores": joined(scores, "scores"), "distances": joined(distances, "distances")}


def _branch(x, width: int, name: str):
    x = csp_darknet.unit(x, width, 3, f"{name}_%s0")
    return csp_darknet.unit(x, width, 3, f"{name}_%s1")


def _last(x, outputs: int, bias: list[float], name: str):
    starts = {"kernel_initializer": keras.initializers.RandomNormal(stddev=0.01), "bias_initializer": Repeated(bias)}
    return layers.Conv2D(outputs, 1, dtype=keras.backend.floatx(), name=name, **starts)(x)
