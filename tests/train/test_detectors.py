"""`fit` with a detector: its own criterion is the loss, labels are boxes and classes, and resuming, averaging and freezing work alike."""

import dataclasses

import numpy as np
import pytest

from tests.detect.toys import Count, batch, detector
from tests.train.test_fit import Stop, equal
from zoo.train import Recipe, fit
from zoo.train.check_objects import check_objects
from zoo.train.checkpoint import value_of
from zoo.train.freeze import freeze, thaw
from zoo.train.trainable import trainable_report

DATA = (batch(20), batch(6))
RECIPE = Recipe(epochs=3, batch_size=8, learning_rate=0.01, seed=3, monitor="val_loss", ema=0.5)


def build(recipe, criterion=Count()):  # noqa: B008 - a frozen record
    with recipe.building():
        return detector(criterion)


@pytest.mark.backend
def test_learns_by_its_own_criterion_and_keeps_the_best(start):
    model, run = build(RECIPE), start()
    history = fit(model, DATA, RECIPE, run, verbose=0)
    assert {"loss", "box", "class", "val_loss", "val_box", "val_class"} <= set(history.rows[0])
    assert [row["box"] for row in history.rows] == pytest.approx([9.5] * 3)  # the mean of 0 ... 19
    assert history.rows[-1]["class"] < history.rows[0]["class"]
    assert history.best["val_loss"] == min(row["val_loss"] for row in history.rows)
    model.compile("adam")
    assert model.evaluate(*DATA[1], verbose=0, return_dict=True)["loss"] == pytest.approx(history.best["val_loss"], rel=1e-5)


@pytest.mark.backend
def test_resumes_to_the_bit(start):
    whole = build(RECIPE)
    wanted = fit(whole, DATA, RECIPE, start("whole"), verbose=0)
    with pytest.raises(KeyboardInterrupt):
        fit(build(RECIPE), DATA, RECIPE, start("torn"), callbacks=[Stop(1, 1)], verbose=0)
    resumed = build(Recipe(seed=77))
    history = fit(resumed, DATA, RECIPE, start("torn"), verbose=0)
    equal(resumed, whole)
    for ours, theirs in zip(history.rows, wanted.rows, strict=True):
        assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}


def test_a_run_started_with_another_criterion_is_not_resumed(start):
    fit(build(RECIPE), DATA, RECIPE, start(), verbose=0)
    with pytest.raises(ValueError, match=r"started differently: detector was .*'share': 0.5.* now .*'share': 0.1"):
        fit(build(RECIPE, Count(share=0.1)), DATA, RECIPE, start(), verbose=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"monitor": "val_accuracy"}, "a detector has no accuracy"),
        ({"label_smoothing": 0.1}, "are of classifiers"),
        ({"flip": True}, "knows nothing of boxes"),
    ],
)
def test_a_recipe_for_classifiers_is_refused(start, changes, message):
    recipe = dataclasses.replace(RECIPE, **changes)
    with pytest.raises(ValueError, match=message):
        fit(build(recipe), DATA, recipe, start(), verbose=0)


def test_a_classifier_has_no_average_precision(start, recipe):
    from tests.train.nets import colours, net

    recipe = dataclasses.replace(recipe, monitor="val_AP")
    with pytest.raises(ValueError, match="a classifier has val_accuracy and val_loss"):
        fit(net(), (colours(), colours(12)), recipe, start(), verbose=0)


def _labels(**changes):
    return {**batch(2)[1], **changes}


def _boxes(box):
    boxes = batch(2)[1]["boxes"].copy()
    boxes[1, 2] = box
    return boxes


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(2, int), r'wanted labels \{"boxes"'),
        ({"boxes": np.zeros((2, 3, 4))}, r'wanted labels \{"boxes".*got boxes'),
        (_labels(classes=np.zeros((2, 2), int)), r"got \(2, 3, 4\) and \(2, 2\)"),
        (_labels(classes=np.full((2, 3), 2)), r"class 2 is outside \[0, 2\).*classes=3 or more"),
        (_labels(classes=np.full((2, 3), 0.5)), "whole numbers"),
        (_labels(boxes=_boxes([0, 0, np.nan, 4])), "a box of image 1 of the batch is not finite"),
        (_labels(boxes=_boxes([5, 5, 3, 8])), r"a box of image 1 of the batch is \[5.0, 5.0, 3.0, 8.0\]: wanted left < right"),
        (_labels(boxes=np.tile(np.float32([0.1, 0.1, 0.5, 1.0]), (2, 3, 1))), "looks like fractions"),
    ],
)
def test_labels_that_cannot_teach_are_refused_before_the_first_step(labels, message):
    with pytest.raises(ValueError, match=message):
        check_objects(detector(Count()), batch(2)[0], labels)


def test_labels_that_probably_cannot_teach_are_reported():
    model, images = detector(Count()), batch(2)[0]
    check_objects(model, images, _labels(boxes=np.tile(np.float32([0, 0, 32, 32]), (2, 3, 1))))
    with pytest.warns(UserWarning, match="reach beyond their images of 32x32 pixels, to 90"):
        check_objects(model, images, _labels(boxes=_boxes([5, 5, 90, 30])))
    with pytest.warns(UserWarning, match="no image of the first batch has an object"):
        check_objects(model, images, _labels(classes=np.full((2, 3), -1)))


@pytest.mark.backend
@pytest.mark.parametrize(
    ("until", "moving"),
    [
        (1, {"stage2", "neck_lateral", "neck_down", "head"}),
        ("c1", {"stage2", "neck_lateral", "neck_down", "head"}),
        ("backbone", {"neck_lateral", "neck_down", "head"}),
        (2, {"neck_lateral", "neck_down", "head"}),
        ("neck", {"head"}),
        (3, {"head"}),
    ],
)
def test_freezes_backbone_neck_or_the_first_stages_with_their_statistics(until, moving):
    """Statistics too: batch normalisation of a frozen part keeps all four of its vectors. With "c1" that of the whole backbone does."""
    model = detector(Count())
    assert freeze(model, until) > 0
    model.compile("adam")
    before = [value_of(weight) for weight in model.weights]
    model.fit(*DATA[0], batch_size=10, verbose=0)
    moved = {w.path for w, old in zip(model.weights, before, strict=True) if not np.array_equal(value_of(w), old)}
    for weight in model.weights:
        part = weight.path.split("/")[-2].removesuffix("_conv").removesuffix("_norm")
        part = "head" if part in ("boxes", "scores", "raw") else part
        held = part not in moving or (part.startswith("stage") and "norm" in weight.path)
        assert not (held and weight.path in moved), f"{weight.path} moved"
        if "moving" in weight.path and not held:
            assert weight.path in moved, f"{weight.path} did not move"


def test_stages_of_a_detector_and_thawing():
    model = detector(Count())
    assert [row.stage for row in trainable_report(model).rows] == ["c1", "c2", "neck", "head"]
    freeze(model, "neck")
    assert thaw(model) == ["neck"]
    with pytest.raises(ValueError, match="counts stages from the image on; toy has 4"):
        freeze(model, 5)
