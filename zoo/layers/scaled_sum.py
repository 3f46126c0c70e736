"""A residual sum whose branch is scaled down by a constant (Szegedy et al. 2016, arXiv:1602.07261, section 3.3)."""

from __future__ import annotations

import keras


@keras.saving.register_keras_serializable(package="zoo")
class ScaledSum(keras.Layer):
    """[x, change] of one shape -> x + scale * change.

    `keras.layers.Rescaling` and `Add` would do the same, but on TensorFlow that rounds its constant to float32 under every
    precision, which 40 sums in a row amplify to a millionth of the output.
    """

    def __init__(self, scale: float, **kwargs):
        super().__init__(**kwargs)
        self.scale = float(scale)

    def call(self, inputs):
        x, change = inputs
        return x + change * self.scale

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}
