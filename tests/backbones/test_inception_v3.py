"""Inception v3: the maps of the paper's table 1, factored convolutions, and the two kinds of borders."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import registry

pytestmark = pytest.mark.backend

MICRO = ["inception_v3_micro", "inception_v3_keras_micro"]


@pytest.fixture(autouse=True)
def _forget():
    yield
    keras.utils.clear_session()


def _empty(name: str, **options):
    """The model without values for its weights."""
    with keras.StatelessScope(initialize_variables=False):
        return registry.build_backbone(name, **options)


@pytest.mark.parametrize("name", ["inception_v3", "inception_v3_keras"])
def test_maps_of_table_1(name):
    """Its input sizes are 299, 149, 147, 147, 73, 71, 35, 35, 17, 8; the code differs by the 1x1 with 80 maps and where the stem halves."""
    model = _empty(name)
    stem = [tuple(model.get_layer(f"stem_conv{index}").output.shape[1:]) for index in range(1, 6)]
    assert stem == [(149, 149, 32), (147, 147, 32), (147, 147, 64), (73, 73, 80), (71, 71, 192)]
    ends = [tuple(model.get_layer(f"{module}_concat").output.shape[1:]) for module in ("inception_a2", "inception_b3", "inception_c1")]
    assert ends == [(35, 35, 288), (17, 17, 768), (8, 8, 2048)]
    assert tuple(model.get_layer("reduction_b_concat").output.shape[1:]) == (8, 8, 1280)
    assert [level.shape[1] for level in model.output.values()] == [147, 71, 35, 17, 8]


def test_modules_are_three_four_and_two():
    names = [layer.name for layer in _empty("inception_v3").layers if layer.name.startswith("inception") and layer.name.endswith("concat")]
    modules = [name for name in names if "branch" not in name]
    assert modules == [
        f"inception_{letter}{index}_concat" for letter, depth in zip("abc", (3, 4, 2), strict=True) for index in range(depth)
    ]


def test_a_7x7_is_a_1x7_and_a_7x1():
    """Figure 6: a factored pair, then two pairs; no module has an unfactored 7x7."""
    model = _empty("inception_v3")
    kernels = [
        model.get_layer(f"inception_b0_branch{branch}_conv{i}").kernel_size for branch, n in ((2, 3), (3, 5)) for i in range(1, n + 1)
    ]
    assert kernels == [(1, 1), (1, 7), (7, 1), (1, 1), (7, 1), (1, 7), (7, 1), (1, 7)]
    assert not any(getattr(layer, "kernel_size", None) == (7, 7) for layer in model.layers)


def test_the_last_modules_put_the_factors_side_by_side():
    """Figure 7: 1x3 and 3x1 read the same map."""
    model = _empty("inception_v3")
    for branch, index in ((2, 2), (3, 3)):
        one, other = (model.get_layer(f"inception_c0_branch{branch}_conv{index}{letter}") for letter in "ab")
        assert (one.kernel_size, other.kernel_size) == ((1, 3), (3, 1))
        assert one.input is other.input
        assert model.get_layer(f"inception_c0_branch{branch}_concat").output.shape[-1] == 768


@pytest.mark.parametrize(("name", "corner", "edge"), [("inception_v3_micro", 4 / 9, 6 / 9), ("inception_v3_keras_micro", 1, 1)])
def test_averages_at_the_border(name, corner, edge):
    """torch counts the zeros around the map, keras.applications only the map: the mean of ones tells."""
    from zoo.backbones.inception import branch

    image = keras.Input((None, None, 3))
    model = keras.Model(image, branch(image, registry.row(name)[1], ("average",), "test"))
    means = keras.ops.convert_to_numpy(model(np.ones((1, 4, 5, 3), "float32")))[0, :, :, 0]
    expected = np.ones((4, 5))
    expected[[0, -1], :] = expected[:, [0, -1]] = edge
    expected[np.ix_([0, -1], [0, -1])] = corner
    np.testing.assert_allclose(means, expected, rtol=1e-6)


@pytest.mark.parametrize("name", MICRO)
def test_the_minimum_is_the_smallest_that_works(name):
    minimum = registry.row(name)[1].minimum
    assert registry.build_backbone(name, input_shape=(minimum, minimum, 3)).output["c5"].shape[1:3] == (1, 1)
    with pytest.raises(ValueError, match=r"(?i)negative|too small|non-positive"):
        registry.build_backbone(name, changes={"minimum": 1}, input_shape=(minimum - 1, minimum - 1, 3))


def test_the_two_rows_normalise_as_published():
    for name, momentum, gamma, dropout in [("inception_v3", 0.9, True, 0.5), ("inception_v3_keras", 0.99, False, 0.2)]:
        norms = [layer for layer in _empty(name).layers if isinstance(layer, keras.layers.BatchNormalization)]
        assert len(norms) == 94
        assert {(norm.momentum, norm.epsilon, norm.scale) for norm in norms} == {(momentum, 1e-3, gamma)}
        assert registry.row(name)[1].top.dropout == dropout
