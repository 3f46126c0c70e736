"""Quantisation-aware training: train with the rounding that int8 will bring, so that the weights get used to it.

    aware = quantise_aware(model)
    fit(aware, data, recipe, run)                 # a few epochs at a low rate
    write_int8(aware, "small.tflite")             # no calibration data: the ranges were observed in training

Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only inference", arXiv:1712.05877,
section 3. Every kernel and every tensor that flows between layers is rounded to 256 steps and goes on as float; the gradient passes
the rounding as if it were not there, and stops where a value was cut off. Batch normalisations are folded first, into the kernels that
are rounded; unlike in the paper they do not follow the batches any more.
"""

from __future__ import annotations

from collections.abc import Collection

import keras
import numpy as np
from keras import layers as kl

from zoo.export.compress.cluster import Codebook
from zoo.export.compress.prune import Zeros
from zoo.export.compress.rewrite import Rewrite, functional, kernel_names, rewrite
from zoo.export.compress.rounding import Rounded, RoundedKernel
from zoo.export.fold import fold
from zoo.layers import DepthwiseConv2D, SeparableConv2D

KEEPS = (None, "zeros", "clusters")
_FUSING = (kl.Add, kl.Subtract, kl.Multiply, kl.BatchNormalization, kl.AveragePooling2D)
"""Besides what has a kernel: LiteRT computes a ReLU behind these in the same operator."""
_FIXED = {"softmax": (0.0, 255 / 256), "sigmoid": (0.0, 255 / 256), "tanh": (-1.0, 127 / 128)}
"""Ranges that LiteRT's int8 operators prescribe for their outputs."""
_SAME_VALUES = (
    *(kl.Dropout, kl.SpatialDropout1D, kl.SpatialDropout2D, kl.GaussianNoise, kl.GaussianDropout, kl.Identity),
    *(kl.Flatten, kl.Reshape, kl.Permute, kl.RepeatVector, kl.ZeroPadding1D, kl.ZeroPadding2D, kl.Cropping1D, kl.Cropping2D),
    *(kl.MaxPooling1D, kl.MaxPooling2D, kl.GlobalMaxPooling1D, kl.GlobalMaxPooling2D),
    *(kl.RandomFlip, kl.RandomTranslation, kl.RandomRotation, kl.RandomZoom, kl.RandomCrop),
)
"""What comes out of these was already among what went in, so it has its range."""


def quantise_aware(
    model: keras.Model, *, keep: str | None = None, momentum: float = 0.99, layers: Collection[str] | None = None
) -> keras.Model:
    """A functional model that computes as `model` will in int8: kernels and the tensors between layers rounded.

    keep:     what the kernels have from before and must not lose: None; "zeros" (of pruning); "clusters" (at most 256 values per kernel,
              a zero among them stays zero). Clustered kernels get one scale each instead of one per channel, which would multiply
              their values. Fold the batch normalisations *before* clustering (`zoo.export.fold.fold`): they scale every channel.
    momentum: of the moving averages of the ranges, in [0, 1).
    layers:   names of the layers whose kernels are rounded; default: all with a convolution or dense kernel.

    The ranges are weights and are observed while training, from the first batch on; before it the model is of no use. An activation
    other than ReLU inside a convolution or dense layer keeps that layer's output float: write it as a layer of its own.
    Raises ValueError for a model that is not a built functional or Sequential one, and for batch normalisation with keep="clusters".
    """
    if keep not in KEEPS:
        raise ValueError(f"keep must be one of {', '.join(map(repr, KEEPS))}, got {keep!r}")
    if not 0.0 <= momentum < 1.0:
        raise ValueError(f"momentum must lie in [0, 1), got {momentum!r}")
    model = functional(model)
    nested = [layer.name for layer in model.layers if isinstance(layer, keras.Model)]
    if nested:
        raise ValueError(f"{model.name!r} has the model {nested[0]!r} inside; ranges follow one graph, so build it flat")
    model, folded = fold(separated(model))
    if folded and keep == "clusters":
        raise ValueError(
            f"{folded} batch normalisations of {model.name!r} scale the channels of clustered kernels, which tears the clusters apart; "
            "fold them before clustering: cluster(fold(model)[0])"
        )
    readers = _readers(model)
    taken: dict[str, int] = {}

    def rounded(name, fixed=None):
        """One for every use of a shared layer, each with a name of its own."""
        taken[name] = taken.get(name, 0) + 1
        return Rounded(momentum, fixed, name=f"{name}_range" + (f"_{taken[name]}" if taken[name] > 1 else ""), dtype="float32")

    def call(origin, layer, *args, **kwargs):
        if kernel_names(origin) and _reads_an_input(origin):
            args = (rounded(f"{origin.name}_input")(args[0]), *args[1:])
        outputs = layer(*args, **kwargs)
        if not _has_own_range(origin, readers.get(origin.name, [])) or not hasattr(outputs, "dtype"):
            return outputs
        return rounded(origin.name, _FIXED.get(_activation(origin)))(outputs)

    return rewrite(model, lambda layer, name, kernel: _chain(layer, name, kernel, keep), layers, call)


def separated(model: keras.Model) -> keras.Model:
    """`model` with every SeparableConv2D as the two convolutions it is made of, so that what flows between them can be rounded too."""
    halves = {kl.SeparableConv2D: kl.DepthwiseConv2D, SeparableConv2D: DepthwiseConv2D}
    if not any(type(layer) in halves for layer in model.layers):
        return model
    pointwise: dict[str, kl.Conv2D] = {}

    def clone(layer):
        if type(layer) not in halves:
            return layer.__class__.from_config(layer.get_config())
        shared = {"dtype": layer.dtype_policy, "trainable": layer.trainable, "data_format": layer.data_format}
        name = f"{layer.name}_depthwise"
        pointwise[name] = kl.Conv2D(
            layer.filters, 1, use_bias=layer.use_bias, activation=layer.activation, name=f"{layer.name}_pointwise", **shared
        )
        geometry = {"strides": layer.strides, "padding": layer.padding, "dilation_rate": layer.dilation_rate}
        return halves[type(layer)](
            layer.kernel_size, depth_multiplier=layer.depth_multiplier, use_bias=False, name=name, **geometry, **shared
        )

    def call(layer, *args, **kwargs):
        outputs = layer(*args, **kwargs)
        return pointwise[layer.name](outputs) if layer.name in pointwise else outputs

    result = keras.models.clone_model(model, clone_function=clone, call_function=call)
    for layer in model.layers:
        if type(layer) in halves:
            result.get_layer(f"{layer.name}_depthwise").set_weights(layer.get_weights()[:1])
            result.get_layer(f"{layer.name}_pointwise").set_weights(layer.get_weights()[1:])
        elif layer.weights:
            result.get_layer(layer.name).set_weights(layer.get_weights())
    return result


def _chain(layer, name: str, kernel: np.ndarray, keep: str | None) -> list[Rewrite]:
    """What a kernel has to keep, then the rounding."""
    dtype = layer.variable_dtype
    chain: list[Rewrite] = []
    zero = bool((kernel == 0).any())
    values = np.unique(kernel)
    clustered = keep == "clusters" and zero < len(values) <= 256
    if clustered:
        chain.append(Codebook(len(values), zero, name=f"{name}_codebook", dtype=dtype))
    elif keep is not None and zero:
        chain.append(Zeros(name=f"{name}_zeros", dtype=dtype))
    chain.append(RoundedKernel(None if clustered else _channels(layer, name), name=f"{name}_rounded", dtype=dtype))
    return chain


def _channels(layer, name: str) -> int | None:
    """The axis of the output channels of a kernel; None where there is none or more than one, and for dense layers.

    LiteRT's converter turns a dense kernel, and fails if every column has a scale of its own.
    """
    if isinstance(layer, kl.Dense | kl.EinsumDense):
        return None
    if isinstance(layer, kl.DepthwiseConv1D | kl.DepthwiseConv2D) or name == "depthwise_kernel":
        return len(getattr(layer, name).shape) - 2 if layer.depth_multiplier == 1 else None
    transposed = isinstance(layer, kl.Conv1DTranspose | kl.Conv2DTranspose | kl.Conv3DTranspose)
    return len(getattr(layer, name).shape) - (2 if transposed else 1)


def _readers(model) -> dict[str, list]:
    """Layer name -> the layers that read one of its outputs."""
    makers = {id(tensor): node.operation.name for node in _nodes(model) for tensor in node.output_tensors}
    readers: dict[str, list] = {}
    for node in _nodes(model):
        for tensor in node.input_tensors:
            readers.setdefault(makers[id(tensor)], []).append(node.operation)
    return readers


def _nodes(model) -> list:
    return [node for depth in model._nodes_by_depth.values() for node in depth]


def _reads_an_input(layer) -> bool:
    return any(isinstance(tensor._keras_history.operation, kl.InputLayer) for node in layer._inbound_nodes for tensor in node.input_tensors)


def _has_own_range(layer, readers: list) -> bool:
    """Not where values only pass, and not before a ReLU that LiteRT computes in the same operator."""
    if isinstance(layer, _SAME_VALUES):
        return False
    fused = len(readers) == 1 and _activation(readers[0]) in ("relu", "relu6") and (kernel_names(layer) or isinstance(layer, _FUSING))
    return not (fused and _activation(layer) == "linear")


def _activation(layer) -> str:
    """Its name; "relu6" for the cut-off one; "linear" for a layer without."""
    if isinstance(layer, kl.ReLU):
        plain = not layer.negative_slope and not layer.threshold
        return {None: "relu", 6: "relu6"}.get(layer.max_value, "other") if plain else "other"
    if isinstance(layer, kl.Softmax):
        return "softmax"
    return getattr(getattr(layer, "activation", None), "__name__", "linear")
