"""One explanation from start to end: check, find the place and the target, compile once, run chunk by chunk.

Compiled functions are kept per model (a dozen at most, the least recently used goes) and hold the model weakly, so a model that
nobody else needs is freed. One explanation at a time runs on a model; others of other models, and predictions, do not wait.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np
from keras import ops, tree

from zoo.explain.images import as_batch, chunks, length
from zoo.explain.places import Place, default_place, final_activation, find_layer
from zoo.explain.tap import method, substituted, tapped
from zoo.explain.targets import ClassScore, as_target, class_score, select
from zoo.gradients import jit, tapped_value_and_grad, value_and_grad

KEPT = 12
"""Things remembered per model: compiled functions, the default layer, the outputs."""


@dataclass
class _Memory:
    """What is remembered about one model."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    kept: OrderedDict = field(default_factory=OrderedDict)


_MEMORIES: weakref.WeakKeyDictionary[keras.Model, _Memory] = weakref.WeakKeyDictionary()
_MUTEX = threading.Lock()


def forget(model: keras.Model) -> None:
    """Drop what is compiled for `model`; needed only after changing its structure (weights may change at any time)."""
    with _MUTEX:
        _MEMORIES.pop(model, None)


def map_gradients(model, images, target, layer, batch_size: int, reduce: Callable) -> tuple[np.ndarray, object]:
    """`reduce(maps, gradients) -> (b, h, w)` at a layer, over all chunks; with the batch that `images` became.

    reduce: a function of this module's callers, with keras.ops, on float32 maps and gradients (b, h, w, c).
    """
    with _session(model, images) as (memory, batch):
        place = _place(memory, model, layer, batch)
        target, indices = _target(memory, model, target, batch)

        def build(scored):
            operation = weakref.ref(place.operation)

            def heat(images, indices):
                def score(tap, images, indices):
                    maps = []

                    def keep(y):
                        maps.append(tap(y))
                        return maps[0]

                    with tapped(operation(), place.call, keep):
                        value = scored(images, indices)
                    return value, maps[0]

                (_, maps), gradients = tapped_value_and_grad(score)(images, indices)
                return reduce(_float32(maps), _float32(gradients))

            return heat

        key = (reduce, id(place.operation), place.call)
        found = _run(_compiled(memory, model, key, target, batch, build), batch, indices, batch_size)
    if found.shape[1:] == (1, 1):
        raise ValueError(
            f"the map of {place.operation.name!r} is 1x1: with one place only it cannot say where; choose an earlier layer or larger images"
        )
    return found, batch


def image_gradients(model, images, target, batch_size: int, reduce: Callable) -> np.ndarray:
    """`reduce(gradients) -> (b, h, w)` of d score / d image, over all chunks; in a model of several inputs, its first image."""
    with _session(model, images) as (memory, batch):
        target, indices = _target(memory, model, target, batch)
        number = next((n for n, leaf in enumerate(tree.flatten(batch)) if leaf.ndim == 4), 0)

        def build(scored):
            def heat(images, indices):
                leaves = tree.flatten(images)

                def score(image):
                    return scored(tree.pack_sequence_as(images, [*leaves[:number], image, *leaves[number + 1 :]]), indices)

                return reduce(value_and_grad(score)(leaves[number])[1])

            return heat

        return _run(_compiled(memory, model, (reduce, number), target, batch, build), batch, indices, batch_size)


def maps_of(model, images, layer, batch_size: int) -> np.ndarray:
    """The maps (b, h, w, c) of a layer, over all chunks."""
    with _session(model, images) as (memory, batch):
        place = _place(memory, model, layer, batch)
        owner: Callable = weakref.ref(model)
        operation = weakref.ref(place.operation)

        def maps(images, indices):
            found = []

            def keep(y):
                found.append(y)
                return y

            with tapped(operation(), place.call, keep):
                owner()(images, training=False)
            return _float32(found[0])

        compiled = _kept(memory, model, ("maps", id(place.operation), place.call), lambda: jit(maps, model.variables))
        return _run(compiled, batch, np.zeros(length(batch), np.int32), batch_size)


@contextlib.contextmanager
def _session(model, images):
    if not isinstance(model, keras.Model):
        raise TypeError(f"a keras.Model is explained, got {type(model).__name__}")
    batch = as_batch(model, images)
    with _MUTEX:
        memory = _MEMORIES.setdefault(model, _Memory())
    with memory.lock:
        if not model.built:
            model(_tensors(tree.map_structure(lambda leaf: leaf[:1], batch)), training=False)
        yield memory, batch


def _place(memory, model, layer, batch) -> Place:
    if layer is not None:
        return find_layer(model, layer)
    reference, call = _kept(memory, model, "default", lambda: _weakly(default_place(model, batch)))
    return Place(reference(), call)


def _weakly(place: Place):
    return weakref.ref(place.operation), place.call


def _target(memory, model, target, batch):
    """The target to compile, and the int32 (b,) that varies from image to image without compiling again."""
    target = as_target(target)
    if not isinstance(target, ClassScore):
        return target, np.zeros(length(batch), np.int32)
    classes, _ = _head(memory, model, target.output, batch)
    return ClassScore(None, target.output), target.indices(length(batch), classes)


def _head(memory, model, output, batch):
    """How many classes an output (b, classes) has, and a reference to the final activation, to be left out for its logits."""

    def look():
        one = tree.map_structure(lambda leaf: leaf[:1], batch)
        outputs = model(_tensors(one), training=False)
        row = ops.convert_to_numpy(ops.cast(select(outputs, output), "float32"))[0]
        number = sorted(outputs).index(output) if isinstance(outputs, dict) and output is not None else int(output or 0)
        activation = final_activation(model, number, one)
        if activation is None and len(row) > 1 and row.min() >= 0 and abs(row.sum() - 1) < 1e-3:
            warnings.warn(
                f"the model {model.name!r} seems to end in probabilities, but not by a layer that can be left out: "
                "the probability is explained, and its gradient vanishes where the model is certain",
                stacklevel=6,
            )
        return len(row), _nothing if activation is None else weakref.ref(activation)

    return _kept(memory, model, ("head", output), look)


def _nothing():
    return None


def _compiled(memory, model, key, target, batch, build):
    """`build(scored)` compiled, where scored(images, indices) is the summed score of the target."""
    is_class = isinstance(target, ClassScore)
    on_logits = is_class or getattr(target, "logits", False)
    activation = _head(memory, model, getattr(target, "output", None), batch)[1] if on_logits else _nothing
    owner: Callable = weakref.ref(model)

    def scored(images, indices):
        with _without(activation()):
            outputs = owner()(images, training=False)
        scores = class_score(target.select(outputs), indices) if is_class else target(outputs)
        if len(scores.shape) != 1:
            raise ValueError(
                f"a target gives one score per image, shape (b,), got {tuple(scores.shape)}; reduce the other axes in the target"
            )
        return ops.sum(_float32(scores))

    def make():
        return jit(build(scored), model.variables), target  # the target is kept, so that its id stays its own

    return _kept(memory, model, (*key, target if _hashable(target) else id(target)), make)[0]


@contextlib.contextmanager
def _without(activation):
    """The model without its final activation: the layer's `activation` or the whole operation passes its input on."""
    if activation is None:
        yield
        return
    name = "activation" if callable(getattr(activation, "activation", None)) else method(activation)
    with substituted(activation, name, lambda original, x, *args, **kwargs: x):
        yield


def _kept(memory: _Memory, model, key, make: Callable):
    # A Sequential model may grow after it was explained, so its present graph is a part of the key.
    key = (key, id(getattr(model, "_functional", None)), keras.config.image_data_format())
    if key in memory.kept:
        memory.kept.move_to_end(key)
        return memory.kept[key]
    made = memory.kept[key] = make()
    while len(memory.kept) > KEPT:
        memory.kept.popitem(last=False)
    return made


def _run(compiled, batch, indices: np.ndarray, batch_size: int) -> np.ndarray:
    parts = []
    for rows, (images, wanted) in chunks((batch, indices), batch_size):
        part = compiled(_tensors(images), ops.convert_to_tensor(wanted, dtype="int32"))
        parts.append(ops.convert_to_numpy(part)[: rows.stop - rows.start])
    return np.concatenate(parts)


def _float32(x):
    return x if keras.backend.standardize_dtype(x.dtype) == "float64" else ops.cast(x, "float32")


def _tensors(batch):
    return tree.map_structure(ops.convert_to_tensor, batch)


def _hashable(target) -> bool:
    try:
        hash(target)
    except TypeError:
        return False
    return True
