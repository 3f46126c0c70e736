"""The YOLOv5-style criterion: every anchor whose shape is near an object's learns it, in the object's cell and in up to two beside it.

Written from the public facts of that detector's training (weights, balances, normalisers) and the papers of its terms: CIoU (Zheng et al.
2019, arXiv:1911.08287), logistic objectness and classes (Redmon & Farhadi 2018, arXiv:1804.02767).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
from keras import ops

from zoo.detect.criteria.criterion import Assigned, Fields, assign, read, total
from zoo.losses.detection import sigmoid_crossentropy
from zoo.ops import boxes as box_ops
from zoo.ops.anchors import YOLO_ANCHORS, grid
from zoo.ops.matchers import ratio_match


@keras.saving.register_keras_serializable(package="zoo")
@dataclass(frozen=True, kw_only=True)
class YoloV5Loss(Fields):
    """Per level the means over its taught anchors of 1 - CIoU and of the classes' cross-entropy, and the mean over all its anchors of the
    objectness' cross-entropy; the levels are added, weighted, and multiplied by the number of images in the batch.

    anchors:   (width, height) in pixels, per level.
    ratio:     an anchor is near an object when neither width nor height differ by this factor or more.
    balance:   of the objectness per level, finest first: the coarse levels have few anchors.
    box_weight, objectness_weight, class_weight: of the three terms, for three levels, images of 640 x 640 pixels and 80 classes. The sum of
               levels is scaled to three of them; objectness with the pixels, for the objects stay as many when the anchors become fewer;
               classes with their number.

    What objectness learns is how well the box fits: the CIoU, at least 0, through which no gradient flows.
    """

    parts: ClassVar[tuple[str, ...]] = ("box", "objectness", "class")

    anchors: tuple[tuple[tuple[float, float], ...], ...] = YOLO_ANCHORS
    ratio: float = 4.0
    balance: tuple[float, ...] = (4.0, 1.0, 0.4)
    box_weight: float = 0.05
    objectness_weight: float = 1.0
    class_weight: float = 0.5

    def __post_init__(self):
        super().__post_init__()
        if not len(self.balance) == len(self.anchors) == len(self.strides):
            raise ValueError(
                f"every level needs its balance and its anchors: got {len(self.strides)} strides, {len(self.balance)} balances and "
                f"{len(self.anchors)} lists of anchors"
            )

    def __call__(self, truth: Mapping[str, Any], outputs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """truth: padded labels; outputs: "raw" (b, a, 5 + classes) logits x, y, w, h, objectness, classes, "boxes" (b, a, 4)."""
        found = read(truth, self.classes)
        matched = ratio_match(found.boxes, found.valid, self.size, self.strides, self.anchors, self.ratio)
        own = assign(found, matched, self.classes)
        fit = box_ops.iou(outputs["boxes"], own.boxes, "ciou")  # (b, a)
        sums = {"box": 0.0, "objectness": 0.0, "class": 0.0}
        for level, balance in zip(self._levels(), self.balance, strict=True):
            for name, value in self._level(level, own, fit, ops.cast(outputs["raw"], "float32")).items():
                sums[name] = sums[name] + (balance if name == "objectness" else 1.0) * value
        weights = self._weights()
        images = ops.cast(ops.shape(truth["boxes"])[0], "float32")
        return total({name: images * weights[name] * value for name, value in sums.items()}, found)

    def _level(self, level: slice, own: Assigned, fit, raw) -> dict:
        positive, fit, raw = ops.cast(own.positive[:, level], "float32"), fit[:, level], raw[:, level]
        taught = ops.maximum(ops.sum(positive), 1.0)
        objectness = ops.stop_gradient(positive * ops.relu(fit))
        named = ops.mean(sigmoid_crossentropy(own.classes[:, level], raw[..., 5:]), axis=-1)
        return {
            "box": ops.sum(positive * (1.0 - fit)) / taught,
            "objectness": ops.mean(sigmoid_crossentropy(objectness, raw[..., 4])),
            "class": ops.sum(positive * named) / taught,
        }

    def _levels(self) -> list[slice]:
        """The anchors of each level."""
        _, _, strides = grid(*self.size, self.strides, self.anchors)
        ends = [0]
        for stride in self.strides:
            ends.append(ends[-1] + int((strides == stride).sum()))
        return [slice(*pair) for pair in zip(ends, ends[1:], strict=False)]

    def _weights(self) -> dict[str, float]:
        levels = 3 / len(self.strides)
        return {
            "box": self.box_weight * levels,
            "objectness": self.objectness_weight * levels * self.size[0] * self.size[1] / 640**2,
            "class": self.class_weight * levels * self.classes / 80,
        }
