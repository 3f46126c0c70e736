"""The k largest numbers in an order that is the same everywhere."""

from __future__ import annotations

import keras
from keras import ops


def stable_top_k(x, k: int):
    """x (..., n) -> the k largest (..., k), falling, and their indices (..., k) int32; of equal numbers the one that comes first wins.

    `ops.top_k` keeps that order on TensorFlow and JAX, but not on torch, where a stable sort takes its place.
    """
    if keras.backend.backend() != "torch":
        values, indices = ops.top_k(x, k)
        return values, ops.cast(indices, "int32")
    indices = ops.argsort(-x, axis=-1)[..., :k]
    return ops.take_along_axis(x, indices, axis=-1), ops.cast(indices, "int32")
