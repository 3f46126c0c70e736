"""BN-Inception: the table of the paper's figure 5 and the text below it."""

from __future__ import annotations

import keras
import pytest

from zoo import registry

pytestmark = pytest.mark.backend

MAPS = {
    "3a": (28, 256),
    "3b": (28, 320),
    "3c": (14, 576),
    "4a": (14, 576),
    "4b": (14, 576),
    "4c": (14, 608),
    "4d": (14, 608),
    "4e": (7, 1056),
    "5a": (7, 1024),
    "5b": (7, 1024),
}
"""Figure 5, with the sums of its widths where its output column forgets 32 maps (4c to 4e); sides after the modules of stride 2."""


@pytest.fixture(scope="module")
def model():
    """The model without values for its weights."""
    with keras.StatelessScope(initialize_variables=False):
        yield registry.build_backbone("bn_inception")
    keras.utils.clear_session()


def test_maps_of_figure_5(model):
    for module, (side, maps) in MAPS.items():
        assert model.get_layer(f"inception_{module}_concat").output.shape[1:] == (side, side, maps)
    assert [tuple(level.shape[1:3]) for level in model.output.values()] == [(side, side) for side in (112, 56, 28, 14, 7)]


def test_the_first_convolution_is_separable_with_eight_maps_per_colour(model):
    first = model.get_layer("stem_conv1")
    assert isinstance(first, keras.layers.SeparableConv2D)
    assert tuple(first.depthwise_kernel.shape) == (7, 7, 3, 8)
    assert tuple(first.pointwise_kernel.shape) == (1, 1, 24, 64)


def test_no_convolution_of_a_module_is_larger_than_3x3(model):
    kernels = {layer.kernel_size for layer in model.layers if isinstance(layer, keras.layers.Conv2D)}
    assert kernels == {(1, 1), (3, 3)}


def test_every_module_is_three_layers_deep(model):
    """A module of GoogLeNet is two deep: "this increases the maximum depth of the network by 9 weight layers"."""
    for name in MAPS:
        branches = [layer.name for layer in model.layers if layer.name.startswith(f"inception_{name}_branch") and "_conv" in layer.name]
        assert max(int(layer[-1]) for layer in branches) == 3


def test_where_it_averages_and_where_it_takes_maxima(model):
    pools = {
        name: [layer for layer in model.layers if layer.name.startswith(f"inception_{name}_") and "pool" in layer.name] for name in MAPS
    }
    assert all(len(found) == 1 for found in pools.values())
    maxima = {name for name, found in pools.items() if isinstance(found[0], keras.layers.MaxPooling2D)}
    assert maxima == {"3c", "4e", "5b"}
    assert {name for name, found in pools.items() if found[0].strides == (2, 2)} == {"3c", "4e"}


def test_the_halving_modules_pass_their_input_through(model):
    """Neither a 1x1 branch nor a projection: the pooled map itself is the last part of the output."""
    for name, below in [("3c", 320), ("4e", 608)]:
        parts = [part.shape[-1] for part in model.get_layer(f"inception_{name}_concat").input]
        assert len(parts) == 3
        assert parts[-1] == below
        strides = [model.get_layer(f"inception_{name}_branch{branch}_conv{last}").strides for branch, last in ((1, 2), (2, 3))]
        assert strides == [(2, 2), (2, 2)]


def test_every_convolution_is_normalised_and_none_has_a_bias(model):
    convolutions = [layer for layer in model.layers if "_conv" in layer.name]
    assert len(convolutions) == 3 + 8 * 7 + 2 * 5
    assert not any(layer.use_bias for layer in convolutions)
    assert all(model.get_layer(layer.name.replace("_conv", "_norm")).input is layer.output for layer in convolutions)
    assert registry.row("bn_inception")[1].top.dropout == 0, "section 4.2.1 removes it"
