"""How the heads of the detectors start, what they share, and how maps of odd sides are enlarged."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from zoo.heads.fpn import enlarged, fpn
from zoo.heads.levels import at_strides
from zoo.heads.retinanet import retinanet
from zoo.heads.yolo import anchor_free, anchored

pytestmark = pytest.mark.backend


def _levels(count: int, width: int = 8, finest: int = 8) -> dict:
    return {f"p{i}": keras.Input((finest // 2**i, finest // 2**i, width), name=f"p{i}") for i in range(count)}


def _bias(model, name: str) -> np.ndarray:
    return keras.ops.convert_to_numpy(model.get_layer(name).bias)


def test_retinanets_prior_is_on_the_class_head_and_on_nothing_else():
    levels = _levels(3)
    model = keras.Model(levels, retinanet(levels, classes=4, width=32, depth=2))
    np.testing.assert_allclose(_bias(model, "class_output"), -math.log(99), rtol=1e-6)
    for name in ("box_output", "class_conv0", "class_conv1", "box_conv0", "box_conv1"):
        assert not _bias(model, name).any(), name
    for name in ("class_output", "box_output", "class_conv1", "box_conv0"):
        kernel = keras.ops.convert_to_numpy(model.get_layer(name).kernel)
        assert kernel.std() == pytest.approx(0.01, rel=0.1), name
    images = {key: np.random.default_rng(0).normal(size=(1, *level.shape[1:])).astype("float32") for key, level in levels.items()}
    probability = 1 / (1 + np.exp(-keras.ops.convert_to_numpy(model(images)["scores"])))
    np.testing.assert_allclose(probability, 0.01, atol=0.002)


def test_retinanets_levels_share_their_weights_and_keep_their_order():
    """The same map given as three levels is answered three times the same."""
    levels = {f"p{i}": keras.Input((4, 4, 8), name=f"p{i}") for i in range(3)}
    model = keras.Model(levels, retinanet(levels, classes=4, width=8, depth=1))
    image = np.random.default_rng(0).normal(size=(1, 4, 4, 8)).astype("float32")
    out = model({key: image if key != "p2" else 2 * image for key in levels})
    scores = keras.ops.convert_to_numpy(out["scores"]).reshape(3, 16 * 9, 4)
    np.testing.assert_array_equal(scores[0], scores[1])
    assert np.abs(scores[2] - scores[0]).max() > 0
    assert len([weight for weight in model.weights if weight.name == "kernel"]) == 4


def test_a_cells_anchors_are_together_and_rows_run_from_left_to_right():
    """A head whose kernel is 0 but for one cell's mark: the mark must arrive at that cell's rows."""
    levels = {"p0": keras.Input((2, 3, 1), name="p0")}
    model = keras.Model(levels, {"raw": anchored(levels, 2, (8,), anchors=3)})
    layer = model.get_layer("head_p0_output")
    layer.kernel.assign(np.arange(1.0, 22.0, dtype="float32").reshape(1, 1, 1, 21))
    layer.bias.assign(np.zeros(21, "float32"))
    image = np.zeros((1, 2, 3, 1), "float32")
    image[0, 1, 2] = 1
    raw = keras.ops.convert_to_numpy(model({"p0": image})["raw"])[0]
    np.testing.assert_array_equal(raw[15:], np.arange(1.0, 22.0).reshape(3, 7))
    assert not raw[:15].any()


def test_anchored_heads_expect_eight_objects_in_an_image_of_640_pixels():
    levels = _levels(2)
    model = keras.Model(levels, {"raw": anchored(levels, 4, (8, 16))})
    for name, cells in (("head_p0_output", 80), ("head_p1_output", 40)):
        bias = _bias(model, name).reshape(3, 9)
        assert not bias[:, :4].any()
        np.testing.assert_allclose(np.exp(bias[:, 4]) * cells**2, 8, rtol=1e-5)
        np.testing.assert_allclose(bias[:, 5:], math.log(0.6 / (4 - 0.99999)), rtol=1e-5)


def test_anchor_free_heads_expect_five_objects_over_all_classes():
    levels = _levels(2)
    model = keras.Model(levels, anchor_free(levels, 4, (8, 16)))
    for name, cells in (("head_p0", 80), ("head_p1", 40)):
        np.testing.assert_allclose(np.exp(_bias(model, f"{name}_class_output")) * 4 * cells**2, 5, rtol=1e-5)
        np.testing.assert_array_equal(_bias(model, f"{name}_box_output"), 1)
    assert model.get_layer("head_p0_box_conv0").filters == 64


@pytest.mark.parametrize("size", [(6, 8), (5, 8), (6, 7), (5, 7), (1, 1)])
def test_enlarged_is_the_nearest_neighbour(size):
    """Place i of n lies in cell floor(i * m / n) of m, as torch's interpolation to a given size has it."""
    small = tuple(-(-side // 2) for side in size)
    image, like = keras.Input((*small, 2)), keras.Input((*size, 2))
    model = keras.Model([image, like], enlarged(image, like, "up"))
    x = np.random.default_rng(0).normal(size=(1, *small, 2)).astype("float32")
    rows, columns = (np.arange(n) * m // n for m, n in zip(small, size, strict=True))
    out = keras.ops.convert_to_numpy(model([x, np.zeros((1, *size, 2), "float32")]))
    np.testing.assert_array_equal(out, x[:, rows][:, :, columns])


@pytest.mark.parametrize(("p6", "maps"), [("c5", 24), ("p5", 16)])
def test_p6_is_computed_from_c5_or_from_p5(p6, maps):
    levels = [keras.Input((side, side, width)) for side, width in ((8, 4), (4, 8), (2, 24))]
    model = keras.Model(levels, fpn(levels, 16, p6))
    assert model.get_layer("fpn_p6").kernel.shape[2] == maps
    assert {key: tuple(level.shape[1:]) for key, level in model.output.items()} == {
        "p3": (8, 8, 16),
        "p4": (4, 4, 16),
        "p5": (2, 2, 16),
        "p6": (1, 1, 16),
        "p7": (1, 1, 16),
    }
    with pytest.raises(ValueError, match="computed from 'c5' or from 'p5', got p6='c4'"):
        fpn(levels, 16, "c4")


def test_levels_are_chosen_by_stride_and_the_deepest_of_a_stride_wins():
    pyramid = {"c1": keras.Input((32, 32, 1)), "c2": keras.Input((8, 8, 2)), "c3": keras.Input((8, 8, 3)), "c4": keras.Input((4, 4, 4))}
    assert [level.shape[-1] for level in at_strides(pyramid, (64, 64), (8, 16))] == [3, 4]
    with pytest.raises(ValueError, match=r"no level at stride 4 \(16x16 cells\) and stride 32 \(2x2 cells\), only c1 32x32, c2 8x8"):
        at_strides(pyramid, (64, 64), (4, 8, 32))
    with pytest.raises(ValueError, match="boxes belong to one size of image"):
        at_strides({"c1": keras.Input((None, None, 1))}, (64, 64), (8,))
