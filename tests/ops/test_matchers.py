"""Matchers against torchvision's and against loops over truths and places, written from the definitions."""

import numpy as np
import pytest
from keras import ops

from tests.ops import torch_oracle
from tests.ops.generators import boxes as some_boxes
from tests.ops.generators import compiled
from zoo.ops import anchors as layout
from zoo.ops.boxes import pair_iou
from zoo.ops.matchers import best_anchor, iou_match, ratio_match, task_aligned

SIZE, STRIDES = (64, 96), (8, 16, 32)
CELLS, SHAPES, STEPS = layout.grid(*SIZE, STRIDES)


def _numpy(x):
    return ops.convert_to_numpy(x)


def _truths(seed, b=3, n=5):
    """Boxes on a 64 x 96 image and which are real: the last image has none."""
    rng = np.random.default_rng(seed)
    boxes = some_boxes(rng, b, n, size=90).astype("float32")
    valid = np.arange(n) < np.array([n, 2, 0])[:, None]
    return np.where(valid[..., None], boxes, 0).astype("float32"), valid


def _iou(a, b, aspect=False):
    """Of two boxes; with `aspect` the CIoU (arXiv:1911.08287, equations 7 to 11)."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    iou = shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)
    if not aspect:
        return iou
    diagonal = (max(a[2], b[2]) - min(a[0], b[0])) ** 2 + (max(a[3], b[3]) - min(a[1], b[1])) ** 2
    apart = ((a[0] + a[2] - b[0] - b[2]) ** 2 + (a[1] + a[3] - b[1] - b[3]) ** 2) / 4
    v = 4 / np.pi**2 * (np.arctan((a[2] - a[0]) / (a[3] - a[1])) - np.arctan((b[2] - b[0]) / (b[3] - b[1]))) ** 2
    return iou - apart / diagonal - (v * v / (1 - iou + v) if v else 0)


def test_iou_match_is_torchvisions():
    rng = np.random.default_rng(0)
    iou = rng.uniform(0, 0.8, (40, 4, 30)) * rng.choice([0.4, 0.7, 1], (40, 4, 1))
    iou = iou.astype("float32").round(2)  # ties, and values at the thresholds
    valid = np.arange(4) < rng.integers(0, 5, 40)[:, None]
    assert (~valid).all(axis=1).any()  # an image without truth is among them
    wanted = torch_oracle.ask(matches=np.where(valid[..., None], iou, -1).astype("float32"))
    for low_quality in (False, True):
        np.testing.assert_array_equal(_numpy(iou_match(iou, valid, low_quality=low_quality)), wanted[f"matched_{low_quality}"])
    assert (wanted["matched_True"] != wanted["matched_False"]).any()


@pytest.mark.backend
def test_iou_match_by_hand():
    iou = np.array([[[0.9, 0.5, 0.45, 0.4, 0.39, 0.2], [0, 0, 0, 0.3, 0.1, 0.3], [0] * 6, [0.99] * 6]], "float32")
    valid = np.array([[True, True, True, False]])
    assert _numpy(iou_match(iou, valid, low_quality=False)).tolist() == [[0, 0, -2, -2, -1, -1]]
    # The second truth forces its two best, of which one overlaps the first truth more; the third touches nothing and forces nothing.
    assert _numpy(iou_match(iou, valid)).tolist() == [[0, 0, -2, 0, -1, 1]]
    assert (_numpy(iou_match(iou, np.zeros((1, 4), bool))) == -1).all()
    with pytest.raises(ValueError, match="got 0.6 and 0.5"):
        iou_match(iou, valid, 0.5, 0.6)


def _place(column, row, shape, stride):
    """Where `layout.grid` has it."""
    same = (column, row) == CELLS
    return np.flatnonzero(same.all(axis=1) & (shape == SHAPES).all(axis=1) & (stride == STEPS))


def _centre(box, stride):
    return (box[0] + box[2]) / 2 / stride, (box[1] + box[3]) / 2 / stride


@pytest.mark.backend
def test_best_anchor_by_loops():
    shapes = [(stride, np.array(shape)) for stride, level in zip(STRIDES, layout.YOLO_ANCHORS, strict=True) for shape in level]
    for seed in range(4):
        boxes, valid = _truths(seed)
        predicted = some_boxes(np.random.default_rng(seed), 3, len(CELLS), size=90).astype("float32")
        predicted[:, ::7] = boxes[:, :1]
        wanted = np.full((3, len(CELLS)), -1)
        for image, truth in zip(*np.nonzero(valid), strict=True):
            box = boxes[image, truth]
            centred = [0, 0, box[2] - box[0], box[3] - box[1]]
            stride, shape = max(shapes, key=lambda each: _iou(centred, [0, 0, *each[1]]))
            for place in _place(*map(int, _centre(box, stride)), shape, stride):
                wanted[image, place] = truth
        np.testing.assert_array_equal(_numpy(best_anchor(boxes, valid, SIZE)), wanted)
        for image, place in zip(*np.nonzero(wanted == -1), strict=True):
            if any(_iou(predicted[image, place], box) > 0.7 for box in boxes[image][valid[image]]):
                wanted[image, place] = -2
        assert (wanted == -2).any()
        np.testing.assert_array_equal(_numpy(best_anchor(boxes, valid, SIZE, predicted=predicted)), wanted)


@pytest.mark.backend
def test_two_truths_in_one_place_go_to_the_later():
    box = np.array([[[10, 10, 20, 23]] * 3], "float32")
    matched = _numpy(best_anchor(box, np.array([[True, True, False]]), SIZE))
    assert (matched >= 0).sum() == 1
    assert matched.max() == 1


@pytest.mark.backend
def test_ratio_match_by_loops():
    for seed in range(4):
        boxes, valid = _truths(seed)
        wanted, nearest = np.full((3, len(CELLS)), -1), np.full((3, len(CELLS)), np.inf)
        for image, truth in zip(*np.nonzero(valid), strict=True):
            box = boxes[image, truth]
            for stride, level in zip(STRIDES, layout.YOLO_ANCHORS, strict=True):
                x, y = _centre(box, stride)
                if not (x < -(-SIZE[1] // stride) and y < -(-SIZE[0] // stride)):
                    continue
                beside = (int(x) + (1 if x % 1 > 0.5 else -1), int(y)), (int(x), int(y) + (1 if y % 1 > 0.5 else -1))
                for shape in map(np.float32, level):
                    factors = np.array([box[2] - box[0], box[3] - box[1]]) / shape
                    worst = max(factors.max(), (1 / factors).max())
                    if worst >= 4:
                        continue
                    for cell in ((int(x), int(y)), *beside):
                        for place in _place(*cell, shape, stride):  # none outside the image
                            if worst < nearest[image, place]:
                                wanted[image, place], nearest[image, place] = truth, worst
        assert (wanted >= 0).sum() > 20
        np.testing.assert_array_equal(_numpy(ratio_match(boxes, valid, SIZE)), wanted)


@pytest.mark.backend
def test_a_centre_on_the_middle_of_a_cell_has_no_neighbours():
    box = np.array([[[12 - 5, 20 - 6, 12 + 5, 20 + 6]]], "float32")  # the middle of cell (1, 2) at stride 8
    matched = _numpy(ratio_match(box, np.array([[True]]), SIZE))[0]
    fine = (STEPS == 8) & (matched == 0)
    assert {tuple(cell) for cell in CELLS[fine].tolist()} == {(1, 2)}
    assert not (_numpy(ratio_match(box, np.array([[True]]), SIZE, ratio=1.0)) >= 0).any()
    flat = np.array([[[12, 14, 12, 26]]], "float32")
    assert not (_numpy(ratio_match(flat, np.array([[True]]), SIZE)) >= 0).any()


def _predictions(seed, points, strides, truth_boxes, classes=3):
    rng = np.random.default_rng([7, seed])
    reach = rng.uniform(0.3, 3, (len(truth_boxes), len(points), 4)) * strides[:, None] * [-1, -1, 1, 1]
    scores = rng.uniform(0.01, 1, (len(truth_boxes), len(points), classes)).astype("float32")
    return scores, (np.tile(points, 2) + reach).astype("float32"), rng.integers(0, classes, truth_boxes.shape[:2])


def _aligned(scores, boxes, points, truth_boxes, kind, topk, alpha, beta):
    """One image, by the definition."""
    iou = np.zeros((len(truth_boxes), len(points)))
    for truth, p in np.ndindex(*iou.shape):
        iou[truth, p] = max(_iou(truth_boxes[truth].astype("float64"), boxes[p].astype("float64"), aspect=True), 0)
    t = scores[:, kind].T.astype("float64") ** alpha * iou**beta
    taken = np.zeros(t.shape, bool)
    for truth, (left, top, right, bottom) in enumerate(truth_boxes):
        inside = [p for p, (x, y) in enumerate(points) if left < x < right and top < y < bottom]
        taken[truth, sorted(inside, key=lambda p: -t[truth, p])[:topk]] = True
    matched, target = np.full(len(points), -1), np.zeros(len(points))
    for p in np.flatnonzero(taken.any(axis=0)):
        matched[p] = max(np.flatnonzero(taken[:, p]), key=lambda truth: iou[truth, p])
    for truth in range(len(truth_boxes)):
        own = np.flatnonzero(matched == truth)
        if len(own) and t[truth, own].max() > 0:
            target[own] = t[truth, own] / t[truth, own].max() * iou[truth, own].max()
    return matched, target


@pytest.mark.backend
@pytest.mark.parametrize(("topk", "alpha", "beta"), [(10, 0.5, 6.0), (3, 1.0, 2.0), (1000, 0.5, 6.0)])
def test_task_aligned_by_loops(topk, alpha, beta):
    points, strides = layout.points(*SIZE, STRIDES)
    contested = 0
    for seed in range(3):
        truth_boxes, valid = _truths(seed)
        scores, boxes, kind = _predictions(seed, points, strides, truth_boxes)
        padded = np.where(valid, kind, -1)
        matched, target = map(_numpy, task_aligned(scores, boxes, points, truth_boxes, padded, topk, alpha, beta))
        for image, real in enumerate(valid):
            wanted = _aligned(scores[image], boxes[image], points, truth_boxes[image][real], kind[image][real], topk, alpha, beta)
            np.testing.assert_array_equal(matched[image], wanted[0])
            np.testing.assert_allclose(target[image], wanted[1], rtol=1e-3, atol=1e-6)
            contested += len(set(wanted[0][wanted[0] >= 0]))
    assert contested > 6
    with pytest.raises(ValueError, match="topk is a number of points >= 1, got 0"):
        task_aligned(scores, boxes, points, truth_boxes, padded, topk=0)


@pytest.mark.backend
def test_a_perfect_prediction_is_asked_for_all_of_its_overlap():
    points, _ = layout.points(*SIZE, STRIDES)
    truth = np.array([[[8, 8, 40, 40], [50, 20, 90, 60]]], "float32")
    scores, boxes = np.full((1, len(points), 2), 0.5, "float32"), np.tile(truth[:, :1], (1, len(points), 1))
    matched, target = map(_numpy, task_aligned(scores, boxes, points, truth, np.array([[1, -1]])))
    assert (matched == 0).sum() == 10
    np.testing.assert_allclose(target[matched == 0], 1, rtol=1e-5)
    assert not target[matched == -1].any()


@pytest.mark.backend
def test_targets_stay_finite_where_alignment_nearly_vanishes():
    """score^2 * iou is about 1e-44 at the first point and 0 at the other: iou / alignment is beyond float32, and 0 times that not a number.
    What rounds such numbers to 0 asks for 0."""
    points, boxes = np.array([[8, 8], [24, 8]], "float32"), np.array([[[0, 0, 900, 900], [950, 950, 990, 990]]], "float32")
    scores, truth = np.full((1, 2, 1), 1e-22, "float32"), np.array([[[0, 0, 1000, 1000]]], "float32")
    _, target = task_aligned(scores, boxes, points, truth, np.array([[0]]), alpha=2.0, beta=1.0)
    assert np.isfinite(_numpy(target)).all()
    assert _numpy(target).max() <= 1


@pytest.mark.backend
def test_all_compile():
    points, strides = layout.points(*SIZE, STRIDES)
    boxes, valid = _truths(0)
    scores, predicted, kind = _predictions(0, points, strides, boxes)
    anchors = layout.retinanet(*SIZE)

    def everything(boxes, valid, scores, predicted, kind):
        aligned = task_aligned(scores, predicted, points, boxes, ops.where(valid, kind, -1))
        iou = pair_iou(boxes, anchors)
        return [iou_match(iou, valid), best_anchor(boxes, valid, SIZE), ratio_match(boxes, valid, SIZE), *aligned]

    tensors = [ops.convert_to_tensor(x) for x in (boxes, valid, scores, predicted, kind)]
    for got, wanted in zip(compiled(everything)(*tensors), everything(*tensors), strict=True):
        np.testing.assert_allclose(_numpy(got), _numpy(wanted), rtol=1e-3, atol=1e-6)
