"""Which prediction learns which object, with static shapes: truths are padded to a fixed number, and `valid` says which are real.

    iou_match     RetinaNet, Faster R-CNN, SSD: by overlap with the anchor
    best_anchor   YOLOv3: the anchor of most similar shape, in the cell of the centre
    ratio_match   YOLOv5-style: every anchor of similar shape, in the cell of the centre and in the nearest beside it
    task_aligned  YOLOv8-style, TOOD: by what the network already predicts; it lives in `task_aligned.py`

`matched` is (b, a) int32 in the order of `zoo.ops.anchors`: the index of a truth, -1 background, -2 left out of the loss.
"""

from __future__ import annotations

from collections.abc import Sequence

from keras import ops

from zoo.ops.anchors import YOLO_ANCHORS
from zoo.ops.overlap import pair_iou
from zoo.ops.precision import wide, wide_boxes
from zoo.ops.task_aligned import task_aligned

__all__ = ["BACKGROUND", "IGNORED", "best_anchor", "iou_match", "ratio_match", "task_aligned"]

BACKGROUND, IGNORED = -1, -2


def iou_match(iou, valid, positive: float = 0.5, negative: float = 0.4, low_quality: bool = True):
    """iou (b, n, a) of truths with anchors, valid (b, n) bool -> matched (b, a) (RetinaNet, arXiv:1708.02002, section 4).

    An anchor belongs to the truth that it overlaps most, if by `positive` or more; it is background below `negative` and ignored between.
    low_quality: the anchors that overlap a truth most (all of them, if several) are positives too, however little they overlap it, so that
                 no truth is without one. As in torchvision such an anchor learns the truth that *it* overlaps most, which may be another.
                 Unlike there a truth that no anchor touches forces none: there it makes a positive of every anchor that touches nothing.
    """
    if not 0 <= negative <= positive <= 1:
        raise ValueError(f"wanted 0 <= negative <= positive <= 1, got {negative} and {positive}")
    iou = ops.where(ops.convert_to_tensor(valid)[:, :, None], wide(iou), -1.0)
    best = ops.max(iou, axis=1)  # (b, a)
    truth = ops.cast(ops.argmax(iou, axis=1), "int32")
    matched = ops.where(best >= positive, truth, ops.where(best < negative, BACKGROUND, IGNORED))
    if not low_quality:
        return matched
    most = ops.max(iou, axis=2, keepdims=True)  # (b, n, 1)
    forced = ops.any(ops.logical_and(iou == most, most > 0), axis=1)  # (b, a)
    return ops.where(forced, truth, matched)


def best_anchor(
    boxes,
    valid,
    size: tuple[int, int],
    strides: Sequence[int] = (8, 16, 32),
    anchors: Sequence[Sequence[tuple[float, float]]] = YOLO_ANCHORS,
    predicted=None,
    ignore: float = 0.7,
):
    """YOLOv3 (Redmon & Farhadi 2018, arXiv:1804.02767, 2.1 and 2.3) -> matched (b, a).

    Of all anchors the one whose shape, centred on the truth, has the largest IoU with it learns the truth, in the cell of its centre; of
    equal ones the first. If two truths want the same place the later gets it, as in darknet. A centre outside the image has no cell.

    boxes (b, n, 4) xyxy px, valid (b, n) bool: the truths. size: (height, width) of the image. strides, anchors: as for `anchors.grid`.
    predicted: boxes (b, a, 4) or None. Those that overlap any truth by more than `ignore` are left out (-2), not background.
    """
    boxes, valid = wide_boxes(boxes), ops.convert_to_tensor(valid)
    width, height = _sizes(boxes)
    shapes = wide([shape for level in anchors for shape in level])  # (k, 2)
    shared = ops.minimum(width, shapes[:, 0]) * ops.minimum(height, shapes[:, 1])  # (b, n, k)
    alike = shared / (width * height + shapes[:, 0] * shapes[:, 1] - shared)
    best = ops.cast(ops.argmax(alike, axis=-1), "int32")[:, :, None] == ops.arange(shapes.shape[0], dtype="int32")
    later = ops.cast(ops.arange(boxes.shape[1]), "float32")[:, None] + ops.zeros_like(alike)
    matched = _in_cells(boxes, ops.logical_and(best, valid[:, :, None]), later, size, strides, anchors, beside=False)
    if predicted is None:
        return matched
    near = ops.where(valid[:, :, None], pair_iou(boxes, ops.stop_gradient(wide_boxes(predicted))), 0.0)  # (b, n, a)
    ignored = ops.logical_and(matched == BACKGROUND, ops.max(near, axis=1) > ignore)
    return ops.where(ignored, IGNORED, matched)


def ratio_match(
    boxes,
    valid,
    size: tuple[int, int],
    strides: Sequence[int] = (8, 16, 32),
    anchors: Sequence[Sequence[tuple[float, float]]] = YOLO_ANCHORS,
    ratio: float = 4.0,
):
    """YOLOv5-style -> matched (b, a), the arguments as for `best_anchor`.

    An anchor can learn a truth if neither its width nor its height differs from the truth's by a factor of `ratio` or more; all that can
    do, at all levels, in the cell of the centre and in up to two more: the cell beside and the cell above or below whose centre is less
    than a cell away from it. If several truths want one place, the one of the most similar shape gets it, where YOLOv5 learns them all.
    """
    boxes = wide_boxes(boxes)
    width, height = _sizes(boxes)
    shapes = wide([shape for level in anchors for shape in level])  # (k, 2)
    across, down = width / shapes[:, 0], height / shapes[:, 1]  # (b, n, k)
    tiny = 1e-9  # a truth without width or height is like no anchor
    worst = ops.maximum(ops.maximum(across, 1.0 / ops.maximum(across, tiny)), ops.maximum(down, 1.0 / ops.maximum(down, tiny)))
    alike = ops.logical_and(worst < ratio, ops.convert_to_tensor(valid)[:, :, None])
    return _in_cells(boxes, alike, -worst, size, strides, anchors, beside=True)


def _in_cells(boxes, alike, preference, size, strides, anchors, beside):
    """matched (b, a) of truths that go to the anchors `alike` (b, n, k) of their cells; the larger `preference` (b, n, k) wins a place."""
    levels, first = [], 0
    for stride, level in zip(strides, anchors, strict=True):
        rows, columns = -(-size[0] // stride), -(-size[1] // stride)
        home_x, near_x = _cells(0.5 * (boxes[..., 0] + boxes[..., 2]) / stride, columns)  # (b, n, columns)
        home_y, near_y = _cells(0.5 * (boxes[..., 1] + boxes[..., 3]) / stride, rows)
        inside = ops.logical_and(home_y[..., :, None], home_x[..., None, :])  # (b, n, rows, columns)
        if beside:
            exists = ops.logical_and(ops.any(home_x, axis=-1), ops.any(home_y, axis=-1))[..., None, None]
            cross = ops.logical_or(
                ops.logical_and(home_y[..., :, None], near_x[..., None, :]), ops.logical_and(near_y[..., :, None], home_x[..., None, :])
            )
            inside = ops.logical_and(exists, cross)
        last = first + len(level)
        claims = ops.logical_and(inside[..., None], alike[:, :, None, None, first:last])  # (b, n, rows, columns, k of the level)
        wish = ops.where(claims, preference[:, :, None, None, first:last], -float("inf"))
        found = ops.where(ops.any(claims, axis=1), ops.cast(ops.argmax(wish, axis=1), "int32"), BACKGROUND)
        levels.append(ops.reshape(found, (-1, rows * columns * len(level))))
        first = last
    return ops.concatenate(levels, axis=1)


def _cells(centre, cells):
    """centre (b, n) in cells -> (b, n, cells) bool twice: the cell that holds it; those with a centre less than a cell from it."""
    corner = ops.cast(ops.arange(cells), centre.dtype)
    centre = centre[..., None]
    home = ops.logical_and(corner <= centre, centre < corner + 1)
    return home, ops.abs(corner + 0.5 - centre) < 1


def _sizes(boxes):
    """Width and height, each (b, n, 1)."""
    return boxes[..., 2:3] - boxes[..., 0:1], boxes[..., 3:4] - boxes[..., 1:2]
