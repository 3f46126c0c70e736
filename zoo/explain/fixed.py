"""What the unchanged images decide about a target is decided once, and a class is followed as a probability, which has a scale."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from keras import ops

from zoo.explain.images import length
from zoo.explain.session import probe
from zoo.explain.targets import ClassScore, Target, as_target


@dataclass(frozen=True)
class Fixed(Target):
    """A target whose data the unchanged images have decided: a predicted class stays what it was, whatever happens to image or model."""

    inner: Target
    decided: Any

    @property
    def key(self) -> tuple:
        return (Fixed, self.inner.key)

    @property
    def output(self):  # type: ignore[override]
        return self.inner.output

    @property
    def logits(self):  # type: ignore[override]
        return self.inner.logits

    @property
    def layer(self):  # type: ignore[override]
        return getattr(self.inner, "layer", None)

    def select(self, outputs):
        return self.inner.select(outputs)

    def data(self, images: int, shape: tuple):
        decided = length(self.decided)
        if images != decided:
            raise ValueError(f"the target was decided for {decided} images, got {images}; explain the same images")
        return self.decided

    def score(self, output, data):
        return self.inner.score(output, data)


@dataclass(frozen=True)
class ClassProbability(ClassScore):
    """The probability of a class: softmax of the logits; of a single logit, the sigmoid."""

    def score(self, output, data):
        return super().score(ops.sigmoid(output) if output.shape[-1] == 1 else ops.softmax(output, axis=-1), data)


def fixed(model, images, target, batch_size: int = 32):
    """The target as the unchanged images decide it; a callable that is no `Target` decides nothing and is returned as it is."""
    target = as_target(target)
    if not isinstance(target, Target) or isinstance(target, Fixed):
        return target
    with probe(model, images, target, batch_size) as asked:
        return Fixed(target, asked.data)


def probability(target):
    """The target whose scores have a scale: a class gives its probability; any other target is returned as it is."""
    target = as_target(target)
    if isinstance(target, Fixed):
        return dataclasses.replace(target, inner=probability(target.inner))
    return ClassProbability(target.index, target.output) if type(target) is ClassScore else target
