"""Boxes against Keras' own functions, torchvision's losses, closed forms and finite differences; and where others give nan or inf."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.ops import torch_oracle
from tests.ops.generators import boxes as some_boxes
from tests.ops.generators import compiled
from tests.references import wide_numbers
from zoo.gradients import value_and_grad
from zoo.ops import boxes
from zoo.ops.overlap import MODES

KERAS = {name: name.replace("cxcywh", "center_xywh") for name in boxes.FORMATS}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def float64():
    with wide_numbers():
        keras.config.set_floatx("float64")
        yield


def _numpy(x):
    return ops.convert_to_numpy(x)


def _by_definition(box, height, width):
    """The eight formats of one xyxy box, written out."""
    left, top, right, bottom = box
    wide, high, x, y = right - left, bottom - top, (left + right) / 2, (top + bottom) / 2
    return {
        "xyxy": box,
        "yxyx": [top, left, bottom, right],
        "xywh": [left, top, wide, high],
        "cxcywh": [x, y, wide, high],
        "rel_xyxy": [left / width, top / height, right / width, bottom / height],
        "rel_yxyx": [top / height, left / width, bottom / height, right / width],
        "rel_xywh": [left / width, top / height, wide / width, high / height],
        "rel_cxcywh": [x / width, y / height, wide / width, high / height],
    }


@pytest.mark.backend
@pytest.mark.parametrize("source", boxes.FORMATS)
def test_convert_is_the_definition(source, rng):
    values = [_by_definition(box, 60, 80) for box in some_boxes(rng, 5)]
    for target in boxes.FORMATS:
        got = boxes.convert(np.array([each[source] for each in values]), source, target, (60, 80, 3))
        np.testing.assert_allclose(_numpy(got), [each[target] for each in values], rtol=1e-5, atol=1e-5)


@pytest.mark.backend
def test_area_and_clip(rng):
    found = np.array([[0, 0, 0, 0], [-1, -1, -1, -1], [5, 5, 3, 9], [1, 2, 4, 6], [-5, -5, 200, 3], [300, 300, 400, 400]], "float32")
    assert _numpy(boxes.area(found)).tolist() == [0, 0, 0, 12, 205 * 8, 10_000]
    clipped = _numpy(boxes.clip(found, 60, 80))
    assert clipped[3:].tolist() == [[1, 2, 4, 6], [0, 0, 80, 3], [80, 60, 80, 60]]
    assert boxes.area(np.zeros((2, 0, 4))).shape == (2, 0)


@pytest.mark.backend
def test_float16_is_computed_in_float32():
    large = np.array([[0, 0, 1024, 1024], [0, 0, 512, 1024]], "float16")  # areas and their sum overflow float16
    assert _numpy(boxes.area(large)).tolist() == [1024**2, 512 * 1024]
    assert _numpy(boxes.pair_iou(large, large)).tolist() == [[1, 0.5], [0.5, 1]]
    for mode in MODES:
        assert keras.backend.standardize_dtype(boxes.iou(large, large, mode).dtype) == "float32"
    assert keras.backend.standardize_dtype(boxes.decode(np.zeros((2, 4), "float16"), large).dtype) == "float32"
    assert _numpy(boxes.convert(np.array([[2047, 0, 3, 4]], "float16"), "xywh", "xyxy"))[0, 2] == np.float16(2047).astype("float32") + 3


@pytest.mark.backend
def test_encode_and_decode_are_inverse_in_float64(rng, float64):
    truth, anchors = some_boxes(rng, 3, 50), some_boxes(rng, 50)
    for weights in ((1, 1, 1, 1), (10, 10, 5, 5)):
        deltas = boxes.encode(truth, anchors, weights)
        assert keras.backend.standardize_dtype(deltas.dtype) == "float64"
        np.testing.assert_allclose(_numpy(boxes.decode(deltas, anchors, weights)), truth, rtol=1e-12)


@pytest.mark.backend
def test_encode_and_decode_are_keras_for_ordinary_boxes(rng):
    truth, anchors = some_boxes(rng, 3, 50).astype("float32"), some_boxes(rng, 50).astype("float32")
    options = {"anchor_format": "xyxy", "box_format": "xyxy"}
    wanted = keras.utils.bounding_boxes.encode_box_to_deltas(
        anchors, truth, encoding_format="center_xywh", variance=[0.1, 0.1, 0.2, 0.2], **options
    )
    got = boxes.encode(truth, anchors, (10, 10, 5, 5))
    np.testing.assert_allclose(_numpy(got), _numpy(wanted), rtol=1e-4, atol=1e-5)
    wanted = keras.utils.bounding_boxes.decode_deltas_to_boxes(
        anchors, wanted, encoded_format="center_xywh", variance=[0.1, 0.1, 0.2, 0.2], **options
    )
    np.testing.assert_allclose(_numpy(boxes.decode(got, anchors, (10, 10, 5, 5))), _numpy(wanted), rtol=1e-4, atol=1e-3)


@pytest.mark.backend
def test_a_random_network_decodes_to_finite_boxes():
    anchor = np.array([[-8, -8, 8, 8]], "float32")
    wild = _numpy(boxes.decode(np.array([[0, 0, 100, 100]], "float32"), anchor))
    np.testing.assert_allclose(wild, [[-500, -500, 500, 500]], rtol=1e-5)
    padding = _numpy(boxes.encode(np.array([[0, 0, 0, 0], [-1, -1, -1, -1]], "float32"), anchor))
    assert np.isfinite(padding).all()


@pytest.mark.backend
def test_iou_by_hand_and_by_keras(rng):
    a = np.array([[0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 4, 4], [0, 0, 0, 0], [0, 0, 0, 5]], "float32")
    b = np.array([[1, 1, 3, 3], [0, 0, 2, 2], [2, 0, 4, 2], [1, 1, 2, 3], [0, 0, 0, 0], [0, 0, 0, 5]], "float32")
    by_hand = {
        "iou": [1 / 7, 1, 0, 2 / 16, 0, 0],
        "giou": [1 / 7 - 2 / 9, 1, 0, 2 / 16, 0, 0],
        "diou": [1 / 7 - 2 / 18, 1, -4 / 20, 2 / 16 - 0.25 / 32, 0, 0],
    }
    v = 4 / np.pi**2 * (np.arctan(1) - np.arctan(0.5)) ** 2
    by_hand["ciou"] = [*by_hand["diou"][:3], by_hand["diou"][3] - v * v / (1 - 2 / 16 + v), 0, 0]
    for mode, wanted in by_hand.items():
        np.testing.assert_allclose(_numpy(boxes.iou(a, b, mode)), wanted, atol=1e-6)
        np.testing.assert_allclose(np.diagonal(_numpy(boxes.pair_iou(a, b, mode))), wanted, atol=1e-6)
    a, b = some_boxes(rng, 2, 30).astype("float32"), some_boxes(rng, 2, 20).astype("float32")
    wanted = _numpy(keras.utils.bounding_boxes.compute_iou(a, b, "xyxy"))
    np.testing.assert_allclose(_numpy(boxes.pair_iou(a, b)), wanted, atol=1e-5)
    assert boxes.pair_iou(a, np.zeros((2, 0, 4), "float32")).shape == (2, 30, 0)
    assert boxes.pair_iou(a[:, None], b[0]).shape == (2, 1, 30, 20)


def _gradient(mode, a, b):
    """d sum of iou(a, b, mode) / d a."""
    return _numpy(value_and_grad(lambda a: ops.sum(boxes.iou(a, ops.convert_to_tensor(b), mode)))(a)[1])


def _close(mode):
    """The tolerance of values in float64. On JAX Keras computes arctan2, which only ciou needs, in float32."""
    return 1e-6 if mode == "ciou" and keras.backend.backend() == "jax" else 1e-10


def _shape_penalty(a, b):
    """v of CIoU, by its definition."""
    angles = [np.arctan((box[:, 2] - box[:, 0]) / (box[:, 3] - box[:, 1])) for box in (a, b)]
    return 4 / np.pi**2 * (angles[0] - angles[1]) ** 2


@pytest.mark.backend
@pytest.mark.parametrize("mode", MODES)
def test_gradients_by_finite_differences(mode, rng, float64):
    a, b = some_boxes(rng, 12), some_boxes(rng, 12)
    a[:6] = b[:6] + rng.uniform(-0.4, 0.4, (6, 4))  # surely overlapping, the others mostly not
    v = _shape_penalty(a, b)
    alpha = v / (1 - _numpy(boxes.iou(a, b)) + v)

    def value(a):  # alpha is a constant in the gradient of ciou
        return _numpy(boxes.iou(a, b, mode)) if mode != "ciou" else _numpy(boxes.iou(a, b, "diou")) - alpha * _shape_penalty(a, b)

    np.testing.assert_allclose(_numpy(boxes.iou(a, b, mode)), value(a), rtol=_close(mode))
    gradient = _gradient(mode, a, b)
    for coordinate, step in enumerate(1e-5 * np.eye(4)):
        np.testing.assert_allclose(gradient[:, coordinate], (value(a + step) - value(a - step)) / 2e-5, rtol=1e-5, atol=1e-7)


def test_values_and_gradients_are_torchvisions(rng, float64):
    pairs = some_boxes(rng, 200, 2)
    wanted = torch_oracle.ask(losses=pairs)
    for mode in ("giou", "diou", "ciou"):
        np.testing.assert_allclose(_numpy(boxes.iou(pairs[:, 0], pairs[:, 1], mode)), wanted[mode], rtol=_close(mode), atol=_close(mode))
        np.testing.assert_allclose(_gradient(mode, pairs[:, 0], pairs[:, 1]), wanted[f"{mode}_gradient"], rtol=1e-6, atol=_close(mode))


STRANGE = {
    "point": [5, 5, 5, 5],
    "no width": [5, 5, 5, 9],
    "no height": [5, 5, 9, 5],
    "padding": [0, 0, 0, 0],
    "inside out": [9, 9, 5, 5],
    "ordinary": [4, 4, 8, 10],
    "the same shape": [0, 0, 4, 6],
    "touching": [8, 4, 12, 10],
    "far": [1e6, 1e6, 1e6 + 3, 1e6 + 2],
    "very far": [-1e9, -1e9, -1e9, -1e9],
}


@pytest.mark.backend
@pytest.mark.parametrize("mode", MODES)
def test_strange_boxes_have_finite_values_and_moderate_gradients(mode):
    each = np.array(list(STRANGE.values()), "float32")
    a, b = np.repeat(each, len(each), axis=0), np.tile(each, (len(each), 1))  # every one with every one, itself too
    values, gradient = _numpy(boxes.iou(a, b, mode)), _gradient(mode, a, b)
    assert (values <= 1).all()
    assert (values >= (0 if mode == "iou" else -2.001)).all()
    assert np.abs(gradient).max() < 10  # nan is not less; Keras' compute_ciou reaches 3.4e6 on a box without width


@pytest.mark.backend
def test_the_relatives_have_a_slope_where_iou_has_none():
    a, b = np.array([[0, 0, 2, 2]], "float32"), np.array([[10, 10, 12, 12]], "float32")
    assert not _gradient("iou", a, b).any()
    for mode in ("giou", "diou", "ciou"):
        assert (_gradient(mode, a, b) > 0).sum() >= 2  # to the right and down, towards the other box


@pytest.mark.backend
def test_compiled(rng):
    a, b = some_boxes(rng, 2, 7).astype("float32"), some_boxes(rng, 2, 5).astype("float32")

    def everything(a, b):
        pairs = [boxes.pair_iou(a, b, mode) for mode in MODES]
        deltas = boxes.encode(b, a[:, :5])
        others = [boxes.convert(a, "xyxy", target, (50, 60)) for target in boxes.FORMATS]
        return [*pairs, deltas, boxes.decode(deltas, a[:, :5]), boxes.clip(a, 50, 60), boxes.area(a), *others]

    tensors = [ops.convert_to_tensor(x) for x in (a, b)]
    for got, wanted in zip(compiled(everything)(*tensors), everything(*tensors), strict=True):
        np.testing.assert_allclose(_numpy(got), _numpy(wanted), rtol=1e-4, atol=1e-4)


@pytest.mark.backend
def test_part_of_a_functional_model(rng):
    """A head decodes its boxes without a layer around it, for any batch size."""
    anchors = some_boxes(rng, 5).astype("float32")
    deltas = keras.Input((5, 4))
    model = keras.Model(deltas, boxes.decode(deltas, anchors))
    assert model.output_shape == (None, 5, 4)
    np.testing.assert_allclose(_numpy(model(np.zeros((2, 5, 4), "float32"))), np.stack([anchors] * 2), atol=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: boxes.convert(np.zeros((2, 4)), "xyhw", "xyxy"), "one of xyxy, yxyx.*got 'xyhw'"),
        (lambda: boxes.convert(np.zeros((2, 4)), "xyxy", "rel_xywh"), "needs the size of the image"),
        (lambda: boxes.convert(np.zeros((2, 5)), "xyxy", "xywh"), r"4 numbers in their last dimension, got the shape \(2, 5\)"),
        (lambda: boxes.area(np.zeros(())), "4 numbers"),
        (lambda: boxes.iou(np.zeros(4), np.zeros(4), "eiou"), "one of iou, giou, diou, ciou; got 'eiou'"),
        (lambda: boxes.encode(np.zeros(4), np.ones(4), (1, 1)), "zip"),
    ],
)
def test_bad_input_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()
