"""Pooling that Keras lacks."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class AdaptiveAveragePooling(keras.Layer):
    """(b, h, w, c) of any size -> (b, size, size, c): bin i averages the pixels floor(i h / size) to ceil((i + 1) h / size).

    The bins are torch's: they may overlap, and an image smaller than `size` is repeated. Written as two products with
    averaging matrices, so that it takes sizes unknown until run time; `keras.layers.AdaptiveAveragePooling2D` needs them
    at build time on TensorFlow.
    """

    def __init__(self, size: int, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, x):
        height, width, channels = ops.shape(x)[1:]
        x = ops.matmul(self._shares(height), ops.reshape(x, (-1, height, width * channels)))  # (b, size, w c); einsum breaks LiteRT
        return ops.matmul(self._shares(width), ops.reshape(x, (-1, self.size, width, channels)))

    def _shares(self, length):
        """(size, length): the share of every pixel in every bin; rows sum to 1."""
        bins, pixels = ops.arange(self.size, dtype="int32")[:, None], ops.arange(length, dtype="int32")[None]
        start = bins * length // self.size
        end = ((bins + 1) * length + self.size - 1) // self.size
        inside = ops.logical_and(pixels >= start, pixels < end)
        return ops.cast(inside, self.compute_dtype) / ops.cast(end - start, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.size, self.size, input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="zoo")
class TrainableSubsampling(keras.Layer):
    """Sum of every 2x2 block, times a trainable coefficient, plus a trainable bias, one pair per map (LeCun et al. 1998, II.B).

    (b, h, w, c) -> (b, h // 2, w // 2, c). The coefficient starts at 1/4, which makes it average pooling.
    """

    def __init__(self, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        self.coefficient = self.add_weight(shape=(input_shape[-1],), initializer=keras.initializers.Constant(0.25), name="coefficient")
        self.bias = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="bias")

    def call(self, x):
        total = 4.0 * ops.average_pool(x, 2, strides=2, padding="valid", data_format="channels_last")
        return self.activation(total * self.coefficient + self.bias)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *(None if side is None else side // 2 for side in input_shape[1:3]), input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "activation": keras.activations.serialize(self.activation)}
