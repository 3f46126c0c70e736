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
