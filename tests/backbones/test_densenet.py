"""Facts of the DenseNet paper: what every layer sees, how deep the networks are, how large their maps."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from zoo import registry

pytestmark = pytest.mark.backend
MICRO = ["densenet_micro", "densenet_torchvision_micro"]


@pytest.mark.parametrize("depth", [121, 169, 201, 161])
def test_the_number_in_the_name_counts_convolutions_and_the_head(depth):
    name = f"densenet{depth}_torchvision"
    with keras.StatelessScope(initialize_variables=False):
        model = registry.build_classifier(name)
        assert sum(isinstance(layer, layers.Conv2D | layers.Dense) for layer in model.layers) == depth
    keras.utils.clear_session()


def test_the_maps_of_table_1():
    """112, 56, 28, 14 and 7 pixels; a block adds 32 maps per layer to half of what the block before had."""
    with keras.StatelessScope(initialize_variables=False):
        shapes = [tuple(level.shape[1:]) for level in registry.build_backbone("densenet121").output.values()]
    keras.utils.clear_session()
    assert shapes == [(112, 112, 64), (56, 56, 256), (28, 28, 512), (14, 14, 1024), (7, 7, 1024)]


@pytest.mark.parametrize("name", MICRO)
def test_every_layer_sees_all_maps_before_it_unchanged(name):
    """The concatenation at the end of a block begins with the block's input and holds every layer's maps in their order."""
    model = registry.build_backbone(name)
    taps = ["stage3_transition_pool", "stage4_block0_conv2", "stage4_block1_conv2", "stage4_block2_conv2", "stage4_block2_concat"]
    tapped = keras.Model(model.inputs[0], [model.get_layer(tap).output for tap in taps])
    image = 255 * np.random.default_rng(0).uniform(size=(1, 32, 32, 3)).astype("float32")
    *parts, whole = (keras.ops.convert_to_numpy(out) for out in tapped(image))
    np.testing.assert_array_equal(whole, np.concatenate(parts, -1))
    assert [part.shape[-1] for part in parts[1:]] == [4, 4, 4]


@pytest.mark.parametrize("name", MICRO)
def test_the_first_convolution_of_a_layer_has_four_times_the_growth_rate(name):
    config = registry.row(name)[1]
    model = registry.build_backbone(name)
    for stage, depth in enumerate(config.depths, start=2):
        for index in range(depth):
            widths = [model.get_layer(f"stage{stage}_block{index}_conv{part}").filters for part in (1, 2)]
            assert widths == [4 * config.growth, config.growth]


def test_the_strided_layers_see_the_same_pixels_at_even_and_odd_sizes():
    """The stem's first window is centred on the first pixel at every size: a corner of the image gives the corner of a larger one's map."""
    model = registry.build_backbone("densenet_micro", input_shape=(None, None, 3))
    image = 255 * np.random.default_rng(0).uniform(size=(1, 65, 65, 3)).astype("float32")
    odd, even = (keras.ops.convert_to_numpy(model(image[:, :side, :side])["c1"]) for side in (65, 64))
    np.testing.assert_allclose(even[:, :30, :30], odd[:, :30, :30], rtol=1e-5, atol=1e-5)


def test_normalisation_as_published():
    for name, momentum, epsilon in [("densenet_micro", 0.99, 1.001e-5), ("densenet_torchvision_micro", 0.9, 1e-5)]:
        norms = [layer for layer in registry.build_backbone(name).layers if isinstance(layer, layers.BatchNormalization)]
        assert {(norm.momentum, norm.epsilon) for norm in norms} == {(momentum, epsilon)}
