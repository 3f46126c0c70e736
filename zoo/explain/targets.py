"""What is explained: small objects that turn the outputs of a model into one score per image.

A `Target` says which output it reads, keeps what varies from image to image (`data`, so that another class does not compile
again), and scores. Any callable `outputs -> (b,)` written with keras.ops is a target too; it is compiled once per object, so make
one and use it again. Every method of this room takes the same targets.
"""

from __future__ import annotations

import abc
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops, tree


class Target(abc.ABC):
    """What every target of this room is. Subclasses are frozen dataclasses with the two attributes below and three methods.

    output: which output is read, for a model with several: its key in a dict of outputs, or its number in a list.
    logits: whether the value before a final softmax or sigmoid is explained, because the gradient of a probability vanishes
            where the model is certain.

    A target with an attribute `layer` reads the map (b, h, w, c) of that layer instead of an output.
    """

    output: str | int | None = None
    logits: bool = True

    @property
    def key(self) -> tuple:
        """What the compiled function depends on, hashable; two targets of equal key differ in their data only."""
        return (type(self), self.output, self.logits)

    def select(self, outputs):
        """What is read of the model's outputs."""
        return select(outputs, self.output)

    @abc.abstractmethod
    def data(self, images: int, shape: tuple) -> Any:
        """numpy arrays with a leading axis of `images`, handed to `score`; `shape` is that of what is read, without the batch axis.

        Raises ValueError when the target does not fit the number of images or the shape.
        """

    def settled(self, output, data):
        """The data with what the unchanged images decide (their predicted class) filled in, for methods that change the images."""
        return data

    @abc.abstractmethod
    def score(self, output, data):
        """What is read, and a chunk of the data -> (b,), with keras.ops."""

    def __call__(self, outputs):
        """The model's outputs as tensors -> (b,)."""
        read = self.select(outputs)
        first = tree.flatten(read)[0]
        return self.score(read, tree.map_structure(ops.convert_to_tensor, self.data(int(first.shape[0]), tuple(first.shape[1:]))))


@dataclass(frozen=True)
class ClassScore(Target):
    """The logit of a class.

    index:  the class, a sequence of one class per image, or None for the class that the model predicts for each image.
    output: which output, for a model with several: its key in a dict of outputs, or its number in a list.

    Under a final softmax or sigmoid the value before it is explained. With one logit (b, 1), the only class is 0.
    """

    index: int | Sequence[int] | None = None
    output: str | int | None = None

    def __post_init__(self):
        object.__setattr__(self, "index", class_numbers(self.index))

    def data(self, images: int, shape: tuple) -> np.ndarray:
        """int32 (images,): the class of each image, -1 for "the predicted one". Raises for a wrong length or range."""
        if len(shape) != 1:
            raise ValueError(f"a class score needs an output (b, classes), got shape (b, {', '.join(map(str, shape))})")
        return per_image(self.index, images, shape[0])

    def settled(self, output, data):
        return predicted(output, data)

    def score(self, output, data):
        return picked(output, predicted(output, data))


def as_target(target: Any):
    """None, an int, or a sequence of ints becomes a ClassScore; a callable is returned as it is; anything else raises TypeError."""
    if isinstance(target, np.ndarray | np.generic):
        target = target.tolist()
    if target is None or isinstance(target, numbers.Number | list | tuple | range):
        return ClassScore(target)  # type: ignore[arg-type]  # its constructor refuses what is no int
    if callable(target):
        return target
    raise TypeError(
        f"a target is None (predicted class), a class number, a list with one per image, or a callable outputs -> (b,), got {target!r}"
    )


def select(outputs: Any, output: Any):
    """The tensor called `output` in a model's outputs; None for a model with a single output."""
    if isinstance(outputs, dict | list | tuple):
        keys = list(outputs) if isinstance(outputs, dict) else list(range(len(outputs)))
        if output is None and len(keys) == 1:
            output = keys[0]
        if output not in keys:
            raise ValueError(
                f"the model has the outputs {keys}, output={output!r} was asked for; say which one: ClassScore(index, output={keys[0]!r})"
            )
        outputs = outputs[output]
    elif output not in (None, 0):
        raise ValueError(f"the model has a single output, output={output!r} was asked for; leave it out")
    return outputs


def class_numbers(index, name: str = "class"):
    """None, an int, or a sequence of ints as a tuple; anything else raises TypeError, which says `name`."""
    if isinstance(index, Sequence | np.ndarray) and not isinstance(index, str):
        return tuple(_class_number(entry, name) for entry in index)
    return None if index is None else _class_number(index, name)


def per_image(index, images: int, classes: int, name: str = "class", because: str = "the model has {} outputs") -> np.ndarray:
    """int32 (images,): the class of each image, -1 for None, "the predicted one". Raises ValueError for a wrong length or range."""
    if index is None:
        return np.full(images, -1, dtype=np.int32)
    if isinstance(index, tuple) and len(index) != images:
        plural = "classes" if name == "class" else name + "s"
        raise ValueError(f"the target names {len(index)} {plural} for {images} images; give one int for all, or one per image")
    wanted = np.broadcast_to(np.asarray(index, dtype=np.int64), (images,))
    wrong = sorted({int(number) for number in wanted if number < 0 or number >= classes})
    if wrong:
        known = f"0 to {classes - 1}, because {because.format(classes)}"
        raise ValueError(f"the target {name} must be {known}, got {', '.join(map(str, wrong))}")
    return wanted.astype(np.int32)


def picked(scores, index):
    """scores (b, n) and the number of one column for each row (b,) -> (b,)."""
    return ops.squeeze(ops.take_along_axis(scores, ops.expand_dims(index, -1), axis=-1), axis=-1)


def predicted(scores, index):
    """int32 (b,): `index` where it is set, the column with the largest score (b, n) where it is -1."""
    return ops.where(index < 0, ops.cast(ops.argmax(scores, axis=-1), "int32"), index)


def single(x):
    """x in float32, unless it is float64."""
    return x if keras.backend.standardize_dtype(x.dtype) == "float64" else ops.cast(x, "float32")


def _class_number(index, name: str) -> int:
    if isinstance(index, bool | np.bool_) or not isinstance(index, int | np.integer):
        raise TypeError(
            f"a target {name} is an int, got {index!r} ({type(index).__name__}); wanted for example target=3 or target=[3, 0, 1]"
        )
    return int(index)
