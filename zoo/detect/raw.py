"""What a detector says of one picture before boxes suppress each other: kept once, it answers for any threshold without the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from zoo.ops.nms import nms


@dataclass(frozen=True, eq=False)
class Raw:
    """The anchors whose best class reaches the floor, in the order of the anchors.

    boxes:   float32 (n, 4) xyxy in pixels of the image the model saw; scores: float32 (n,) of the best class; classes: int64 (n,).
    anchors: int64 (n,), their numbers: `zoo.explain.BoxScore(class, anchor=number)` asks about one.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    anchors: np.ndarray

    @classmethod
    def of(cls, outputs: Mapping[str, Any], floor: float, row: int = 0) -> Raw:
        """From a detector's outputs "boxes" (b, a, 4) and "scores" (b, a, classes), logits. Raises ValueError when they are not finite."""
        boxes, logits = (np.asarray(outputs[name][row]) for name in ("boxes", "scores"))
        if not (np.isfinite(boxes).all() and np.isfinite(logits).all()):
            raise ValueError("the model answers with NaN or infinity for this picture: its weights are damaged; train it again")
        scores = ops.convert_to_numpy(ops.sigmoid(logits.max(axis=-1)))
        rows = np.flatnonzero(scores > floor)
        return cls(boxes[rows].astype("float32"), scores[rows].astype("float32"), logits[rows].argmax(axis=-1).astype("int64"), rows)

    def select(self, threshold: float = 0.25, iou: float = 0.5, most: int = 100) -> np.ndarray:
        """Rows that are left when boxes of one class that overlap by more than `iou` suppress each other, best first: those of
        `zoo.detect.detect`."""
        rows = np.flatnonzero(self.scores > threshold)
        if not len(rows):
            return rows
        boxes, scores, classes = (column[rows][None] for column in (self.boxes, self.scores, self.classes.astype("int32")))
        kept, _, count = (ops.convert_to_numpy(each) for each in nms(boxes, scores, classes, threshold=iou, score_threshold=0.0, most=most))
        return rows[kept[0, : count[0]]]
