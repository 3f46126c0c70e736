"""Facts of the Xception paper, and what differs between its two published networks."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from zoo import registry

pytestmark = pytest.mark.backend


def test_thirty_six_convolutions_in_fourteen_modules():
    """Section 3: 36 convolutional layers in 14 modules, all of which but the first and the last have a shortcut around them."""
    with keras.StatelessScope(initialize_variables=False):
        model = registry.build_backbone("xception")
        names = [layer.name for layer in model.layers]
        convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D | layers.SeparableConv2D)]
        modules = {name.partition("_")[0] for name in names if name.startswith("block")}
        sums = {layer.name.partition("_")[0] for layer in model.layers if isinstance(layer, layers.Add)}
        assert len([layer for layer in convolutions if "shortcut" not in layer.name]) == 36
        assert len(modules) == 14
        assert modules - sums == {"block1", "block14"}
        assert not any(layer.use_bias for layer in convolutions)
    keras.utils.clear_session()


@pytest.mark.parametrize("name", ["xception", "xception_timm"])
def test_the_maps_of_figure_5(name):
    """299x299x3 enters; 19x19x728 goes round the middle flow; 10x10x2048 is averaged."""
    with keras.StatelessScope(initialize_variables=False):
        pyramid = {key: tuple(level.shape[1:]) for key, level in registry.build_backbone(name).output.items()}
    keras.utils.clear_session()
    assert pyramid == {"c1": (147, 147, 64), "c2": (74, 74, 128), "c3": (37, 37, 256), "c4": (19, 19, 728), "c5": (10, 10, 2048)}


def test_no_activation_inside_a_separable_convolution():
    """Section 4.7 finds that it hurts."""
    separable = [layer for layer in registry.build_backbone("xception_micro").layers if isinstance(layer, layers.SeparableConv2D)]
    assert len(separable) == 16
    assert {layer.activation.__name__ for layer in separable} == {"linear"}


def test_a_block_rectifies_a_copy_of_its_input():
    """The shortcut carries negative values; only the second block gets a rectified input and has no ReLU of its own."""
    names = {layer.name for layer in registry.build_backbone("xception_micro").layers}
    assert "block2_relu1" not in names
    assert {"block3_relu1", "block5_relu1", "block7_relu1"} <= names
    model = registry.build_backbone("xception_micro")
    out = model(255 * np.random.default_rng(0).uniform(size=(1, 64, 64, 3)).astype("float32"))
    assert keras.ops.convert_to_numpy(out["c4"]).min() < 0 <= keras.ops.convert_to_numpy(out["c5"]).min()


@pytest.mark.parametrize("side", [8, 9])
def test_where_the_two_networks_pool(side):
    """A single peak at a pixel is seen by the windows that contain it: around 0, 2, 4, ... in timm's network, and in keras.applications'
    where the map is odd, but around 1, 3, 5, ... where it is even. All other values are negative, and so must the border be."""
    image = keras.Input((side, side, 1))
    for symmetric in (False, True):
        config = registry.row("xception_timm_micro" if symmetric else "xception_micro")[1]
        module = registry.row("xception_micro")[0]
        model = keras.Model(image, module.pool(image, config, "pool"))
        offset = 0 if symmetric or side % 2 else 1
        for pixel in range(side):
            values = np.full((1, side, side, 1), -3.0, "float32")
            values[0, pixel, :] = -1.0
            seen = keras.ops.convert_to_numpy(model(values))[0, :, 0, 0]
            centres = np.arange(len(seen)) * 2 + offset
            np.testing.assert_array_equal(seen, np.where(abs(centres - pixel) <= 1, -1.0, -3.0))


def test_normalisation_as_published():
    for name, momentum, epsilon in [("xception_micro", 0.99, 1e-3), ("xception_timm_micro", 0.9, 1e-5)]:
        norms = [layer for layer in registry.build_backbone(name).layers if isinstance(layer, layers.BatchNormalization)]
        assert {(norm.momentum, norm.epsilon) for norm in norms} == {(momentum, epsilon)}
