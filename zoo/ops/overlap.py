"""How far two boxes overlap: IoU and its relatives that still have a slope when the boxes do not touch.

    iou   intersection over union, in [0, 1]
    giou  iou minus the share of the enclosing box that neither covers, in [-1, 1] (Rezatofighi et al. 2019, arXiv:1902.09630)
    diou  iou minus (distance of the centres / diagonal of the enclosing box)^2 (Zheng et al. 2019, arXiv:1911.08287, equation 7)
    ciou  diou minus alpha times a penalty v for another aspect ratio (the same, equations 8 to 11)

Where a definition reads 0 / 0 (boxes without area or extent) the term is 0, in the value and in the gradient. As in the paper's code
alpha = v / (1 - iou + v) is a weight, not something to minimise: no gradient flows through it.
"""

from __future__ import annotations

import math

from keras import ops

from zoo.ops.precision import wide_boxes

MODES = ("iou", "giou", "diou", "ciou")


def iou(a, b, mode: str = "iou"):
    """Boxes a (..., 4) and b (..., 4), xyxy, pair by pair -> (...) float32 (float64 for float64 boxes).

    The gradient is finite for every pair of finite boxes, whether they have a width or not, touch, coincide or lie far apart.
    Raises ValueError for an unknown mode.
    """
    return _measure(_edges(a), _edges(b), mode)


def pair_iou(a, b, mode: str = "iou"):
    """Boxes a (..., n, 4) against every one of b (..., m, 4) -> (..., n, m). Leading dimensions broadcast."""
    return _measure([edge[..., :, None] for edge in _edges(a)], [edge[..., None, :] for edge in _edges(b)], mode)


def _measure(a, b, mode):
    if mode not in MODES:
        raise ValueError(f"mode is one of {', '.join(MODES)}; got {mode!r}")
    (left_a, top_a, right_a, bottom_a), (left_b, top_b, right_b, bottom_b) = a, b
    width_a, height_a = ops.maximum(right_a - left_a, 0.0), ops.maximum(bottom_a - top_a, 0.0)
    width_b, height_b = ops.maximum(right_b - left_b, 0.0), ops.maximum(bottom_b - top_b, 0.0)
    across = ops.minimum(right_a, right_b) - ops.maximum(left_a, left_b)
    down = ops.minimum(bottom_a, bottom_b) - ops.maximum(top_a, top_b)
    intersection = ops.maximum(across, 0.0) * ops.maximum(down, 0.0)
    union = width_a * height_a + width_b * height_b - intersection
    overlap = _ratio(intersection, union)
    if mode == "iou":
        return overlap
    across = ops.maximum(right_a, right_b) - ops.minimum(left_a, left_b)  # of the enclosing box
    down = ops.maximum(bottom_a, bottom_b) - ops.minimum(top_a, top_b)
    if mode == "giou":
        return overlap - _ratio(across * down - union, across * down)
    apart_x, apart_y = 0.5 * (left_a + right_a - left_b - right_b), 0.5 * (top_a + bottom_a - top_b - bottom_b)
    distant = overlap - _ratio(apart_x * apart_x + apart_y * apart_y, across * across + down * down)
    if mode == "diou":
        return distant
    difference = _angle(width_a, height_a) - _angle(width_b, height_b)
    v = (4.0 / math.pi**2) * difference * difference
    alpha = ops.stop_gradient(_ratio(v, 1.0 - overlap + v))
    return distant - alpha * v


def _ratio(part, whole):
    """part / whole, and 0 where whole is not positive. The inner `where` keeps 0 / 0 out of the gradient too."""
    some = whole > 0
    return ops.where(some, part / ops.where(some, whole, 1.0), 0.0)


def _angle(width, height):
    """arctan(width / height), without the division that makes the slope of a box without height infinite."""
    return ops.arctan2(width, ops.where(width + height > 0, height, 1.0))


def _edges(boxes):
    boxes = wide_boxes(boxes)
    return [boxes[..., i] for i in range(4)]
