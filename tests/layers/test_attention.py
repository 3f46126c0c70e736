"""Attention against its formula written out head by head, and against torch."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo.layers import Attention

pytestmark = pytest.mark.backend
ROUNDING = 1e-12 if keras.backend.backend() == "tensorflow" else 1e-5
"""Keras 3.15 multiplies float64 matrices in float32 on the other backends."""


def _numbers(*shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def _numpy(x):
    return keras.ops.convert_to_numpy(x)


def _by_hand(qkv, heads):
    """Outputs (b, n, d) and shares (b, heads, n, n), one head at a time."""
    queries, keys, values = np.split(qkv, 3, -1)
    width = queries.shape[-1] // heads
    outputs, shares = [], []
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        scores = np.exp(queries[..., own] @ keys[..., own].swapaxes(1, 2) / np.sqrt(width))
        shares.append(scores / scores.sum(-1, keepdims=True))
        outputs.append(shares[-1] @ values[..., own])
    return np.concatenate(outputs, -1), np.stack(shares, 1)


@pytest.mark.parametrize(("count", "heads"), [(1, 1), (1, 3), (5, 1), (7, 3)])
def test_attention_is_the_formula_head_by_head(count, heads):
    qkv = _numbers(2, count, 18)
    outputs, shares = _by_hand(qkv, heads)
    layer = Attention(heads, dtype="float64")
    np.testing.assert_allclose(_numpy(layer(qkv)), outputs, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(_numpy(layer.attention(qkv)), shares, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(_numpy(layer.attention(qkv)).sum(-1), 1, rtol=ROUNDING)
    assert layer.weights == []


def test_a_sequence_of_unknown_length_gives_the_same():
    keras.config.set_floatx("float64")
    qkv = _numbers(2, 6, 12)
    image = keras.Input((None, 12))
    model = keras.Model(image, Attention(2, dtype="float64")(image))
    assert model.output.shape == (None, None, 4)
    np.testing.assert_allclose(model.predict(qkv, verbose=0), _by_hand(qkv, 2)[0], rtol=ROUNDING, atol=ROUNDING)


def test_attention_equals_torch():
    torch = pytest.importorskip("torch", reason="torch is not installed: make test-backends installs it")
    qkv = _numbers(2, 7, 24)
    parts = [torch.from_numpy(part.copy()).reshape(2, 7, 4, 2).transpose(1, 2) for part in np.split(qkv, 3, -1)]
    theirs = torch.nn.functional.scaled_dot_product_attention(*parts).transpose(1, 2).reshape(2, 7, 8).numpy()
    np.testing.assert_allclose(_numpy(Attention(4, dtype="float64")(qkv)), theirs, rtol=ROUNDING, atol=ROUNDING)


def test_tokens_that_swap_places_swap_their_answers():
    """Without positions attention does not know where a token is."""
    qkv, order = _numbers(1, 5, 12), [3, 1, 4, 0, 2]
    layer = Attention(2, dtype="float64")
    np.testing.assert_allclose(_numpy(layer(qkv[:, order])), _numpy(layer(qkv))[:, order], rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(policy):
    qkv = _numbers(2, 7, 24, dtype="float32")
    out = Attention(4, dtype=policy)(qkv)
    assert keras.backend.standardize_dtype(out.dtype) == policy.removeprefix("mixed_")
    np.testing.assert_allclose(_numpy(keras.ops.cast(out, "float32")), _by_hand(qkv, 4)[0], atol=0.03)


def test_a_saved_layer_is_the_same_layer(tmp_path):
    image = keras.Input((7, 24))
    model = keras.Model(image, Attention(4)(image))
    qkv = _numbers(2, 7, 24, dtype="float32")
    model.save(tmp_path / "layer.keras")
    np.testing.assert_array_equal(_numpy(keras.saving.load_model(tmp_path / "layer.keras")(qkv)), _numpy(model(qkv)))


def test_a_width_that_heads_cannot_share_is_refused():
    with pytest.raises(ValueError, match="4 heads need queries, keys and values of a width divisible by 12, got 18"):
        Attention(4)(np.zeros((1, 2, 18), "float32"))
