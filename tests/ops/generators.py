"""Boxes that have broken detectors, and a compiler for each backend."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np


def compiled(function: Callable) -> Callable:
    """`function` of tensors under the backend's compiler: XLA on TensorFlow and JAX. torch has none that works without a C++ compiler."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def boxes(rng: np.random.Generator, *shape: int, size: float = 100.0) -> np.ndarray:
    """(*shape, 4) float64 ordinary boxes, at least a pixel wide and high."""
    corner, extent = rng.uniform(0, 0.7 * size, (*shape, 2)), rng.uniform(1, 0.5 * size, (*shape, 2))
    return np.concatenate([corner, corner + extent], axis=-1)


CASES = ("rand", "clustered", "ties", "negative", "degenerate", "duplicates", "integer", "at the threshold", "empty", "N < K", "P < N")


def suppression(case: str, seed: int) -> tuple[np.ndarray, np.ndarray, dict]:
    """Boxes (n, 4), scores (n,), both float32, and options of `nms`, for a way in which implementations have been wrong."""
    rng = np.random.default_rng([CASES.index(case), seed])
    n = 12 if case == "N < K" else 60
    options = {"threshold": 0.5, "score_threshold": 0.1, "most": 25}
    found, scores = boxes(rng, n), rng.uniform(0, 1, n)
    if case not in ("rand", "integer", "at the threshold"):  # around six centres
        found = boxes(rng, 6)[rng.integers(0, 6, n)] + rng.normal(0, 4, (n, 4))
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
    if case == "ties":
        scores = scores.round(1)
    if case == "negative":
        found -= 300
    if case == "degenerate":
        found[::3, 2] = found[::3, 0]
        found[1::6, 3] = found[1::6, 1]
        found[5] = found[6] = found[12] = 7
    if case == "duplicates":
        found[n // 2 :] = found[: n - n // 2]
    if case == "integer":
        found = np.concatenate([found[:, :2].round(), found[:, :2].round() + rng.integers(1, 40, (n, 2))], axis=-1)
    if case == "at the threshold":  # unit squares moved by a third: IoU (2/3) / (4/3) = 1/2 in whole numbers
        corner = 6 * rng.integers(0, 3, (n, 2)) + 2 * rng.integers(0, 2, (n, 2)) * [1, 0]
        found = np.concatenate([corner, corner + 6], axis=-1)
    if case == "empty":
        scores *= 0.1
    if case == "P < N":
        options["pre"] = 20
    return found.astype("float32"), scores.astype("float32"), options
