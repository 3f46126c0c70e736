"""Pictures as points: one vector per image, from any layer of any Keras model, for maps of concepts and for similarity search.

Images that a network finds alike lie close in the space of its last features, because its head can only separate what is apart
there. A map (b, h, w, c) becomes a vector by its mean over the places, as global average pooling does (Lin, Chen & Yan 2013,
"Network in network", arXiv:1312.4400, section 3.2); tokens (b, n, c) by their mean over the tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import keras
import numpy as np

from zoo.explain.images import as_batch, length
from zoo.explain.places import Place, _paths, default_place, find_layer, graph
from zoo.explain.session import vectors_of

Progress = Callable[[int, int | None], None]
"""Called as progress(done, total) after every batch; total is None where nobody knows it."""


@dataclass(frozen=True)
class Spot:
    """Where features are taken: the path of a layer, the number of its call, and whether a pooling stands for the map that it reads."""

    path: str
    call: int = 0
    reads: bool = False

    def __str__(self) -> str:
        return f"{self.path}{f', call {self.call}' * bool(self.call)}"


def features(model: keras.Model, images, layer=None, *, batch_size: int = 32, progress: Progress | None = None) -> np.ndarray:
    """One vector per image: float32 (n, c), not normalised.

    model:      any Keras model; it is left as it was.
    images:     what `gradcam` takes; or an iterator (a generator, a tf.data.Dataset) of such batches or of single images (h, w, c), of
                which only `batch_size` images are in memory at a time.
    layer:      name, path or layer; one that gives (b, c) is taken as it is, (b, h, w, c) and (b, n, c) by their mean. Default: the
                input of the last global pooling (`default_layer`), the last tokens of a transformer, or what the last layer with
                weights reads where no map is learned (a multilayer perceptron).
    batch_size: images per step; it bounds the memory and does not change the result.
    progress:   called as progress(done, total); total is None for an iterator.

    Raises ValueError for no image, an unknown layer, or a layer that gives none of these; and whatever the iterator raises.
    The vectors say what this network looks at and nothing else: with random weights, mostly colour and contrast.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size must be a positive int, got {batch_size!r}")
    parts: list[np.ndarray] = []
    done, spot = 0, None
    total = None if _streams(images) else len(images) if _is_batch(images) else length(as_batch(model, images))
    for batch in _batches(images, batch_size):
        spot = spot or spot_of(model, layer, batch)
        parts.append(features_at(model, batch, spot, batch_size))
        done += len(parts[-1])
        if progress is not None:
            progress(done, total)
    if not parts:
        raise ValueError("features need at least one image, the iterator gave none")
    return np.concatenate(parts)


def features_at(model: keras.Model, batch, spot: Spot, batch_size: int = 32) -> np.ndarray:
    """`features` of one batch at a known spot: float32 (b, c)."""
    return vectors_of(model, batch, find_layer(model, (spot.path, spot.call)), spot.reads, batch_size)


def spot_of(model: keras.Model, layer=None, images=None) -> Spot:
    """Where `features` looks for this `layer` (None: the default). images: an example, for a subclassed model that never ran."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"features are those of a keras.Model, got {type(model).__name__}")
    if layer is not None:
        place = find_layer(model, layer)
    else:
        place = _without_maps(model) or default_place(model, None if images is None else as_batch(model, images))
    path = next(path for path, operation in _paths(model) if operation is place.operation)
    return Spot(path, place.call, layer is None)


def _without_maps(model) -> Place | None:
    """The place of the last tokens (b, n, c) or hidden vector of a functional model that reads no learned map after them, or None."""
    forward = graph(model)
    if forward is None:
        return None
    producer = {tensor: event for event in forward.events for tensor in event.outputs}
    pending, seen, hidden = [(tensor, False) for tensor in forward.outputs], set(), None
    while pending:
        tensor, for_vector = pending.pop(0)
        if tensor in seen or tensor not in producer:
            continue
        seen.add(tensor)
        event = producer[tensor]
        if len(tensor.shape) == 4:
            return None if any(_learned(each) for each in forward.events[: forward.events.index(event) + 1]) else hidden
        if len(tensor.shape) == 3 and for_vector:  # a detector's (b, anchors, classes) are not read to make a vector
            return event.place
        if hidden is None and _learned(event) and event.inputs[0] in producer:
            hidden = producer[event.inputs[0]].place
        pending.extend((read, for_vector or len(tensor.shape) == 2) for read in event.inputs)
    return None


def _learned(event) -> bool:
    """Whether an operation has weights of its own making; those of a Normalization are facts about the data. Frozen ones count."""
    operation = event.place.operation
    return bool(getattr(operation, "weights", None)) and not isinstance(operation, keras.layers.Normalization)


def _is_batch(images) -> bool:
    """Whether it is one array (b, h, w, c), which need not become floating numbers all at once."""
    return len(getattr(images, "shape", ())) == 4


def _streams(images) -> bool:
    return not hasattr(images, "shape") and not isinstance(images, list | tuple | dict) and isinstance(images, Iterable)


def _batches(images, batch_size: int) -> Iterator:
    """Batches as `gradcam` takes them; single images of an iterator are gathered, an array is cut."""
    if not _streams(images):
        yield from (images[start : start + batch_size] for start in range(0, len(images), batch_size)) if _is_batch(images) else (images,)
        return
    waiting: list[np.ndarray] = []
    for entry in images:
        single = len(getattr(entry, "shape", ())) == 3
        if single:
            waiting.append(np.asarray(entry))
        if waiting and (not single or len(waiting) == batch_size):
            yield waiting
            waiting = []
        if not single:
            yield entry if isinstance(entry, list | tuple | dict) else np.asarray(entry)
    if waiting:
        yield waiting
