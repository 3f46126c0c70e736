"""Normalisation layers that Keras lacks."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class LocalResponseNormalisation(keras.Layer):
    """Each activation divided by the energy of its neighbouring channels (Krizhevsky et al. 2012, section 3.3).

    y_i = x_i / (bias + alpha * sum_j x_j^2)^beta, where j runs over the `depth` channels centred on i that exist.
    (b, h, w, c) -> the same shape. torch's `LocalResponseNorm` divides alpha by `depth`; the paper, and this layer, do not.
    The energy is computed in float32 at least: squares of 256 overflow float16.
    """

    def __init__(self, depth: int = 5, bias: float = 2.0, alpha: float = 1e-4, beta: float = 0.75, **kwargs):
        super().__init__(**kwargs)
        if depth < 1 or depth % 2 == 0:
            raise ValueError(f"depth must be a positive odd number of channels, so that the window has a centre, got {depth!r}")
        self.depth, self.bias, self.alpha, self.beta = depth, bias, alpha, beta

    def call(self, x):
        wide = ops.cast(x, keras.backend.result_type(self.compute_dtype, "float32"))
        channels, reach = x.shape[-1], self.depth // 2
        squares = ops.pad(ops.square(wide), ((0, 0), (0, 0), (0, 0), (reach, reach)))
        energy = sum(squares[..., i : i + channels] for i in range(self.depth))
        return ops.cast(wide * ops.power(self.bias + self.alpha * energy, -self.beta), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "depth": self.depth, "bias": self.bias, "alpha": self.alpha, "beta": self.beta}
