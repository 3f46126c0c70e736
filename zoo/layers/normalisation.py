"""Normalisation layers that Keras lacks."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class Standardise(keras.Layer):
    """(image - mean) / std per channel: the first layer of every model. Image (b, h, w, c) -> (b, h, w, len(mean)).

    mean, std: one number per channel on the scale of the image; std is not the variance.
    A one-channel image meets every mean, so it comes out as the same picture stored with len(mean) equal channels would.
    `keras.layers.Normalization` with given constants does the same, but holds them as tensors outside the graph, which
    Keras' export to ONNX turns into inputs that the user would have to feed.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], **kwargs):
        super().__init__(**kwargs)
        self.mean, self.std = [float(m) for m in mean], [float(s) for s in std]
        if len(self.mean) != len(self.std) or not all(s > 0 for s in self.std):
            raise ValueError(f"mean and std must have one number per channel, and every std be positive, got mean={mean!r} and std={std!r}")

    def call(self, image):
        mean = ops.convert_to_tensor(self.mean, dtype=self.compute_dtype)
        return (image - mean) / ops.convert_to_tensor(self.std, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape):
        if input_shape[-1] not in (1, len(self.mean)):
            raise ValueError(f"the image has {input_shape[-1]} channels, but mean and std are given for {len(self.mean)}")
        return (*input_shape[:-1], len(self.mean))

    def get_config(self):
        return {**super().get_config(), "mean": self.mean, "std": self.std}


@keras.saving.register_keras_serializable(package="zoo")
class LocalResponseNormalisation(keras.Layer):
    """Each activation divided by the energy of its neighbouring channels (Krizhevsky et al. 2012, section 3.3).

    y_i = x_i / (bias + alpha * sum_j x_j^2)^beta, where j runs over the `depth` channels centred on i that exist.
    (b, h, w, c) -> the same shape. torch's `LocalResponseNorm` divides alpha by `depth`; the paper, and this layer, do not.
    The energy is computed in float32 at least: squares of 256 overflow float16.
    """

    def __init__(self, depth: int = 5, bias: float = 2.0, alpha: float = 1e-4, beta: float = 0.75, **kwargs):
        super().__init__(**kwargs)
        if depth < 1 or depth % 2 == 0:
            raise ValueError(f"depth must be a positive odd number of channels, so that the window has a centre, got {depth!r}")
        self.depth, self.bias, self.alpha, self.beta = depth, bias, alpha, beta

    def call(self, x):
        half = self.compute_dtype in ("float16", "bfloat16")
        wide = ops.cast(x, "float32") if half else x
        channels, reach = x.shape[-1], self.depth // 2
        squares = ops.pad(ops.square(wide), ((0, 0), (0, 0), (0, 0), (reach, reach)))
        energy = sum(squares[..., i : i + channels] for i in range(self.depth))
        return ops.cast(wide * ops.power(self.bias + self.alpha * energy, -self.beta), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "depth": self.depth, "bias": self.bias, "alpha": self.alpha, "beta": self.beta}
