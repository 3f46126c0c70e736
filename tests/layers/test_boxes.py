"""The last layers of the detectors: from logits to pixels by hand, and probabilities that are never rounded to 0 or 1."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo.layers import AnchorBoxes, CellBoxes, CellScores, DistanceBoxes, Repeated

pytestmark = pytest.mark.backend


def _call(layer, x) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer(np.asarray(x, "float32")))


def _sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, "float64")))


def test_yolov3s_boxes_by_the_papers_equations():
    """Section 2.1: b_x = sigmoid(t_x) + c_x, b_w = p_w exp(t_w), here in pixels; cells row by row, anchors of a cell together."""
    raw = np.random.default_rng(0).normal(size=(2, 2 * 3 * 2 + 2, 7))
    boxes = _call(CellBoxes((16, 24), (8, 24), [[(4, 6), (10, 3)], [(20, 20), (9, 30)]]), raw)
    places = [(8, column, row, *anchor) for row in range(2) for column in range(3) for anchor in ((4, 6), (10, 3))]
    places += [(24, 0, 0, 20, 20), (24, 0, 0, 9, 30)]
    for index, (stride, column, row, width, height) in enumerate(places):
        x, y = (_sigmoid(raw[:, index, 0]) + column) * stride, (_sigmoid(raw[:, index, 1]) + row) * stride
        w, h = width * np.exp(raw[:, index, 2]), height * np.exp(raw[:, index, 3])
        np.testing.assert_allclose(boxes[:, index], np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1), rtol=1e-5, atol=1e-4)


def test_v5_styles_boxes_may_leave_their_cell_by_half_and_grow_fourfold():
    layer = CellBoxes((8, 8), (8,), [[(10, 20)]], form="square", reach=2)
    extreme = _call(layer, [[[-50, 50, 50, -50, 0, 0]]])[0, 0]
    np.testing.assert_allclose(extreme, [-4 - 20, 12, -4 + 20, 12], atol=1e-3)
    np.testing.assert_allclose(_call(layer, np.zeros((1, 1, 6)))[0, 0], [4 - 5, 4 - 10, 4 + 5, 4 + 10], atol=1e-4)


def test_sizes_stay_finite():
    boxes = _call(CellBoxes((8, 8), (8,), [[(10, 20)]]), np.full((1, 1, 6), 1e4))
    assert np.isfinite(boxes).all()


def test_scores_are_the_logit_of_the_product():
    raw = np.random.default_rng(0).normal(scale=3, size=(1, 50, 8))
    p = _sigmoid(raw[..., 4:5]) * _sigmoid(raw[..., 5:])
    np.testing.assert_allclose(_call(CellScores(), raw), np.log(p / (1 - p)), rtol=1e-4, atol=1e-4)


def test_scores_far_out_are_exact_where_probabilities_are_all_0_or_1():
    """For large logits p -> 1 - e^-o - e^-c, so the logit tends to -log(e^-o + e^-c); for small ones to o + c."""
    raw = np.zeros((1, 2, 6))
    raw[0, :, 4:] = [[60, 60], [-60, -60]]
    np.testing.assert_allclose(_call(CellScores(), raw)[0, :, 0], [60 - np.log(2), -120], rtol=1e-6)


def test_distances_are_means_of_distributions():
    """A distribution on one bin is that many strides; a flat one is 7.5 of 16."""
    logits = np.zeros((1, 5, 64))
    for side, bins in enumerate((1, 2, 3, 4)):
        logits[0, 0, 16 * side + bins] = 100
    boxes = _call(DistanceBoxes((16, 16), (8, 16)), logits)[0]
    np.testing.assert_allclose(boxes[0], [4 - 8, 4 - 16, 4 + 24, 4 + 32], atol=1e-3)
    np.testing.assert_allclose(boxes[3], [12 - 60, 12 - 60, 12 + 60, 12 + 60], atol=1e-3)
    np.testing.assert_allclose(boxes[4], [8 - 120, 8 - 120, 8 + 120, 8 + 120], atol=1e-3)


def test_no_delta_is_the_anchor():
    layer = AnchorBoxes((64, 64), (8, 16, 32, 64, 128))
    boxes = _call(layer, np.zeros((1, 9 * (64 + 16 + 4 + 1 + 1), 4)))[0]
    np.testing.assert_allclose(boxes, layer.anchors, atol=1e-3)
    np.testing.assert_allclose(
        np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))[:3], 32 * 2 ** (np.arange(3) / 3), rtol=1e-5
    )


@pytest.mark.parametrize(
    "layer",
    [
        AnchorBoxes((64, 32), (8, 16, 32, 64, 128), rounded=True),
        CellBoxes((16, 16), (8,), [[(4, 6)]], "square", 2),
        DistanceBoxes((16, 16), (8, 16), 8),
        CellScores(),
    ],
)
def test_configurations_come_back(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_refusals():
    with pytest.raises(ValueError, match="form is 'exp' or 'square', got 'log'"):
        CellBoxes((8, 8), (8,), [[(1, 1)]], form="log")
    with pytest.raises(ValueError, match="wanted anchors for each of the 2 levels, got 1 groups"):
        CellBoxes((8, 8), (8, 16), [[(1, 1)]])
    with pytest.raises(ValueError, match=r"3 values cannot be repeated to fill the shape \(4,\)"):
        Repeated([1, 2, 3])((4,))
