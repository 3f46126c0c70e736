"""A convolution whose kernels are standardised before use."""

from __future__ import annotations

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="zoo")
class StandardisedConv2D(layers.Conv2D):
    """`keras.layers.Conv2D` whose kernel has, for every output map, mean 0 and variance 1 (Qiao et al. 2019, arXiv:1903.10520).

    With w the weights of one output map, it convolves with (w - mean(w)) / sqrt(var(w) + epsilon), the variance being the biased one.
    Together with a group normalisation it does for small batches what batch normalisation does for large ones. A network with it
    does not see the scale of its weights: what is stored and regularised is w. Same weights and settings as Conv2D.
    The standardisation is computed in float32 at least: 1e-8 is zero in float16.
    """

    def __init__(self, filters, kernel_size, *, epsilon: float = 1e-8, **kwargs):
        super().__init__(filters, kernel_size, **kwargs)
        if not epsilon > 0:
            raise ValueError(f"epsilon must be positive, got {epsilon!r}: a map whose weights are all equal would be divided by zero")
        self.epsilon = epsilon

    def convolution_op(self, inputs, kernel):
        """(b, h, w, c) and (k, k, c, filters) -> (b, h', w', filters)."""
        half = self.compute_dtype in ("float16", "bfloat16")
        wide = ops.cast(kernel, "float32") if half else kernel
        mean, variance = ops.moments(wide, axes=(0, 1, 2), keepdims=True)
        wide = (wide - mean) * ops.rsqrt(variance + self.epsilon)
        return super().convolution_op(inputs, ops.cast(wide, self.compute_dtype))

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
