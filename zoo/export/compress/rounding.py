"""Rounding as int8 rounds, in float: what quantisation-aware training puts on kernels and between layers."""

from __future__ import annotations

import keras
from keras import ops

from zoo.export.compress.rewrite import Rewrite

_SMALLEST = 1e-6
"""Least width of a range: a step must not be zero."""


@keras.saving.register_keras_serializable(package="zoo")
class RoundedKernel(Rewrite):
    """A kernel rounded to 255 steps, symmetric about zero, which stays zero.

    axis: one scale for each index of this axis, as LiteRT does for the output channels; None: one scale for the whole kernel.

    A channel whose largest weight is below a thousandth of the kernel's gets the scale of that thousandth: with a smaller one its bias
    would not fit into 32 bits.
    """

    def __init__(self, axis: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, kernel, training=None):
        size = ops.absolute(ops.stop_gradient(kernel))
        largest = ops.maximum(ops.max(size), _SMALLEST)
        if self.axis is not None:
            others = tuple(axis for axis in range(len(kernel.shape)) if axis != self.axis)
            largest = ops.maximum(ops.max(size, axis=others), largest * 1e-3)
        kernel = ops.copy(kernel)  # on TensorFlow what comes may be the variable itself, which Keras' function does not take
        if self.axis is None:
            return keras.quantizers.fake_quant_with_min_max_vars(kernel, -largest, largest, narrow_range=True)
        last = ops.moveaxis(kernel, self.axis, -1)  # on JAX Keras 3.15 broadcasts the scales over the last axis, whatever it is told
        rounded = keras.quantizers.fake_quant_with_min_max_vars(last, -largest, largest, narrow_range=True, axis=len(kernel.shape) - 1)
        return ops.moveaxis(rounded, -1, self.axis)

    def get_config(self):
        return {**super().get_config(), "axis": self.axis}


@keras.saving.register_keras_serializable(package="zoo")
class Rounded(keras.Layer):
    """x of any shape -> x rounded to 256 steps between the smallest and largest value seen in training.

    momentum: of the moving averages of every batch's extremes (section 3.1); the first batch sets them.
    fixed:    (low, high) instead of what is observed.

    Zero is always inside and exactly on a step, because padding must be exact.
    """

    leaves_with_strip = True

    def __init__(self, momentum: float = 0.99, fixed: tuple[float, float] | None = None, **kwargs):
        super().__init__(**kwargs)
        self.momentum, self.fixed = momentum, fixed

    def build(self, input_shape):
        for name in ("low", "high"):
            setattr(self, name, self.add_weight(name=name, shape=(), initializer="zeros", dtype="float32", trainable=False))
        self.seen = self.add_weight(name="seen", shape=(), initializer="zeros", dtype="int32", trainable=False)

    def call(self, x, training=None):
        low, high = self.fixed or (ops.convert_to_tensor(self.low, "float32"), ops.convert_to_tensor(self.high, "float32"))
        if training and self.fixed is None:
            batch = ops.cast(ops.stop_gradient(x), "float32")
            share = ops.where(self.seen == 0, 1.0, 1.0 - self.momentum)
            low, high = low + share * (ops.min(batch) - low), high + share * (ops.max(batch) - high)
            self.low.assign(low)
            self.high.assign(high)
            self.seen.assign(self.seen + 1)
        low = ops.minimum(ops.convert_to_tensor(low, "float32"), 0.0)
        high = ops.maximum(ops.convert_to_tensor(high, "float32"), low + _SMALLEST)
        return keras.quantizers.fake_quant_with_min_max_vars(x, low, ops.maximum(high, 0.0))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum, "fixed": self.fixed}
