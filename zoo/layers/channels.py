"""Empty maps beside full ones."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class PadChannels(keras.Layer):
    """(b, h, w, c) -> (b, h, w, before + c + after): maps of zeros in front of the given ones and behind them.

    With a subsampling before it, this is the shortcut without parameters of He et al. 2016 (arXiv:1512.03385, section 3.3, option A).
    """

    def __init__(self, before: int, after: int, **kwargs):
        super().__init__(**kwargs)
        if before < 0 or after < 0:
            raise ValueError(f"before and after are numbers of maps, so not negative, got {before!r} and {after!r}")
        self.before, self.after = before, after

    def call(self, x):
        return ops.pad(x, ((0, 0), (0, 0), (0, 0), (self.before, self.after)))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.before + input_shape[-1] + self.after)

    def get_config(self):
        return {**super().get_config(), "before": self.before, "after": self.after}


@keras.saving.register_keras_serializable(package="zoo")
class ZeroBorder(keras.Layer):
    """(b, h, w, c) -> (b, h + 2, w + 2, c): one pixel of zeros around the map, as `keras.layers.ZeroPadding2D(1)`.

    For a max pooling of maps that are not rectified: onnxruntime 1.31 merges a padding into a pooling behind it, which then ignores
    the border instead of comparing with zero. An axis that comes and goes around the padding keeps the two apart, and costs nothing.
    """

    def call(self, x):
        return ops.squeeze(ops.pad(ops.expand_dims(x, 1), ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0))), 1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *(None if side is None else side + 2 for side in input_shape[1:3]), input_shape[3])
