"""Targets that compare: why this class and not that one, and what makes an image resemble another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.explain.targets import Target, class_numbers, per_image, picked, predicted, single


@dataclass(frozen=True)
class Contrast(Target):
    """Why `a` and not `b`: the logit of class a minus the logit of class b.

    a, b:   each a class or a sequence of one class per image; a is None for the class that the model predicts.
    output: as in `ClassScore`.

    The difference of two logits is the logarithm of the ratio of their softmax probabilities. Where the model predicts b and a
    is None, the score is zero. Raises TypeError for what is no class, ValueError where a equals b or a class is out of range.
    """

    a: int | Sequence[int] | None
    b: int | Sequence[int]
    output: str | int | None = None

    def __post_init__(self):
        if self.b is None:
            raise TypeError("Contrast(a, b) needs the class b that a is compared with; only a may be None, the predicted class")
        object.__setattr__(self, "a", class_numbers(self.a))
        object.__setattr__(self, "b", class_numbers(self.b))

    def data(self, images: int, shape: tuple) -> tuple[np.ndarray, np.ndarray]:
        if len(shape) != 1:
            raise ValueError(f"a contrast of classes needs an output (b, classes), got shape (b, {', '.join(map(str, shape))})")
        a, b = per_image(self.a, images, shape[0]), per_image(self.b, images, shape[0])
        if (a == b).any():
            raise ValueError(f"a contrast needs two classes, got class {b[a == b][0]} twice for image {int(np.argmax(a == b))}")
        return a, b

    def settled(self, output, data):
        return predicted(output, data[0]), data[1]

    def score(self, output, data):
        a, b = self.settled(output, data)
        return picked(output, a) - picked(output, b)


@dataclass(frozen=True, eq=False)
class Similarity(Target):
    """What makes the image resemble a reference: the cosine of its embedding and the reference's, in [-1, 1].

    reference: an embedding (c,) for all images, or one per image (b, c): what the model, or the chosen output, gave for it.
    output:    which output is the embedding, as in `ClassScore`; it must be (b, c).

    Nothing is cut off the model. An embedding of zeros has cosine 0. Raises ValueError for a wrong shape or a reference of zeros.
    """

    reference: Any
    output: str | int | None = None
    logits = False

    def __post_init__(self):
        reference = np.asarray(self.reference, dtype=keras.config.floatx())
        if reference.ndim not in (1, 2) or not np.isfinite(reference).all() or not np.linalg.norm(reference, axis=-1).all():
            raise ValueError(
                f"a reference is an embedding (c,), or one per image (b, c), finite and not all zero; got shape {reference.shape}"
            )
        object.__setattr__(self, "reference", reference)

    def data(self, images: int, shape: tuple) -> np.ndarray:
        wanted = (images, *shape)
        if len(shape) != 1 or self.reference.shape not in (shape, wanted):
            raise ValueError(
                f"the reference has shape {self.reference.shape}, the output of the {images} images {wanted}; "
                "wanted an output (b, c) and a reference (c,) or (b, c), both made by the same model"
            )
        return np.broadcast_to(self.reference / np.linalg.norm(self.reference, axis=-1, keepdims=True), wanted)

    def score(self, output, data):
        output = single(output)
        data = ops.cast(data, output.dtype)
        length = ops.sqrt(ops.maximum(ops.sum(output * output, axis=-1), 1e-24))  # a root has no gradient at zero
        return ops.sum(output * data, axis=-1) / length
