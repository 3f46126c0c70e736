"""Batch normalisation folded into the layer before it: the same function with fewer layers, for inference only.

After training a batch normalisation is x -> scale * x + shift, one pair of numbers per channel, with

    scale = gamma / sqrt(variance + epsilon)        shift = beta - mean * scale

(Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 2). Behind a convolution or a dense layer that is linear, the scale goes into the
kernel and the shift into the bias (Jacob et al. 2018, arXiv:1712.05877, section 3.2). A normalisation *before* a convolution is left
alone: between the two stands an activation (DenseNet, ResNet v2), or zeros that pad the normalised map, which no bias can imitate.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from zoo.layers import DepthwiseConv2D, GroupedConv2D, SeparableConv2D

# The kernel whose columns make the output, and its axes of output channels; exact types, as a subclass may use its kernel otherwise.
_KERNELS = {
    layers.Conv1D: ("kernel", -1),
    layers.Conv2D: ("kernel", -1),
    layers.Conv3D: ("kernel", -1),
    GroupedConv2D: ("kernel", -1),
    layers.Dense: ("kernel", -1),
    layers.SeparableConv2D: ("pointwise_kernel", -1),
    SeparableConv2D: ("pointwise_kernel", -1),
    layers.DepthwiseConv2D: ("kernel", (-2, -1)),
    DepthwiseConv2D: ("kernel", (-2, -1)),
}


def fold(model: keras.Model) -> tuple[keras.Model, int]:
    """A copy of a functional `model` whose batch normalisations are folded where that is exact, and how many were.

    Folded: a BatchNormalization over the last axis, used once, that is the only reader of a convolution (ordinary, grouped,
    depthwise, separable) or dense layer, itself used once and without an activation of its own. Everything else stays as it is: shared
    layers, an output with other readers, models inside the model. The copy computes what `model` computes with training=False; it is
    not for training. Raises ValueError for a model that is not functional.
    """
    if isinstance(model, keras.Sequential) and model.built:
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if not hasattr(model, "_nodes_by_depth"):
        raise ValueError(f"folding reads the graph of a functional keras.Model, got {type(model).__name__}; build it from keras.Input")
    pairs = _pairs(model)
    before = {norm.name: linear for norm, linear in pairs}
    folded = {linear.name for linear in before.values()}

    def clone(layer):
        config = layer.get_config()
        if layer.name in folded:
            config["use_bias"] = True
        return type(layer).from_config(config)

    def call(layer, *arguments, **named):
        return arguments[0] if layer.name in before else layer(*arguments, **named)

    copy = keras.models.clone_model(model, clone_function=clone, call_function=call)
    for layer in copy.layers:
        if layer.weights and layer.name not in folded:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    for norm, linear in pairs:
        copy.get_layer(linear.name).set_weights(_merged(norm, linear))
    return copy, len(pairs)


def _pairs(model) -> list[tuple]:
    """(normalisation, linear layer before it) of everything that can be folded."""
    calls: dict[int, int] = {}
    readers: dict[int, list] = {}
    maker: dict[int, object] = {}
    nodes = [node for level in model._nodes_by_depth.values() for node in level]  # of this model, not of others with the same layers
    for node in nodes:
        calls[id(node.operation)] = calls.get(id(node.operation), 0) + 1
        for tensor in node.input_tensors:
            readers.setdefault(id(tensor), []).append(node.operation)
        if not node.is_input:
            maker.update((id(tensor), node.operation) for tensor in node.output_tensors)
    outputs = {id(tensor) for tensor in model.outputs}
    found = []
    for node in nodes:
        norm = node.operation
        if type(norm) is not layers.BatchNormalization or calls[id(norm)] != 1:
            continue
        tensor = node.input_tensors[0]
        linear = maker.get(id(tensor))
        alone = len(readers[id(tensor)]) == 1 and id(tensor) not in outputs and calls.get(id(linear)) == 1
        if alone and _linear(linear) and norm.axis in (-1, len(tensor.shape) - 1) and len(node.input_tensors) == 1:
            found.append((norm, linear))
    return found


def _linear(layer) -> bool:
    return (
        type(layer) in _KERNELS
        and layer.activation is keras.activations.linear
        and getattr(layer, "data_format", "channels_last") == "channels_last"
    )


def _merged(norm, linear) -> list[np.ndarray]:
    """The weights of `linear` with a bias, such that it does what both did. Computed in float64."""
    mean, variance = (np.float64(keras.ops.convert_to_numpy(value)) for value in (norm.moving_mean, norm.moving_variance))
    gamma = np.float64(keras.ops.convert_to_numpy(norm.gamma)) if norm.scale else np.ones_like(mean)
    beta = np.float64(keras.ops.convert_to_numpy(norm.beta)) if norm.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + norm.epsilon)
    name, axes = _KERNELS[type(linear)]
    weights = []
    for weight in linear.weights:
        value = np.float64(keras.ops.convert_to_numpy(weight))
        kind = weight.path.rpartition("/")[2]
        if kind == name:
            value = value * (scale if axes == -1 else scale.reshape(value.shape[-2:]))
        elif kind == "bias":
            continue
        weights.append(value)
    bias = np.float64(keras.ops.convert_to_numpy(linear.bias)) if linear.use_bias else 0.0
    return [*weights, beta + (bias - mean) * scale]
