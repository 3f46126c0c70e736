"""From what a detector's convolutions say to boxes in pixels: the last layers of a detector, without weights, always in float32.

Each belongs to one size of image, for which it lays out its anchors: finest level first, row by row, the anchors of a cell together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.ops import anchors as layout
from zoo.ops import boxes as box_ops

LARGEST = 8.0
"""The largest logarithm of a size that `CellBoxes` decodes (a factor of 2981): darknet has no limit, and exp(89) is infinite."""


class _Boxes(keras.Layer):
    """size: (height, width) of the image in pixels; strides: of the levels."""

    def __init__(self, size: Sequence[int], strides: Sequence[int], **kwargs):
        super().__init__(**{"dtype": keras.backend.floatx(), **kwargs})
        self.size, self.strides = (int(size[0]), int(size[1])), tuple(map(int, strides))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 4)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "strides": self.strides}


@keras.saving.register_keras_serializable(package="zoo")
class AnchorBoxes(_Boxes):
    """RetinaNet's deltas (b, a, 4) at its anchors -> boxes (b, a, 4), xyxy in pixels.

    sizes: per level, square roots of the anchors' areas in pixels; rounded: torchvision's anchors of whole pixels.
    """

    def __init__(self, size, strides, sizes=layout.RETINANET_SIZES, rounded: bool = False, **kwargs):
        super().__init__(size, strides, **kwargs)
        self.sizes, self.rounded = [[float(side) for side in level] for level in sizes], rounded
        self.anchors = layout.retinanet(self.size[0], self.size[1], strides=self.strides, sizes=self.sizes, rounded=rounded)

    def call(self, deltas):
        return box_ops.decode(deltas, ops.convert_to_tensor(self.anchors, dtype=self.compute_dtype))

    def get_config(self):
        return {**super().get_config(), "sizes": self.sizes, "rounded": self.rounded}


@keras.saving.register_keras_serializable(package="zoo")
class CellBoxes(_Boxes):
    """YOLO's logits (b, a, 5 + classes) of (x, y, w, h, objectness, classes) -> boxes (b, a, 4), xyxy in pixels.

    anchors: for every level the (width, height) of its anchors in pixels.
    form:    "exp": size = exp(t) anchor (YOLOv3, section 2.1; t is cut at `LARGEST`); "square": size = (2 sigmoid(t))^2 anchor (v5-style).
    reach:   centre = (reach sigmoid(t) - (reach - 1) / 2 + cell) stride: with 1 it stays in its cell, with 2 (v5-style) it leaves by half.
    """

    def __init__(self, size, strides, anchors, form: str = "exp", reach: float = 1.0, **kwargs):
        super().__init__(size, strides, **kwargs)
        if form not in ("exp", "square"):
            raise ValueError(f"form is 'exp' or 'square', got {form!r}")
        if len(anchors) != len(self.strides):
            raise ValueError(f"wanted anchors for each of the {len(self.strides)} levels, got {len(anchors)} groups")
        self.anchors: Any = [[[float(side) for side in anchor] for anchor in level] for level in anchors]
        self.form, self.reach = form, float(reach)
        self.grid = layout.grid(self.size[0], self.size[1], self.strides, self.anchors)

    def call(self, raw):
        cells, anchors, strides = (ops.convert_to_tensor(np.asarray(part), dtype=self.compute_dtype) for part in self.grid)
        centre = self.reach * ops.sigmoid(raw[..., :2]) - (self.reach - 1) / 2
        centre = (centre + cells) * strides[:, None]
        size = raw[..., 2:4]
        size = ops.exp(ops.minimum(size, LARGEST)) if self.form == "exp" else ops.square(2 * ops.sigmoid(size))
        half = size * anchors / 2
        return ops.concatenate([centre - half, centre + half], axis=-1)

    def get_config(self):
        return {**super().get_config(), "anchors": self.anchors, "form": self.form, "reach": self.reach}


@keras.saving.register_keras_serializable(package="zoo")
class CellScores(keras.Layer):
    """YOLO's logits (b, a, 5 + classes) -> logits (b, a, classes) whose sigmoid is objectness times class probability.

    With o and c for the two logits, p / (1 - p) = 1 / (e^-o + e^-c + e^-(o + c)): no probability is ever rounded to 0 or 1.
    """

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": keras.backend.floatx(), **kwargs})

    def call(self, raw):
        objectness, classes = raw[..., 4:5], raw[..., 5:]
        both = ops.stack([ops.broadcast_to(-objectness, ops.shape(classes)), -classes, -objectness - classes], axis=-1)
        return -ops.logsumexp(both, axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] - 5)


@keras.saving.register_keras_serializable(package="zoo")
class DistanceBoxes(_Boxes):
    """Logits (b, a, 4 * bins) of the distances left, top, right, bottom of a cell's centre -> boxes (b, a, 4), xyxy in pixels.

    A distance is the mean of a distribution over 0, 1, ..., bins - 1 strides (Li et al. 2020, "Generalized focal loss", arXiv:2006.04388,
    section 3). Published YOLOv8 models compute the mean by a convolution with `bins` fixed weights; here it is a product with constants.
    """

    def __init__(self, size, strides, bins: int = 16, **kwargs):
        super().__init__(size, strides, **kwargs)
        self.bins = bins
        self.points = layout.points(self.size[0], self.size[1], self.strides)

    def call(self, distances):
        centres, strides = (ops.convert_to_tensor(np.asarray(part), dtype=self.compute_dtype) for part in self.points)
        shape = (-1, centres.shape[0], 4, self.bins)
        share = ops.softmax(ops.reshape(distances, shape), axis=-1)
        away = ops.matmul(share, ops.arange(self.bins, dtype=self.compute_dtype)[:, None])[..., 0] * strides[:, None]
        return ops.concatenate([centres - away[..., :2], centres + away[..., 2:]], axis=-1)

    def get_config(self):
        return {**super().get_config(), "bins": self.bins}
