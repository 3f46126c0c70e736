"""How well anchors fit the objects of a dataset, before any training: the largest overlap that each object has with one of them."""

from __future__ import annotations

import numpy as np
from keras import ops

from zoo.ops.overlap import pair_iou

_AT_ONCE = 100
"""Objects compared with all anchors at a time, so that memory stays small."""


def reach(boxes, anchors) -> np.ndarray:
    """float32 (n,): the largest IoU of each box (n, 4) with an anchor (a, 4), both xyxy in the same pixels.

    Given widths and heights, (n, 2) and (a, 2), only shapes are compared, as if both had one corner in common: what an anchor on the best
    possible cell could reach. Raises ValueError for other shapes.
    """
    boxes, anchors = (np.asarray(each, "float32") for each in (boxes, anchors))
    if boxes.ndim != 2 or boxes.shape[1] not in (2, 4) or anchors.ndim != 2 or boxes.shape[1] != anchors.shape[1] or not len(anchors):
        raise ValueError(
            f"wanted boxes (n, 4) and anchors (a, 4), or both as widths and heights (n, 2), got {boxes.shape}, {anchors.shape}"
        )
    if boxes.shape[1] == 2:
        boxes, anchors = (np.concatenate([np.zeros_like(each), each], axis=1) for each in (boxes, anchors))
    parts = [ops.convert_to_numpy(pair_iou(boxes[at : at + _AT_ONCE], anchors)).max(axis=1) for at in range(0, len(boxes), _AT_ONCE)]
    return np.concatenate([np.zeros(0, "float32"), *parts])
