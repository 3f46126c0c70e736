"""Non-maximum suppression: of many boxes around one object, keep the best.

Greedy suppression goes through the boxes by falling score and drops each that overlaps a kept one by more than the threshold. Its loop
over boxes is slow on every accelerator. Here all overlaps are computed at once, and the set of kept boxes is the fixed point of

    keep[j] = no kept i before j overlaps j

Started from "keep all", the first t boxes are right after t rounds, so it is exact; in practice it takes about five rounds, and a chain of
boxes that each overlap only the next takes the most. Shapes are static and nothing leaves the graph: XLA, JAX and LiteRT compile it.
"""

from __future__ import annotations

from keras import ops

from zoo.ops.overlap import pair_iou
from zoo.ops.precision import wide, wide_boxes
from zoo.ops.ranking import stable_top_k
from zoo.ops.soft_nms import matrix_scores, soft_picks

METHODS = ("exact", "fast", "matrix", "soft", "diou")


def nms(
    boxes,
    scores,
    classes=None,
    *,
    threshold: float = 0.5,
    score_threshold: float = 0.05,
    most: int = 100,
    pre: int = 1000,
    method: str = "exact",
    sigma: float = 0.5,
):
    """Boxes (b, n, 4) xyxy, scores (b, n), classes (b, n) or None -> indices (b, most) int32, scores (b, most) float32, count (b,) int32.

    Indices are into the n boxes, by falling score and for equal scores by rising index; behind the `count` first they are -1 and scores 0.
    n must be known when the graph is built.

    classes:         boxes of different classes do not suppress each other; None: all boxes are rivals.
    threshold:       overlap above which the lower score goes; exactly at the threshold it stays, as in torchvision and TensorFlow.
    score_threshold: scores must exceed it, before, and for "matrix" and "soft" after, they are lowered.
    pre:             only so many best boxes take part: memory grows with its square.
    method:          "exact"   greedy suppression
                     "fast"    boxes that are suppressed suppress too: one round, keeps fewer (YOLACT, arXiv:1904.02689, 3.4)
                     "diou"    exact, by DIoU: close boxes with centres apart stay (arXiv:1911.08287, 3.4)
                     "soft"    scores fall by exp(-iou^2 / sigma) with every pick, no box goes by overlap (arXiv:1704.04503, equation 3)
                     "matrix"  the same in one step, a suppressor that is itself suppressed counts less (SOLOv2, arXiv:2003.10152, 3.3)
    sigma:           of "soft" and "matrix", which ignore `threshold`.
    """
    boxes, scores = _checked(boxes, scores, most, pre, method, sigma)
    p, picks = min(pre, boxes.shape[1]), min(pre, boxes.shape[1], most)
    scores = ops.where(scores > score_threshold, scores, -float("inf"))  # not a number is out as well
    scores, order = stable_top_k(scores, p)  # (b, p)
    boxes = ops.take_along_axis(boxes, order[..., None], axis=1)  # (b, p, 4)
    rival = _rivals(scores, classes, order)  # (b, p, p): suppressor, suppressed
    overlap = pair_iou(boxes, boxes, "diou" if method == "diou" else "iou")
    if method == "soft":
        scores, places = soft_picks(scores, ops.where(rival, overlap, 0.0), picks, sigma)
    elif method == "matrix":
        lowered = scores * matrix_scores(ops.where(ops.logical_and(rival, _before(p)), overlap, 0.0), sigma)
        scores, places = stable_top_k(lowered, picks)
    else:
        beats = ops.logical_and(ops.logical_and(rival, _before(p)), overlap > threshold)
        candidates = scores > -float("inf")
        keep = _unbeaten(beats, candidates, candidates) if method == "fast" else _fixed_point(beats, candidates)
        scores, places = stable_top_k(ops.where(keep, scores, -float("inf")), picks)
    return _answer(scores, ops.take_along_axis(order, places, axis=1), score_threshold, most)


def _checked(boxes, scores, most, pre, method, sigma):
    boxes, scores = wide_boxes(boxes), wide(scores)
    if len(boxes.shape) != 3 or len(scores.shape) != 2:
        raise ValueError(f"nms wants boxes (b, n, 4) and scores (b, n), got {tuple(boxes.shape)} and {tuple(scores.shape)}")
    if not boxes.shape[1] or boxes.shape[1] != scores.shape[1]:
        raise ValueError(f"nms needs one known number n >= 1 of boxes and scores, got {boxes.shape[1]} and {scores.shape[1]}")
    if method not in METHODS:
        raise ValueError(f"method is one of {', '.join(METHODS)}; got {method!r}")
    if min(most, pre) < 1:
        raise ValueError(f"most and pre are numbers of boxes >= 1, got {most} and {pre}")
    if not sigma > 0:
        raise ValueError(f"sigma is how slowly scores fall with the overlap, above 0, for example 0.5; got {sigma}")
    return boxes, scores


def _before(p):
    """(p, p) bool: the first comes before the second."""
    places = ops.arange(p, dtype="int32")
    return places[:, None] < places[None, :]


def _rivals(scores, classes, order):
    """(b, p, p) bool: the first is a candidate at all, and of the class of the second.

    Moving each class to a place of its own, the usual trick, loses the boxes' digits: with 1203 classes it is wrong even in float32.
    """
    candidate = scores > -float("inf")
    rival = ops.logical_and(candidate[:, :, None], candidate[:, None, :])
    if classes is None:
        return rival
    classes = ops.take_along_axis(ops.convert_to_tensor(classes), order, axis=1)
    return ops.logical_and(rival, classes[:, :, None] == classes[:, None, :])


def _unbeaten(beats, candidates, keep):
    """(b, p) bool: the candidates that nothing in `keep` beats."""
    return ops.logical_and(candidates, ops.logical_not(ops.any(ops.logical_and(beats, keep[:, :, None]), axis=1)))


def _fixed_point(beats, candidates):
    """(b, p) bool: the boxes that greedy suppression keeps."""

    def again(keep, changing):
        now = _unbeaten(beats, candidates, keep)
        return now, ops.any(ops.not_equal(now, keep))

    start = (candidates, ops.any(candidates))
    return ops.while_loop(lambda keep, changing: changing, again, start, maximum_iterations=beats.shape[-1])[0]


def _answer(scores, indices, score_threshold, most):
    """Padded to `most`; scores fall, so that what stays comes first."""
    stays = scores > score_threshold
    count = ops.sum(ops.cast(stays, "int32"), axis=1)
    padding = ((0, 0), (0, most - scores.shape[1]))
    indices = ops.pad(ops.where(stays, ops.cast(indices, "int32"), -1), padding, constant_values=-1)
    return indices, ops.pad(ops.where(stays, scores, 0.0), padding), count
