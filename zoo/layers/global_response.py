"""Global response normalisation: channels compete by how strongly they answer anywhere in the image."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class GlobalResponseNormalisation(keras.Layer):
    """x + gamma * (x * n) + beta, where n is a channel's energy divided by the mean energy of all channels.

    Woo et al. 2023, arXiv:2301.00808, equations 1 to 3: the energy of a channel is its Euclidean norm over the whole map (b, h, w, c).
    gamma and beta (c,) start at 0, so that the layer starts as the identity. `epsilon` is added to the mean energy.
    The energy is computed in float32 at least: squares of 256 overflow float16. Where a channel is 0 everywhere its norm has
    gradient 0, as in torch, and not NaN.
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        self.gamma = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="gamma")
        self.beta = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="beta")

    def call(self, x):
        wide = ops.cast(x, "float32") if self.compute_dtype in ("float16", "bfloat16") else x
        squares = ops.sum(ops.square(wide), axis=(1, 2), keepdims=True)  # (b, 1, 1, c)
        alive = squares > 0
        energy = ops.where(alive, ops.sqrt(ops.where(alive, squares, ops.ones_like(squares))), ops.zeros_like(squares))
        share = energy / (ops.mean(energy, axis=-1, keepdims=True) + self.epsilon)
        return x + self.gamma * (x * ops.cast(share, self.compute_dtype)) + self.beta

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
