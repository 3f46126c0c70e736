"""The task-aligned assigner: a point learns an object if it already predicts both its class and its box well."""

from __future__ import annotations

from keras import ops

from zoo.ops.overlap import pair_iou
from zoo.ops.precision import wide, wide_boxes
from zoo.ops.ranking import stable_top_k


def task_aligned(scores, boxes, points, truth_boxes, truth_classes, topk: int = 10, alpha: float = 0.5, beta: float = 6.0):
    """TOOD (Feng et al. 2021, arXiv:2108.07755, 3.2), as YOLOv8-style detectors use it -> matched (b, a) int32, target scores (b, a).

    scores (b, a, classes) probabilities, boxes (b, a, 4) what the network predicts; points (a, 2) (x, y) px from `anchors.points`;
    truth_boxes (b, n, 4) px, truth_classes (b, n), -1 on padding.

    Alignment is score^alpha * iou^beta, with the score of the truth's class and max(CIoU, 0). Every truth takes the `topk` best aligned of
    the points that lie inside it (the first of equal ones); a point taken by several goes to the one with the larger CIoU. matched is -1
    elsewhere. The target score of a point is its alignment, scaled so that the best of a truth gets the truth's largest CIoU; else 0.
    Both are constants for the gradient.
    """
    scores, boxes = ops.stop_gradient(wide(scores)), ops.stop_gradient(wide_boxes(boxes))
    truth_boxes, kind = wide_boxes(truth_boxes), ops.cast(truth_classes, "int32")
    if not topk >= 1:
        raise ValueError(f"topk is a number of points >= 1, got {topk}")
    inside = ops.logical_and(_inside(wide(points), truth_boxes), (kind >= 0)[:, :, None])  # (b, n, a)
    iou = ops.maximum(pair_iou(truth_boxes, boxes, "ciou"), 0.0)  # (b, n, a)
    alignment = ops.power(_scores_of(scores, kind), alpha) * ops.power(iou, beta)
    taken = ops.logical_and(inside, _best(ops.where(inside, alignment, -1.0), min(topk, points.shape[0])))
    owner = ops.cast(ops.argmax(ops.where(taken, iou, -1.0), axis=1), "int32")  # (b, a)
    truths = ops.arange(truth_boxes.shape[1], dtype="int32")[:, None]
    own = ops.logical_and(taken, owner[:, None, :] == truths)  # (b, n, a): one truth per point
    alignment, iou = ops.where(own, alignment, 0.0), ops.where(own, iou, 0.0)
    largest = ops.max(alignment, axis=2, keepdims=True)
    share = alignment / ops.where(largest > 0, largest, 1.0)  # before the overlap: overlap / alignment can be infinite
    matched = ops.where(ops.any(own, axis=1), owner, -1)
    return matched, ops.stop_gradient(ops.sum(share * ops.max(iou, axis=2, keepdims=True), axis=1))


def _inside(points, boxes):
    """(b, n, a) bool: the point lies within the box, not on its border."""
    x, y = points[:, 0], points[:, 1]
    left, top, right, bottom = (boxes[..., i : i + 1] for i in range(4))  # (b, n, 1)
    across, down = ops.minimum(x - left, right - x), ops.minimum(y - top, bottom - y)
    return ops.minimum(across, down) > 0


def _scores_of(scores, kind):
    """(b, n, a): what every point gives to the class of every truth. Whole rows are gathered, which every backend does fast."""
    classes = scores.shape[2]
    rows = ops.reshape(ops.transpose(scores, (0, 2, 1)), (-1, scores.shape[1]))  # (b * classes, a)
    image = ops.cumsum(ops.ones_like(kind), axis=0) - 1  # 0, 1, 2, ... for any batch size
    return ops.take(rows, image * classes + ops.clip(kind, 0, classes - 1), axis=0)


def _best(values, k):
    """(..., a) bool: the k largest; of equal ones the first. The k-th says it all, so that nothing is scattered."""
    found, places = stable_top_k(values, k)
    level, place = found[..., -1:], places[..., -1:]
    here = ops.arange(values.shape[-1], dtype="int32")
    return ops.logical_or(values > level, ops.logical_and(values == level, here <= place))
