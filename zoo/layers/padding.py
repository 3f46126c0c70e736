"""Padding that Keras lacks."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class SamePadding(keras.Layer):
    """The zeros that TensorFlow's "same" puts around a map, for a layer that must see them as values, such as a pooling.

    (b, h, w, c) -> (b, h', w', c), after which a "valid" window of side `kernel_size` at steps of `strides` has ceil(h / strides) places
    per column. Where the zeros cannot be halved, the odd one goes below and to the right; so even and odd sizes are padded differently,
    and a size unknown until run time is asked for then.
    """

    def __init__(self, kernel_size: int, strides: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.strides = strides

    def call(self, x):
        return ops.pad(x, [(0, 0), *(self._zeros(side) for side in ops.shape(x)[1:3]), (0, 0)])

    def _zeros(self, side):
        """(before, after) for one side, an int or a scalar tensor."""
        total = (-(-side // self.strides) - 1) * self.strides + self.kernel_size - side
        total = max(total, 0) if isinstance(total, int) else ops.maximum(total, 0)
        return total // 2, total - total // 2

    def compute_output_shape(self, input_shape):
        sides = (None if side is None else side + sum(self._zeros(side)) for side in input_shape[1:3])
        return (input_shape[0], *sides, input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size, "strides": self.strides}
