"""Depthwise convolutions that stay fast where XLA compiles for a processor.

XLA has no kernel of its own for a depthwise convolution on a CPU: it runs at about 1 GFLOP/s, a hundred times slower than
TensorFlow's. A depthwise convolution is also a sum of k * k products: the image, shifted to each place of the kernel, times one row of
weights, map by map. XLA fuses that sum into one loop over contiguous channels, and is fast again.

Why layers and not a patch of `keras.ops`: a patch would reach into models that are none of ours, and hold only inside the calls that
install it. These are Keras' layers with another `call`, under Keras' class names: weights, their paths, `get_config` and every
`isinstance` stay as they were. What is chosen is chosen while a call is traced, so one model is native where TensorFlow runs or
exports it and shifted where XLA compiles it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import keras
from keras import layers, ops

LOWERINGS = ("auto", "native", "shifted")
_chosen: ContextVar[str] = ContextVar("zoo_depthwise_lowering", default="auto")


@contextlib.contextmanager
def lowering(how: str) -> Iterator[None]:
    """How the depthwise convolutions of the zoo are computed where they are called, or traced by a compiler, inside the block.

    "native":  by the backend's own operation.
    "shifted": as a sum of shifted products (`shifted`), the same numbers up to rounding.
    "auto":    shifted where XLA compiles for a CPU (JAX on a CPU, TensorFlow with jit_compile=True on a machine without a GPU), else
               native: on a GPU, on torch, in eager and graph TensorFlow, and therefore in what TensorFlow exports. The default.

    What has been compiled before keeps what it was compiled with. Raises ValueError for another word.
    """
    if how not in LOWERINGS:
        raise ValueError(f"lowering must be one of {', '.join(LOWERINGS)}, got {how!r}")
    token = _chosen.set(how)
    try:
        yield
    finally:
        _chosen.reset(token)


def shifted(image, kernel, strides=(1, 1), padding: str = "valid", dilation_rate=(1, 1)):
    """The depthwise convolution as a sum of kh * kw shifted products.

    image (b, h, w, c) and kernel (kh, kw, c, m) -> (b, h', w', c * m), output map c * m + j from input map c as in `keras.ops`.
    padding: "valid" or "same" (zeros as TensorFlow puts them, the odd one below and to the right). 16-bit numbers are summed in float32.
    """
    (high, wide, channels, multiplier), kept = kernel.shape, image.dtype
    sides = [
        _side(size, k, stride, rate, padding)
        for size, k, stride, rate in zip(ops.shape(image)[1:3], (high, wide), strides, dilation_rate, strict=True)
    ]
    if padding == "same":
        image = ops.pad(image, [(0, 0), *(zeros for _, zeros in sides), (0, 0)])
    if keras.backend.standardize_dtype(kept) in ("float16", "bfloat16"):
        image, kernel = ops.cast(image, "float32"), ops.cast(kernel, "float32")
    (rows, _), (columns, _) = sides
    total = None
    for i in range(high):
        for j in range(wide):
            top, left = i * dilation_rate[0], j * dilation_rate[1]
            part = image[:, top : top + (rows - 1) * strides[0] + 1 : strides[0], left : left + (columns - 1) * strides[1] + 1 : strides[1]]
            product = part * kernel[i, j, :, 0] if multiplier == 1 else part[..., None] * kernel[i, j]  # (b, h', w', c[, m])
            total = product if total is None else total + product
    if multiplier != 1:
        total = ops.reshape(total, (-1, rows, columns, channels * multiplier))
    return ops.cast(total, kept)


def _side(size, k: int, stride: int, rate: int, padding: str):
    """(length of the output, (zeros before, zeros after)) along one axis of `size` pixels, an int or a scalar tensor."""
    reach = (k - 1) * rate + 1
    if padding == "valid":
        return (size - reach) // stride + 1, (0, 0)
    length = -(-size // stride)
    zeros = (length - 1) * stride + reach - size
    zeros = max(zeros, 0) if isinstance(zeros, int) else ops.maximum(zeros, 0)
    return length, (zeros // 2, zeros - zeros // 2)


@keras.saving.register_keras_serializable(package="zoo")
class DepthwiseConv2D(layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D`, computed as `lowering` says. Arguments, weights and shapes are Keras'."""

    def call(self, inputs):
        if not _shifts(self.data_format):
            return super().call(inputs)
        kernel = ops.convert_to_tensor(self.kernel)
        return _finish(self, shifted(inputs, kernel, self.strides, self.padding, self.dilation_rate))


@keras.saving.register_keras_serializable(package="zoo")
class SeparableConv2D(layers.SeparableConv2D):
    """`keras.layers.SeparableConv2D`, its depthwise part computed as `lowering` says. Arguments, weights and shapes are Keras'."""

    def call(self, inputs):
        if not _shifts(self.data_format):
            return super().call(inputs)
        kernel = ops.convert_to_tensor(self.depthwise_kernel)
        between = shifted(inputs, kernel, self.strides, self.padding, self.dilation_rate)
        return _finish(self, ops.conv(between, self.pointwise_kernel, padding="valid", data_format="channels_last"))


def _finish(layer, outputs):
    """Bias and activation, as Keras' layers add them."""
    if layer.use_bias:
        outputs = ops.add(outputs, layer.bias)
    return outputs if layer.activation is None else layer.activation(outputs)


def _shifts(data_format: str) -> bool:
    how = _chosen.get()
    return data_format == "channels_last" and (how == "shifted" or (how == "auto" and compiled_by_xla_for_a_cpu()))


def compiled_by_xla_for_a_cpu() -> bool:
    """Whether the code that runs now becomes a program of XLA on a CPU. JAX computes everything so, even call by call."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.default_backend() == "cpu"
    if backend != "tensorflow":
        return False
    import tensorflow as tf

    if tf.executing_eagerly() or tf.config.get_visible_devices("GPU"):
        return False
    from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext  # no public name says it

    return GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
