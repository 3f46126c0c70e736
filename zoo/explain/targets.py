"""What is explained: small objects that turn the outputs of a model into one score per image.

A target is any callable `outputs -> (b,)` written with keras.ops; it is summed over the batch and differentiated. Every
method of this room takes the same targets. Make one and use it again: the compiled function is kept per target object.
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops


@dataclass(frozen=True)
class ClassScore:
    """The logit of a class.

    index:  the class, a sequence of one class per image, or None for the class that the model predicts for each image.
    output: which output, for a model with several: its key in a dict of outputs, or its number in a list.

    Under a final softmax or sigmoid the value before it is explained, because the gradient of a probability vanishes where
    the model is certain. With one logit (b, 1), the only class is 0.
    """

    index: int | Sequence[int] | None = None
    output: str | int | None = None

    def __post_init__(self):
        if isinstance(self.index, Sequence | np.ndarray) and not isinstance(self.index, str):
            object.__setattr__(self, "index", tuple(_class_number(entry) for entry in self.index))
        elif self.index is not None:
            object.__setattr__(self, "index", _class_number(self.index))

    def __call__(self, outputs):
        """outputs (b, classes) or the model's structure of them -> (b,)."""
        logits = self.select(outputs)
        numbers = -1 if self.index is None else self.index
        return class_score(logits, ops.zeros(ops.shape(logits)[:1], dtype="int32") + ops.convert_to_tensor(numbers, dtype="int32"))

    def select(self, outputs):
        """The output that holds the logits."""
        return select(outputs, self.output)

    def indices(self, images: int, classes: int | None) -> np.ndarray:
        """int32 (images,): the class of each image, -1 for "the predicted one". Raises for a wrong length or range."""
        if self.index is None:
            return np.full(images, -1, dtype=np.int32)
        if isinstance(self.index, tuple) and len(self.index) != images:
            raise ValueError(f"the target names {len(self.index)} classes for {images} images; give one int for all, or one per image")
        wanted = np.broadcast_to(np.asarray(self.index, dtype=np.int64), (images,))
        wrong = sorted({int(index) for index in wanted if index < 0 or (classes is not None and index >= classes)})
        if wrong:
            known = "at least 0" if classes is None else f"0 to {classes - 1}, because the model has {classes} outputs"
            raise ValueError(f"the target class must be {known}, got {', '.join(map(str, wrong))}")
        return wanted.astype(np.int32)


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


def class_score(logits, indices):
    """Logits (b, classes) and int32 (b,) -> (b,); an index of -1 means the largest logit of its row."""
    predicted = ops.cast(ops.argmax(logits, axis=-1), "int32")
    chosen = ops.where(indices < 0, predicted, indices)
    return ops.squeeze(ops.take_along_axis(logits, ops.expand_dims(chosen, -1), axis=-1), axis=-1)


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
    if len(outputs.shape) != 2:
        raise ValueError(f"a class score needs an output (b, classes), got shape {tuple(outputs.shape)}; pass a callable outputs -> (b,)")
    return outputs


def _class_number(index) -> int:
    if isinstance(index, bool | np.bool_) or not isinstance(index, int | np.integer):
        raise TypeError(
            f"a target class is an int, got {index!r} ({type(index).__name__}); wanted for example target=3 or target=[3, 0, 1]"
        )
    return int(index)
