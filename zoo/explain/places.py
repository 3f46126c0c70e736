"""Where in a model to look: find a layer by name, find the last map before space collapses, find the last activation.

The rule for the default is the tensor that the last global pooling, flatten or other spatial collapse reads. "The last
Conv2D" would be wrong for many networks: a 1x1 logits convolution in MobileNet, a residual shortcut in Xception, one branch
of InceptionV3, the last 32 of 1024 channels in DenseNet.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops, tree

from zoo.explain.images import as_batch
from zoo.explain.tap import is_map_shape, method, substituted


@dataclass(frozen=True)
class Place:
    """Call number `call` (from 0) of one operation in the forward pass."""

    operation: Any
    call: int = 0


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of the graph, told apart by identity: a shared layer gives another one at every call."""

    shape: tuple


@dataclass(frozen=True)
class Event:
    """One operation run once: which tensors it read and gave."""

    place: Place
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class Forward:
    """A forward pass as events in order of execution, with the tensors that entered the model and those that left it."""

    events: tuple[Event, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def default_layer(model: keras.Model, images=None):
    """The layer (or operation) whose output the last global pooling, flatten or other collapse of space reads.

    model:  any Keras model. A functional or built Sequential one is read as a graph; another one is run once.
    images: example input, as for `gradcam`, for a subclassed model that was never called on an array; else not needed.

    For a model that ends in a map (a segmenter) it is the layer before the last one with weights. In a subclassed model whose
    map comes out of plain operations, the pooling layer itself is returned; used as a layer, it stands for what it reads.

    Raises ValueError when there is no map larger than 1x1 between the image and the output.
    """
    return default_place(model, None if images is None else as_batch(model, images)).operation


def map_layers(model: keras.Model) -> dict[str, tuple]:
    """Layers of a functional model, nested ones too, whose output is a map of more than one cell, the deepest first.

    Returns name -> (rows, columns), a side is None where it varies.
    """
    forward = graph(model)
    found: dict[str, tuple] = {}
    for event in reversed(forward.events if forward else ()):
        shape = event.outputs[0].shape
        if len(shape) == 4 and shape[1:3] != (1, 1):
            found.setdefault(event.place.operation.name, tuple(shape[1:3]))
    return found


def default_place(model, images=None) -> Place:
    forward = graph(model)
    if forward is not None:
        crossings = _crossings(forward)
        if crossings and not any(_opaque(event) for event, _ in crossings):
            return _read_by(forward, crossings)
    return _last_in(recorded(model, images), model)


def find_layer(model: keras.Model, layer) -> Place:
    """The place of `layer`: a name ("stage4_conv"), a path in nested models ("backbone/stage4_conv"), a layer object, or a
    pair (layer, n) for call number n (from 0) of a layer that the model calls several times; without n the first call.

    Raises ValueError for an unknown name (closest matches named), one that occurs twice, or an object of another model.
    """
    call = 0
    if isinstance(layer, tuple):
        layer, call = layer
    paths = dict(_paths(model))
    if not isinstance(layer, str):
        if not any(operation is layer for operation in paths.values()):
            raise ValueError(
                f"the layer {getattr(layer, 'name', layer)!r} is no part of the model {model.name!r}; pass one that is, or its name"
            )
        return Place(layer, call)
    if layer in paths:
        return Place(paths[layer], call)
    found = {path: operation for path, operation in paths.items() if path.endswith("/" + layer)}
    if len({id(operation) for operation in found.values()}) > 1:
        raise ValueError(f"the name {layer!r} occurs {len(found)} times in {model.name!r}: {', '.join(found)}; write one of these paths")
    if not found:
        close = difflib.get_close_matches(layer, paths, n=3, cutoff=0.4)
        raise ValueError(
            f"the model {model.name!r} has no layer {layer!r}; did you mean {', '.join(close) or 'one of ' + ', '.join(list(paths)[-5:])}?"
        )
    return Place(next(iter(found.values())), call)


def final_activation(model: keras.Model, output: int, images=None):
    """The operation that turns logits into the probabilities of output number `output`, or None when there is none.

    A Dense or convolution with activation softmax, sigmoid or log_softmax, an Activation, a Softmax layer or operation; linear
    activations behind it (a cast to float32) are passed over.
    """
    forward = graph(model) or recorded(model, images)
    producer = {tensor: event for event in reversed(forward.events) for tensor in event.outputs}
    event = producer.get(forward.outputs[output])
    while (
        event is not None
        and getattr(event.place.operation, "activation", None) is keras.activations.linear
        and not event.place.operation.variables
    ):
        event = producer.get(event.inputs[0])
    if event is None:
        return None
    operation = event.place.operation
    squashing = (keras.activations.softmax, keras.activations.sigmoid, keras.activations.log_softmax)
    if any(getattr(operation, "activation", None) is function for function in squashing):
        return operation
    is_plain = isinstance(operation, keras.layers.Softmax) or not isinstance(operation, keras.layers.Layer)
    return operation if is_plain and type(operation).__name__ in ("Softmax", "Sigmoid", "LogSoftmax") else None


# the graph of a functional model


def graph(model, shapes: Sequence[tuple] | None = None) -> Forward | None:
    """The forward pass of a functional or built Sequential model, nested ones opened; None for any other model.

    shapes: of its inputs, where the model leaves sizes open; every tensor of the forward pass then has the shape that follows.
    """
    function = _function(model)
    if function is None:
        return None
    inputs = [Tensor(tuple(shape)) for shape in shapes or [tensor.shape for tensor in function.inputs]]
    events: list[Event] = []
    outputs = _open(function, inputs, events, {})
    return Forward(tuple(events), tuple(inputs), tuple(outputs))


def _function(model):
    """The Keras Function that runs when `model` is called, or None when Python code runs instead."""
    if isinstance(model, keras.Sequential):
        return model._functional if type(model).call is keras.Sequential.call else None
    is_functional = getattr(getattr(type(model), "call", None), "__qualname__", "") == "Functional.call"
    return model if is_functional else None


def _open(function, inputs, events, calls) -> list[Tensor]:
    known = {id(symbol): tensor for symbol, tensor in zip(function.inputs, inputs, strict=True)}
    for depth in sorted(function._nodes_by_depth, reverse=True):  # the order in which Keras runs them
        for node in function._nodes_by_depth[depth]:
            if node.is_input or any(id(symbol) not in known for symbol in node.input_tensors):
                continue
            read = [known[id(symbol)] for symbol in node.input_tensors]
            inner = _function(node.operation)
            if inner is not None:
                given = _open(inner, read[: len(inner.inputs)], events, calls)
            else:
                number = calls.get(id(node.operation), 0)
                calls[id(node.operation)] = number + 1
                given = [Tensor(shape) for shape in _given_shapes(node, read)]
                events.append(Event(Place(node.operation, number), tuple(read), tuple(given)))
            known.update((id(symbol), tensor) for symbol, tensor in zip(node.output_tensors, given, strict=True))
    return [known[id(symbol)] for symbol in function.outputs]


def _given_shapes(node, read) -> list[tuple]:
    """Shapes of what an operation gives: those that the model was built with, unless it reads others than then."""
    if all(tensor.shape == tuple(symbol.shape) for symbol, tensor in zip(node.input_tensors, read, strict=True)):
        return [tuple(symbol.shape) for symbol in node.output_tensors]
    symbols = {id(s): keras.KerasTensor(tensor.shape, s.dtype) for s, tensor in zip(node.input_tensors, read, strict=True)}
    args, kwargs = node.arguments.fill_in(symbols)
    return [tuple(symbol.shape) for symbol in tree.flatten(node.operation.compute_output_spec(*args, **kwargs))]


def _crossings(forward: Forward) -> list[tuple[Event, Tensor]]:
    """The operations, walking back from the outputs, at which a map is read for the first time, with that map."""
    producer = {tensor: event for event in forward.events for tensor in event.outputs}
    pending, seen, found = list(forward.outputs), set(), []
    while pending:
        tensor = pending.pop()
        event = producer.get(tensor)
        if event is None or tensor in seen:
            continue
        seen.add(tensor)
        head = is_map_shape(tensor.shape) and not getattr(event.place.operation, "weights", None)
        for read in event.inputs:
            if is_map_shape(read.shape) and not head:
                found.append((event, read))
            else:
                pending.append(read)
    return found


def _read_by(forward: Forward, crossings) -> Place:
    order = {tensor: (number, event.place) for number, event in enumerate(forward.events) for tensor in event.outputs}
    made = [order[tensor] for _, tensor in crossings if tensor in order]
    if not made:
        raise ValueError(
            f"the model reads its image with {crossings[0][0].place.operation.name!r} at once, no feature map lies between; use saliency"
        )
    last = max(made, key=lambda entry: entry[0])[1]
    return min((place for _, place in made if place.operation is last.operation), key=lambda place: place.call)


def _opaque(event: Event) -> bool:
    """Whether the operation runs layers of its own that the graph does not show."""
    return any(True for _ in children(event.place.operation))


# any other model: run it once and listen


def recorded(model, images=None) -> Forward:
    """The forward pass of any model, from running it on one image: every layer, outer ones after those they contain.

    Tensors that pass from layer to layer through plain Python operations appear as unrelated.
    """
    tensors: dict[int, Tensor] = {}
    alive: list = []  # an identity is only unique while its tensor lives
    events: list[Event] = []
    calls: dict[int, int] = {}

    def named(structure) -> tuple[Tensor, ...]:
        leaves = [leaf for leaf in tree.flatten(structure) if hasattr(leaf, "shape")]
        alive.extend(leaves)
        return tuple(tensors.setdefault(id(leaf), Tensor(tuple(leaf.shape))) for leaf in leaves)

    def listening(operation):
        def replacement(original, *args, **kwargs):
            read = named(args)
            output = original(*args, **kwargs)
            number = calls.get(id(operation), 0)
            calls[id(operation)] = number + 1
            events.append(Event(Place(operation, number), read, named(output)))
            return output

        return replacement

    image = _example(model) if images is None else tree.map_structure(lambda array: ops.convert_to_tensor(array[:1]), images)
    with contextlib.ExitStack() as stack:
        for operation in operations(model):
            stack.enter_context(substituted(operation, method(operation), listening(operation)))
        outputs = named(model(image, training=False))
    return Forward(tuple(events), named(image), outputs)


def _last_in(forward: Forward, model) -> Place:
    """The map that the last collapsing layer reads; without one, the last map that any layer gave."""
    producer = {tensor: event.place for event in reversed(forward.events) for tensor in event.outputs}
    leaves = [event for event in forward.events if not _opaque(event)]
    ends_in_map = any(is_map_shape(tensor.shape) for tensor in forward.outputs)
    for event in reversed(leaves):
        reads_map = bool(event.inputs) and is_map_shape(event.inputs[0].shape)
        gives_map = any(is_map_shape(tensor.shape) for tensor in event.outputs)
        if reads_map and event.inputs[0] not in forward.inputs and not ends_in_map and not gives_map:
            return producer.get(event.inputs[0], event.place)
        if ends_in_map and reads_map and event.place.operation.weights and event.inputs[0] in producer:
            return producer[event.inputs[0]]
        if gives_map and not ends_in_map:
            break
    maps = [event.place for event in forward.events if event.outputs and is_map_shape(event.outputs[0].shape)]
    if not maps:
        raise ValueError(f"the model {model.name!r} has no feature map larger than 1x1 to look at; use a larger image, or saliency")
    return maps[-1]


def _example(model):
    """Zeros of the shape on which a model was built."""
    function = _function(model)
    if function is not None and not any(None in symbol.shape[1:] for symbol in function.inputs):
        return tree.map_structure(lambda symbol: ops.zeros((1, *symbol.shape[1:])), function._inputs_struct)
    shapes = list((getattr(model, "_build_shapes_dict", None) or {}).values())
    if len(shapes) != 1 or not isinstance(shapes[0], tuple) or None in shapes[0][1:]:
        raise ValueError(
            f"the layers of the model {model.name!r} can only be seen by running it, on a size that is not known; pass images="
        )
    return ops.zeros((1, *shapes[0][1:]))


def check_channels_last(model) -> None:
    """Raises ValueError for a model with a layer that reads (b, c, h, w): its maps and images would be read with their axes mixed up."""
    for path, operation in _paths(model):
        if getattr(operation, "data_format", None) == "channels_first":
            raise ValueError(
                f"the layer {path!r} of {model.name!r} works channels first, (b, c, h, w); explanations need channels last, (b, h, w, c): "
                "build the model with data_format='channels_last', its weights stay the same"
            )


# what a model is made of


def children(operation) -> Iterable:
    """The operations directly inside a model or layer, in order."""
    function = _function(operation)
    if function is not None:
        return [inner for inner in function.operations if not isinstance(inner, keras.layers.InputLayer)]
    if not isinstance(operation, keras.layers.Layer):
        return []
    return operation._flatten_layers(include_self=False, recursive=False)


def operations(model) -> list:
    """Every operation inside `model`, nested ones too, each once."""
    return list({id(operation): operation for _, operation in _paths(model)}.values())


def _paths(model, prefix="") -> Iterable[tuple[str, Any]]:
    """Every operation inside `model` with its path, outer ones before those they contain."""
    for operation in children(model):
        path = prefix + operation.name
        yield path, operation
        yield from _paths(operation, path + "/")
