"""Facts of the papers, family by family, and that each `_micro` row goes through every kind of layer of its family."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.backbones.counts import MICRO
from zoo import registry
from zoo.backbones.lenet import TABLE_I

pytestmark = pytest.mark.backend


def _own(model, *names: str) -> list[int]:
    return [sum(int(np.prod(weight.shape)) for weight in model.get_layer(name).trainable_weights) for name in names]


def test_lenet_has_the_papers_counts_layer_by_layer():
    """LeCun et al. 1998, section II.B: 156, 12, 1516, 32, 48120, 10164; the codes of the output layer are not trained."""
    model = registry.build_classifier("lenet5")
    layers = ("c1_conv", "s2_subsampling", "c3_conv", "s4_subsampling", "c5_conv", "fc1", "logits")
    assert _own(model, *layers) == [156, 12, 1516, 32, 48120, 10164, 0]
    assert [tuple(model.get_layer(name).output.shape[1:]) for name in layers[:5]] == [
        *((28, 28, 6), (14, 14, 6), (10, 10, 16)),
        *((5, 5, 16), (1, 1, 120)),
    ]


def test_lenet_table_i_by_its_rows():
    """The paper prints six rows of crosses; ours is written by columns."""
    rows = [
        {0, 4, 5, 6, 9, 10, 11, 12, 14, 15},
        {0, 1, 5, 6, 7, 10, 11, 12, 13, 15},
        {0, 1, 2, 6, 7, 8, 11, 13, 14, 15},
        {1, 2, 3, 6, 7, 8, 9, 12, 14, 15},
        {2, 3, 4, 7, 8, 9, 10, 12, 13, 15},
        {3, 4, 5, 8, 9, 10, 11, 13, 14, 15},
    ]
    assert [{j for j, inputs in enumerate(TABLE_I) if i in inputs} for i in range(6)] == rows


def test_lenet_sees_ground_as_minus_a_tenth_and_ink_as_1_175():
    layer = registry.build_backbone("lenet5").get_layer("normalise")
    out = keras.ops.convert_to_numpy(layer(np.array([[[[0.0], [255.0]]]], "float32"))).ravel()
    np.testing.assert_allclose(out, [-0.1, 1.175], atol=1e-6)


def test_alexnet_has_the_papers_maps():
    """Krizhevsky et al. 2012, figure 2: 55x55x48 twice, 27x27x128 twice, 13x13x192 twice, 13x13x128 twice."""
    model = registry.build_backbone("alexnet")
    shapes = [tuple(model.get_layer(f"conv{i}").output.shape[1:]) for i in range(1, 6)]
    assert shapes == [(55, 55, 96), (27, 27, 256), (13, 13, 384), (13, 13, 384), (13, 13, 256)]
    assert tuple(model.output["c5"].shape[1:]) == (6, 6, 256)
    assert [model.get_layer(f"conv{i}").groups for i in range(1, 6)] == [1, 2, 1, 2, 2]


@pytest.mark.parametrize("name", ["alexnet_micro", "alexnet_torchvision_micro", "lenet_micro", "lenet_modern_micro"])
def test_the_minimum_is_the_smallest_that_works(name):
    minimum = registry.row(name)[1].minimum
    with pytest.raises(ValueError, match=r"(?i)negative|too small|non-positive"):
        registry.build_backbone(name, changes={"minimum": 1}, input_shape=(minimum - 1, minimum - 1, 3))


@pytest.mark.slow
@pytest.mark.parametrize(("real", "micro"), MICRO.items())
def test_a_micro_row_has_every_kind_of_layer_of_the_real_one(real, micro):
    """Same types, and the same settings apart from widths, so that a test of the small one speaks for the large one."""
    settings = ("kernel_size", "strides", "padding", "groups", "use_bias", "activation", "momentum", "epsilon", "rate", "pool_size", "beta")

    def kinds(name):
        found = set()
        with keras.StatelessScope(initialize_variables=False):
            for layer in registry.build_classifier(name).layers:
                config = layer.get_config()
                if config.get("noise_shape"):  # stochastic depth, whose rate differs from block to block
                    config["rate"] = "rising"
                if isinstance(layer, keras.layers.GroupNormalization):
                    del config["groups"]  # goes with the width
                found.add((type(layer).__name__, *(str(config.get(key)) for key in settings)))
        keras.utils.clear_session()
        return {kind for kind in found if real != "small_cnn" or kind[0] != "Dropout"}

    assert kinds(micro) == kinds(real)
