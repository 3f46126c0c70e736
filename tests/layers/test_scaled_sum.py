"""x + scale * change: exact in float64, in the compute type otherwise, and the same after a round trip."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo.layers import ScaledSum

pytestmark = pytest.mark.backend


def _pair(dtype: str = "float64"):
    random = np.random.default_rng(0)
    return [random.normal(size=(2, 1, 3, 4)).astype(dtype) for _ in range(2)]


def test_the_scale_keeps_all_digits_of_float64():
    x, change = _pair()
    out = keras.ops.convert_to_numpy(ScaledSum(0.17, dtype="float64")([x, change]))
    np.testing.assert_allclose(out, x + 0.17 * change, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_the_sum_has_the_compute_type(policy):
    layer, (x, change) = ScaledSum(0.1, dtype=policy), _pair("float32")
    out = layer([x, change])
    assert keras.backend.standardize_dtype(out.dtype) == layer.compute_dtype
    numbers = keras.ops.convert_to_numpy(keras.ops.cast(out, "float32"))
    np.testing.assert_allclose(numbers, x + 0.1 * change, atol={"float32": 1e-6, "mixed_float16": 4e-3, "mixed_bfloat16": 3e-2}[policy])


def test_round_trip_and_shapes():
    layer = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(ScaledSum(0.2, name="sum")))
    assert (layer.scale, layer.name) == (0.2, "sum")
    inputs = [keras.Input((None, None, 4)), keras.Input((None, None, 4))]
    assert layer(inputs).shape == (None, None, None, 4)
