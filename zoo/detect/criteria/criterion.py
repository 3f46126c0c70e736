"""What the four criteria share: their fields are their configuration, and how the padded truth is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from keras import ops


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fields:
    """The head of an image that the criterion belongs to.

    size:    (height, width) in pixels of the images that the model sees.
    classes: how many.
    strides: of the levels that predict, in pixels, finest first.
    """

    parts: ClassVar[tuple[str, ...]] = ("box", "class")

    size: tuple[int, int]
    classes: int
    strides: tuple[int, ...] = (8, 16, 32)

    def __post_init__(self):
        for field in dataclasses.fields(self):  # JSON knows no tuples
            object.__setattr__(self, field.name, _tuples(getattr(self, field.name)))
        if len(self.size) != 2 or min(self.size) < 1:
            raise ValueError(f"size is (height, width) of the images in pixels, got {self.size!r}")
        if self.classes < 1:
            raise ValueError(f"classes must be at least 1, got {self.classes!r}")

    def get_config(self) -> dict:
        """The fields, for Keras to save."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def from_config(cls, config: dict):
        """The criterion that had these fields."""
        return cls(**config)


class Truth(NamedTuple):
    """boxes: float32 (b, n, 4), zeros on padding; classes: int32 (b, n), 0 on padding; valid: bool (b, n), False on padding;
    fault: 0, or NaN where a class is none of the model's."""

    boxes: Any
    classes: Any
    valid: Any
    fault: Any


def read(truth: Mapping[str, Any], classes: int) -> Truth:
    """The labels of a batch. Padding is what has a class below 0; its boxes may hold anything.

    A class that the model does not have makes the loss NaN, which the guard of `zoo.train.fit` sees: inside a compiled step nothing can
    be raised, and a one-hot row of zeros would train the object away in silence. Raises ValueError for labels without any place.
    """
    if truth["classes"].shape[1] == 0:
        raise ValueError("wanted labels with at least one place per image, got none: pad with boxes of class -1 where nothing is")
    kind = ops.cast(truth["classes"], "int32")
    valid = kind >= 0
    boxes = ops.where(valid[..., None], ops.cast(truth["boxes"], "float32"), 0.0)
    fault = ops.where(ops.any(kind >= classes), float("nan"), 0.0)
    return Truth(boxes, ops.clip(kind, 0, classes - 1), valid, fault)


class Assigned(NamedTuple):
    """For every anchor the truth it belongs to, zeros where there is none. boxes: (b, a, 4); classes: one-hot float32 (b, a, classes);
    positive: bool (b, a)."""

    boxes: Any
    classes: Any
    positive: Any


def assign(truth: Truth, matched, classes: int) -> Assigned:
    """matched: int32 (b, a), the number of the truth in its image, or below 0 for none."""
    positive = matched >= 0
    own = ops.where(positive, matched, 0)
    boxes = ops.where(positive[..., None], ops.take_along_axis(truth.boxes, own[..., None], axis=1), 0.0)
    hot = ops.one_hot(ops.take_along_axis(truth.classes, own, axis=1), classes, dtype="float32")
    return Assigned(boxes, ops.where(positive[..., None], hot, 0.0), positive)


def total(parts: dict, truth: Truth) -> tuple[Any, dict]:
    """(sum of the parts, the parts); NaN when the truth is at fault."""
    return sum(parts.values()) + truth.fault, parts


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
