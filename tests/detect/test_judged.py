"""A split beside a detector: truth without padding, crowds marked, and the point that answers for a box found by brute force."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import zoo
from zoo import metrics
from zoo.data import ObjectExamples, ObjectPipeline, Objects, ObjectSet
from zoo.detect.judged import judged, responsible, truths_of

pytestmark = pytest.mark.backend


@pytest.fixture(scope="module")
def pipeline():
    random = np.random.default_rng(1)
    images = random.integers(0, 255, (3, 64, 64, 3), np.uint8)
    objects = [
        Objects([[4, 4, 30, 20], [10, 30, 50, 60]], [2, 0]),
        Objects.none(),
        Objects([[0, 0, 64, 64], [20, 20, 40, 44]], [1, 2], crowd=[True, False]),
    ]
    return ObjectPipeline(ObjectSet("three", "generated", ("a", "b", "c"), {"test": ObjectExamples(images, objects)}), 64)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return zoo.detector("yolov8_style_micro")


def test_truth_is_what_was_labelled(pipeline):
    first, second, third = truths_of(pipeline.test, 2)
    np.testing.assert_array_equal(first.boxes, [[4, 4, 30, 20], [10, 30, 50, 60]])
    assert first.classes.tolist() == [2, 0]
    assert len(second.boxes) == 0
    assert third.crowd.tolist() == [True, False]
    assert third.classes.tolist() == [1, 2]
    # A detector that answers with the truth is perfect, whatever it does about the crowd.
    said = [zoo.detect.Detections(t.boxes, np.ones(len(t.boxes), "float32"), t.classes) for t in (first, second, third)]
    assert metrics.average_precision([first, second, third], said, 3).ap() == 1


def test_pictures_truth_and_answers_belong_together(pipeline, model):
    images, truths, found = judged(model, pipeline.test, 2, threshold=0.0)
    assert images.shape == (3, 64, 64, 3)
    np.testing.assert_array_equal(images[1], pipeline.objects["test"].items[1])
    assert len(truths) == len(found) == 3
    (alone,) = zoo.detect.detect(model, images[2:], threshold=0.0)
    np.testing.assert_allclose(found[2].boxes, alone.boxes, atol=1e-3)


@pytest.mark.parametrize("row", ["yolov8_style_micro", "retinanet_micro"])
def test_the_responsible_point_is_the_best_of_all(row):
    keras.utils.set_random_seed(0)
    model = zoo.detector(row)
    image = np.random.default_rng(2).uniform(0, 255, (64, 64, 3)).astype("float32")
    outputs = {name: keras.ops.convert_to_numpy(value)[0] for name, value in model.predict_on_batch(image[None]).items()}
    sides = [-(-64 // stride) for stride in model.criterion.strides]
    ends = np.cumsum([side**2 * len(outputs["boxes"]) // sum(each**2 for each in sides) for side in sides])
    levels = set()
    for number in range(0, len(outputs["boxes"]), 5):  # ask about boxes that some points give
        left, top, right, bottom = outputs["boxes"][number]
        worth = []
        for (x1, y1, x2, y2), logits in zip(outputs["boxes"], outputs["scores"], strict=True):
            shared = max(0.0, min(x2, right) - max(x1, left)) * max(0.0, min(y2, bottom) - max(y1, top))
            union = (x2 - x1) * (y2 - y1) + (right - left) * (bottom - top) - shared
            worth.append(shared / union / (1 + np.exp(-logits[1])) if union > 0 else 0.0)
        found = responsible(model, image, outputs["boxes"][number], 1)
        assert worth[found.anchor] >= max(worth) * (1 - 1e-4)  # equals may change places by rounding
        np.testing.assert_allclose(found.probabilities, 1 / (1 + np.exp(-outputs["scores"][found.anchor])), rtol=1e-4)
        level = int(np.searchsorted(ends, found.anchor, side="right"))
        levels.add(level)
        assert model.get_layer(found.layer).output.shape[1:3] == (sides[level], sides[level])
    assert len(levels) >= 2, "this test must see several levels"


def test_a_model_that_does_not_tell_is_refused(model):
    bare = keras.Model(model.inputs, model.output)
    with pytest.raises(ValueError, match="does not say which layers its head reads"):
        responsible(bare, np.zeros((64, 64, 3)), np.array([0, 0, 4, 4]), 0)
