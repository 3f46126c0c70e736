"""Layer scale: a residual branch starts almost switched off (Touvron et al. 2021, arXiv:2103.17239, section 2)."""

from __future__ import annotations

import keras


@keras.saving.register_keras_serializable(package="zoo")
class LayerScale(keras.Layer):
    """(..., c) -> the same shape, each channel multiplied by its own trainable `gamma`, which starts at `initial`."""

    def __init__(self, initial: float = 1e-6, **kwargs):
        super().__init__(**kwargs)
        self.initial = float(initial)

    def build(self, input_shape):
        self.gamma = self.add_weight(shape=(input_shape[-1],), initializer=keras.initializers.Constant(self.initial), name="gamma")

    def call(self, x):
        return x * self.gamma

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "initial": self.initial}
