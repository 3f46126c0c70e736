"""Convolutions whose output maps see only some of the input maps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable(package="zoo")
class GroupedConv2D(layers.Conv2D):
    """`keras.layers.Conv2D(groups=n)` as a few ordinary convolutions side by side: same weights, same numbers.

    Two groups split AlexNet over two GPUs (Krizhevsky et al. 2012), 32 are the paths of a ResNeXt (Xie et al. 2017).
    On TensorFlow's CPU the built-in grouped convolution is compiled per layer and many times slower. Groups of few channels keep a
    processor as idle as that, so neighbours are computed as one, with zeros where no connection is, until there are `TOGETHER`
    channels: measured faster than 32 convolutions of 4 channels, and a quarter of the graph. Kernel: (k, k, channels / groups, filters).
    """

    TOGETHER = 16

    def convolution_op(self, inputs, kernel):
        """(b, h, w, c) and (k, k, c / groups, filters) -> (b, h', w', filters)."""
        merged = math.gcd(self.groups, max(1, self.TOGETHER // kernel.shape[2]))
        parts, kernel = self.groups // merged, _block_diagonal(kernel, self.groups, merged)
        pairs = zip(ops.split(inputs, parts, axis=-1), ops.split(kernel, parts, axis=-1), strict=True)
        outputs = [
            ops.conv(
                image, part, strides=self.strides, padding=self.padding, data_format=self.data_format, dilation_rate=self.dilation_rate
            )
            for image, part in pairs
        ]
        return ops.concatenate(outputs, axis=-1)


def _block_diagonal(kernel, groups: int, merged: int):
    """The kernel of `groups` groups -> that of groups / merged: (k, k, c, filters) -> (k, k, merged * c, filters)."""
    if merged == 1:
        return kernel
    high, wide, channels, filters = kernel.shape
    blocks = ops.reshape(kernel, (high, wide, 1, channels, groups // merged, merged, filters // groups))
    own = ops.reshape(ops.eye(merged, dtype=keras.backend.standardize_dtype(kernel.dtype)), (merged, 1, 1, merged, 1))
    return ops.reshape(blocks * own, (high, wide, merged * channels, filters))


@keras.saving.register_keras_serializable(package="zoo")
class PartialConv2D(keras.Layer):
    """A "valid" convolution with a connection table: output map j sees only the input maps `table[j]` (LeCun et al. 1998, table I).

    table:       for every output map, the indices of the input maps it is connected to.
    kernel_size: side k of the square kernels. Weights: kernel (k, k, connections) in the order of the table, bias (maps,).

    Only connections that exist have weights. Image (b, h, w, c) -> (b, h - k + 1, w - k + 1, len(table)).
    """

    def __init__(self, table: Sequence[Sequence[int]], kernel_size: int, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.table = tuple(tuple(int(i) for i in row) for row in table)
        self.kernel_size = kernel_size
        self.activation = keras.activations.get(activation)
        if not self.table or any(not row or len(set(row)) < len(row) or min(row) < 0 for row in self.table):
            raise ValueError(f"table must give every output map at least one input map, none twice, got {table!r}")

    def build(self, input_shape):
        channels, maps = input_shape[-1], len(self.table)
        last = max(max(row) for row in self.table)
        if last >= channels:
            raise ValueError(f"the connection table names input map {last}, but the image has {channels} maps (0 to {channels - 1})")
        connections = sum(map(len, self.table))
        index = np.full((channels, maps), connections, "int32")  # `connections` is the place of the appended zero
        for place, (j, i) in enumerate((j, i) for j, row in enumerate(self.table) for i in row):
            index[i, j] = place
        self._index = index
        self.kernel = self.add_weight(shape=(self.kernel_size, self.kernel_size, connections), initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=(maps,), initializer="zeros", name="bias")

    def call(self, image):
        kernel = ops.convert_to_tensor(self.kernel)
        kernel = ops.concatenate([kernel, ops.zeros_like(kernel[..., :1])], axis=-1)
        kernel = ops.reshape(ops.take(kernel, self._index.ravel(), axis=-1), (self.kernel_size, self.kernel_size, *self._index.shape))
        x = ops.conv(image, kernel, padding="valid", data_format="channels_last")
        return self.activation(x + self.bias)

    def compute_output_shape(self, input_shape):
        sides = (None if side is None else side - self.kernel_size + 1 for side in input_shape[1:3])
        return (input_shape[0], *sides, len(self.table))

    def get_config(self):
        own = {"table": self.table, "kernel_size": self.kernel_size, "activation": keras.activations.serialize(self.activation)}
        return {**super().get_config(), **own}
