"""The target of a detector: why is there a box of that class, asked of the raw outputs before boxes suppress each other?

Non-maximum suppression keeps or drops whole boxes and has no gradient. Before it, every anchor has a box and a row of class scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from zoo.explain.targets import Target, class_numbers, per_image, picked, predicted, select, single


@dataclass(frozen=True, eq=False)
class BoxScore(Target):
    """The score of a class at an anchor, or around a box, of a detector's outputs before non-maximum suppression.

    index:       the class, one per image, or None for the predicted one.
    anchor:      the number of the anchor, or one per image: the score is its class logit.
    box:         instead of an anchor: xyxy in pixels (4,), or (b, 4). The score is the largest over all anchors of IoU(box of the
                 anchor, this box) * probability, as in D-RISE (Petsiuk et al. 2020, arXiv:2006.03204), in [0, 1].
    output:      the output with the class scores (b, anchors, classes).
    boxes:       the output with the decoded boxes (b, anchors, 4), xyxy in the same pixels as `box`; read for a `box` only.
    probability: what turns class scores into probabilities for a `box`: "sigmoid", "softmax", or "none" where they are already.

    A box that no anchor's box overlaps has score and gradient zero. Raises ValueError unless exactly one of anchor and box is
    given, for a box without area, a number out of range, or outputs of other shapes.
    """

    index: int | Sequence[int] | None = None
    anchor: int | Sequence[int] | None = None
    box: Any = None
    output: str | int | None = "scores"
    boxes: str | int = "boxes"
    probability: str = "sigmoid"

    def __post_init__(self):
        if (self.anchor is None) == (self.box is None):
            raise ValueError("BoxScore needs an anchor or a box, and not both")
        if self.probability not in ("sigmoid", "softmax", "none"):
            raise ValueError(f'probability is "sigmoid", "softmax" or "none", got {self.probability!r}')
        object.__setattr__(self, "index", class_numbers(self.index))
        object.__setattr__(self, "anchor", class_numbers(self.anchor, "anchor"))
        if self.box is not None:
            object.__setattr__(self, "box", _checked(self.box))

    @property
    def logits(self) -> bool:  # type: ignore[override]
        return self.probability != "none"

    @property
    def key(self) -> tuple:
        return (type(self), self.output, self.logits, self.boxes, self.probability, self.box is None)

    def select(self, outputs):
        scores = select(outputs, self.output)
        return scores if self.box is None else (scores, select(outputs, self.boxes))

    def data(self, images: int, shape: tuple) -> tuple[np.ndarray, np.ndarray]:
        if len(shape) != 2:
            raise ValueError(f"a box needs an output of class scores (b, anchors, classes), got shape (b, {', '.join(map(str, shape))})")
        index = per_image(self.index, images, shape[1])
        if self.box is None:
            return per_image(self.anchor, images, shape[0], "anchor", "the output has {} anchors"), index
        if self.box.ndim == 2 and len(self.box) != images:
            raise ValueError(f"the target names {len(self.box)} boxes for {images} images; give one (4,) for all, or one per image (b, 4)")
        return np.broadcast_to(self.box, (images, 4)), index

    def settled(self, output, data):
        where, index = data
        return where, predicted(self._classes(output, where), index)

    def score(self, output, data):
        classes = self._classes(output, data[0])
        return picked(classes, predicted(classes, data[1]))

    def _classes(self, output, where):
        """The score that each class would have: (b, classes)."""
        if self.box is None:
            return ops.squeeze(ops.take_along_axis(output, ops.reshape(where, (-1, 1, 1)), axis=1), axis=1)
        scores, boxes = single(output[0]), single(output[1])
        if tuple(boxes.shape[1:]) != (scores.shape[1], 4):
            raise ValueError(
                f"the output {self.boxes!r} must hold a box for each anchor, {(scores.shape[1], 4)}, got {tuple(boxes.shape[1:])}"
            )
        likely = {"sigmoid": ops.sigmoid, "softmax": ops.softmax, "none": lambda x: x}[self.probability](scores)
        return ops.max(ops.expand_dims(_overlap(boxes, where), -1) * likely, axis=1)


def _overlap(boxes, box):
    """Intersection over union of boxes (b, anchors, 4) with one box of each image (b, 4): (b, anchors)."""
    box = ops.expand_dims(ops.cast(box, boxes.dtype), 1)
    corner = ops.maximum(boxes[..., :2], box[..., :2])
    sides = ops.maximum(ops.minimum(boxes[..., 2:], box[..., 2:]) - corner, 0)
    both = sides[..., 0] * sides[..., 1]
    return both / (_area(boxes) + _area(box) - both)


def _area(boxes):
    sides = ops.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return sides[..., 0] * sides[..., 1]


def _checked(box) -> np.ndarray:
    box = np.asarray(box, dtype="float32")
    if box.ndim not in (1, 2) or box.shape[-1] != 4 or not np.isfinite(box).all() or not (box[..., :2] < box[..., 2:]).all():
        raise ValueError(f"a box is xyxy in pixels with x1 < x2 and y1 < y2, (4,) or one per image (b, 4), got {np.asarray(box).tolist()}")
    return box
