"""Facts of the ConvNeXt papers: maps, the order of a block, what is not there, and how both versions start."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import registry

pytestmark = pytest.mark.backend
MICRO = ["convnext_micro", "convnext_v2_micro"]
RATES = {
    "convnext_tiny": 0.1,
    "convnext_small": 0.4,
    "convnext_base": 0.5,
    "convnext_large": 0.5,
    "convnext_v2_atto": 0.1,
    "convnext_v2_tiny": 0.2,
    "convnext_v2_base": 0.1,
}
"""--drop_path of the commands that the authors released for training (V1) and fine-tuning (V2) on ImageNet-1k."""


def _structure(name: str, **options):
    """The row's model without memory for its weights."""
    with keras.StatelessScope(initialize_variables=False):
        model = registry.build_backbone(name, **options)
    keras.utils.clear_session()
    return model


def _image(height: int = 32, width: int = 32, count: int = 1):
    return 255 * np.random.default_rng(0).uniform(size=(count, height, width, 3)).astype("float32")


@pytest.mark.parametrize(("name", "width", "depths"), [("convnext_tiny", 96, (3, 3, 9, 3)), ("convnext_v2_huge", 352, (3, 3, 27, 3))])
def test_maps_and_blocks_of_table_9(name, width, depths):
    """56x56, 28x28, 14x14 and 7x7, each stage twice as wide as the one before."""
    model = _structure(name)
    assert {key: tuple(level.shape[1:]) for key, level in model.output.items()} == {
        f"c{i}": (56 // 2 ** (i - 1), 56 // 2 ** (i - 1), width * 2 ** (i - 1)) for i in range(1, 5)
    }
    adds = [layer.name for layer in model.layers if layer.name.endswith("_add")]
    assert adds == [f"stage{stage}_block{block}_add" for stage, depth in enumerate(depths, start=1) for block in range(depth)]


@pytest.mark.parametrize(("name", "last"), [("convnext_micro", ("project", "scale")), ("convnext_v2_micro", ("response", "project"))])
def test_a_block_has_one_normalisation_and_one_activation(name, last):
    """Liu et al. 2022, figure 4; Woo et al. 2023, figure 5."""
    model = registry.build_backbone(name, changes={"stochastic_depth": 0.0})
    names = [layer.name.rpartition("_")[2] for layer in model.layers if layer.name.startswith("stage3_block1_")]
    assert names == ["depthwise", "norm", "expand", *last, "add"]
    assert not any(isinstance(layer, keras.layers.BatchNormalization | keras.layers.ReLU) for layer in model.layers)
    activated = [
        layer.name for layer in model.layers if getattr(layer, "activation", keras.activations.linear) is not keras.activations.linear
    ]
    assert activated == [f"stage{stage}_block{block}_expand" for stage, block in ((1, 0), (2, 0), (3, 0), (3, 1), (4, 0))]
    expand, project = (model.get_layer(f"stage3_block1_{part}").units for part in ("expand", "project"))
    assert expand == 4 * project


@pytest.mark.parametrize(("name", "rate"), RATES.items())
def test_stochastic_depth_rises_linearly_to_the_published_rate(name, rate):
    model = _structure(name)
    blocks = [layer.name.removesuffix("_add") for layer in model.layers if layer.name.endswith("_add")]
    rates = {layer.name.removesuffix("_drop"): layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)}
    assert blocks[0] not in rates
    np.testing.assert_allclose([rates.get(block, 0.0) for block in blocks], np.linspace(0, rate, len(blocks)))


@pytest.mark.parametrize("name", MICRO)
def test_stochastic_depth_leaves_out_whole_branches_of_whole_images(name):
    keras.utils.set_random_seed(0)
    model = registry.build_backbone(name, changes={"stochastic_depth": 0.5})
    drop = model.get_layer("stage4_block0_drop")
    out = keras.ops.convert_to_numpy(drop(np.ones((64, 2, 3, 4), "float32"), training=True))
    kept = out[:, 0, 0, 0] > 0
    np.testing.assert_array_equal(out, np.where(kept, 2.0, 0.0)[:, None, None, None] * np.ones_like(out))
    assert 16 < kept.sum() < 48


def test_layer_scale_starts_at_a_millionth_and_a_block_almost_as_the_identity():
    for name in ("convnext_tiny", "convnext_xlarge"):
        assert {layer.initial for layer in _structure(name).layers if layer.name.endswith("_scale")} == {1e-6}
    model = registry.build_backbone("convnext_micro", changes={"scale": 1e-6})
    block = keras.Model(model.inputs[0], [model.get_layer(f"stage3_block{i}_add").output for i in (0, 1)])
    before, after = (keras.ops.convert_to_numpy(each) for each in block(_image()))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * np.abs(before).max())


def test_the_second_version_has_response_normalisation_and_no_layer_scale():
    first, second = ({type(layer).__name__ for layer in registry.build_backbone(name).layers} for name in MICRO)
    assert first - second == {"LayerScale"}
    assert second - first == {"GlobalResponseNormalisation"}


@pytest.mark.parametrize("name", MICRO)
def test_patches_do_not_overlap_and_only_whole_ones_are_read(name):
    """A border of three pixels is no patch: it changes nothing. Kernel equals stride in the stem and in every downsampling."""
    model = registry.build_backbone(name, input_shape=(None, None, 3))
    image = _image(35, 34)
    whole = {key: keras.ops.convert_to_numpy(level) for key, level in model(image[:, :32, :32]).items()}
    for key, level in model(image).items():
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(level), whole[key])
    convolutions = [layer for layer in model.layers if type(layer) is keras.layers.Conv2D]
    assert [layer.name for layer in convolutions] == ["stem_conv", *(f"stage{stage}_downsample_conv" for stage in (2, 3, 4))]
    assert [(layer.kernel_size, layer.strides) for layer in convolutions] == [((4, 4), (4, 4)), *(3 * [((2, 2), (2, 2))])]


def test_the_head_normalises_what_it_pools():
    model = registry.build_classifier("convnext_micro")
    names = [layer.name for layer in model.layers][-3:]
    assert names == ["pool", "head_norm", "logits"]
    assert {layer.epsilon for layer in model.layers if isinstance(layer, keras.layers.LayerNormalization)} == {1e-6}
