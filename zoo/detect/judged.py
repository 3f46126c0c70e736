"""A detector beside the truth of a split, ready for `zoo.metrics`; and which of its points answers for a box."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from zoo.detect.detections import Detections, detect
from zoo.metrics.objects import Truth
from zoo.ops.overlap import pair_iou


class Judged(NamedTuple):
    """images: float32 (n, h, w, 3) as the model sees them; truths and found: one per image, in pixels of those images."""

    images: np.ndarray
    truths: list[Truth]
    found: list[Detections]


class Responsible(NamedTuple):
    """anchor: number of the anchor or point; layer: name of the layer whose map it reads; probabilities: (classes,)."""

    anchor: int
    layer: str
    probabilities: np.ndarray


def judged(model: keras.Model, split: Any, batch_size: int = 16, threshold: float = 0.01) -> Judged:
    """What the labels say of every picture of a split (`zoo.data.ObjectPipeline.test`), and what the model finds above `threshold`."""
    images = np.concatenate([np.asarray(batch) for batch, _ in split.evaluation(batch_size)])
    return Judged(images, truths_of(split, batch_size), detect(model, images, threshold=threshold, batch_size=batch_size))


def truths_of(split: Any, batch_size: int = 16) -> list[Truth]:
    """The labels of every picture of a split, without padding, in pixels of what a model sees; crowds have their class and a mark."""
    found = []
    for _, labels in split.evaluation(batch_size):
        boxes, classes, crowd = (np.asarray(labels[name]) for name in ("boxes", "classes", "crowd"))
        classes = np.where(crowd >= 0, crowd, classes)
        rows = (np.flatnonzero(row >= 0) for row in classes)
        found += [Truth(boxes[i][row], classes[i][row], crowd[i][row] >= 0) for i, row in enumerate(rows)]
    return found


def responsible(model: keras.Model, image: np.ndarray, box: np.ndarray, index: int) -> Responsible:
    """The anchor or point that speaks most for class `index` in a box (4,) xyxy in pixels of the image (h, w, 3): the one with the largest
    IoU times probability, as `zoo.explain.BoxScore(index, box=box)` takes it. Raises ValueError for a model that does not say what its
    head reads (`levels["neck"]`).
    """
    levels, criterion = getattr(model, "levels", {}), getattr(model, "criterion", None)
    if "neck" not in levels or criterion is None:
        raise ValueError(f"{model.name} does not say which layers its head reads; zoo.detector builds models that do")
    outputs = model.predict_on_batch(np.asarray(image)[None])
    probabilities = ops.convert_to_numpy(ops.sigmoid(outputs["scores"][0]))
    overlap = ops.convert_to_numpy(pair_iou(np.asarray(box, "float32")[None], outputs["boxes"][0]))[0]
    anchor = int(np.argmax(overlap * probabilities[:, index]))
    height, width = model.input_shape[1:3]
    cells = np.cumsum([-(-height // stride) * -(-width // stride) for stride in criterion.strides])
    cell = anchor * cells[-1] // len(probabilities)  # all cells have equally many anchors, which stand together
    # A feature pyramid runs from the coarse maps to the fine ones, and levels are numbered from the finest on.
    maps = sorted(levels["neck"], key=lambda name: -math.prod(model.get_layer(name).output.shape[1:3]))
    return Responsible(anchor, maps[int(np.searchsorted(cells, cell, side="right"))], probabilities[anchor])
