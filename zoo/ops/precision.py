"""Coordinates need more digits than float16 has: from 2048 pixels on it knows only every second one."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops


def wide(x):
    """x in float32; a float64 tensor stays what it is, and a float64 array is read as Keras' floatx."""
    if isinstance(x, np.ndarray) and x.dtype == "float64":
        x = x.astype(keras.config.floatx())
        x = ops.convert_to_tensor(x, dtype=x.dtype.name)  # torch would make float64 float32 unasked
    elif not isinstance(x, keras.KerasTensor):
        x = ops.convert_to_tensor(x)
    return x if keras.backend.standardize_dtype(x.dtype) == "float64" else ops.cast(x, "float32")


def wide_boxes(boxes):
    """The same for boxes (..., 4). Raises ValueError for another last dimension."""
    boxes = wide(boxes)
    if len(boxes.shape) == 0 or boxes.shape[-1] != 4:
        raise ValueError(f"boxes have 4 numbers in their last dimension, got the shape {tuple(boxes.shape)}")
    return boxes
