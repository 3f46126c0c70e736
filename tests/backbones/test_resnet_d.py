"""What makes a ResNet-B, C and D: where the map is halved, and what each switch changes."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import registry

pytestmark = pytest.mark.backend

SWITCHES = ("late_stride", "deep_stem", "average_shortcut")
LADDER = [dict(zip(SWITCHES, (i > 0, i > 1, i > 2), strict=True)) for i in range(4)]
"""A, B, C, D."""


def _image(height: int = 32, width: int = 32):
    return 255 * np.random.default_rng(0).uniform(size=(1, height, width, 3)).astype("float32")


def _shapes(model) -> dict:
    return {weight.path: tuple(weight.shape) for weight in model.weights}


def test_b_is_the_resnet_that_we_have():
    """Same names, same shapes, same numbers: so B has no row of its own."""
    b = registry.build_classifier("resnet_d_bottleneck_micro", changes=LADDER[1])
    ours = registry.build_classifier("resnet_bottleneck_micro", changes={"depths": (1, 1, 2), "width": 4})
    assert _shapes(b) == _shapes(ours)
    ours.set_weights(b.get_weights())
    np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(model(_image())) for model in (b, ours)))


def test_every_step_of_the_ladder_moves_the_strides_of_the_paper():
    """He et al. 2019, figure 2: (1x1, 3x3, 1x1 of the path; 1x1 of the shortcut)."""
    strides = []
    for changes in LADDER:
        model = registry.build_backbone("resnet_d_bottleneck_micro", changes=changes)
        parts = [f"stage3_block0_{part}" for part in ("conv1", "conv2", "conv3", "shortcut_conv")]
        strides.append([model.get_layer(part).strides[0] for part in parts])
    assert strides == [[2, 1, 1, 2], [1, 2, 1, 2], [1, 2, 1, 2], [1, 2, 1, 1]]


def test_the_deep_stem_of_the_paper():
    """Three 3x3: 32, 32 and 64 maps, the first with stride 2; the window is then 11x11 instead of 7x7."""
    with keras.StatelessScope(initialize_variables=False):
        model = registry.build_backbone("resnet50_d")
    keras.utils.clear_session()
    convolutions = [model.get_layer(f"stem_conv{i}") for i in (1, 2, 3)]
    assert [(c.filters, c.kernel_size, c.strides) for c in convolutions] == [
        (32, (3, 3), (2, 2)),
        (32, (3, 3), (1, 1)),
        (64, (3, 3), (1, 1)),
    ]
    assert [tuple(level.shape[1:]) for level in model.output.values()] == [
        (112, 112, 64),
        *((56 // 2**s, 56 // 2**s, 256 * 2**s) for s in range(4)),
    ]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("size", [(32, 32), (41, 50), (50, 41)])
def test_the_average_of_an_odd_map_is_over_what_is_there(size, known):
    """Against numpy: windows of 2x2 that begin at even places, the last ones cut off by the border."""
    model = registry.build_backbone("resnet_d_bottleneck_micro", input_shape=(*size, 3) if known else (None, None, 3))
    ends = ("stage2_block0_relu", "stage3_block0_shortcut_pool")
    before, after = map(
        keras.ops.convert_to_numpy, keras.Model(model.inputs[0], [model.get_layer(end).output for end in ends])(_image(*size))
    )
    high, wide = before.shape[1:3]
    assert size == (32, 32) or high % 2 or wide % 2
    rows = [[before[:, y : y + 2, x : x + 2].mean((1, 2)) for x in range(0, wide, 2)] for y in range(0, high, 2)]
    expected = np.stack([np.stack(row, 1) for row in rows], 1)
    assert after.shape == expected.shape
    np.testing.assert_allclose(after, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("changes", LADDER)
def test_dilation_computes_the_same_values_in_more_places(changes):
    options = {"changes": changes, "input_shape": (64, 64, 3)}
    plain, dilated = (registry.build_backbone("resnet_d_bottleneck_micro", output_stride=s, **options) for s in (None, 8))
    dilated.set_weights(plain.get_weights())
    few, many = (keras.ops.convert_to_numpy(model(_image(64, 64))["c4"]) for model in (plain, dilated))
    assert many.shape[1] == 8
    np.testing.assert_allclose(many[:, ::2, ::2], few, rtol=1e-4, atol=1e-4 * np.abs(few).max())


@pytest.mark.parametrize("changes", LADDER)
def test_small_images_reach_the_stages_whole(changes):
    """The whole ladder is there for 32x32: 32, 32, 16 and 8 pixels."""
    model = registry.build_backbone("resnet_d_small_micro", changes=changes)
    assert [level.shape[1] for level in model.output.values()] == [32, 32, 16, 8]
    deepest = keras.ops.convert_to_numpy(model(_image())["c4"])
    assert np.isfinite(deepest).all()
    assert deepest.std() > 0


def test_c_and_d_have_the_same_weights():
    c, d = (registry.build_classifier("resnet_d_bottleneck_micro", changes=changes) for changes in LADDER[2:])
    assert _shapes(c) == _shapes(d)
    d.set_weights(c.get_weights())
    apart = np.abs(np.subtract(*(keras.ops.convert_to_numpy(model(_image())) for model in (c, d))))
    assert apart.max() > 1e-4, "and another arithmetic"
