"""YOLOv3's criterion: each object belongs to one of the nine anchors, and to the cell of its centre (Redmon & Farhadi 2018,
arXiv:1804.02767, sections 2.1 to 2.3; what the paper leaves out is from darknet's public cfg files)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
from keras import ops

from zoo.detect.criteria.criterion import Fields, assign, read, total
from zoo.losses.detection import sigmoid_crossentropy
from zoo.ops.anchors import YOLO_ANCHORS, grid
from zoo.ops.matchers import IGNORED, best_anchor


@keras.saving.register_keras_serializable(package="zoo")
@dataclass(frozen=True, kw_only=True)
class YoloV3Loss(Fields):
    """Sums over an image, averaged over the images.

    anchors: (width, height) in pixels, per level.
    ignore:  a predicted box that overlaps any object by more than this IoU, but is not that object's anchor, is no background: its
             objectness learns nothing.

    The paper asks for a gradient of truth minus prediction in every coordinate. Half the squared error of the logarithms of the size has
    it, and so has the cross-entropy of the sigmoids that place the centre in its cell. Both are weighted by 2 minus the share of the
    image that the object covers, so that small objects count as much (darknet).
    """

    parts: ClassVar[tuple[str, ...]] = ("box", "objectness", "class")

    anchors: tuple[tuple[tuple[float, float], ...], ...] = YOLO_ANCHORS
    ignore: float = 0.7

    def __call__(self, truth: Mapping[str, Any], outputs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """truth: padded labels; outputs: "raw" (b, a, 5 + classes) logits x, y, w, h, objectness, classes, "boxes" (b, a, 4)."""
        raw = ops.cast(outputs["raw"], "float32")
        found = read(truth, self.classes)
        matched = best_anchor(found.boxes, found.valid, self.size, self.strides, self.anchors, outputs["boxes"], self.ignore)
        own = assign(found, matched, self.classes)
        positive, taught = ops.cast(own.positive, "float32"), ops.cast(matched != IGNORED, "float32")
        each = {
            "box": positive * self._regression(own, raw),
            "objectness": taught * sigmoid_crossentropy(positive, raw[..., 4]),
            "class": positive * ops.sum(sigmoid_crossentropy(own.classes, raw[..., 5:]), axis=-1),
        }
        return total({name: ops.mean(ops.sum(value, axis=1)) for name, value in each.items()}, found)

    def _regression(self, own, raw):
        """(b, a); what it says of anchors without an object is finite and not used."""
        cells, anchors, strides = map(ops.convert_to_tensor, grid(*self.size, self.strides, self.anchors))  # (a, 2), (a, 2), (a,)
        low, high = own.boxes[..., :2], own.boxes[..., 2:]
        place = ops.clip(0.5 * (low + high) / strides[:, None] - ops.cast(cells, "float32"), 0.0, 1.0)  # (b, a, 2)
        size = ops.log(ops.maximum(high - low, 1e-3) / anchors)
        share = ops.minimum(ops.prod(high - low, axis=-1) / (self.size[0] * self.size[1]), 1.0)  # a box may reach beyond the image
        each = sigmoid_crossentropy(place, raw[..., :2]) + 0.5 * ops.square(size - raw[..., 2:4])
        return (2.0 - share) * ops.sum(each, axis=-1)
