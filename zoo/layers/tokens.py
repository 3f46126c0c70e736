"""From a map to a sequence and back: the class token, and positions for a grid of any size."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class Tokens(keras.Layer):
    """Map of patches (b, h, w, d) -> tokens (b, 1 + h w, d): a class token in front, and a learned position added to each.

    grid: (height, width) of the table of positions, which is what the published model was trained at.
    Weights: token (d,), starts at 0; embedding (1 + height width, d), whose first row belongs to the class token.

    A map of another size gets the table resampled, as Dosovitskiy et al. 2020 do before fine-tuning (arXiv:2010.11929, section 3.2):
    bicubic, antialiased, at every call, so that one set of weights takes every image. See `resampling`.
    """

    def __init__(self, grid: tuple[int, int], **kwargs):
        super().__init__(**kwargs)
        self.grid = (int(grid[0]), int(grid[1]))

    def build(self, input_shape):
        width, places = input_shape[-1], self.grid[0] * self.grid[1]
        self.token = self.add_weight(shape=(width,), initializer="zeros", name="token")
        self.embedding = self.add_weight(
            shape=(1 + places, width), initializer=keras.initializers.RandomNormal(stddev=0.02), name="embedding"
        )

    def call(self, patches):
        height, width, depth = ops.shape(patches)[1:]
        embedding = ops.convert_to_tensor(self.embedding)  # in the compute dtype
        tokens = ops.reshape(patches, (-1, height * width, depth)) + self._positions(embedding[1:], height, width)
        first = ops.zeros_like(tokens[:, :1]) + (self.token + embedding[0])
        return ops.concatenate([first, tokens], axis=1)

    def _positions(self, table, height, width):
        """(gh gw, d) -> (h w, d)"""
        if isinstance(height, int) and isinstance(width, int) and (height, width) == self.grid:
            return table
        wide = "float32" if self.compute_dtype in ("float16", "bfloat16") else self.compute_dtype
        rows, columns, depth = *self.grid, table.shape[-1]
        x = ops.reshape(ops.cast(table, wide), (rows, columns * depth))
        x = ops.matmul(resampling(rows, height, wide), x)  # (h, gw d)
        x = ops.matmul(resampling(columns, width, wide), ops.reshape(x, (height, columns, depth)))  # (h, w, d)
        return ops.cast(ops.reshape(x, (height * width, depth)), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        batch, height, width, depth = input_shape
        return (batch, None if None in (height, width) else 1 + height * width, depth)

    def get_config(self):
        return {**super().get_config(), "grid": self.grid}


@keras.saving.register_keras_serializable(package="zoo")
class SplitTokens(keras.Layer):
    """[tokens (b, 1 + h w, d), the map they were made from (b, h, w, ...)] -> class token (b, d) and map (b, h, w, d)."""

    def call(self, inputs):
        tokens, patches = inputs
        height, width = ops.shape(patches)[1:3]
        return tokens[:, 0], ops.reshape(tokens[:, 1:], (-1, height, width, tokens.shape[-1]))

    def compute_output_shape(self, input_shape):
        (batch, _, depth), patches = input_shape
        return (batch, depth), (*patches[:3], depth)


def resampling(old: int, new, dtype: str):
    """(new, old): the matrix that resamples `old` values at equal distances to `new`; rows sum to 1.

    Bicubic interpolation after Keys 1981 with a = -1/2; where the result is coarser the filter is stretched, so that it averages
    (antialiasing). Pixels are areas: value i lies at i + 1/2. This is what torch's `interpolate(mode="bicubic", antialias=True,
    align_corners=False)` and Pillow compute. `new` may be a tensor, unknown until run time. With new == old: the identity.
    """
    if isinstance(new, int):
        scale = old / new
        stretch = max(scale, 1.0)
        distance = np.abs((np.arange(old) + 0.5) - (np.arange(new)[:, None] + 0.5) * scale) / stretch
        return ops.convert_to_tensor(_normalised(_keys(distance, np), np), dtype=dtype)
    scale = old / ops.cast(new, dtype)
    stretch = ops.maximum(scale, ops.ones_like(scale))
    sources, targets = ops.arange(old, dtype=dtype) + 0.5, ops.cast(ops.arange(new, dtype="int32"), dtype) + 0.5
    return _normalised(_keys(ops.absolute(sources - targets[:, None] * scale) / stretch, ops), ops)


def _keys(x, numbers):
    """The cubic convolution kernel at distances x >= 0."""
    near, far = (1.5 * x - 2.5) * x * x + 1.0, ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return numbers.where(x < 1.0, near, numbers.where(x < 2.0, far, numbers.zeros_like(x)))


def _normalised(shares, numbers):
    return shares / numbers.sum(shares, axis=1, keepdims=True)
