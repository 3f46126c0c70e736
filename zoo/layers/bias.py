"""A start for biases that differ from output to output."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class Repeated(keras.initializers.Initializer):
    """The same `values` one after the other until a vector is full: the biases of the anchors of a cell.

    Raises ValueError where the vector's length is no multiple of theirs.
    """

    def __init__(self, values: Sequence[float]):
        self.values = [float(value) for value in values]

    def __call__(self, shape, dtype=None):
        if len(shape) != 1 or not self.values or shape[0] % len(self.values):
            raise ValueError(f"{len(self.values)} values cannot be repeated to fill the shape {tuple(shape)}")
        return ops.convert_to_tensor(np.tile(self.values, shape[0] // len(self.values)), dtype=dtype)

    def get_config(self):
        return {"values": self.values}
