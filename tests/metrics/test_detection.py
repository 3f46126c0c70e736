"""The COCO numbers against pycocotools where that is right, against counting by hand, and against what must not matter."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.metrics.detection_cases import pycocotools, some_boxes, some_case
from zoo.data.objects import Objects
from zoo.metrics import Truth, average_precision

BOX = np.array([0.0, 0, 100, 100])


def found(boxes, scores, classes=None, **more):
    classes = np.zeros(len(scores), int) if classes is None else classes
    return SimpleNamespace(boxes=np.reshape(boxes, (-1, 4)), scores=np.asarray(scores, float), classes=np.asarray(classes), **more)


def nothing():
    return found(np.zeros((0, 4)), [])


def same_as_pycocotools(truths, detections, classes, theirs="bbox", **more):
    pytest.importorskip("pycocotools", reason="the reference is pycocotools")
    judged = pycocotools(truths, detections, classes, theirs)
    ours = average_precision(truths, detections, classes, **more)
    stats = judged.stats if theirs != "keypoints" else np.delete(judged.stats, [6, 7])  # without AR50 and AR75
    np.testing.assert_allclose(ours.coco(), stats, rtol=0, atol=1e-6)
    for mine, name in ((ours.precision, "precision"), (ours.recall, "recall"), (ours.scores, "scores")):
        np.testing.assert_allclose(np.nan_to_num(mine, nan=-1), judged.eval[name], rtol=0, atol=1e-6)
    return ours


@pytest.mark.parametrize("whole", [False, True], ids=["any", "whole pixels"])
@pytest.mark.parametrize("ties", [False, True], ids=["", "ties"])
@pytest.mark.parametrize("seed", range(8))
def test_pycocotools(seed, ties, whole):
    ours = same_as_pycocotools(*some_case(seed, ties=ties, whole=whole), 3)
    assert ours.ap(0.5) > 0.05, "a case in which nothing is found proves nothing"


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1), crowds=st.sampled_from([0, 0.2, 1]), ties=st.booleans(), whole=st.booleans(), most=st.integers(0, 15)
)
def test_pycocotools_on_anything(seed, crowds, ties, whole, most):
    truths, detections = some_case(seed, images=5, classes=2, most=most, crowds=crowds, ties=ties, whole=whole)
    detections[0] = found([0, 0, 9, 9], [0.5])  # pycocotools refuses an empty list
    same_as_pycocotools(truths, detections, 2)


def test_pycocotools_with_more_detections_than_count():
    """150 detections of one class in an image: at most 1, 10 and 100 of them count, the best first."""
    rng = np.random.default_rng(0)
    boxes = some_boxes(rng, 40)
    many = np.concatenate([boxes, boxes + rng.normal(0, 1, boxes.shape), boxes, some_boxes(rng, 30)])
    truths, detections = (
        [Truth(boxes, np.zeros(40, int)), Truth(boxes[:3], [0, 0, 0])],
        [found(many, rng.random(150)), found(many, rng.random(150))],
    )
    ours = same_as_pycocotools(truths, detections, 1)
    assert ours.ar(1) < ours.ar(10) < ours.ar(100) < average_precision(truths, detections, 1, most=(150,)).ar()
    assert average_precision(truths, detections, 1, most=(1, 10, 300)).ap() > ours.ap(), "pycocotools says -1 without a limit of 100"


@pytest.mark.parametrize("area", [32**2 - 1, 32**2, 32**2 + 1, 96**2 - 1, 96**2, 96**2 + 1, 1, 1e5**2])
def test_pycocotools_at_the_borders_of_the_sizes(area):
    side = np.sqrt(area)
    truths = [Truth(np.array([[0, 0, side, side]]), [0], None, [area])]
    same_as_pycocotools(truths, [found([[0, 0, side, side], [5, 5, 37, 37], [90, 90, 186, 186]], [0.5, 0.9, 0.8])], 1)


@pytest.mark.parametrize("overlap", [0.5, 0.75, 0.55, 0.95, 1.0])
def test_pycocotools_with_an_overlap_exactly_at_a_threshold(overlap):
    same_as_pycocotools([Truth(BOX[None], [0])], [found([0, 0, 100, 100 * overlap], [0.9])], 1)


@pytest.mark.parametrize("second", [0, 1])
def test_pycocotools_with_two_objects_overlapped_alike(second):
    """The first detection overlaps both objects by 90/110 and takes the later; the second fits one of them exactly."""
    boxes = np.stack([BOX, BOX + [20, 0, 20, 0]])
    ours = same_as_pycocotools([Truth(boxes, [0, 0])], [found([BOX + [10, 0, 10, 0], boxes[second]], [0.9, 0.8])], 1)
    assert ours.ar(threshold=0.8) == (1 if second == 0 else 0.5)


def test_a_perfect_box_passes_the_threshold_1_in_spite_of_rounding():
    result = average_precision([Truth(BOX[None], [0])], [found(BOX - [0, 0, 0, 1e-9], [0.9])], 1, thresholds=[1.0])
    assert result.ap() == pytest.approx(1)
    assert average_precision([Truth(BOX[None], [0])], [found(BOX - [0, 0, 0, 1e-3], [0.9])], 1, thresholds=[1.0]).ap() == 0


def test_annotation_id_zero_is_an_object_like_any_other():
    """pycocotools takes the id 0 of a found object for "nothing found": wrong, then right, precision 1/2 up to recall 1/2."""
    pytest.importorskip("pycocotools", reason="the reference is pycocotools")
    truths, detections = [Truth(BOX[None], [0]), Truth(BOX[None], [0])], [found(BOX, [0.9]), found(BOX, [0.8])]
    assert pycocotools(truths, detections, 1, first_id=1).stats[0] == pytest.approx(1)
    assert pycocotools(truths, detections, 1, first_id=0).stats[0] == pytest.approx(51 / 101 / 2)
    assert average_precision(truths, detections, 1).ap() == pytest.approx(1)


def test_a_worked_example():
    """The example of docs/detection_metrics.md. Four objects; five detections by falling score: right, wrong, right, right, wrong.

    After each: precision 1, 1/2, 2/3, 3/4, 3/5 and recall 1/4, 1/4, 2/4, 3/4, 3/4. The best precision at a recall or beyond is 1 up to
    1/4, 3/4 up to 3/4, 0 beyond: 26 of the 101 recalls 0.00, 0.01, ... 1.00 have 1, 50 have 3/4 and 25 have 0.
    """
    boxes = np.array([[0.0, y, 50, y + 50] for y in (0, 100, 200, 300)])
    away = np.array([500.0, 500, 550, 550])
    detections = [found([boxes[0], away, boxes[1], boxes[2], away + 100], [0.9, 0.8, 0.7, 0.6, 0.5])]
    result = average_precision([Truth(boxes, [0, 0, 0, 0])], detections, ["car"])
    assert result.ap() == pytest.approx((26 * 1 + 50 * 0.75) / 101) == pytest.approx(0.6287, abs=1e-4)
    assert result.ar() == 0.75
    assert result.ar(1) == 0.25
    page = (Path(__file__).parents[2] / "docs" / "detection_metrics.md").read_text()
    assert "(26 × 1 + 50 × 3/4 + 25 × 0) / 101 = 0.629" in page


def test_a_loose_box_is_right_up_to_its_overlap():
    """A box of 0.72 overlap is right at 0.5, 0.55, ... 0.7: five of the ten thresholds."""
    result = average_precision([Truth(BOX[None], [0])], [found([0, 0, 100, 72], [0.4])], 1)
    assert result.numbers == pytest.approx(
        {"AP": 0.5, "AP50": 1, "AP75": 0, "AP_small": np.nan, "AP_medium": np.nan, "AP_large": 0.5, "AR1": 0.5, "AR10": 0.5}
        | {"AR100": 0.5, "AR_small": np.nan, "AR_medium": np.nan, "AR_large": 0.5},
        nan_ok=True,
    )


def test_a_second_detection_of_an_object_is_wrong():
    twice = average_precision([Truth(np.stack([BOX, BOX + 200]), [0, 0])], [found([BOX, BOX, BOX + 200], [0.9, 0.8, 0.7])], 1)
    assert twice.ap() == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)


def test_in_a_crowd_any_number_of_detections_is_neither_right_nor_wrong():
    """Ten small boxes inside a crowd overlap it by 1/100 as boxes, but lie in it whole. Without them the object alone: AP 1."""
    crowd = Truth(np.stack([BOX, BOX + 200]), [0, 0], crowd=[True, False])
    inside = np.array([[x, 0, x + 10, 10] for x in range(0, 100, 10)], float)
    detections = found(np.concatenate([inside, BOX[None] + 200]), [*np.linspace(0.9, 0.5, 10), 0.1])
    assert average_precision([crowd], [detections], 1).ap() == pytest.approx(1)
    alone = Truth(crowd.boxes, [0, 0])
    assert average_precision([alone], [detections], 1).ap() == pytest.approx(51 / 11 / 101)  # right once, after ten mistakes


def test_nothing_found_is_zero_and_nothing_to_find_is_undefined():
    truth, none = Truth(BOX[None], [1]), Truth(np.zeros((0, 4)), [])
    result = average_precision([truth, none], [nothing(), nothing()], ["a", "b"])
    assert result.ap() == result.ar() == 0
    assert np.isnan(result.per_class()["a"])
    assert result.per_class()["b"] == 0
    for truths, detections in (([], []), ([none], [nothing()]), ([none], [found(BOX, [0.9])])):
        empty = average_precision(truths, detections, 2)
        assert all(np.isnan(value) for value in empty.numbers.values())
        assert empty.coco().tolist() == [-1] * 12
    crowd = average_precision([Truth(BOX[None], [0], crowd=[True])], [found(BOX, [0.9])], 1)
    assert np.isnan(crowd.ap()), "a crowd alone is nothing to find"


def test_the_area_decides_about_the_size_and_the_box_where_it_is_not_known():
    """Boxes of 100 x 100 are large; an outline of 500 pixels in one is small."""
    boxes = np.stack([BOX, BOX + 200])
    labels = Objects(boxes, [0, 0], attributes={"area": [500, np.nan]})
    for truth in (Truth(boxes, [0, 0], area=[500, np.nan]), labels):
        assert average_precision([truth], [nothing()], 1).objects.tolist() == [[2, 1, 0, 1]]
    assert average_precision([Truth(boxes, [0, 0])], [nothing()], 1).objects.tolist() == [[2, 0, 0, 2]]


def test_padding_is_left_out():
    truths, detections = some_case(3)
    plain = average_precision(truths, detections, 3)
    pad = lambda values, fill: np.concatenate([np.full((2, *np.shape(values)[1:]), fill), values])  # noqa: E731
    padded = [Truth(pad(t.boxes, 7), pad(t.classes, -1), pad(t.crowd, False), pad(t.area, 5)) for t in truths]
    others = [found(pad(d.boxes, 0), pad(d.scores, 1), pad(d.classes, -1)) for d in detections]
    np.testing.assert_array_equal(average_precision(padded, others, 3).precision, plain.precision)


@pytest.mark.parametrize("seed", range(4))
def test_what_must_not_matter(seed):
    """The order of images and objects, the names of classes, a common shift, and scores put through a rising function."""
    truths, detections = some_case(seed, crowds=0.1)
    rng = np.random.default_rng(seed)
    plain = average_precision(truths, detections, 3)
    images, names = rng.permutation(len(truths)), rng.permutation(3)
    order = [rng.permutation(len(t.classes)) for t in truths]
    moved = [Truth(t.boxes[o] + 64, names[t.classes[o]], t.crowd[o], t.area[o]) for t, o in zip(truths, order, strict=True)]
    others = [found(d.boxes + 64, d.scores**3 / 2, names[d.classes]) for d in detections]
    changed = average_precision([moved[i] for i in images], [others[i] for i in images], 3)
    np.testing.assert_allclose(changed.precision[:, :, names], plain.precision, rtol=0, atol=1e-12)
    np.testing.assert_allclose(changed.coco(), plain.coco(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_a_detection_below_all_others(seed):
    """It never takes an object from another: recall cannot fall, and precision at the recalls reached before stays."""
    truths, detections = some_case(seed)
    before = average_precision(truths, detections, 3)
    rng = np.random.default_rng(seed)
    for image in range(len(truths)):
        d = detections[image]
        more = found(np.concatenate([d.boxes, some_boxes(rng, 1)]), [*d.scores, 0.0], [*d.classes, 0])
        after = average_precision(truths, [*detections[:image], more, *detections[image + 1 :]], 3)
        assert (np.nan_to_num(after.recall) >= np.nan_to_num(before.recall)).all()
        reached = before.scores > 0
        gain = after.precision[reached] - before.precision[reached]
        newly = np.isnan(before.recall) | (after.recall > before.recall)  # only a new find can lift the precision before it
        lifted = np.broadcast_to(newly[:, None], before.precision.shape)[reached]
        assert (gain >= -1e-12).all()
        assert (np.abs(gain[~lifted]) <= 1e-12).all()


def _blob(rng, box, side=64):
    y, x = np.mgrid[:side, :side]
    centre, radius = (box[:2] + box[2:]) / 2, np.maximum((box[2:] - box[:2]) / 2, 1)
    return ((x - centre[0]) / radius[0]) ** 2 + ((y - centre[1]) / radius[1]) ** 2 <= 1


@pytest.mark.parametrize("seed", range(4))
def test_masks_equal_pycocotools(seed):
    rng = np.random.default_rng(seed)
    truths, detections = some_case(seed, images=6, classes=2, most=4)
    paint = lambda boxes: np.array([_blob(rng, box * 64 / 200) for box in boxes], bool).reshape(-1, 64, 64)  # noqa: E731
    truths = [Truth(t.boxes, t.classes, t.crowd, t.area, paint(t.boxes)) for t in truths]
    detections = [found(d.boxes, d.scores, d.classes, masks=paint(d.boxes)) for d in detections]
    ours = same_as_pycocotools(truths, detections, 2, "segm", kind="masks")
    assert ours.ap() > 0
    assert not np.allclose(ours.precision, average_precision(truths, detections, 2).precision, equal_nan=True)


@pytest.mark.parametrize("seed", range(4))
def test_keypoints_equal_pycocotools(seed):
    rng = np.random.default_rng(seed)
    truths, detections = [], []
    for _ in range(10):
        n = int(rng.integers(1, 4))
        boxes = some_boxes(rng, n, small=30)
        points = rng.uniform(boxes[:, None, :2], boxes[:, None, 2:], (n, 17, 2))
        seen = rng.integers(0, 3, (n, 17, 1)) * (rng.random((n, 1, 1)) < 0.8)
        crowd = rng.random(n) < 0.1
        truths.append(Truth(boxes, np.zeros(n, int), crowd, None, None, np.concatenate([points, seen], -1)))
        guess = np.repeat(points, 2, axis=0) + rng.normal(0, rng.uniform(0.5, 8, (2 * n, 1, 1)), (2 * n, 17, 2))
        guess = np.concatenate([guess, np.ones((2 * n, 17, 1))], -1)
        detections.append(found(np.repeat(boxes, 2, axis=0), rng.random(2 * n), keypoints=guess))
    sizes = {"all": (0, 1e10), "medium": (32**2, 96**2), "large": (96**2, 1e10)}
    ours = same_as_pycocotools(truths, detections, 1, "keypoints", kind="keypoints", sizes=sizes, most=(20,))
    assert ours.ap() > 0.05


def test_photos_of_coco_with_their_crowds_equal_pycocotools():
    file = Path(os.environ.get("ZOO_DATA", "")) / "coco_tiny" / "instances.json"
    if not os.environ.get("ZOO_DATA") or not file.exists():
        pytest.skip("needs coco_tiny below ZOO_DATA")
    labels = json.loads(file.read_text())
    names = [each["id"] for each in labels["categories"]]
    rng = np.random.default_rng(0)
    truths, detections = [], []
    for image in labels["images"]:
        rows = [row for row in labels["annotations"] if row["image_id"] == image["id"]]
        boxes = np.array([row["bbox"] for row in rows]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        classes = np.array([names.index(row["category_id"]) for row in rows], int)
        truths.append(Truth(boxes, classes, [row.get("iscrowd", 0) for row in rows], [row["area"] for row in rows]))
        copies = np.repeat(np.arange(len(rows)), rng.integers(0, 4, len(rows)))
        moved = boxes[copies] * (1 + rng.normal(0, 0.05, (len(copies), 4)))
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        given = np.where(rng.random(len(copies)) < 0.1, rng.integers(0, len(names), len(copies)), classes[copies])
        detections.append(found(moved, rng.random(len(copies)).round(2), given))
    assert sum(np.sum(t.crowd) for t in truths) == 19
    ours = same_as_pycocotools(truths, detections, len(names))
    assert 0.1 < ours.ap() < 0.9
    assert sum(~np.isnan(list(ours.per_class().values()))) > 60


@pytest.mark.parametrize(
    ("truths", "detections", "more", "message"),
    [
        ([Truth(BOX[None], [0])], [], {}, "1 images of truth need as many"),
        ([Truth(BOX[None], [2])], [nothing()], {}, r"truths\[0\]: class 2 is not below the 2"),
        ([Truth(BOX[None], [0, 1])], [nothing()], {}, "2 classes need as many boxes"),
        ([Truth(BOX[None] * np.nan, [0])], [nothing()], {}, "a box holds NaN"),
        ([Truth(BOX[None], [0])], [found(BOX, [np.nan])], {}, r"detections\[0\]: a score is NaN"),
        ([Truth(BOX[None], [0])], [nothing()], {"kind": "mask"}, "kind must be one of boxes, masks"),
        ([Truth(BOX[None], [0])], [nothing()], {"kind": "masks"}, "has no masks"),
        ([Truth(BOX[None], [0])], [nothing()], {"most": (0, 100)}, "most of at least 1"),
        (
            [Truth(BOX[None], [0], masks=np.ones((1, 4, 4)))],
            [found(BOX, [1], masks=np.ones((1, 5, 4)))],
            {"kind": "masks"},
            "size of the image",
        ),
    ],
)
def test_bad_input(truths, detections, more, message):
    with pytest.raises(ValueError, match=message):
        average_precision(truths, detections, 2, **more)


def test_a_threshold_that_was_not_evaluated():
    with pytest.raises(ValueError, match=r"threshold 0.6 was not evaluated; these were: 0.5"):
        average_precision([Truth(BOX[None], [0])], [nothing()], 1, thresholds=[0.5]).ap(0.6)
