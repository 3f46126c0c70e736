"""Standardised convolutions and empty maps, against numpy written out."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo.layers import PadChannels, StandardisedConv2D, ZeroBorder

pytestmark = pytest.mark.backend

ROUNDING = 1e-12 if keras.backend.backend() == "tensorflow" else 1e-5
"""Keras 3.15 multiplies float64 matrices in float32 on the other backends."""


def _numpy(x):
    return keras.ops.convert_to_numpy(x)


def _standardised(kernel, epsilon):
    """Map by map, as the paper's equation 6 has it; numpy's variance is the biased one."""
    maps = [(kernel[..., j] - kernel[..., j].mean()) / np.sqrt(kernel[..., j].var() + epsilon) for j in range(kernel.shape[-1])]
    return np.stack(maps, -1)


@pytest.mark.parametrize("epsilon", [1e-8, 0.5])
@pytest.mark.parametrize("use_bias", [True, False])
def test_it_is_a_convolution_with_the_standardised_kernel(epsilon, use_bias):
    random = np.random.default_rng(0)
    x, kernel, bias = random.normal(size=(2, 7, 5, 4)), random.normal(2, 3, size=(3, 3, 4, 6)), random.normal(size=6)
    fields = {"strides": 2, "padding": "same", "use_bias": use_bias, "activation": "relu", "dtype": "float64"}
    ours, plain = StandardisedConv2D(6, 3, epsilon=epsilon, **fields), keras.layers.Conv2D(6, 3, **fields)
    ours.build(x.shape)
    plain.build(x.shape)
    ours.set_weights([kernel, bias][: 1 + use_bias])
    plain.set_weights([_standardised(kernel, epsilon), bias][: 1 + use_bias])
    np.testing.assert_allclose(_numpy(ours(x)), _numpy(plain(x)), rtol=ROUNDING, atol=30 * ROUNDING)


def test_the_answer_does_not_see_scale_or_shift_of_the_weights():
    random = np.random.default_rng(0)
    x, kernel = random.normal(size=(1, 6, 6, 3)).astype("float32"), random.normal(size=(3, 3, 3, 5)).astype("float32")
    layer = StandardisedConv2D(5, 3, use_bias=False)
    layer.build(x.shape)
    answers = []
    for value in (kernel, 100 * kernel - 7):
        layer.set_weights([value])
        answers.append(_numpy(layer(x)))
    np.testing.assert_allclose(answers[1], answers[0], atol=1e-3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_small_weights_survive_half_precision(policy):
    """The variance of weights near 1e-3 is 1e-6, which float16 hardly has; the answer must stay of the order of the float32 one."""
    random = np.random.default_rng(0)
    x, kernel = random.normal(size=(1, 6, 6, 16)), 1e-3 * random.normal(size=(1, 1, 16, 8))
    answers = []
    for dtype in ("float32", policy):
        layer = StandardisedConv2D(8, 1, use_bias=False, dtype=dtype)
        layer.build(x.shape)
        layer.set_weights([kernel])
        answers.append(_numpy(keras.ops.cast(layer(x), "float32")))
    assert layer.kernel.dtype == "float32"
    assert np.abs(answers[0]).max() > 5
    np.testing.assert_allclose(answers[1], answers[0], atol=0.15)


def test_equal_weights_give_zero_not_infinity():
    layer = StandardisedConv2D(2, 3, kernel_initializer="ones")
    assert np.abs(_numpy(layer(np.ones((1, 5, 5, 3), "float32")))).max() == 0


@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (None, None, None, 4)])
def test_padded_channels(shape):
    layer = PadChannels(1, 2)
    assert layer.compute_output_shape(shape) == (*shape[:3], 7)
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype("float32")
    out = _numpy(layer(x))
    np.testing.assert_array_equal(out[..., 1:5], x)
    assert out.shape == (2, 3, 5, 7)
    assert not out[..., 0].any()
    assert not out[..., 5:].any()


@pytest.mark.parametrize("layer", [lambda: StandardisedConv2D(6, 3, epsilon=1e-5, padding="same"), lambda: PadChannels(2, 0)])
def test_they_are_saved(tmp_path, layer):
    image = keras.Input((None, None, 4))
    model = keras.Model(image, layer()(image))
    model.save(tmp_path / "a.keras")
    x = np.random.default_rng(0).normal(size=(1, 5, 6, 4)).astype("float32")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    np.testing.assert_array_equal(_numpy(loaded(x)), _numpy(model(x)))
    assert loaded.layers[-1].get_config() == model.layers[-1].get_config()


@pytest.mark.parametrize("size", [(3, 5), (1, 1)])
def test_a_border_of_zeros(size):
    x = np.random.default_rng(0).normal(size=(2, *size, 4)).astype("float32")
    unknown = keras.Input((None, None, 4))
    for layer in (ZeroBorder(), keras.Model(unknown, ZeroBorder()(unknown))):
        np.testing.assert_array_equal(_numpy(layer(x)), np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))))
    assert ZeroBorder().compute_output_shape((None, None, 5, 4)) == (None, None, 7, 4)


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="epsilon must be positive"):
        StandardisedConv2D(2, 3, epsilon=0.0)
    with pytest.raises(ValueError, match="not negative"):
        PadChannels(-1, 1)
