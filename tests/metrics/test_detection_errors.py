"""Kinds of mistakes: one of each by hand, a slow sorting straight from the paper's definitions, and AP measured after mending."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.metrics.detection_cases import some_case
from zoo.metrics import Truth, average_precision, detection_errors
from zoo.metrics.detection_errors import KINDS

BOX = np.array([0.0, 0, 100, 100])


def found(boxes, scores, classes):
    return SimpleNamespace(boxes=np.reshape(boxes, (-1, 4)), scores=np.asarray(scores, float), classes=np.asarray(classes, int))


def iou(a, b):
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = max(sides[0], 0) * max(sides[1], 0)
    return common / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common)


def test_one_of_each():
    places = [BOX + 200 * n for n in range(6)]
    truths = [Truth(np.array(places), [0, 0, 0, 0, 0, 1])]
    narrow = np.array([0.0, 0, -70, 0])  # overlap 0.3
    detections = [
        found(
            [places[0], places[0] + 5, places[1] + narrow, places[2], places[3] + narrow, BOX - 500],
            [0.9, 0.8, 0.7, 0.6, 0.5, 0.4],
            [0, 0, 0, 1, 1, 0],
        )
    ]
    errors = detection_errors(truths, detections, 2)
    assert errors.verdicts[0].tolist() == ["right", "duplicate", "localisation", "classification", "both", "background"]
    assert errors.counts == dict.fromkeys(KINDS, 1) | {"missed": 3}
    assert errors.missed[0].tolist() == [3, 4, 5]


@pytest.mark.parametrize("overlap", [0.05, 0.1, 0.3, 0.5, 0.8])
def test_borders(overlap):
    wanted = "background" if overlap < 0.1 else "localisation" if overlap < 0.5 else "right"
    errors = detection_errors([Truth(BOX[None], [0])], [found(BOX * [1, 1, 1, overlap], [0.9], [0])], 1)
    assert errors.verdicts[0].tolist() == [wanted]
    wanted = "background" if overlap < 0.1 else "both" if overlap < 0.5 else "classification"
    errors = detection_errors([Truth(BOX[None], [0])], [found(BOX * [1, 1, 1, overlap], [0.9], [1])], 2)
    assert errors.verdicts[0].tolist() == [wanted]
    assert errors.counts["missed"] == (wanted != "classification")


def sorted_slowly(truth, detection, verdict):
    """The kind of every detection that is not right, one pair at a time."""
    kinds = []
    for box, label, word in zip(detection.boxes, detection.classes, verdict, strict=True):
        own = [iou(box, other) for other, name in zip(truth.boxes, truth.classes, strict=True) if name == label]
        others = [iou(box, other) for other, name in zip(truth.boxes, truth.classes, strict=True) if name != label]
        own, others = max(own, default=0), max(others, default=0)
        if word == "right":
            kinds.append("right" if own >= 0.5 else "not right at all")
        elif 0.1 <= own < 0.5:
            kinds.append("localisation")
        elif others >= 0.5:
            kinds.append("classification")
        elif own >= 0.5:
            kinds.append("duplicate")
        else:
            kinds.append("background" if max(own, others) < 0.1 else "both")
    return kinds


@pytest.mark.parametrize("seed", range(6))
def test_every_verdict_and_every_gain(seed):
    """The lists are mended by hand as the docstring says, and measured with the metric that equals pycocotools."""
    truths, detections = some_case(seed, images=20, crowds=0)
    errors = detection_errors(truths, detections, 3)
    for truth, detection, verdict in zip(truths, detections, errors.verdicts, strict=True):
        assert verdict.tolist() == sorted_slowly(truth, detection, verdict)
    ap = lambda t, d: average_precision(t, d, 3, thresholds=[0.5]).ap()  # noqa: E731
    assert errors.ap == pytest.approx(ap(truths, detections))
    for kind in ("both", "duplicate", "background"):
        keep = [verdict != kind for verdict in errors.verdicts]
        left = [found(d.boxes[k], d.scores[k], d.classes[k]) for d, k in zip(detections, keep, strict=True)]
        assert errors.gains[kind] == pytest.approx(ap(truths, left) - errors.ap)
    keep = [np.delete(np.arange(len(t.classes)), lost) for t, lost in zip(truths, errors.missed, strict=True)]
    fewer = [Truth(t.boxes[k], t.classes[k]) for t, k in zip(truths, keep, strict=True)]
    assert errors.gains["missed"] == pytest.approx(ap(fewer, detections) - errors.ap)
    only = [verdict == "right" for verdict in errors.verdicts]
    right = [found(d.boxes[k], d.scores[k], d.classes[k]) for d, k in zip(detections, only, strict=True)]
    assert errors.gains["false positives"] == pytest.approx(ap(truths, right) - errors.ap)
    assert all(gain >= -1e-12 for kind, gain in errors.gains.items() if kind not in KINDS[:2])
    assert all(errors.counts[kind] > 0 for kind in KINDS), "a case that lacks a kind proves less"


def test_mended_places_and_classes():
    """Two objects of class 0, one of class 1. The surer of two loose boxes becomes right, the other goes; so for classes."""
    places = [BOX, BOX + 200, BOX + 400]
    truths = [Truth(np.array(places), [0, 0, 1])]
    loose = np.array([0.0, 0, -70, 0])
    boxes = [places[0] + loose, places[0] + loose, places[1], places[1], places[2]]
    errors = detection_errors(truths, [found(boxes, [0.9, 0.8, 0.7, 0.6, 0.5], [0, 0, 1, 1, 1])], 2)
    # As it is: class 0 has AP 0; class 1: wrong, wrong, right: 1/3. Mean 1/6.
    assert errors.ap == pytest.approx(1 / 6)
    # Places mended: class 0 finds one of two, 51 of 101 recalls.
    assert errors.gains["localisation"] == pytest.approx(51 / 101 / 2)
    # Classes mended: class 0: wrong, wrong, right (0.7): precision 1/3 up to recall 1/2; class 1: only the right one.
    assert errors.gains["classification"] == pytest.approx((51 / 101 / 3 + 1) / 2 - 1 / 6)
    assert errors.counts == {"classification": 2, "localisation": 2, "both": 0, "duplicate": 0, "background": 0, "missed": 0}


def test_about_an_object_that_is_found_already_nothing_is_won_by_a_second():
    truths = [Truth(np.stack([BOX, BOX + 200]), [0, 0])]
    boxes = [BOX - [0, 0, 70, 0], BOX, BOX + 200]
    errors = detection_errors(truths, [found(boxes, [0.9, 0.8, 0.7], [0, 0, 0])], 1)
    assert errors.verdicts[0].tolist() == ["localisation", "right", "right"]
    assert errors.ap + errors.gains["localisation"] == pytest.approx(1)  # it goes, and no object is counted twice


def test_crowds_padding_and_nothing():
    truth = Truth(np.stack([BOX, BOX + 200]), [0, 0], crowd=[True, False])
    detection = found([BOX, BOX, BOX + 200, BOX], [0.9, 0.8, 0.7, 1], [0, 0, 0, -1])
    errors = detection_errors([truth], [detection], 1)
    assert errors.verdicts[0].tolist() == ["ignored", "ignored", "right"]
    assert sum(errors.counts.values()) == 0
    assert errors.ap == pytest.approx(1)
    empty = detection_errors([Truth(np.zeros((0, 4)), [])], [found([], [], [])], 1)
    assert np.isnan(empty.ap)
    assert sum(empty.counts.values()) == 0
    silent = detection_errors([Truth(BOX[None], [0])], [found([], [], [])], 1)
    assert (silent.ap, silent.counts["missed"]) == (0, 1)
    with pytest.raises(ValueError, match="0 < loose < least"):
        detection_errors([], [], 1, loose=0.6)
