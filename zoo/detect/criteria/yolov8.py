"""The YOLOv8-style criterion: an object is learnt by the anchor points that classify and place it best so far, and they learn how well.

Written from papers: the task-aligned assignment of TOOD (Feng et al. 2021, arXiv:2108.07755, section 3.2), the distribution focal loss of
Generalized Focal Loss (Li et al. 2020, arXiv:2006.04388), CIoU (Zheng et al. 2019, arXiv:1911.08287), and the public weights of the sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
from keras import ops

from zoo.detect.criteria.criterion import Fields, assign, read, total
from zoo.losses.detection import distribution_focal, sigmoid_crossentropy
from zoo.ops import boxes as box_ops
from zoo.ops.anchors import points
from zoo.ops.matchers import task_aligned


@keras.saving.register_keras_serializable(package="zoo")
@dataclass(frozen=True, kw_only=True)
class YoloV8Loss(Fields):
    """Yes-or-no cross-entropy with soft targets, CIoU and distribution focal loss, each summed over the batch, the last two weighted by the
    point's target score, and divided by the sum of all target scores (at least 1).

    bins:         of the distribution of each of the four distances, which ends at bins - 1 strides.
    topk:         points that an object takes: those with the highest score^alpha * CIoU^beta among the points inside it.
    box_weight, class_weight, distribution_weight: of the three terms.
    """

    parts: ClassVar[tuple[str, ...]] = ("box", "class", "distribution")

    bins: int = 16
    topk: int = 10
    alpha: float = 0.5
    beta: float = 6.0
    box_weight: float = 7.5
    class_weight: float = 0.5
    distribution_weight: float = 1.5

    def __call__(self, truth: Mapping[str, Any], outputs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """truth: padded labels; outputs: "scores" (b, a, classes) logits, "distances" (b, a, 4 * bins) logits, "boxes" (b, a, 4)."""
        centres, strides = map(ops.convert_to_tensor, points(*self.size, self.strides))  # (a, 2), (a,)
        scores, boxes = ops.cast(outputs["scores"], "float32"), ops.cast(outputs["boxes"], "float32")
        found = read(truth, self.classes)
        matched, target = task_aligned(
            ops.sigmoid(scores), boxes, centres, found.boxes, ops.where(found.valid, found.classes, -1), self.topk, self.alpha, self.beta
        )
        target = ops.stop_gradient(target)  # (b, a)
        own = assign(found, matched, self.classes)
        whole = ops.maximum(ops.sum(target), 1.0)
        wrong = ops.sum(sigmoid_crossentropy(own.classes * target[..., None], scores))
        misplaced = ops.sum(target * (1.0 - box_ops.iou(boxes, own.boxes, "ciou")))
        spread = ops.sum(target * self._spread(own.boxes, centres, strides, outputs["distances"]))
        return total(
            {
                "box": self.box_weight * misplaced / whole,
                "class": self.class_weight * wrong / whole,
                "distribution": self.distribution_weight * spread / whole,
            },
            found,
        )

    def _spread(self, boxes, centres, strides, logits):
        """Distribution focal loss, averaged over left, top, right, bottom: (b, a). A distance beyond the last bin counts as the last."""
        distances = ops.concatenate([centres - boxes[..., :2], boxes[..., 2:] - centres], axis=-1) / strides[:, None]  # (b, a, 4)
        logits = ops.reshape(logits, (-1, logits.shape[1], 4, self.bins))
        return ops.mean(distribution_focal(distances, logits), axis=-1)
