"""What one image costs: multiply-adds, activations, and memory at inference.

A kernel is used once at every place of a convolution, or once for every row of a dense layer; attention multiplies twice more, queries
with keys and shares with values, n x n x d each for n tokens of width d. Biases, normalisations, activations and pooling are not counted.
One multiply-add is what many tables call one FLOP.
"""

from __future__ import annotations

import math

from keras import layers

from zoo.explain.places import Forward, graph
from zoo.layers import Attention, RadialBasis


def multiply_adds(model) -> int:
    """Multiply-adds of a built functional model with a fixed input size, for one image; nested models are opened."""
    forward = graph(model)
    if forward is None:
        raise ValueError(f"{model.name} is not a functional model: its work cannot be read from a graph")
    return sum(work(event.place.operation, event.inputs[0].shape, event.outputs[0].shape) for event in forward.events)


def kernels(operation) -> list[tuple[int, ...]]:
    """Shapes of what is multiplied with the input."""
    names = ("codes",) if isinstance(operation, RadialBasis) else ("kernel",)
    return [tuple(weight.shape) for weight in getattr(operation, "weights", ()) if weight.path.rpartition("/")[2].endswith(names)]


def work(operation, read: tuple, given: tuple) -> int:
    """Multiply-adds of one layer for one image, from the shapes of its input and output."""
    if isinstance(operation, Attention):
        return 2 * given[1] ** 2 * given[2]
    places = math.prod(given[1:-1])  # 1 for a dense layer on vectors
    return sum(places * math.prod(kernel) for kernel in kernels(operation))


def activations(operation, read: tuple, given: tuple) -> int:
    """Numbers put out by convolutions, dense layers and the products of attention (Radosavovic et al. 2020, arXiv:2003.13678, 3.2)."""
    if isinstance(operation, Attention):
        return operation.heads * given[1] ** 2 + given[1] * given[2]
    if not kernels(operation):
        return 0
    between = math.prod(given[1:-1]) * read[-1] * operation.depth_multiplier if isinstance(operation, layers.SeparableConv2D) else 0
    return math.prod(given[1:]) + between


def peak_bytes(forward: Forward) -> int:
    """Most bytes of float32 that are alive at once when one image goes through, layer after layer; without the weights.

    A tensor lives from the layer that makes it to the last one that reads it. While a layer runs, its inputs and its outputs are there:
    nothing is computed in place, and what a layer needs inside is not counted. Dropout hands its input on.
    """
    events = forward.events
    same: dict = {}
    for event in events:
        if isinstance(event.place.operation, layers.Dropout | layers.Identity):
            same[event.outputs[0]] = same.get(event.inputs[0], event.inputs[0])
    last: dict = {}
    for index, event in enumerate(events):
        last.update((same.get(tensor, tensor), index) for tensor in (*event.inputs, *event.outputs))
    last.update((same.get(tensor, tensor), len(events)) for tensor in forward.outputs)
    alive = {tensor: 4 * math.prod(tensor.shape[1:]) for tensor in forward.inputs}
    peak = sum(alive.values())
    for index, event in enumerate(events):
        alive.update((tensor, 4 * math.prod(tensor.shape[1:])) for tensor in event.outputs if tensor not in same)
        peak = max(peak, sum(alive.values()))
        alive = {tensor: size for tensor, size in alive.items() if last.get(tensor, -1) > index}
    return peak
