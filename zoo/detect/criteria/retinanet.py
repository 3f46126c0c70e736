"""RetinaNet's criterion: every anchor is taught, but the easy ones hardly count (Lin et al. 2017, arXiv:1708.02002, section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from zoo.detect.criteria.criterion import Fields, assign, read, total
from zoo.losses.detection import sigmoid_focal, smooth_l1
from zoo.ops import boxes as box_ops
from zoo.ops.anchors import RETINANET_SIZES, retinanet
from zoo.ops.matchers import IGNORED, iou_match

BOX_LOSSES = ("smooth_l1", "giou")


@keras.saving.register_keras_serializable(package="zoo")
@dataclass(frozen=True, kw_only=True)
class RetinaNetLoss(Fields):
    """Focal loss of the classes and a regression of the boxes, each *summed* over an image and divided by its number of positive anchors
    (at least 1), then averaged over the images.

    sizes, ratios, rounded: of the anchors, as in `zoo.ops.anchors.retinanet`.
    alpha, gamma:           of the focal loss: the weight of a yes, and how little the easy ones count.
    positive, negative:     an anchor whose best IoU is at least `positive` learns that object, below `negative` background; between
                            them it learns nothing.
    low_quality:            an object also takes the anchors that fit it best, however badly they do (Faster R-CNN, arXiv:1506.01497,
                            section 3.1.2; Detectron2 and torchvision, not the paper): without it small objects are taught by nobody.
    box:                    "smooth_l1" of the encoded boxes, summed over their four numbers, or "giou", 1 - GIoU of the decoded ones.
    beta:                   where smooth-L1 becomes straight; 0 is the absolute difference, torchvision's choice.
    """

    strides: tuple[int, ...] = (8, 16, 32, 64, 128)
    sizes: tuple[tuple[float, ...], ...] = RETINANET_SIZES
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    rounded: bool = False
    alpha: float = 0.25
    gamma: float = 2.0
    positive: float = 0.5
    negative: float = 0.4
    low_quality: bool = True
    box: str = "smooth_l1"
    beta: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        if self.box not in BOX_LOSSES:
            raise ValueError(f"box must be one of {', '.join(BOX_LOSSES)}, got {self.box!r}")

    def __call__(self, truth: Mapping[str, Any], outputs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """truth: padded labels; outputs: "scores" (b, a, classes) logits, "deltas" (b, a, 4), "boxes" (b, a, 4)."""
        anchors = ops.convert_to_tensor(retinanet(*self.size, self.strides, self.sizes, self.ratios, self.rounded))
        found = read(truth, self.classes)
        matched = iou_match(box_ops.pair_iou(found.boxes, anchors), found.valid, self.positive, self.negative, self.low_quality)
        own = assign(found, matched, self.classes)
        positive = ops.cast(own.positive, "float32")
        shares = 1.0 / ops.maximum(ops.sum(positive, axis=1), 1.0)  # (b,)
        taught = ops.cast(matched != IGNORED, "float32")[..., None]
        focal = ops.sum(taught * sigmoid_focal(own.classes, outputs["scores"], self.alpha, self.gamma), axis=(1, 2))
        regression = ops.sum(positive * self._regression(own.boxes, anchors, outputs), axis=1)
        return total({"box": ops.mean(regression * shares), "class": ops.mean(focal * shares)}, found)

    def _regression(self, boxes, anchors, outputs):
        """(b, a); what it says of anchors without an object is finite and not used."""
        if self.box == "giou":
            return 1.0 - box_ops.iou(outputs["boxes"], boxes, "giou")
        return ops.sum(smooth_l1(box_ops.encode(boxes, anchors) - ops.cast(outputs["deltas"], "float32"), self.beta), axis=-1)
