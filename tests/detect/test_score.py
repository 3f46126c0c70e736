"""The COCO numbers in the logs of `fit`, with a model whose boxes are known."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from zoo.detect.score import CocoScore
from zoo.metrics import Truth, average_precision

BOXES = np.array([[[0, 0, 40, 40], [50, 50, 90, 90]], [[10, 10, 50, 50], [0, 0, 0, 0]]], "float32")
CLASSES = np.array([[0, 1], [1, -1]])
IMAGES = np.zeros((2, 8, 8, 3), "float32")
DATA = [(IMAGES, {"boxes": BOXES, "classes": CLASSES})]


class Shrinking:
    """A detector that finds nothing, then boxes that are ever better: by epoch 0, 20, 10 and 0 pixels too narrow."""

    def __init__(self, boxes=BOXES):
        self.calls, self.boxes, self.weights = -1, boxes, []

    def __call__(self, model, images):
        self.calls += 1
        self.weights.append(float(keras.ops.convert_to_numpy(model.weights[0])[0, 0]))
        if self.calls == 0:
            empty = SimpleNamespace(boxes=np.zeros((0, 4)), scores=np.zeros(0), classes=np.zeros(0, int))
            return [empty] * len(images)
        narrow = self.boxes - np.array([0, 0, max(0, 30 - 10 * self.calls), 0])
        return [SimpleNamespace(boxes=b, scores=[0.9, 0.8], classes=c) for b, c in zip(narrow, CLASSES, strict=True)]


def tiny():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="zeros", use_bias=False)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


def fit(model, *callbacks, epochs=4):
    return model.fit(np.ones((4, 3)), np.ones((4, 1)), epochs=epochs, verbose=0, callbacks=list(callbacks)).history


@pytest.mark.backend
def test_history_holds_the_numbers_and_the_model_is_the_one_of_the_epoch(tmp_path):
    """20 of 40 pixels: overlap 0.5, right at 1 of 10 thresholds; 30: 0.75, right at 6; 40: right at all."""
    detector, model = Shrinking(), tiny()
    history = fit(model, CocoScore(DATA, 2, detect=detector))
    assert history["val_AP"] == pytest.approx([0, 0.1, 0.6, 1])
    assert history["val_AP50"] == pytest.approx([0, 1, 1, 1])
    assert history["val_AP75"] == pytest.approx([0, 0, 1, 1])
    assert history["val_AR100"] == pytest.approx([0, 0.1, 0.6, 1])
    assert history["val_AP_small"] == [0] * 4, "not defined: no object is small"
    assert history["val_AP_medium"] == history["val_AP"]
    # One step an epoch: w += 0.1 * 2 * (1 - 3 w) from 0, so the callback saw the weights after each.
    wanted = [w := 0.0] and [w := w + 0.2 * (1 - 3 * w) for _ in range(4)]
    assert detector.weights == pytest.approx(wanted, abs=1e-6)


def test_numbers_are_those_of_the_metric_over_all_batches():
    boxes = BOXES + np.array([2, 0, -5, 3], "float32")
    given = [SimpleNamespace(boxes=b, scores=[0.9, 0.8], classes=c) for b, c in zip(boxes, CLASSES, strict=True)]
    halves = [(IMAGES[i : i + 1], {"boxes": BOXES[i : i + 1], "classes": CLASSES[i : i + 1]}) for i in (0, 1)]
    wanted = average_precision([Truth(b, c) for b, c in zip(BOXES, CLASSES, strict=True)], list(given), ["a", "b"])
    result = CocoScore(halves, ["a", "b"], detect=lambda model, images: [given.pop(0)]).measure(tiny())
    assert result.numbers == pytest.approx(wanted.numbers, nan_ok=True)
    assert 0 < result.ap() < 1
    assert result.classes == ("a", "b")


def test_checkpoint_and_early_stopping_go_by_it(tmp_path):
    detector, path = Shrinking(), tmp_path / "best.weights.h5"
    best = keras.callbacks.ModelCheckpoint(path, monitor="val_AP", mode="max", save_best_only=True, save_weights_only=True)
    stop = keras.callbacks.EarlyStopping(monitor="val_AP", mode="max", patience=1)
    model = tiny()
    history = fit(model, CocoScore(DATA, 2, detect=detector), best, stop, epochs=9)
    assert history["val_AP"] == pytest.approx([0, 0.1, 0.6, 1, 1]), "it stops after the first epoch without gain"
    other = tiny()
    other.load_weights(path)
    assert float(keras.ops.convert_to_numpy(other.weights[0])[0, 0]) == pytest.approx(detector.weights[3], abs=1e-6)


def test_every_second_epoch_and_the_last():
    detector = Shrinking()
    detector.calls = 0
    history = fit(tiny(), CocoScore(DATA, 2, every=2, detect=detector), epochs=5)
    assert history["val_AP"] == pytest.approx([0, 0.1, 0.1, 0.6, 1])
    assert detector.calls == 3


def test_crowds_and_areas_reach_the_metric():
    crowd, area = np.array([[False, True], [False, False]]), np.full((2, 2), 100.0)
    hidden = {"classes": np.where(crowd, -1, CLASSES), "crowd": np.where(crowd, CLASSES, -1)}  # as zoo.data.ObjectPipeline gives it
    for columns in ({"classes": CLASSES, "crowd": crowd}, hidden):
        detector = Shrinking()
        detector.calls = 5
        result = CocoScore([(IMAGES, {"boxes": BOXES, "area": area, **columns})], 2, detect=detector).measure(tiny())
        assert result.objects[:, 0].tolist() == [1, 1], "the crowd is not counted"
        assert result.objects[:, result.sizes.index("small")].tolist() == [1, 1]
        assert result.ap() == pytest.approx(1), "what lies in the crowd is no mistake"


@pytest.mark.parametrize(
    ("data", "more", "message"),
    [
        (iter(DATA), {}, "only once"),
        (DATA, {"every": 0}, "every must be at least 1"),
        ([], {}, "hold no image"),
        ([(IMAGES, {"boxes": BOXES, "classes": CLASSES, "crowd": np.zeros((2, 2), int)})], {}, "give flags as bool"),
        (DATA, {"detect": lambda model, images: []}, "wanted 2 so far, got 0"),
    ],
)
def test_bad_input(data, more, message):
    with pytest.raises(ValueError, match=message):
        CocoScore(data, 2, **{"detect": Shrinking()} | more).measure(tiny())
