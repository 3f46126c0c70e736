"""Where the cells of a map lie on the image: size, stride and centre of their receptive fields, from the graph alone.

A cell is drawn where it looked only if its centre is known. Zeros decide: a layer that puts as many before the map as after it
keeps the centres of a stride-2 window at 0, 2, 4, ...; one that puts its only zero behind moves them to 1, 3, 5, ... Layer by
layer this adds up to half a cell. `zoo.explain.window` says what each layer does; here a model is walked through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras

from zoo.explain.places import Forward, Place, Tensor, default_place, find_layer, graph
from zoo.explain.tap import is_map_shape
from zoo.explain.window import PIXEL, Axis, View, see


@dataclass(frozen=True)
class ReceptiveField:
    """What the cells of one map see of an image; pixels are counted from 0, so a pixel's number is also its middle.

    image_size, map_size: (height, width) in pixels, (rows, columns) in cells.
    rows, columns:        what cell 0 sees on each axis, not cut at the image, and the step from cell to cell.
    whole:                a gate or attention lets every cell see the whole image besides; the numbers are those of the local path.
    """

    layer: str
    image_size: tuple[int, int]
    map_size: tuple[int, int]
    rows: Axis
    columns: Axis
    whole: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the field of one cell, in pixels."""
        return int(self.rows.side), int(self.columns.side)

    @property
    def stride(self) -> tuple[int, int]:
        """Pixels from one cell to the next: (down, right)."""
        return int(self.rows.step), int(self.columns.step)

    def centre(self, row: int = 0, column: int = 0) -> tuple[float, float]:
        """(y, x): the pixel in the middle of what a cell sees; halves lie between two pixels, a border cell's may lie outside."""
        self._check(row, column)
        return self.rows.centre + row * self.rows.step, self.columns.centre + column * self.columns.step

    def box(self, row: int, column: int) -> tuple[float, float, float, float]:
        """xyxy in pixels of the image, edges included (0 to width): what a cell sees, cut to the image."""
        self._check(row, column)
        (top, bottom), (left, right) = (
            (min(max(axis.first + cell * axis.step, 0), side), max(min(axis.last + cell * axis.step + 1, side), 0))
            for axis, cell, side in zip((self.rows, self.columns), (row, column), self.image_size, strict=True)
        )
        return float(left), float(top), float(right), float(bottom)

    def _check(self, row: int, column: int) -> None:
        rows, columns = self.map_size
        if not (0 <= row < rows and 0 <= column < columns):
            raise ValueError(f"the map of {self.layer!r} has {rows}x{columns} cells, counted from 0; got cell ({row}, {column})")


def receptive_field(model: keras.Model, layer=None, image_size: tuple[int, int] | None = None) -> ReceptiveField:
    """The receptive field of the cells of a map, from the graph of a functional or built Sequential model, nested ones opened.

    layer:      as in `gradcam`; default: the input of the last global pooling (`default_layer`).
    image_size: (height, width); needed where the model takes any size, because sizes decide where "same" puts its zeros. Of
                several image inputs those of this size are followed; the default is the size of the first.

    Source: Araujo, Norris & Sim 2019, "Computing receptive fields of convolutional neural networks", section 2. Where branches
    meet, the field is their union and the centre the mean of theirs (`zoo.explain.window`). How it misleads: this is all that a
    cell can see; what it does see is a smaller blob around the centre (Luo et al. 2016, arXiv:1701.04128), pulled inwards at borders.

    Raises ValueError for a model that is not a graph, a size that is missing or not the model's, and a layer whose geometry is
    not known: one that resizes, one with layers hidden inside, branches of different strides, a map whose places are lost.
    """
    if layer is not None:
        return field_at(model, find_layer(model, layer), image_size)
    return field_at(model, default_place(model) if graph(model) else None, image_size)


def field_at(model, place: Place | None, image_size: tuple[int, int] | None = None) -> ReceptiveField:
    """`receptive_field` of a place that was found already."""
    forward = graph(model)
    if forward is None or place is None:
        raise ValueError(f"{model.name!r} is no functional or built Sequential model: what its layers see cannot be read from a graph")
    images = [tensor.shape for tensor in forward.inputs if len(tensor.shape) == 4]
    size = tuple(image_size or (images[0][1:3] if images else ()))
    if len(size) != 2 or None in size:
        raise ValueError(f"the model {model.name!r} takes images of any size; say which one: image_size=(height, width)")
    fits = [len(tensor.shape) == 4 and all(map(_agree, tensor.shape[1:3], size)) for tensor in forward.inputs]
    if not any(fits):
        raise ValueError(f"the model {model.name!r} takes images {images} (b, h, w, c), got image_size={size}")
    shapes = [(t.shape[0], *size, t.shape[3]) if fit else t.shape for t, fit in zip(forward.inputs, fits, strict=True)]
    forward = graph(model, shapes) or forward
    wanted = _map_at(forward, place)
    view = seen_from(forward, [tensor for tensor, fit in zip(forward.inputs, fits, strict=True) if fit], wanted)[wanted]
    if view.rows is None or view.columns is None:
        raise ValueError(f"the cells of {place.operation.name!r} have no place on the image: a layer before it reads all places at once")
    return ReceptiveField(place.operation.name, size, tuple(wanted.shape[1:3]), view.rows, view.columns, view.whole)


def seen_from(forward: Forward, images: Sequence[Tensor], wanted: Tensor | None = None) -> dict[Tensor, View]:
    """What the units of every tensor see of the input tensors `images`; with `wanted`, only of it and what it is made of.

    Raises ValueError for a layer on the way whose view is not known.
    """
    needed = {wanted} if wanted else {tensor for event in forward.events for tensor in event.outputs}
    for event in reversed(forward.events):
        if not needed.isdisjoint(event.outputs):
            needed.update(event.inputs)
    views = {tensor: PIXEL if tensor in images else View() for tensor in forward.inputs}
    for event in forward.events:
        if not needed.isdisjoint(event.outputs):
            known, shapes = [views[tensor] for tensor in event.inputs], [tensor.shape for tensor in event.inputs]
            views.update((tensor, see(event.place.operation, known, shapes, tensor.shape)) for tensor in event.outputs)
    return views


def _map_at(forward: Forward, place: Place) -> Tensor:
    """The map that `zoo.explain.tap` finds at a place: what the operation gives, or what it reads when it ends the space."""
    operation, call = place.operation, place.call
    calls = [event for event in forward.events if event.place.operation is operation]
    while not calls and isinstance(operation, keras.Model) and operation.outputs:  # a nested model: its last layer
        operation = operation.outputs[0]._keras_history.operation
        calls = [event for event in forward.events if event.place.operation is operation]
    if call >= len(calls) or (operation is not place.operation and len(calls) > 1):
        raise ValueError(
            f"{place.operation.name!r} runs {len(calls)} times in the graph, call {call} (from 0) was wanted; name a layer inside"
        )
    event = calls[call]
    given, read = event.outputs[0], event.inputs[0]
    collapses = len(given.shape) != 4 or not getattr(operation, "weights", None)
    if not is_map_shape(given.shape) and collapses and is_map_shape(read.shape):
        return read
    if len(given.shape) != 4:
        raise ValueError(f"the layer {place.operation.name!r} gives shape {given.shape}, wanted a map (b, h, w, c); choose another layer")
    return given


def _agree(side: int | None, wanted: int) -> bool:
    return side is None or side == wanted
