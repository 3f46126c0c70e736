"""tf-keras-vis' scores as targets of the zoo: what they read, kept apart from what varies from image to image.

A score there is a function of the whole batch of outputs. The known ones become targets whose data follow their image, so that chunks,
noisy copies and masked copies score right; any other function sees the whole batch at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from keras import ops, tree

from zoo.explain.targets import Target, per_image


@dataclass(frozen=True)
class CategoricalScore:
    """The output of a class: one for all images, or a list with one for each."""

    indices: int | list[int]


@dataclass(frozen=True)
class BinaryScore:
    """One output (b, 1): itself for True, its negative for False; one for all images, or a list with one for each."""

    target_values: bool | list[bool]


@dataclass(frozen=True)
class InactiveScore:
    """Of a model with several outputs, one that is not asked."""


@dataclass(frozen=True)
class Categorical(Target):
    """The value of a class, averaged over the places of an output that has some (a segmenter's)."""

    index: int | tuple[int, ...] = 0
    output: str | int | None = None
    logits: bool = False

    def data(self, images: int, shape: tuple) -> np.ndarray:
        return per_image(self.index, images, shape[-1])

    def score(self, output, data):
        column = ops.reshape(data, (-1, *[1] * (len(output.shape) - 1)))
        chosen = ops.where(ops.arange(output.shape[-1], dtype="int32") == column, output, ops.zeros_like(output))
        return _mean(ops.sum(chosen, axis=-1))


@dataclass(frozen=True)
class Binary(Target):
    """The only output of each image, or its negative."""

    signs: tuple[int, ...] = (1,)
    output: str | int | None = None
    logits: bool = False

    def data(self, images: int, shape: tuple) -> np.ndarray:
        if shape != (1,) or len(self.signs) not in (1, images):
            raise ValueError(
                f"a BinaryScore needs an output (b, 1) and one value, or one for each of {images} images; got {(None, *shape)} and "
                f"{len(self.signs)} values"
            )
        return np.broadcast_to(np.array(self.signs, np.float32), (images,))

    def score(self, output, data):
        return output[:, 0] * ops.cast(data, output.dtype)


@dataclass(frozen=True, eq=False)
class Called(Target):
    """What a function of theirs makes of an output: (b, ...), or a list with a tensor for each image."""

    function: Callable = len
    output: str | int | None = None
    logits: bool = False

    @property
    def key(self) -> tuple:
        return (Called, id(self.function), self.output, self.logits)

    def data(self, images: int, shape: tuple) -> np.ndarray:
        return np.zeros(images, np.int32)

    def score(self, output, data):
        found = self.function(output)
        return _mean(ops.stack(list(found)) if isinstance(found, list | tuple) else found)


def target_of(score, output, logits: bool) -> Target:
    """A score as a target of the zoo. Raises TypeError for what is none."""
    if hasattr(score, "indices"):
        indices = np.atleast_1d(score.indices).tolist()
        return Categorical(indices[0] if len(indices) == 1 else tuple(indices), output, logits)
    if hasattr(score, "target_values"):
        return Binary(tuple(1 if value else -1 for value in np.atleast_1d(score.target_values)), output, logits)
    if callable(score):
        return Called(score, output, logits)
    raise TypeError(f"a score is a CategoricalScore, a BinaryScore, an InactiveScore or a function of an output, got {score!r}")


def outputs_of(model, images) -> list:
    """The names or numbers of the model's outputs, in the order of their scores: of a dict, sorted."""
    outputs = model(tree.map_structure(lambda array: ops.convert_to_tensor(np.asarray(array, "float32")[:1]), images), training=False)
    return sorted(outputs) if isinstance(outputs, dict) else list(range(len(outputs)))


def _mean(values):
    return ops.mean(ops.reshape(values, (ops.shape(values)[0], -1)), axis=1)


def named(thing, name: str) -> bool:
    """Whether a thing is of the class of that name, here or in tf-keras-vis, which is not imported to find out."""
    return type(thing).__name__ == name or getattr(thing, "__name__", "") == name
