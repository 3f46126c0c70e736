"""Inception v4: the maps of the paper's figures, and the reductions of its table 1."""

from __future__ import annotations

import keras
import pytest

from zoo import registry

pytestmark = pytest.mark.backend


@pytest.fixture(scope="module")
def model():
    """The model without values for its weights."""
    with keras.StatelessScope(initialize_variables=False):
        yield registry.build_backbone("inception_v4")
    keras.utils.clear_session()


def _shape(model, name):
    return tuple(model.get_layer(name).output.shape[1:])


def test_maps_of_figures_3_and_9(model):
    stem = ["stem_conv1", "stem_conv2", "stem_conv3", "stem_3a_concat", "stem_4a_concat", "stem_5a_concat"]
    sizes = [(149, 149, 32), (147, 147, 32), (147, 147, 64), (73, 73, 160), (71, 71, 192), (35, 35, 384)]
    assert [_shape(model, name) for name in stem] == sizes
    ends = ["inception_a3_concat", "reduction_a_concat", "inception_b6_concat", "reduction_b_concat", "inception_c2_concat"]
    assert [_shape(model, name) for name in ends] == [(35, 35, 384), (17, 17, 1024), (17, 17, 1024), (8, 8, 1536), (8, 8, 1536)]
    assert [level.shape[1] for level in model.output.values()] == [147, 71, 35, 17, 8]


def test_reduction_a_has_the_widths_of_table_1(model):
    """k, l, m, n = 192, 224, 256, 384."""
    names = [f"reduction_a_branch{place}" for place in ("2_conv1", "2_conv2", "2_conv3", "1_conv1")]
    assert [model.get_layer(name).filters for name in names] == [192, 224, 256, 384]


def test_modules_are_four_seven_and_three(model):
    names = [layer.name for layer in model.layers if layer.name.startswith("inception_") and layer.name.endswith("_concat")]
    assert [name for name in names if "branch" not in name] == [
        f"inception_{letter}{index}_concat" for letter, depth in zip("abc", (4, 7, 3), strict=True) for index in range(depth)
    ]


def test_settings(model):
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {(norm.momentum, norm.epsilon, norm.scale) for norm in norms} == {(0.9, 1e-3, True)}
    averages = [layer for layer in model.layers if isinstance(layer, keras.layers.AveragePooling2D)]
    assert len(averages) == 14
    assert {layer.padding for layer in averages} == {"same"}
    assert registry.row("inception_v4")[1].top.dropout == 0.2, "figure 9: keep 0.8"


def test_the_minimum_is_the_smallest_that_works():
    minimum = registry.row("inception_v4_micro")[1].minimum
    assert registry.build_backbone("inception_v4_micro", input_shape=(minimum, minimum, 3)).output["c5"].shape[1:3] == (1, 1)
    with pytest.raises(ValueError, match=r"(?i)negative|too small|non-positive"):
        registry.build_backbone("inception_v4_micro", changes={"minimum": 1}, input_shape=(minimum - 1, minimum - 1, 3))
