"""Curves, choices and confusions of a detector: by hand, by counting again at every confidence, and by identities."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.metrics.detection_cases import some_case
from zoo.metrics import Truth, average_precision, detection_confusion, detection_curves

BOX = np.array([0.0, 0, 100, 100])


def found(boxes, scores, classes):
    return SimpleNamespace(boxes=np.reshape(boxes, (-1, 4)), scores=np.asarray(scores, float), classes=np.asarray(classes, int))


def cut(detections, confidence):
    keep = [d.scores >= confidence for d in detections]
    return [found(d.boxes[k], d.scores[k], d.classes[k]) for d, k in zip(detections, keep, strict=True)]


def test_by_hand():
    """Two objects; scores .9 right, .6 wrong, .6 right, .3 wrong."""
    truths = [Truth(np.stack([BOX, BOX + 200]), [0, 0])]
    curve = detection_curves(truths, [found([BOX, BOX + 500, BOX + 200, BOX + 800], [0.9, 0.6, 0.6, 0.3], [0] * 4)], ["a"]).classes["a"]
    assert curve.confidence.tolist() == [0.9, 0.6, 0.3]
    assert curve.hits.tolist() == [1, 2, 2]
    assert curve.alarms.tolist() == [0, 1, 2]
    assert curve.precision.tolist() == pytest.approx([1, 2 / 3, 1 / 2])
    assert curve.recall.tolist() == [0.5, 1, 1]
    assert curve.f1.tolist() == pytest.approx([2 / 3, 4 / 5, 2 / 3])
    best = curve.best_f1()
    assert (best.confidence, best.recall, best.f1) == pytest.approx((0.6, 1, 0.8))
    # A miss for 3, an alarm for 1: nothing 6, at .9 3, at .6 1, at .3 2.
    assert (curve.cheapest(3, 1).confidence, curve.cheapest(3, 1).cost) == (0.6, 1)
    # An alarm dearer than a miss: at .9 one miss, 1; at .6 one alarm, 5.
    assert (curve.cheapest(1, 5).confidence, curve.cheapest(1, 5).cost) == (0.9, 1)
    assert curve.cheapest(0, 1).confidence == np.inf
    assert curve.at(0.7).recall == 0.5
    assert np.isnan(curve.at(0.95).precision)


@pytest.mark.parametrize("seed", range(3))
def test_counted_again_with_what_is_below_thrown_away(seed):
    """COCO's recall at overlap 0.5, of the detections that are left, at every confidence; and the precision by counting."""
    truths, detections = some_case(seed, ties=True)
    curves = detection_curves(truths, detections, 3)
    for confidence in [0.95, *np.unique(curves.all.confidence)]:
        kept = cut(detections, confidence)
        again = average_precision(truths, kept, 3, thresholds=[0.5])
        for k in range(3):
            at = curves.classes[f"{k}"].at(confidence)
            assert at.recall == pytest.approx(again.recall[0, k, 0, -1])
    pooled = sum(curve.hits[-1] for curve in curves.classes.values())
    assert pooled == curves.all.hits[-1]


@pytest.mark.parametrize("seed", range(3))
def test_no_confidence_is_better(seed):
    truths, detections = some_case(seed, ties=True)
    curve = detection_curves(truths, detections, 3).all
    grid = [np.inf, *curve.confidence, *(curve.confidence + 0.05), 0]
    tried = [curve.at(each) for each in grid]
    assert curve.best_f1().f1 == pytest.approx(np.nanmax([each.f1 for each in tried]))
    for miss, alarm in ((1, 1), (5, 1), (1, 9)):
        costs = []
        for each in grid:
            kept = curve.confidence >= each
            hits, alarms = (column[kept][-1] if kept.any() else 0 for column in (curve.hits, curve.alarms))
            costs.append((miss * (curve.objects - hits) + alarm * alarms) / len(truths))
        assert curve.cheapest(miss, alarm).cost == pytest.approx(min(costs))


def test_without_objects_or_detections():
    none = found([], [], [])
    nothing = Truth(np.zeros((0, 4)), [])
    with pytest.raises(ValueError, match="without an object"):
        detection_curves([nothing], [found(BOX, [0.5], [0])], 1).all.best_f1()
    silent = detection_curves([Truth(BOX[None], [0])], [none], 1).all
    assert silent.best_f1().confidence == np.inf
    assert silent.best_f1().f1 == 0
    assert silent.cheapest(2, 1).cost == 2
    with pytest.raises(ValueError, match="not negative costs"):
        silent.cheapest(-1, 1)


def test_confusion_by_hand():
    """A cat found, a cat taken for a dog, a dog missed, a bird where nothing is, and a detection too unsure to count."""
    truths = [Truth(np.stack([BOX, BOX + 200, BOX + 400]), [0, 0, 1])]
    boxes = [BOX, BOX + 200, BOX + 600, BOX + 400]
    matrix = detection_confusion(truths, [found(boxes, [0.9, 0.8, 0.7, 0.1], [0, 1, 2, 1])], 3)
    assert matrix.tolist() == [[1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 1, 0]]


def test_a_surer_wrong_class_does_not_take_the_object_from_the_right_one():
    matrix = detection_confusion([Truth(BOX[None], [0])], [found([BOX, BOX], [0.9, 0.5], [1, 0])], 2)
    assert matrix.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("confidence", [0.0, 0.25, 0.6])
@pytest.mark.parametrize("seed", range(4))
def test_confusion_adds_up(seed, confidence):
    truths, detections = some_case(seed)
    matrix = detection_confusion(truths, detections, 3, confidence=confidence)
    curves = detection_curves(truths, detections, 3)
    labels = np.concatenate([np.asarray(t.classes)[~t.crowd] for t in truths])
    assert matrix[:3].sum(axis=1).tolist() == np.bincount(labels, minlength=3).tolist()
    for k in range(3):
        curve = curves.classes[f"{k}"]
        last = int((curve.confidence >= confidence).sum()) - 1
        assert matrix[k, k] == curve.hits[last]
        assert matrix[:, k].sum() == curve.hits[last] + curve.alarms[last]
    assert matrix[3, 3] == 0
    names = np.random.default_rng(seed).permutation(3)
    renamed = [Truth(t.boxes, names[t.classes], t.crowd, t.area) for t in truths]
    others = [found(d.boxes, d.scores, names[d.classes]) for d in detections]
    both = np.append(names, 3)
    np.testing.assert_array_equal(detection_confusion(renamed, others, 3, confidence=confidence)[np.ix_(both, both)], matrix)
