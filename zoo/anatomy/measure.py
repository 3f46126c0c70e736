"""The walk over a functional model: one `Part` per layer, one `Stage` per level of the pyramid, and the sums."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass

import keras

from zoo.anatomy import work
from zoo.explain.places import graph
from zoo.explain.receptive_field import seen_from
from zoo.explain.window import View

COLUMNS = (
    *("layer", "kind", "stage", "output", "parameters", "multiply_adds", "activations"),
    *("field", "stride", "centre", "whole_image"),
)
"""Of the table of layers; sizes are height x width."""


@dataclass(frozen=True)
class Part:
    """One layer as it runs once.

    stage:         key of the first pyramid level that needs it, or "head".
    shape:         of its output without the batch.
    parameters:    trainable ones that no earlier layer has.
    multiply_adds, activations: for one image, see `zoo.anatomy.work`.
    view:          what its units see, see `zoo.explain.window`.
    """

    name: str
    kind: str
    stage: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    activations: int
    view: View

    @property
    def field(self) -> int | None:
        """Longer side of the receptive field of the local path, in pixels; None where place is lost."""
        return None if self.view.axes is None else int(max(axis.side for axis in self.view.axes))

    @property
    def stride(self) -> int | None:
        """Pixels from one unit to the next, the larger of the two axes."""
        return None if self.view.axes is None else int(max(axis.step for axis in self.view.axes))


@dataclass(frozen=True)
class Stage:
    """The layers of one level of the pyramid together; `last` is the one whose output is the level."""

    name: str
    layers: int
    parameters: int
    multiply_adds: int
    activations: int
    last: Part


@dataclass(frozen=True)
class Anatomy:
    """name, input_shape (h, w, c), every layer in the order in which they run, the level of the pyramid behind each key, and sums.

    peak_bytes:   most bytes alive at once at inference with one image in float32, without the weights.
    weight_bytes: all weights in float32, moving statistics too.
    """

    name: str
    input_shape: tuple[int, ...]
    parts: tuple[Part, ...]
    levels: dict[str, Part]
    peak_bytes: int
    weight_bytes: int

    @property
    def parameters(self) -> int:
        return sum(part.parameters for part in self.parts)

    @property
    def multiply_adds(self) -> int:
        return sum(part.multiply_adds for part in self.parts)

    @property
    def activations(self) -> int:
        return sum(part.activations for part in self.parts)

    @property
    def stages(self) -> list[Stage]:
        """In order of depth, "head" last."""
        found = []
        for name in (*self.levels, "head"):
            own = [part for part in self.parts if part.stage == name]
            if own:
                parameters, work, out = (sum(getattr(part, key) for part in own) for key in ("parameters", "multiply_adds", "activations"))
                found.append(Stage(name, len(own), parameters, work, out, self.levels.get(name, own[-1])))
        return found

    def csv(self) -> str:
        """One line per layer, with `COLUMNS`."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for part in self.parts:
            axes = part.view.axes
            places = [_pair(getattr(axis, key) for axis in axes) if axes else "" for key in ("side", "step", "centre")]
            counts = (part.parameters, part.multiply_adds, part.activations)
            writer.writerow([part.name, part.kind, part.stage, _pair(part.shape), *counts, *places, "yes" if part.view.whole else "no"])
        return text.getvalue()


def levels(backbone: keras.Model) -> dict[str, str]:
    """{"c1": name of the layer that gives this level, ...} of a model from `zoo.backbone`."""
    return {key: tensor._keras_history.operation.name for key, tensor in backbone.output.items()}


def measure(model: keras.Model, levels: Mapping[str, str] | None = None) -> Anatomy:
    """The anatomy of a built functional model with a fixed input size; nested models are opened, no weight needs a value.

    levels: what `levels(backbone)` gives; without it everything is one stage, "head".

    Raises ValueError for another kind of model, sizes that are not known, or a layer whose view is not known.
    """
    forward = graph(model)
    if forward is None or len(forward.inputs) != 1:
        raise ValueError(f"{model.name} is not a functional model of one image: its anatomy cannot be read from a graph")
    if None in forward.inputs[0].shape[1:]:
        raise ValueError(
            f"{model.name} takes images of any size, its anatomy needs one; build it with input_shape=(height, width, channels)"
        )
    stages = _stages(forward, dict(levels or {}))
    views = seen_from(forward, forward.inputs)
    seen: set[int] = set()
    parts = []
    for index, event in enumerate(forward.events):
        operation, read, given = event.place.operation, event.inputs[0].shape, event.outputs[0].shape
        shown = max(event.outputs, key=lambda tensor: len(tensor.shape))
        weights = [weight for weight in getattr(operation, "weights", ()) if weight.trainable and id(weight) not in seen]
        seen.update(map(id, weights))
        counts = (math.prod(weight.shape) for weight in weights)
        costs = work.work(operation, read, given), work.activations(operation, read, given)
        shape = tuple(shown.shape[1:])
        parts.append(Part(operation.name, type(operation).__name__, stages[index], shape, sum(counts), *costs, view=views[shown]))
    by_name = {part.name: part for part in parts}
    return Anatomy(
        name=model.name,
        input_shape=tuple(forward.inputs[0].shape[1:]),
        parts=tuple(parts),
        levels={key: by_name[name] for key, name in (levels or {}).items()},
        peak_bytes=work.peak_bytes(forward),
        weight_bytes=4 * sum(math.prod(weight.shape) for weight in model.weights),
    )


def _stages(forward, levels: Mapping[str, str]) -> dict[int, str]:
    """{index of an event: key of the first level that needs it, or "head"}"""
    maker = {tensor: index for index, event in enumerate(forward.events) for tensor in event.outputs}
    names = {event.place.operation.name: index for index, event in enumerate(forward.events)}
    found: dict[int, str] = {}
    for key, name in levels.items():
        if name not in names:
            raise ValueError(f"level {key} is given by the layer {name!r}, which the model does not have")
        pending = [names[name]]
        while pending:
            index = pending.pop()
            if index not in found:
                found[index] = key
                pending += [maker[tensor] for tensor in forward.events[index].inputs if tensor in maker]
    return {index: found.get(index, "head") for index in range(len(forward.events))}


def _pair(numbers) -> str:
    return "x".join(f"{number:g}" if isinstance(number, float) else str(number) for number in numbers)
