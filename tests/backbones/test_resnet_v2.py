"""What makes a ResNet v2: a clean path of sums, and the halving in the last block of a stage."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import registry

pytestmark = pytest.mark.backend


def test_stages_halve_in_their_last_block_and_stage_5_does_not():
    model = registry.build_backbone("resnet50_v2")
    found = {
        (stage, index): tuple(model.get_layer(f"stage{stage}_block{index}_conv{part}").strides[0] for part in (1, 2, 3))
        for stage, depth in zip((2, 3, 4, 5), (3, 4, 6, 3), strict=True)
        for index in range(depth)
    }
    assert {place for place, strides in found.items() if strides != (1, 1, 1)} == {(2, 2), (3, 3), (4, 5)}
    assert {strides for strides in found.values()} == {(1, 1, 1), (1, 2, 1)}
    names = {layer.name for layer in model.layers}
    assert {name for name in names if "shortcut" in name} == {
        *(f"stage{stage}_block0_shortcut_conv" for stage in (2, 3, 4, 5)),
        *(f"{place}_shortcut_pool" for place in ("stage2_block2", "stage3_block3", "stage4_block5")),
    }


def test_maps_of_224_pixels():
    """Table 1 of the first paper, with one exception: the last block of a stage already has the next stage's size."""
    model = registry.build_backbone("resnet50_v2")
    shapes = {key: tuple(level.shape[1:]) for key, level in model.output.items()}
    assert shapes == {"c1": (112, 112, 64), "c2": (56, 56, 256), "c3": (28, 28, 512), "c4": (14, 14, 1024), "c5": (7, 7, 2048)}
    assert model.get_layer("stage2_block2_add").output.shape[1:] == (28, 28, 256)


def test_the_path_of_sums_is_clean():
    """With the last convolution of every identity block at zero, its output is its input, negative numbers too."""
    model = registry.build_backbone("resnet_v2_micro")
    for layer in model.layers:
        if layer.name.startswith("stage5_block1_conv3"):
            layer.set_weights([np.zeros_like(value) for value in layer.get_weights()])
    path = keras.Model(model.inputs[0], [model.get_layer(f"stage5_block{index}_add").output for index in (0, 1)])
    before, after = (
        keras.ops.convert_to_numpy(x) for x in path(255 * np.random.default_rng(0).uniform(size=(1, 32, 32, 3)).astype("float32"))
    )
    np.testing.assert_array_equal(after, before)
    assert before.min() < 0
    assert keras.ops.convert_to_numpy(model(np.zeros((1, 32, 32, 3), "float32"))["c5"]).min() >= 0


def test_a_bias_only_where_no_normalisation_follows():
    model = registry.build_backbone("resnet_v2_micro")
    biased = {layer.name.partition("block")[2][2:] or layer.name for layer in model.layers if getattr(layer, "use_bias", False)}
    assert biased == {"stem_conv", "conv3", "shortcut_conv"}
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {(norm.momentum, norm.epsilon) for norm in norms} == {(0.99, 1.001e-5)}
    assert len(norms) == 3 * 8 + 1
