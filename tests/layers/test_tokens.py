"""The class token, and positions resampled to any grid, against Keys' kernel written out and against torch."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo.layers import SplitTokens, Tokens
from zoo.layers.tokens import resampling

pytestmark = pytest.mark.backend
ROUNDING = 1e-12 if keras.backend.backend() == "tensorflow" else 1e-5
"""Keras 3.15 multiplies float64 matrices in float32 on the other backends."""


def _numbers(*shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def _numpy(x):
    return keras.ops.convert_to_numpy(x)


def _keys(x):
    """Keys 1981, equation 4 with a = -1/2."""
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def _matrix(old, new):
    matrix = np.zeros((new, old))
    for i in range(new):
        for j in range(old):
            matrix[i, j] = _keys((j + 0.5 - (i + 0.5) * old / new) / max(old / new, 1))
    return matrix / matrix.sum(1, keepdims=True)


def _filled(grid, depth, **fields):
    layer = Tokens(grid, dtype="float64", **fields)
    layer.build((None, None, None, depth))
    for index, weight in enumerate(layer.weights):
        weight.assign(_numbers(*weight.shape, seed=index + 1))
    return layer


@pytest.mark.parametrize(("old", "new"), [(1, 1), (1, 5), (2, 7), (7, 2), (7, 7), (14, 9), (14, 24), (3, 1)])
def test_resampling_is_keys_kernel_stretched(old, new):
    np.testing.assert_allclose(_numpy(resampling(old, new, "float64")), _matrix(old, new), rtol=1e-12, atol=1e-14)
    unknown = keras.ops.convert_to_tensor(new, dtype="int32")
    if keras.backend.backend() == "tensorflow":  # sizes are known when a layer runs on the others
        np.testing.assert_allclose(_numpy(resampling(old, unknown, "float64")), _matrix(old, new), rtol=1e-12, atol=1e-14)


def test_resampling_to_the_same_size_is_the_identity():
    np.testing.assert_array_equal(_numpy(resampling(14, 14, "float64")), np.eye(14))


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (5, 2), (7, 9)])
def test_tokens_are_the_class_token_and_the_patches_plus_positions(size):
    layer = _filled((3, 4), 5)
    token, embedding = (_numpy(weight) for weight in layer.weights)
    assert (token.shape, embedding.shape) == ((5,), (13, 5))
    patches = _numbers(2, *size, 5)
    table = embedding[1:].reshape(3, 4, 5)
    positions = np.einsum("hi,wj,ijd->hwd", _matrix(3, size[0]), _matrix(4, size[1]), table)
    out = _numpy(layer(patches))
    np.testing.assert_allclose(out[:, 0], np.broadcast_to(token + embedding[0], (2, 5)), rtol=ROUNDING)
    np.testing.assert_allclose(out[:, 1:], (patches + positions).reshape(2, -1, 5), rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (6, 2)])
def test_unknown_sizes_give_the_same_and_splitting_undoes_it(size):
    keras.config.set_floatx("float64")
    layer, patches = _filled((3, 4), 5), _numbers(2, *size, 5)
    image = keras.Input((None, None, 5))
    tokens = layer(image)
    assert tokens.shape == (None, None, 5)
    model = keras.Model(image, [tokens, *SplitTokens(dtype="float64")([tokens, image])])
    assert [tuple(each.shape) for each in model.outputs[1:]] == [(None, 5), (None, None, None, 5)]
    all_of_them, token, back = model.predict(patches, verbose=0)
    np.testing.assert_allclose(all_of_them, _numpy(layer(patches)), rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_array_equal(token, all_of_them[:, 0])
    np.testing.assert_array_equal(back.reshape(2, -1, 5), all_of_them[:, 1:])
    assert back.shape == (2, *size, 5)


@pytest.mark.parametrize("size", [(1, 1), (7, 7), (8, 13), (14, 14), (24, 9)])
def test_positions_equal_torchs_antialiased_bicubic(size):
    torch = pytest.importorskip("torch", reason="torch is not installed: make test-backends installs it")
    layer = _filled((14, 14), 3)
    table = _numpy(layer.embedding)[1:].reshape(1, 14, 14, 3).transpose(0, 3, 1, 2)
    theirs = torch.nn.functional.interpolate(torch.from_numpy(table.copy()), size, mode="bicubic", antialias=True, align_corners=False)
    ours = _numpy(layer(np.zeros((1, *size, 3))))[:, 1:]
    np.testing.assert_allclose(ours, theirs.numpy().transpose(0, 2, 3, 1).reshape(1, -1, 3), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("size", [(3, 4), (5, 6)])
def test_half_precision(policy, size):
    layer, half = Tokens((3, 4)), Tokens((3, 4), dtype=policy)
    patches = _numbers(2, *size, 5, dtype="float32")
    expected, _ = layer(patches), half(patches)
    half.set_weights(layer.get_weights())
    out = half(patches)
    assert keras.backend.standardize_dtype(out.dtype) == policy.removeprefix("mixed_")
    assert all(weight.dtype == "float32" for weight in half.weights)
    np.testing.assert_allclose(_numpy(keras.ops.cast(out, "float32")), _numpy(expected), atol=0.03)


@pytest.mark.parametrize("size", [(3, 4), (5, 6)])
def test_a_saved_layer_is_the_same_layer(size, tmp_path):
    image = keras.Input((*size, 5))
    model = keras.Model(image, SplitTokens()([Tokens((3, 4))(image), image]))
    patches = _numbers(2, *size, 5, dtype="float32")
    model.save(tmp_path / "layer.keras")
    for mine, loaded in zip(model(patches), keras.saving.load_model(tmp_path / "layer.keras")(patches), strict=True):
        np.testing.assert_array_equal(_numpy(loaded), _numpy(mine))


def test_positions_start_small_and_the_token_at_zero():
    layer = Tokens((20, 20))
    layer.build((None, 20, 20, 64))
    assert not _numpy(layer.token).any()
    assert 0.019 < _numpy(layer.embedding).std() < 0.021
