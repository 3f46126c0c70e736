"""From a detector's raw outputs to objects: against TensorFlow's own suppression, class by class, and what is refused."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import zoo
from zoo.detect import Detections, detect, with_nms
from zoo.layers import Suppress

pytestmark = pytest.mark.backend


def _outputs(seed: int = 0, batch: int = 2, anchors: int = 60, classes: int = 3) -> dict:
    random = np.random.default_rng(seed)
    corner, size = random.uniform(-10, 50, (batch, anchors, 2)), random.uniform(4, 30, (batch, anchors, 2))
    return {
        "boxes": np.concatenate([corner, corner + size], -1).astype("float32"),
        "scores": random.normal(-1, 2, (batch, anchors, classes)).astype("float32"),
    }


def _run(outputs: dict, **options) -> dict:
    return {key: keras.ops.convert_to_numpy(value) for key, value in Suppress((64, 64), **options)(outputs).items()}


def _greedy(boxes, scores, threshold: float, iou: float) -> list[int]:
    """The textbook: the best of what is left, without all that overlap it too much."""
    left, kept = [i for i in np.argsort(-scores, kind="stable") if scores[i] > threshold], []
    while left:
        best, *left = left
        kept.append(best)
        left = [i for i in left if _iou(boxes[best], boxes[i]) <= iou]
    return kept


def _iou(a, b) -> float:
    width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    inner = max(width, 0) * max(height, 0)
    return inner / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inner)


@pytest.mark.parametrize("several", [False, True])
def test_each_class_is_suppressed_greedily_and_alone(several):
    outputs = _outputs()
    found = _run(outputs, threshold=0.3, iou=0.4, several=several)
    for image in range(2):
        boxes, scores = outputs["boxes"][image], 1 / (1 + np.exp(-outputs["scores"][image].astype("float64")))
        wanted = []
        for kind in range(3):
            own = scores[:, kind] if several else np.where(scores.argmax(1) == kind, scores[:, kind], 0)
            wanted += [(own[i], kind, i) for i in _greedy(boxes, own, 0.3, 0.4)]
        wanted.sort(reverse=True)
        count = found["count"][image]
        assert count == len(wanted) > 5
        np.testing.assert_allclose(found["scores"][image, :count], [score for score, *_ in wanted], rtol=1e-5)
        assert found["classes"][image, :count].tolist() == [kind for _, kind, _ in wanted]
        np.testing.assert_allclose(found["boxes"][image, :count], [np.clip(boxes[i], 0, 64) for *_, i in wanted], rtol=1e-6)
        assert (found["classes"][image, count:] == -1).all()
        assert not found["boxes"][image, count:].any()


def test_with_nms_is_one_graph_that_is_saved_and_shares_its_layers(tmp_path):
    model = zoo.detector("yolov3_tiny_micro")
    graph = with_nms(model, threshold=0.001, most=5)
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    out = graph.predict(images, verbose=0)
    assert {key: value.shape for key, value in out.items()} == {"boxes": (2, 5, 4), "scores": (2, 5), "classes": (2, 5), "count": (2,)}
    graph.save(tmp_path / "graph.keras")
    loaded = keras.saving.load_model(tmp_path / "graph.keras").predict(images, verbose=0)
    for key, value in out.items():
        np.testing.assert_array_equal(loaded[key], value)
    found = detect(model, images, threshold=0.001, most=5)
    for image, objects in enumerate(found):
        assert len(objects) == out["count"][image]
        np.testing.assert_array_equal(objects.boxes, out["boxes"][image, : len(objects)])
        assert objects.classes.dtype == np.int64


def test_nothing_found_is_empty():
    model = zoo.detector("yolov3_tiny_micro")
    (objects,) = detect(model, np.zeros((1, 64, 64, 3), "float32"), threshold=0.999)
    assert len(objects) == 0
    assert objects.boxes.shape == (0, 4)
    assert detect(model, []) == detect(model, np.zeros((0, 64, 64, 3), "uint8")) == []


def test_kept_chooses():
    found = Detections(np.arange(12.0).reshape(3, 4), np.array([0.9, 0.5, 0.1]), np.array([0, 1, 2]))
    assert found.kept(found.scores > 0.3).classes.tolist() == [0, 1]


def test_refusals():
    with pytest.raises(ValueError, match=r'is no detector: wanted outputs "boxes" and "scores" \(logits\), got a single tensor'):
        with_nms(zoo.classifier("small_cnn_micro"))
    with pytest.raises(ValueError, match=r"takes images \(b, 64, 64, 3\), got \(1, 32, 64, 3\)"):
        detect(zoo.detector("yolov8_style_micro"), np.zeros((1, 32, 64, 3), "float32"))
    with pytest.raises(ValueError, match=r"got images of different shapes, such as \(32, 64, 3\) and \(64, 64, 3\); fit them"):
        detect(zoo.detector("yolov8_style_micro"), [np.zeros((64, 64, 3)), np.zeros((32, 64, 3))])
    with pytest.raises(ValueError, match=r"want boxes \(n, 4\) and as many of everything else"):
        Detections(np.zeros((2, 4)), np.zeros(3), np.zeros(2))
