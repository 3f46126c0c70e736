"""What makes a ResNet: where it halves the map, what dilation keeps, and a block that starts as the identity."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import registry

pytestmark = pytest.mark.backend
MICRO = ["resnet_micro", "resnet_bottleneck_micro", "resnet_v1_micro"]


def _image(size: int = 32):
    return 255 * np.random.default_rng(0).uniform(size=(1, size, size, 3)).astype("float32")


@pytest.mark.parametrize("name", MICRO)
@pytest.mark.parametrize("output_stride", [8, 16])
def test_dilation_computes_the_same_values_in_more_places(name, output_stride):
    """The a trous identity: every (32 / output_stride)th value of the dilated map is the undilated map, to its borders."""
    plain, dilated = (registry.build_backbone(name, input_shape=(96, 96, 3), output_stride=s) for s in (None, output_stride))
    dilated.set_weights(plain.get_weights())
    few, many = (keras.ops.convert_to_numpy(model(_image(96))["c5"]) for model in (plain, dilated))
    assert many.shape[1] == 96 // output_stride
    step = 32 // output_stride
    np.testing.assert_allclose(many[:, ::step, ::step], few, rtol=1e-4, atol=1e-4 * np.abs(few).max())


def test_the_two_versions_stride_in_different_places():
    v15, v1 = (registry.build_backbone(name) for name in ("resnet_bottleneck_micro", "resnet_v1_micro"))
    for stage in (3, 4, 5):
        strides = [[model.get_layer(f"stage{stage}_block0_conv{i}").strides[0] for i in (1, 2, 3)] for model in (v15, v1)]
        assert strides == [[1, 2, 1], [2, 1, 1]]
    assert not v15.get_layer("stem_conv").use_bias
    assert v1.get_layer("stem_conv").use_bias


@pytest.mark.parametrize("name", MICRO)
def test_zero_gamma_makes_a_plain_block_the_identity(name):
    """The second block of stage 5 has no projection: with gamma 0 it returns its input, which is already rectified."""
    model = registry.build_backbone(name, changes={"zero_gamma": True})
    block = keras.Model(model.inputs[0], [model.get_layer("stage5_block0_relu").output, model.get_layer("stage5_block1_relu").output])
    before, after = block(_image())
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(after), keras.ops.convert_to_numpy(before))
    usual = registry.build_backbone(name)
    assert keras.ops.convert_to_numpy(usual.get_layer("stage5_block1_norm2").gamma).min() == 1


@pytest.mark.parametrize("name", MICRO)
def test_the_micro_rows_have_both_kinds_of_shortcut(name):
    layers = {layer.name for layer in registry.build_backbone(name).layers}
    assert "stage5_block0_shortcut_conv" in layers
    assert "stage5_block1_shortcut_conv" not in layers
    assert ("stage2_block0_shortcut_conv" in layers) == (name != "resnet_micro")


def test_batch_statistics_move_as_published():
    for name, momentum, epsilon in [("resnet_micro", 0.9, 1e-5), ("resnet_v1_micro", 0.99, 1.001e-5)]:
        norm = registry.build_backbone(name).get_layer("stem_norm")
        assert (norm.momentum, norm.epsilon) == (momentum, epsilon)
