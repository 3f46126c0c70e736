"""What makes a BiT: one image is normalised alone, the scale of the weights does not matter, and every image size works."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import registry
from zoo.layers import StandardisedConv2D

pytestmark = pytest.mark.backend


def _image(count: int = 1, size: int = 32):
    return 255 * np.random.default_rng(0).uniform(size=(count, size, size, 3)).astype("float32")


def test_every_convolution_is_standardised_and_every_normalisation_grouped():
    model = registry.build_classifier("bit_r50x1")
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    norms = [layer for layer in model.layers if "norm" in layer.name and layer.name != "normalise"]
    assert {type(layer) for layer in convolutions} == {StandardisedConv2D}
    assert {(layer.epsilon, layer.use_bias) for layer in convolutions} == {(1e-8, False)}
    assert {(type(layer), layer.groups, layer.epsilon) for layer in norms} == {(keras.layers.GroupNormalization, 32, 1e-5)}
    assert (len(convolutions), len(norms)) == (1 + 3 * 16 + 4, 3 * 16 + 1)


@pytest.mark.parametrize(("name", "width"), [("bit_r50x1", 1), ("bit_r152x2", 2), ("bit_r101x3", 3)])
def test_maps_of_224_pixels(name, width):
    with keras.StatelessScope(initialize_variables=False):
        shapes = {key: tuple(level.shape[1:]) for key, level in registry.build_backbone(name).output.items()}
    keras.utils.clear_session()
    sides, maps = (112, 56, 28, 14, 7), (64, 256, 512, 1024, 2048)
    assert shapes == {f"c{i}": (side, side, width * m) for i, (side, m) in enumerate(zip(sides, maps, strict=True), start=1)}


def test_stages_halve_in_the_3x3_of_their_first_block():
    model = registry.build_backbone("bit_micro")
    strided = {layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D) and layer.strides[0] == 2}
    places = {f"stage{stage}_block0_{kind}" for stage in (3, 4, 5) for kind in ("conv2", "shortcut_conv")}
    assert strided == {"stem_conv", *places}


def test_training_and_inference_are_the_same():
    """There are no moving statistics at all."""
    model = registry.build_backbone("bit_micro", pooling="average")
    assert not model.non_trainable_weights
    one, two = (keras.ops.convert_to_numpy(model(_image(3), training=training)) for training in (True, False))
    np.testing.assert_array_equal(one, two)


def test_the_scale_of_a_convolutions_weights_does_not_matter():
    model = registry.build_backbone("bit_micro", pooling="average")
    before = keras.ops.convert_to_numpy(model(_image()))
    for layer in model.layers:
        if isinstance(layer, StandardisedConv2D):
            layer.set_weights([1000 * value + 3 for value in layer.get_weights()])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(_image())), before, atol=1e-3 * np.abs(before).max())
