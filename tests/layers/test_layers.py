"""Every layer of zoo/layers against a closed form or numpy written out, and the promises they share."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo.layers import (
    AdaptiveAveragePooling,
    GroupedConv2D,
    LocalResponseNormalisation,
    PartialConv2D,
    RadialBasis,
    Standardise,
    TrainableSubsampling,
    scaled_tanh,
)
from zoo.layers.radial_basis import codes

pytestmark = pytest.mark.backend

ROUNDING = 1e-12 if keras.backend.backend() == "tensorflow" else 1e-5
"""Keras 3.15 multiplies float64 matrices in float32 on the other backends."""
TABLE = ((0, 1), (2, 0), (1, 2, 3), (3,))
CASES = {
    "adaptive": (lambda: AdaptiveAveragePooling(3), (2, 7, 5, 4)),
    "grouped": (lambda: GroupedConv2D(6, 3, groups=2, padding="same", activation="relu"), (2, 7, 5, 4)),
    "lrn": (lambda: LocalResponseNormalisation(3, 1.5, 0.2, 0.6), (2, 7, 5, 4)),
    "partial": (lambda: PartialConv2D(TABLE, 3, activation=scaled_tanh), (2, 7, 5, 4)),
    "radial": (lambda: RadialBasis(5), (2, 12)),
    "standardise": (lambda: Standardise([1, 2, 3, 4], [5, 6, 7, 8]), (2, 7, 5, 4)),
    "subsampling": (lambda: TrainableSubsampling(activation=scaled_tanh), (2, 7, 5, 4)),
}


def _numbers(*shape, seed=0, dtype="float32"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def _numpy(x):
    return keras.ops.convert_to_numpy(x)


def _in_float64(layer, x):
    """The layer's answer in float64, with random weights."""
    layer.build(x.shape)
    for index, weight in enumerate(layer.trainable_weights):
        weight.assign(_numbers(*weight.shape, seed=index + 1, dtype="float64"))
    return _numpy(layer(x))


def _correlate(x, kernel):
    """A valid convolution, written out: (b, h, w, c), (k, k, c, m) -> (b, h', w', m)."""
    k = kernel.shape[0]
    height, width = x.shape[1] - k + 1, x.shape[2] - k + 1
    out = np.zeros((len(x), height, width, kernel.shape[-1]))
    for dy in range(k):
        for dx in range(k):
            out += x[:, dy : dy + height, dx : dx + width] @ kernel[dy, dx]
    return out


@pytest.mark.parametrize("case", CASES)
def test_shape_and_a_saved_layer_is_the_same_layer(case, tmp_path):
    make, shape = CASES[case]
    image = keras.Input(shape[1:])
    model = keras.Model(image, make()(image))
    x = _numbers(*shape)
    expected = _numpy(model(x))
    assert expected.shape[1:] == model.output_shape[1:]
    model.save(tmp_path / "layer.keras")
    np.testing.assert_array_equal(_numpy(keras.saving.load_model(tmp_path / "layer.keras")(x)), expected)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("case", CASES)
def test_half_precision_computes_in_half_and_keeps_float32_weights(case, policy):
    make, shape = CASES[case]
    layer = make()
    half = type(layer).from_config({**layer.get_config(), "dtype": policy})
    x = _numbers(*shape)
    layer(x), half(x)
    half.set_weights(layer.get_weights())
    out = half(x)
    assert keras.backend.standardize_dtype(out.dtype) == policy.removeprefix("mixed_")
    assert all(weight.dtype == "float32" for weight in half.weights)
    np.testing.assert_allclose(_numpy(keras.ops.cast(out, "float32")), _numpy(layer(x)), rtol=0.05, atol=0.1)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 5), (7, 7), (8, 13), (14, 21)])
def test_adaptive_pooling_averages_its_bins(height, width):
    keras.config.set_floatx("float64")  # predict() casts what it is given to floatx
    x = _numbers(2, height, width, 3, dtype="float64")
    expected = np.zeros((2, 7, 7, 3))
    for i in range(7):
        for j in range(7):
            rows = slice(i * height // 7, -(-(i + 1) * height // 7))
            columns = slice(j * width // 7, -(-(j + 1) * width // 7))
            expected[:, i, j] = x[:, rows, columns].mean((1, 2))
    layer = AdaptiveAveragePooling(7, dtype="float64")
    np.testing.assert_allclose(_numpy(layer(x)), expected, rtol=ROUNDING, atol=ROUNDING)
    image = keras.Input((None, None, 3))
    unknown = keras.Model(image, layer(image))
    np.testing.assert_allclose(unknown.predict(x, verbose=0), expected, rtol=ROUNDING, atol=ROUNDING)


def test_adaptive_pooling_equals_torch():
    torch = pytest.importorskip("torch", reason="torch is not installed: make test-backends installs it")
    for height, width in [(1, 1), (3, 9), (6, 6), (13, 17)]:
        x = _numbers(1, height, width, 2, dtype="float64")
        theirs = torch.nn.AdaptiveAvgPool2d(6)(torch.from_numpy(x.transpose(0, 3, 1, 2))).numpy().transpose(0, 2, 3, 1)
        np.testing.assert_allclose(_numpy(AdaptiveAveragePooling(6, dtype="float64")(x)), theirs, rtol=ROUNDING, atol=ROUNDING)


def test_grouped_convolution_keeps_the_groups_apart():
    x = _numbers(2, 6, 7, 4, dtype="float64")
    layer = GroupedConv2D(6, 3, groups=2, dtype="float64")
    out = _in_float64(layer, x)
    kernel, bias = (_numpy(weight) for weight in layer.weights)
    assert kernel.shape == (3, 3, 2, 6)
    halves = [_correlate(x[..., :2], kernel[..., :3]), _correlate(x[..., 2:], kernel[..., 3:])]
    np.testing.assert_allclose(out, np.concatenate(halves, -1) + bias, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("groups", "channels", "filters"), [(2, 4, 6), (8, 32, 16), (6, 12, 18), (32, 32, 64), (2, 40, 40)])
@pytest.mark.parametrize("spacing", [{"strides": 2, "padding": "same"}, {"dilation_rate": 2}])
def test_grouped_convolution_equals_the_built_in_one(groups, channels, filters, spacing):
    """Groups that are computed together, all of them, some of them, and none."""
    x = _numbers(2, 9, 8, channels, dtype="float64")
    options = {"filters": filters, "kernel_size": 3, "groups": groups, "dtype": "float64", **spacing}
    ours, theirs = GroupedConv2D(**options), keras.layers.Conv2D(**options)
    out = _in_float64(ours, x)
    theirs.build(x.shape)
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(out, _numpy(theirs(x)), rtol=1e-10, atol=1e-12)


def test_grouped_convolution_of_32_narrow_groups_is_few_convolutions(monkeypatch):
    """128 channels in groups of 4, as in ResNeXt-50's first stage: 8 convolutions of 16 channels."""
    layer, calls, conv = GroupedConv2D(128, 3, groups=32), [], keras.ops.conv
    layer.build((None, 8, 8, 128))
    monkeypatch.setattr(keras.ops, "conv", lambda x, kernel, **options: calls.append(kernel.shape) or conv(x, kernel, **options))
    layer(_numbers(1, 8, 8, 128))
    assert [tuple(shape) for shape in calls] == 8 * [(3, 3, 16, 16)]


def test_local_response_normalisation_is_equation_of_section_3_3():
    x = 30 * _numbers(2, 3, 4, 7, dtype="float64")
    expected = np.empty_like(x)
    for i in range(7):
        energy = (x[..., max(0, i - 2) : i + 3] ** 2).sum(-1)
        expected[..., i] = x[..., i] / (2 + 1e-4 * energy) ** 0.75
    np.testing.assert_allclose(_numpy(LocalResponseNormalisation(dtype="float64")(x)), expected, rtol=1e-12)


def test_local_response_normalisation_equals_torch_whose_alpha_is_divided_by_the_depth():
    torch = pytest.importorskip("torch", reason="torch is not installed: make test-backends installs it")
    x = 30 * _numbers(2, 3, 4, 7, dtype="float64")
    theirs = torch.nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)(torch.from_numpy(x.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(_numpy(LocalResponseNormalisation(dtype="float64")(x)), theirs.numpy().transpose(0, 2, 3, 1), rtol=1e-12)


def test_local_response_normalisation_survives_what_overflows_float16():
    out = LocalResponseNormalisation(dtype="mixed_float16")(np.full((1, 1, 1, 5), 1000.0, "float32"))
    assert np.isfinite(_numpy(keras.ops.cast(out, "float32"))).all()


def test_partial_convolution_is_a_full_one_with_zeros_where_nothing_is_connected():
    x = _numbers(2, 6, 7, 4, dtype="float64")
    layer = PartialConv2D(TABLE, 3, dtype="float64")
    out = _in_float64(layer, x)
    kernel, bias = (_numpy(weight) for weight in layer.weights)
    assert kernel.shape == (3, 3, 8)
    full, place = np.zeros((3, 3, 4, 4)), 0
    for j, inputs in enumerate(TABLE):
        for i in inputs:
            full[:, :, i, j] = kernel[:, :, place]
            place += 1
    np.testing.assert_allclose(out, _correlate(x, full) + bias, rtol=1e-10, atol=1e-12)


def test_a_map_that_is_not_connected_has_no_influence():
    x = _numbers(1, 5, 5, 4)
    layer = PartialConv2D(TABLE, 3)
    before = _numpy(layer(x))
    x[..., 3] += 10
    changed = np.abs(_numpy(layer(x)) - before).max((0, 1, 2)) > 0
    assert changed.tolist() == [3 in inputs for inputs in TABLE]


def test_subsampling_is_coefficient_times_sum_plus_bias():
    x = _numbers(2, 5, 6, 3, dtype="float64")
    layer = TrainableSubsampling(dtype="float64")
    out = _in_float64(layer, x)
    coefficient, bias = (_numpy(weight) for weight in layer.weights)
    total = x[:, 0:4:2, 0::2] + x[:, 1:4:2, 0::2] + x[:, 0:4:2, 1::2] + x[:, 1:4:2, 1::2]
    np.testing.assert_allclose(out, coefficient * total + bias, rtol=1e-12)


def test_scaled_tanh_keeps_one_and_is_odd():
    """f(1) = 1 and f(-1) = -1 up to the four digits of the paper's constants, and it saturates at 1.7159."""
    x = np.array([-100.0, -1.0, 0.0, 1.0, 100.0])
    np.testing.assert_allclose(_numpy(scaled_tanh(x)), [-1.7159, -1, 0, 1, 1.7159], atol=1e-4)


def test_radial_basis_is_nearest_code():
    layer = RadialBasis(10)
    table = codes(10, 84)
    out = _numpy(layer(table))
    assert (out.argmax(1) == np.arange(10)).all()
    np.testing.assert_allclose(np.diag(out), 0)
    flips = (table[3] != table[8]).sum()
    assert out[3, 8] == -4 * flips
    assert not layer.trainable_weights


def test_the_drawn_codes_are_ten_different_bitmaps():
    table = codes(10, 84)
    assert table.shape == (10, 84)
    assert set(np.unique(table)) == {-1.0, 1.0}
    apart = [(table[i] != table[j]).sum() for i in range(10) for j in range(i)]
    assert min(apart) >= 5
    mirrored = table[[0, 8]].reshape(2, 12, 7)[:, :, ::-1]
    np.testing.assert_array_equal(mirrored, table[[0, 8]].reshape(2, 12, 7))


def test_other_class_counts_get_random_codes_of_a_fixed_seed():
    np.testing.assert_array_equal(codes(7, 30), codes(7, 30))
    assert len(np.unique(codes(7, 30), axis=0)) == 7


def test_standardise_and_gray():
    image = 255 * np.random.default_rng(0).uniform(size=(2, 4, 4, 1))
    layer = Standardise([10, 20, 30], [1, 2, 4], dtype="float64")
    out = _numpy(layer(image))
    np.testing.assert_allclose(out, (image - [10, 20, 30]) / [1, 2, 4], rtol=1e-12)
    np.testing.assert_array_equal(out, _numpy(layer(np.repeat(image, 3, -1))))
    assert layer.compute_output_shape((None, 4, 4, 1)) == (None, 4, 4, 3)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="odd number of channels"):
        LocalResponseNormalisation(4)
    with pytest.raises(ValueError, match="at least one input map, none twice"):
        PartialConv2D(((0, 0),), 3)
    with pytest.raises(ValueError, match="names input map 3, but the image has 2 maps"):
        PartialConv2D(TABLE, 3).build((None, 8, 8, 2))
    with pytest.raises(ValueError, match="one number per channel"):
        Standardise([1, 2], [1, 0])
    with pytest.raises(ValueError, match="has 2 channels, but mean and std are given for 3"):
        Standardise([1, 2, 3], [1, 1, 1])(keras.Input((4, 4, 2)))
