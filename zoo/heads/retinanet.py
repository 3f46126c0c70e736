"""RetinaNet's head: two small networks, one for classes and one for boxes, that slide over every level with the same weights.

Lin, Goyal, Girshick, He & Dollar 2017, "Focal loss for dense object detection", arXiv:1708.02002, section 4: four 3x3 convolutions with
ReLU and a last one with `classes` or 4 outputs for each of nine anchors. All start at N(0, 0.01) and bias 0, but the *class* outputs at
bias -log((1 - prior) / prior): at first every anchor is an object with probability `prior`, so that the many that are none do not drown
the rest.
"""

from __future__ import annotations

import math

import keras
from keras import layers


def retinanet(pyramid: dict, classes: int, *, anchors: int = 9, width: int = 256, depth: int = 4, prior: float = 0.01) -> dict:
    """{"p3": (b, h, w, c), ...} -> {"scores": class logits (b, a, classes), "deltas": (b, a, 4)}, float32 under every policy."""
    if not pyramid:
        raise ValueError("RetinaNet's head needs the levels of a feature pyramid, got none; see zoo.heads.fpn")
    outputs = {}
    for kind, name, each, bias in (("class", "scores", classes, -math.log((1 - prior) / prior)), ("box", "deltas", 4, 0.0)):
        tower = [_convolution(width, f"{kind}_conv{index}", activation="relu") for index in range(depth)]
        start = keras.initializers.Constant(bias)
        last = _convolution(anchors * each, f"{kind}_output", bias_initializer=start, dtype=keras.backend.floatx())
        rows = []
        for level, x in pyramid.items():
            for layer in (*tower, last):
                x = layer(x)
            rows.append(flat(x, each, f"{name}_{level}"))
        outputs[name] = joined(rows, name)
    return outputs


def flat(x, each: int, name: str):
    """A map (b, h, w, n * each) -> (b, h * w * n, each): row by row, the n anchors of a cell together."""
    cells = x.shape[1] * x.shape[2] * x.shape[3] // each
    return layers.Reshape((cells, each), dtype=keras.backend.floatx(), name=name)(x)


def joined(rows: list, name: str):
    """The levels one after the other, along the anchors."""
    if len(rows) == 1:
        return layers.Identity(dtype=keras.backend.floatx(), name=name)(rows[0])
    return layers.Concatenate(axis=1, dtype=keras.backend.floatx(), name=name)(rows)


def _convolution(width: int, name: str, **fields):
    start = keras.initializers.RandomNormal(stddev=0.01)
    return layers.Conv2D(width, 3, padding="same", kernel_initializer=start, name=name, **fields)
