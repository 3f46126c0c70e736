"""The last step of a detector as a layer: of many boxes for one object, the best."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops

from zoo.ops import boxes as box_ops
from zoo.ops.nms import nms
from zoo.ops.ranking import stable_top_k


@keras.saving.register_keras_serializable(package="zoo")
class Suppress(keras.Layer):
    """{"boxes": (b, a, 4) xyxy, "scores": logits (b, a, classes)} -> the objects of an image, best first, in a fixed number of places.

    Returns {"boxes": (b, most, 4) clipped to the image, "scores": (b, most) in [0, 1], "classes": (b, most) int32, "count": (b,) int32};
    behind the first `count` places boxes and scores are 0 and classes -1.

    size:      (height, width) of the image in pixels.
    threshold: smallest probability of an object; iou: overlap above which the weaker of two boxes of one class is dropped.
    pre:       candidates of an image that enter the suppression; method: of `zoo.ops.nms.nms`.
    several:   whether a box may be an object of several classes, as COCO's metric counts them; else its best class alone.
    """

    def __init__(self, size: Sequence[int], threshold=0.25, iou=0.5, most=100, pre=1000, method="exact", several=False, **kwargs):
        super().__init__(**{"dtype": keras.backend.floatx(), **kwargs})
        self.size = tuple(map(int, size))
        self.threshold, self.iou, self.most, self.pre, self.method, self.several = threshold, iou, most, pre, method, several

    def call(self, outputs):
        boxes, logits = outputs["boxes"], outputs["scores"]
        if self.several:
            classes, count = logits.shape[-1], logits.shape[1] * logits.shape[-1]
            best, place = ops.top_k(ops.reshape(logits, (-1, count)), min(self.pre, count))
            kind, row = ops.cast(place % classes, "int32"), ops.cast(place // classes, "int32")
            boxes = ops.take_along_axis(boxes, row[..., None], axis=1)
        else:
            # not ops.argmax: on TensorFlow it looks at the sign of zeros by Bitcast, which ONNX, OpenVINO and LiteRT do not have
            best, kind = (values[..., 0] for values in stable_top_k(logits, 1))
        options = {"threshold": self.iou, "score_threshold": self.threshold, "most": self.most, "pre": self.pre, "method": self.method}
        index, scores, count = nms(boxes, ops.sigmoid(best), kind, **options)
        found, safe = index >= 0, ops.maximum(index, 0)
        boxes = box_ops.clip(ops.take_along_axis(boxes, safe[..., None], axis=1), *self.size)
        kind = ops.where(found, ops.take_along_axis(kind, safe, axis=1), -1)
        return {"boxes": ops.where(found[..., None], boxes, 0.0), "scores": scores, "classes": kind, "count": count}

    def compute_output_spec(self, outputs):
        batch, dtype = outputs["boxes"].shape[0], outputs["boxes"].dtype
        shapes = {
            "boxes": ((self.most, 4), dtype),
            "scores": ((self.most,), dtype),
            "classes": ((self.most,), "int32"),
            "count": ((), "int32"),
        }
        return {name: keras.KerasTensor((batch, *shape), dtype=kind) for name, (shape, kind) in shapes.items()}

    def get_config(self):
        own = ("size", "threshold", "iou", "most", "pre", "method", "several")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
