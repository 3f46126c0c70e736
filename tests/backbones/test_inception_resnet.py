"""Inception-ResNet: the maps of the paper's figures, the scaled sum, and what version 2 does at its end."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import registry

pytestmark = pytest.mark.backend

MICRO = ["inception_resnet_v1_micro", "inception_resnet_v2_micro", "inception_resnet_v2_timm_micro"]


@pytest.fixture(autouse=True)
def _forget():
    yield
    keras.utils.clear_session()


def _empty(name: str):
    """The model without values for its weights."""
    with keras.StatelessScope(initialize_variables=False):
        return registry.build_backbone(name)


def test_maps_of_version_1():
    """Figures 14 and 15."""
    model = _empty("inception_resnet_v1")
    stem = [tuple(model.get_layer(f"stem_conv{index}").output.shape[1:]) for index in range(1, 7)]
    assert stem == [(149, 149, 32), (147, 147, 32), (147, 147, 64), (73, 73, 80), (71, 71, 192), (35, 35, 256)]
    assert [tuple(model.output[level].shape[1:]) for level in ("c3", "c4", "c5")] == [(35, 35, 256), (17, 17, 896), (8, 8, 1792)]
    assert sum(layer.name.endswith("_add") for layer in model.layers) == 5 + 10 + 5


@pytest.mark.parametrize("name", ["inception_resnet_v2", "inception_resnet_v2_timm"])
def test_maps_of_version_2(name):
    model = _empty(name)
    ends = ["mixed_concat", "inception_resnet_a9_relu", "inception_resnet_b19_relu", "inception_resnet_c9_add", "last_relu"]
    sizes = [(35, 35, 320), (35, 35, 320), (17, 17, 1088), (8, 8, 2080), (8, 8, 1536)]
    assert [tuple(model.get_layer(end).output.shape[1:]) for end in ends] == sizes
    assert [level.shape[1] for level in model.output.values()] == [147, 71, 35, 17, 8]


@pytest.mark.parametrize(("name", "widths"), [("inception_resnet_v1", (192, 192, 256, 384)), ("inception_resnet_v2", (256, 256, 384, 384))])
def test_reduction_a_has_the_widths_of_table_1(name, widths):
    model = _empty(name)
    places = [f"reduction_a_branch{place}" for place in ("2_conv1", "2_conv2", "2_conv3", "1_conv1")]
    assert tuple(model.get_layer(place).filters for place in places) == widths


@pytest.mark.parametrize("name", MICRO)
@pytest.mark.parametrize(("letter", "scale"), [("a", 0.17), ("b", 0.10), ("c", 0.20)])
def test_a_module_adds_a_share_of_its_branches(name, letter, scale):
    """relu(x + scale * projection), on the module's own tensors."""
    keras.utils.set_random_seed(0)
    model = registry.build_backbone(name)
    part = f"inception_resnet_{letter}0"
    x = model.get_layer(f"{part}_add").input[0]
    tensors = [x, model.get_layer(f"{part}_project").output, model.get_layer(f"{part}_relu").output]
    images = np.random.default_rng(0).uniform(0, 255, (1, 75, 75, 3)).astype("float32")
    x, change, out = (keras.ops.convert_to_numpy(value) for value in keras.Model(model.inputs[0], tensors)(images))
    assert np.abs(change).max() > 0
    np.testing.assert_allclose(out, np.maximum(x + scale * change, 0), rtol=1e-5, atol=1e-6 * np.abs(x).max())


def test_the_last_module_of_version_2_is_neither_scaled_nor_rectified():
    model = _empty("inception_resnet_v2")
    assert [model.get_layer(f"inception_resnet_c{index}_add").scale for index in (0, 8, 9)] == [0.2, 0.2, 1.0]
    layers = {layer.name for layer in model.layers}
    assert "inception_resnet_c8_relu" in layers
    assert "inception_resnet_c9_relu" not in layers


def test_version_1_ends_with_a_module_like_the_others():
    model = _empty("inception_resnet_v1")
    assert model.get_layer("inception_resnet_c4_add").scale == 0.2
    assert model.output["c5"] is model.get_layer("inception_resnet_c4_relu").output


def test_a_projection_has_biases_and_no_normalisation():
    model = _empty("inception_resnet_v2")
    biased = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D) and layer.use_bias]
    assert len(biased) == 40
    assert all(name.endswith("_project") for name in biased)


@pytest.mark.parametrize(
    ("name", "momentum", "gamma"),
    [("inception_resnet_v1", 0.99, False), ("inception_resnet_v2", 0.99, False), ("inception_resnet_v2_timm", 0.9, True)],
)
def test_settings(name, momentum, gamma):
    norms = [layer for layer in _empty(name).layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {(norm.momentum, norm.epsilon, norm.scale) for norm in norms} == {(momentum, 1e-3, gamma)}
    assert registry.row(name)[1].top.dropout == 0.2, "figure 15: keep 0.8"


@pytest.mark.parametrize("name", MICRO)
def test_the_minimum_is_the_smallest_that_works(name):
    minimum = registry.row(name)[1].minimum
    assert registry.build_backbone(name, input_shape=(minimum, minimum, 3)).output["c5"].shape[1:3] == (1, 1)
    with pytest.raises(ValueError, match=r"(?i)negative|too small|non-positive"):
        registry.build_backbone(name, changes={"minimum": 1}, input_shape=(minimum - 1, minimum - 1, 3))
