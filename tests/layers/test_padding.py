"""The zeros of "same", as a layer: against TensorFlow's rule written out, and against what a "same" convolution makes of them."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo.layers import SamePadding

pytestmark = pytest.mark.backend


def _numpy(x):
    return keras.ops.convert_to_numpy(x)


@pytest.mark.parametrize(
    ("size", "kernel", "strides", "zeros"),
    [
        (1, 1, 1, (0, 0)),
        (1, 3, 2, (1, 1)),
        (2, 3, 2, (0, 1)),
        (5, 3, 1, (1, 1)),
        (5, 3, 2, (1, 1)),
        (6, 3, 2, (0, 1)),
        (7, 7, 2, (3, 3)),
        (8, 7, 2, (2, 3)),
        (6, 1, 2, (0, 0)),
        (7, 2, 2, (0, 1)),
    ],
)
def test_zeros_before_and_after(size, kernel, strides, zeros):
    """By hand: the last window starts at (ceil(n / s) - 1) s and must fit; the odd zero comes after."""
    layer = SamePadding(kernel, strides)
    x = np.ones((1, size, 9, 2), "float32")
    out = _numpy(layer(x))
    assert out.shape == tuple(layer.compute_output_shape(x.shape))
    column = out[0, :, out.shape[2] // 2, 0]
    assert (int(column.argmax()), int(column[::-1].argmax())) == zeros
    assert column.sum() == size


@pytest.mark.parametrize("size", [(4, 4), (5, 5), (6, 9), (1, 2)])
@pytest.mark.parametrize(("kernel", "strides"), [(3, 2), (5, 2), (7, 3), (3, 1)])
def test_a_valid_convolution_after_it_is_a_same_convolution(size, kernel, strides):
    x = np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32")
    same = keras.layers.Conv2D(4, kernel, strides=strides, padding="same")
    expected = _numpy(same(x))
    valid = keras.layers.Conv2D(4, kernel, strides=strides)
    valid.build((None, None, None, 3))
    valid.set_weights(same.get_weights())
    np.testing.assert_allclose(_numpy(valid(SamePadding(kernel, strides)(x))), expected, rtol=1e-5, atol=1e-5)


def test_a_size_unknown_until_run_time():
    image = keras.Input((None, None, 1))
    model = keras.Model(image, SamePadding(3, 2)(image))
    assert model.output_shape == (None, None, None, 1)
    for height, width in [(4, 5), (5, 4)]:
        x = np.ones((1, height, width, 1), "float32")
        np.testing.assert_array_equal(_numpy(model(x)), _numpy(SamePadding(3, 2)(x)))
        np.testing.assert_array_equal(model.predict(x, verbose=0), _numpy(SamePadding(3, 2)(x)))


def test_its_settings_are_saved():
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(SamePadding(5, 2, name="pad")))
    assert (again.kernel_size, again.strides, again.name) == (5, 2, "pad")
