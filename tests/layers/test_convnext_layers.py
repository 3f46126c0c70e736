"""What ConvNeXt added: layer scale, global response normalisation and the exact GELU, against their formulas."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo.layers import GlobalResponseNormalisation, LayerScale, exact_gelu

pytestmark = pytest.mark.backend
ROUNDING = 1e-12 if keras.backend.backend() == "tensorflow" else 1e-5
"""Keras 3.15 narrows some float64 operations to float32 on the other backends."""
CASES = {"scale": lambda: LayerScale(0.25), "response": lambda: GlobalResponseNormalisation()}


def _numbers(*shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def _numpy(x):
    return keras.ops.convert_to_numpy(x)


def _random_weights(layer):
    """What the weights now are: some backends round what they are given to float32."""
    for index, weight in enumerate(layer.weights):
        weight.assign(_numbers(*weight.shape, seed=index + 1))
    return [_numpy(weight) for weight in layer.weights]


def _response(x, gamma, beta):
    """Woo et al. 2023, algorithm 1, as printed."""
    energy = np.sqrt((x**2).sum((1, 2), keepdims=True))
    return gamma * (x * energy / (energy.mean(-1, keepdims=True) + 1e-6)) + beta + x


def test_exact_gelu_is_x_times_the_normal_distribution_function():
    from math import erf, sqrt

    x = np.linspace(-9, 9, 181)
    expected = [value * (1 + erf(value / sqrt(2))) / 2 for value in x]
    np.testing.assert_allclose(_numpy(exact_gelu(keras.ops.convert_to_tensor(x, dtype="float64"))), expected, rtol=1e-13, atol=1e-15)


def test_exact_gelu_is_saved_as_ours(tmp_path):
    """Not as the function of Keras with a similar name, which rounds."""
    image = keras.Input((3,))
    keras.Model(image, keras.layers.Dense(2, activation=exact_gelu)(image)).save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").layers[-1].activation is exact_gelu


@pytest.mark.parametrize("initial", [1e-6, 0.5])
def test_layer_scale_multiplies_each_channel(initial):
    layer, x = LayerScale(initial, dtype="float64"), _numbers(2, 3, 4, 5)
    np.testing.assert_allclose(_numpy(layer(x)), initial * x, rtol=1e-7)  # Keras fills constants in float32
    gamma = _numbers(5, seed=1)
    layer.gamma.assign(gamma)
    np.testing.assert_allclose(_numpy(layer(x)), gamma * x, rtol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 1, 1, 5), (2, 7, 5, 4)])
def test_global_response_is_algorithm_1(shape):
    layer, x = GlobalResponseNormalisation(dtype="float64"), 3 * _numbers(*shape)
    np.testing.assert_array_equal(_numpy(layer(x)), x)  # it starts as the identity
    gamma, beta = _random_weights(layer)
    np.testing.assert_allclose(_numpy(layer(x)), _response(x, gamma, beta), rtol=ROUNDING, atol=ROUNDING)


def test_global_response_equals_timm():
    torch = pytest.importorskip("torch", reason="torch is not installed: make test-backends installs it")
    from tests.references import timm

    timm()
    from timm.layers.grn import GlobalResponseNorm

    theirs, ours, x = GlobalResponseNorm(4).double(), GlobalResponseNormalisation(dtype="float64"), _numbers(2, 7, 5, 4)
    x[0, ..., 2] = 0
    ours.build(x.shape)
    gamma, beta = _random_weights(ours)
    with torch.no_grad():
        theirs.weight.copy_(torch.from_numpy(gamma))
        theirs.bias.copy_(torch.from_numpy(beta))
        np.testing.assert_allclose(_numpy(ours(x)), theirs(torch.from_numpy(x)).numpy(), rtol=ROUNDING, atol=ROUNDING)


def test_a_silent_channel_has_a_finite_gradient():
    """The norm has no derivative at 0; taken as 0, one silent channel does not poison the network."""
    image = keras.Input((3, 3, 2))
    x = keras.layers.Dense(2, use_bias=False, kernel_initializer="zeros", name="silent")(image)
    model = keras.Model(image, GlobalResponseNormalisation()(x))
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.layers[-1].set_weights([np.ones(2, "float32"), np.zeros(2, "float32")])
    model.train_on_batch(_numbers(2, 3, 3, 2, dtype="float32"), np.ones((2, 3, 3, 2), "float32"))
    kernel = _numpy(model.get_layer("silent").kernel)
    assert np.isfinite(kernel).all()
    assert np.abs(kernel).max() > 0


def test_global_response_survives_what_overflows_float16():
    layer = GlobalResponseNormalisation(dtype="mixed_float16")
    x = np.full((1, 2, 2, 3), 1000.0, "float32")
    layer(x)
    layer.set_weights([np.ones(3), np.zeros(3)])
    np.testing.assert_allclose(_numpy(keras.ops.cast(layer(x), "float32")), 2 * x, rtol=1e-3)


@pytest.mark.parametrize("case", CASES)
def test_a_saved_layer_is_the_same_layer(case, tmp_path):
    image = keras.Input((7, 5, 4))
    model = keras.Model(image, CASES[case]()(image))
    for index, weight in enumerate(model.weights):
        weight.assign(_numbers(*weight.shape, seed=index))
    x = _numbers(2, 7, 5, 4, dtype="float32")
    model.save(tmp_path / "layer.keras")
    np.testing.assert_array_equal(_numpy(keras.saving.load_model(tmp_path / "layer.keras")(x)), _numpy(model(x)))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("case", CASES)
def test_half_precision_computes_in_half_and_keeps_float32_weights(case, policy):
    layer = CASES[case]()
    half = type(layer).from_config({**layer.get_config(), "dtype": policy})
    x = _numbers(2, 7, 5, 4, dtype="float32")
    layer(x), half(x)
    for each in (layer, half):
        each.set_weights([_numbers(4, seed=index) for index in range(len(each.weights))])
    out = half(x)
    assert keras.backend.standardize_dtype(out.dtype) == policy.removeprefix("mixed_")
    assert all(weight.dtype == "float32" for weight in half.weights)
    np.testing.assert_allclose(_numpy(keras.ops.cast(out, "float32")), _numpy(layer(x)), rtol=0.05, atol=0.1)
