"""One explanation from start to end: check, find the place and the target, compile once, run chunk by chunk.

Compiled functions are kept per model (a few dozen at most, the least recently used goes) and hold the model weakly, so a model that
nobody else needs is freed. One explanation at a time runs on a model; others of other models, and predictions, do not wait.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from zoo.explain.images import as_batch, chunks, length, picture
from zoo.explain.places import Place, check_channels_last, default_place, final_activation, find_layer
from zoo.explain.progress import Progress, report
from zoo.explain.receptive_field import ReceptiveField, field_at
from zoo.explain.tap import method, substituted, tapped
from zoo.explain.targets import Target, as_target, select, single
from zoo.gradients import jit, tapped_value_and_grad, value_and_grad

KEPT = 32
"""Things remembered per model: compiled functions, the default layer, the outputs, receptive fields."""


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
        target, data = _target(memory, model, target, batch)

        def build(scored):
            operation = weakref.ref(place.operation)

            def heat(images, data):
                def score(tap, images, data):
                    maps = []

                    def keep(y):
                        maps.append(tap(y))
                        return maps[0]

                    with tapped(operation(), place.call, keep):
                        value = ops.sum(scored(images, data))
                    return value, maps[0]

                (_, maps), gradients = tapped_value_and_grad(score)(images, data)
                return reduce(single(maps), single(gradients))

            return heat

        key = (reduce, id(place.operation), place.call)
        found = _run(_compiled(memory, model, key, target, batch, build), batch, data, batch_size)
    if found.shape[1:] == (1, 1):
        raise ValueError(
            f"the map of {place.operation.name!r} is 1x1: with one place only it cannot say where; choose an earlier layer or larger images"
        )
    return found, batch


def image_gradients(
    model, images, target, batch_size: int, reduce: Callable | None = None, around: Callable | None = None, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """d score / d image (b, h, w, c), or `reduce` of it, over all chunks, with the images; in a model of several inputs, its first image.

    around: a function of this module's callers, model -> context manager, within which the model runs and is differentiated.
    """
    with _session(model, images) as (memory, batch):
        target, data = _target(memory, model, target, batch)
        program = _gradient_program(memory, model, target, batch, reduce or _unreduced, around=around)
        return _run(program, batch, data, batch_size, progress), tree.flatten(batch)[_first_image(batch)]


@contextlib.contextmanager
def probe(model, images, target, batch_size: int) -> Iterator[Probe]:
    """Scores and gradients of changed copies of the images, for one target that the unchanged images decide (see `Probe`)."""
    with _session(model, images) as (memory, batch):
        target, data = _target(memory, model, target, batch)
        if isinstance(target, Target):
            settle = _compiled_forward(memory, model, target, batch, "settled")
            data = _run(settle, batch, data, batch_size)
        yield Probe(memory, model, target, batch, data, batch_size)


@dataclass
class Probe:
    """Ask the model about changed copies of its images.

    Every copy belongs to one of the images and is scored for that image's target: a predicted class stays the class that the
    unchanged image has. In a model of several inputs the first image is changed and the others are those of the image.
    """

    memory: _Memory
    model: keras.Model
    target: Any
    batch: Any
    data: Any
    batch_size: int

    @property
    def pictures(self) -> np.ndarray:
        """The unchanged images (b, h, w, c), floating, in [0, 255]."""
        return tree.flatten(self.batch)[self._number]

    def scores(self, pictures: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The score of each changed picture (n, h, w, c): float32 (n,). rows: int (n,), which image each one belongs to."""
        program = _compiled_forward(self.memory, self.model, self.target, self.batch, "score")
        return self._ask(program, pictures, rows)

    def gradients(self, pictures: np.ndarray, rows: np.ndarray, reduce: Callable | None = None) -> np.ndarray:
        """d score / d picture at each changed picture (n, h, w, c): float32 (n, h, w, c), or `reduce` of it with keras.ops."""
        program = _gradient_program(self.memory, self.model, self.target, self.batch, reduce or _unreduced)
        return self._ask(program, pictures, rows)

    def scores_and_gradients(self, pictures: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both at the price of one: float32 (n,) and (n, h, w, c)."""
        program = _gradient_program(self.memory, self.model, self.target, self.batch, _unreduced, with_scores=True)
        return self._ask(program, pictures, rows)

    @property
    def _number(self) -> int:
        return _first_image(self.batch)

    def _ask(self, program, pictures, rows):
        rows = np.asarray(rows)
        pictures = np.asarray(pictures, dtype=self.pictures.dtype)
        if rows.shape != pictures.shape[:1] or pictures.shape[1:] != self.pictures.shape[1:]:
            raise ValueError(
                f"changed pictures are (n, {', '.join(map(str, self.pictures.shape[1:]))}) with rows (n,), "
                f"got shapes {pictures.shape} and {rows.shape}"
            )
        leaves = [leaf[rows] for leaf in tree.flatten(self.batch)]
        leaves[self._number] = pictures
        batch = tree.pack_sequence_as(self.batch, leaves)
        return _run(program, batch, tree.map_structure(lambda leaf: leaf[rows], self.data), self.batch_size)


def maps_of(model, images, layer, batch_size: int) -> np.ndarray:
    """The maps (b, h, w, c) of a layer, over all chunks."""
    with _session(model, images) as (memory, batch):
        place = _place(memory, model, layer, batch)
        read = _maps(model, place)
        compiled = _kept(
            memory,
            model,
            ("maps", id(place.operation), place.call),
            lambda: jit(lambda images, unused: single(read(images)), model.variables),
        )
        return _run(compiled, batch, np.zeros(length(batch), np.int32), batch_size)


def _maps(model, place: Place) -> Callable:
    """images -> the map (b, h, w, c) at a place of the model."""
    owner: Callable = weakref.ref(model)
    operation = weakref.ref(place.operation)

    def maps(images):
        found = []

        def keep(y):
            found.append(y)
            return y

        with tapped(operation(), place.call, keep):
            owner()(images, training=False)
        return found[0]

    return maps


def field_of(model, images, layer) -> ReceptiveField | None:
    """The receptive field of a layer's map on images of this size; None where it is not known. Computed once per layer and size."""
    with _session(model, images) as (memory, batch):
        place, size = _place(memory, model, layer, batch), picture(batch).shape[1:3]

        def look():
            try:
                return field_at(model, place, size)
            except ValueError:
                return None

        return _kept(memory, model, ("field", id(place.operation), place.call, size), look)


def vectors_of(model, images, place: Place, reads: bool, batch_size: int) -> np.ndarray:
    """The vector of each image at a place, float32 (b, c), over all chunks: (b, h, w, c) and (b, n, c) by their mean, (b, c) as it is.

    reads: of an operation that turns a map into a vector, the map is taken: a pooling stands for what it reads.
    """
    with _session(model, images) as (memory, batch):
        owner: Callable = weakref.ref(model)
        operation, name = weakref.ref(place.operation), place.operation.name

        def vectors(images, _):
            found = []

            def listen(original, *args, **kwargs):
                output = original(*args, **kwargs)
                pools = len(getattr(output, "shape", ())) == 2 and args and len(getattr(args[0], "shape", ())) == 4
                found.append(args[0] if reads and pools else output)
                return output

            with substituted(operation(), method(operation()), listen):
                owner()(images, training=False)
            if len(found) <= place.call or len(getattr(found[place.call], "shape", ())) not in (2, 3, 4):
                raise ValueError(f"the layer {name!r} gives no features at its call {place.call}; wanted (b, c), (b, n, c) or maps")
            values = ops.cast(found[place.call], "float32")
            return ops.mean(values, axis=tuple(range(1, len(values.shape) - 1))) if len(values.shape) > 2 else values

        key = ("vectors", id(place.operation), place.call, reads)
        compiled = _kept(memory, model, key, lambda: jit(vectors, model.variables))
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
        _kept(memory, model, "channels last", lambda: check_channels_last(model))
        yield memory, batch


def _place(memory, model, layer, batch) -> Place:
    if layer is not None:
        return find_layer(model, layer)
    reference, call = _kept(memory, model, "default", lambda: _weakly(default_place(model, batch)))
    return Place(reference(), call)


def _weakly(place: Place):
    return weakref.ref(place.operation), place.call


def _target(memory, model, target, batch):
    """The target, and its data: numpy arrays with a row per image, which vary without compiling again."""
    target = as_target(target)
    if not isinstance(target, Target):
        return target, np.zeros(length(batch), np.int32)
    shape, _ = _head(memory, model, target, batch)
    return target, target.data(length(batch), shape)


def _head(memory, model, target, batch):
    """The shape of what the target reads, without the batch axis, and a reference to a final activation that is to be left out."""
    logits, output = getattr(target, "logits", False), getattr(target, "output", None)

    def look():
        one = tree.map_structure(lambda leaf: leaf[:1], batch)
        outputs = _forward(memory, model, target, batch)(_tensors(one))
        read = tree.flatten(target.select(outputs) if isinstance(target, Target) else select(outputs, output))[0]
        if not logits:
            return tuple(read.shape[1:]), _nothing
        number = sorted(outputs).index(output) if isinstance(outputs, dict) and output is not None else int(output or 0)
        activation = final_activation(model, number, one)
        if activation is None:
            if isinstance(target, Target):
                target.data(length(batch), tuple(read.shape[1:]))  # one that does not fit is refused, without a warning before
            _warn_of_probabilities(model, ops.convert_to_numpy(ops.cast(read, "float32"))[0])
        return tuple(read.shape[1:]), _nothing if activation is None else weakref.ref(activation)

    return _kept(memory, model, ("head", *(target.key if isinstance(target, Target) else (type(target), output, logits))), look)


def _forward(memory, model, target, batch) -> Callable:
    """images -> the outputs of the model, or the map of the layer that the target reads instead."""
    layer = getattr(target, "layer", None) if isinstance(target, Target) else None
    if layer is not None:
        return _maps(model, _place(memory, model, layer, batch))
    owner: Callable = weakref.ref(model)
    return lambda images: owner()(images, training=False)


def _warn_of_probabilities(model, scores: np.ndarray) -> None:
    """scores: (..., classes) of one image."""
    if scores.shape[-1:] > (1,) and scores.min() >= 0 and np.abs(scores.sum(-1) - 1).max() < 1e-3:
        warnings.warn(
            f"the model {model.name!r} seems to end in probabilities, but not by a layer that can be left out: "
            "the probability is explained, and its gradient vanishes where the model is certain",
            stacklevel=7,
        )


def _nothing():
    return None


def _scored(memory, model, target, batch, step: str = "score"):
    """scored(images, data) -> the score of each image (b,); or what another step of the target ("settled") makes of the outputs."""
    needs_look = isinstance(target, Target) or getattr(target, "logits", False)
    activation = _head(memory, model, target, batch)[1] if needs_look else _nothing
    forward = _forward(memory, model, target, batch)

    def scored(images, data):
        with _without(activation()):
            outputs = forward(images)
        if step != "score":
            return getattr(target, step)(target.select(outputs), data)
        scores = target.score(target.select(outputs), data) if isinstance(target, Target) else target(outputs)
        if len(scores.shape) != 1:
            raise ValueError(
                f"a target gives one score per image, shape (b,), got {tuple(scores.shape)}; reduce the other axes in the target"
            )
        return single(scores)

    return scored


def _compiled(memory, model, key, target, batch, build):
    """`build(scored)` compiled, and kept for the next call with the same key and target."""

    def make():
        return jit(build(_scored(memory, model, target, batch)), model.variables), target  # kept too, so that its id stays its own

    return _kept(memory, model, (*key, _target_key(target)), make)[0]


def _compiled_forward(memory, model, target, batch, step: str):
    def make():
        return jit(_scored(memory, model, target, batch, step), model.variables), target

    return _kept(memory, model, (step, _target_key(target)), make)[0]


def _gradient_program(memory, model, target, batch, reduce: Callable, *, around: Callable | None = None, with_scores: bool = False):
    """(images, data) -> `reduce(gradients)` of d score / d the first image, compiled; with the scores before them if wanted."""
    number = _first_image(batch)
    owner: Callable = weakref.ref(model)

    def build(scored):
        def heat(images, data):
            leaves = tree.flatten(images)

            def score(image):
                scores = scored(tree.pack_sequence_as(images, [*leaves[:number], image, *leaves[number + 1 :]]), data)
                return ops.sum(scores), scores

            with around(owner()) if around else contextlib.nullcontext():
                (_, scores), gradients = value_and_grad(score)(leaves[number])
            return (scores, reduce(gradients)) if with_scores else reduce(gradients)

        return heat

    return _compiled(memory, model, (reduce, number, around, with_scores), target, batch, build)


def _first_image(batch) -> int:
    return next((n for n, leaf in enumerate(tree.flatten(batch)) if leaf.ndim == 4), 0)


def _unreduced(gradients):
    return gradients


def _target_key(target):
    if isinstance(target, Target):
        return target.key
    return target if _hashable(target) else id(target)


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


def _run(compiled, batch, data, batch_size: int, progress: Progress | None = None):
    """The program over all chunks; its numpy results joined, a structure of them if it gives several."""
    parts = []
    for rows, (images, wanted) in chunks((batch, data), batch_size):
        part = tree.map_structure(ops.convert_to_numpy, compiled(_tensors(images), _tensors(wanted)))
        parts.append(tree.map_structure(lambda found, rows=rows: found[: rows.stop - rows.start], part))
        report(progress, rows.stop, length(batch))
    return tree.map_structure(lambda *found: np.concatenate(found), *parts)


def _tensors(batch):
    return tree.map_structure(ops.convert_to_tensor, batch)


def _hashable(target) -> bool:
    try:
        hash(target)
    except TypeError:
        return False
    return True
