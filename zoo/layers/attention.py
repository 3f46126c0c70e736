"""Attention: every token asks all others, and takes from each as much as it answers."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class Attention(keras.Layer):
    """Scaled dot-product self-attention with `heads` heads (Vaswani et al. 2017, arXiv:1706.03762, section 3.2), without weights.

    Queries, keys and values side by side (b, n, 3 d) -> (b, n, d): the dense layers before and after it belong to the caller, so
    that they have the names and shapes of the published ones. Head i owns the i-th d / heads channels of each of the three.
    `attention(qkv)` gives the shares themselves, to look at. The softmax is computed in float32 at least.
    """

    def __init__(self, heads: int, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads

    def build(self, input_shape):
        if input_shape[-1] % (3 * self.heads):
            raise ValueError(
                f"{self.heads} heads need queries, keys and values of a width divisible by {3 * self.heads}, got {input_shape[-1]}"
            )

    def call(self, qkv):
        shares, values = self._answers(qkv)
        mixed = ops.transpose(ops.matmul(shares, values), (0, 2, 1, 3))  # (b, n, heads, d / heads)
        return ops.reshape(mixed, (-1, ops.shape(qkv)[1], qkv.shape[-1] // 3))

    def attention(self, qkv):
        """(b, n, 3 d) -> (b, heads, n, n): how much of token j (last axis) token i takes; rows sum to 1."""
        return self._answers(ops.convert_to_tensor(qkv, dtype=self.compute_dtype))[0]

    def _answers(self, qkv):
        """Shares (b, heads, n, n) and values (b, heads, n, d / heads)."""
        count, width = ops.shape(qkv)[1], qkv.shape[-1] // 3 // self.heads
        parts = [ops.reshape(part, (-1, count, self.heads, width)) for part in ops.split(qkv, 3, axis=-1)]
        queries, keys, values = (ops.transpose(part, (0, 2, 1, 3)) for part in parts)  # (b, heads, n, d / heads)
        scores = ops.matmul(queries * width**-0.5, ops.transpose(keys, (0, 1, 3, 2)))
        if scores.shape[-1] == 1:  # Keras warns of a softmax of one number
            return ops.ones_like(scores), values
        half = self.compute_dtype in ("float16", "bfloat16")
        shares = ops.softmax(ops.cast(scores, "float32") if half else scores, axis=-1)
        return ops.cast(shares, self.compute_dtype), values

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] // 3)

    def get_config(self):
        return {**super().get_config(), "heads": self.heads}
