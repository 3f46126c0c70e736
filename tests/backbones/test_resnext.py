"""What makes a ResNeXt: paths that do not see each other."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import registry
from zoo.layers import GroupedConv2D

pytestmark = pytest.mark.backend


@pytest.mark.parametrize(("name", "groups", "inner"), [("resnext50_32x4d", 32, 128), ("resnext101_32x8d", 32, 256)])
def test_the_stages_are_those_of_table_1(name, groups, inner):
    """Xie et al. 2017, table 1: 56, 28, 14 and 7 pixels; inside 128 to 1024 maps in 32 groups, outside 256 to 2048."""
    with keras.StatelessScope(initialize_variables=False):
        model = registry.build_backbone(name)
    keras.utils.clear_session()
    assert [tuple(level.shape[1:]) for level in model.output.values()] == [
        (112, 112, 64),
        *((56 // 2**s, 56 // 2**s, 256 * 2**s) for s in range(4)),
    ]
    for stage in range(4):
        layer = model.get_layer(f"stage{stage + 2}_block0_conv2")
        assert isinstance(layer, GroupedConv2D)
        assert (layer.groups, layer.filters) == (groups, inner * 2**stage)
        assert tuple(layer.kernel.shape) == (3, 3, inner * 2**stage // groups, inner * 2**stage)


def test_the_101_layers_are_counted_as_in_the_paper():
    with keras.StatelessScope(initialize_variables=False):
        names = [layer.name for layer in registry.build_classifier("resnext101_32x4d").layers]
    keras.utils.clear_session()
    assert sum("_conv" in name and "shortcut" not in name for name in names) + 1 == 101  # and the fully connected one


def test_the_3x3_halves_the_map():
    model = registry.build_backbone("resnext_micro")
    assert [model.get_layer(f"stage3_block0_conv{i}").strides[0] for i in (1, 2, 3)] == [1, 2, 1]


def test_a_path_reaches_only_its_own_maps():
    """A change in one map before the grouped convolution moves only the maps of that map's group behind it."""
    layer = registry.build_backbone("resnext_micro").get_layer("stage4_block0_conv2")
    assert (layer.groups, layer.filters) == (32, 128)
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 128)).astype("float32")
    changed = x.copy()
    changed[..., 4 * 9 + 2] += 1  # of the tenth group
    moved = np.abs(keras.ops.convert_to_numpy(layer(changed)) - keras.ops.convert_to_numpy(layer(x))).max((0, 1, 2))
    assert set(np.flatnonzero(moved > 1e-4)) == {36, 37, 38, 39}


def test_dilation_computes_the_same_values_in_more_places():
    image = 255 * np.random.default_rng(0).uniform(size=(1, 64, 64, 3)).astype("float32")
    plain, dilated = (registry.build_backbone("resnext_micro", input_shape=(64, 64, 3), output_stride=s) for s in (None, 8))
    dilated.set_weights(plain.get_weights())
    few, many = (keras.ops.convert_to_numpy(model(image)["c4"]) for model in (plain, dilated))
    assert many.shape[1] == 8
    np.testing.assert_allclose(many[:, ::2, ::2], few, rtol=1e-4, atol=1e-4 * np.abs(few).max())


def test_a_block_is_always_a_bottleneck():
    with pytest.raises(ValueError, match="bottleneck"):
        registry.build_backbone("resnext_micro", changes={"bottleneck": False})
