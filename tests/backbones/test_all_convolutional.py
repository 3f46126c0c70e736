"""Facts of "Striving for simplicity": table 2 layer by layer, the maps of section 3, and windows that pooling and strides share."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from zoo import registry

pytestmark = pytest.mark.backend

TABLE = {
    "base_cnn_c": "3:96 3:96 pool 3:192 3:192 pool 3:192 1:192 1:10",
    "strided_cnn_c": "3:96 3:96/2 3:192 3:192/2 3:192 1:192 1:10",
    "conv_pool_cnn_c": "3:96 3:96 3:96 pool 3:192 3:192 3:192 pool 3:192 1:192 1:10",
    "all_cnn_a": "5:96 3:96/2 5:192 3:192/2 3:192 1:192 1:10",
    "all_cnn_b": "5:96 1:96 3:96/2 5:192 1:192 3:192/2 3:192 1:192 1:10",
    "all_cnn_c": "3:96 3:96 3:96/2 3:192 3:192 3:192/2 3:192 1:192 1:10",
}
"""Tables 1 and 2: kernel:maps, /2 for stride 2."""


def _built(name):
    with keras.StatelessScope(initialize_variables=False):
        model = registry.build_classifier(name)
    keras.utils.clear_session()
    return model


def _spelled(layer):
    if isinstance(layer, layers.MaxPooling2D):
        assert (layer.pool_size, layer.strides) == ((3, 3), (2, 2))
        return "pool"
    return f"{layer.kernel_size[0]}:{layer.filters}" + ("/2" if layer.strides == (2, 2) else "")


@pytest.mark.parametrize("name", TABLE)
def test_the_layers_of_tables_1_and_2(name):
    found = [_spelled(layer) for layer in _built(name).layers if isinstance(layer, layers.Conv2D | layers.MaxPooling2D)]
    assert " ".join(found) == TABLE[name]


@pytest.mark.parametrize("name", TABLE)
def test_six_by_six_is_averaged(name):
    """Table 1: global averaging over 6x6; the map is rectified before, and nothing follows."""
    model = _built(name)
    assert [model.get_layer(layer).output.shape[1:3] for layer in ("stage3_conv1", "stage3_conv2", "logits")] == [(6, 6)] * 3
    assert [layer.name for layer in model.layers[-3:]] == ["logits", "logits_relu", "pool"]
    assert not any(isinstance(layer, layers.Dense) for layer in model.layers)


@pytest.mark.parametrize("name", TABLE)
def test_dropout_of_section_3(name):
    """20 % of the image, 50 % after each pooling or the layer in its place."""
    model = _built(name)
    rates = {layer.name: layer.rate for layer in model.layers if isinstance(layer, layers.Dropout)}
    assert rates == {"image_dropout": 0.2, "stage1_dropout": 0.5, "stage2_dropout": 0.5}
    assert model.get_layer("image_dropout").input is model.get_layer("normalise").output


def test_pooling_and_stride_have_as_many_weights_as_the_paper_compares():
    counts = {name: registry.row(name)[1].parameters for name in TABLE}
    assert counts["base_cnn_c"] == counts["strided_cnn_c"]
    assert counts["conv_pool_cnn_c"] == counts["all_cnn_c"]
    assert round(counts["all_cnn_c"] / 1e6, 1) == 1.4  # as the paper's table of results rounds it


@pytest.mark.parametrize("side", [12, 13, 32])
def test_pooling_and_strides_see_the_same_windows(side):
    """One bright pixel lights up the same places behind a strided convolution that sums its window and behind a pooling."""
    built = [registry.build_backbone(f"all_convolutional_{kind}micro", input_shape=(side, side, 3)) for kind in ("", "stride_", "pool_")]
    shapes = [[level.shape[1:3] for level in model.output.values()] for model in built]
    assert shapes[0] == shapes[1] == shapes[2]
    module = registry.row("all_convolutional_micro")[0]
    image = keras.Input((side, side, 1))
    summed = layers.Conv2D(1, 3, strides=2, use_bias=False, kernel_initializer="ones")(module.border(image, "a"))
    pooled = layers.MaxPooling2D(3, strides=2)(module.border(image, "b"))
    model = keras.Model(image, [summed, pooled])
    for pixel in range(side):
        bright = np.zeros((1, side, side, 1), "float32")
        bright[0, pixel, pixel] = 1
        found = [keras.ops.convert_to_numpy(out)[0, :, :, 0] > 0.5 for out in model(bright)]
        seen = [start <= pixel <= start + 2 for start in range(0, 2 * (side // 2), 2)]
        np.testing.assert_array_equal(found[0], np.outer(seen, seen))
        np.testing.assert_array_equal(found[1], found[0])


@pytest.mark.parametrize("name", ["all_convolutional_micro", "all_convolutional_pool_micro", "all_convolutional_stride_micro"])
def test_the_minimum_is_the_smallest_that_works(name):
    minimum = registry.row(name)[1].minimum
    with pytest.raises(ValueError, match=r"(?i)negative|too small|non-positive"):
        registry.build_backbone(name, changes={"minimum": 1}, input_shape=(minimum - 1, minimum - 1, 3))
