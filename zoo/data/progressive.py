"""Progressive resizing: the first epochs train on small pictures, the last ones on large ones.

Small pictures cost little and show the coarse shape of things first (Karras et al. 2018, arXiv:1710.10196, section 2, for generators).
EfficientNetV2 (Tan & Le 2021, arXiv:2104.00298, section 4.2) does so for classifiers and finds that the changes of the pictures must
grow with them, or accuracy falls: small pictures want weak changes.
"""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.data.augment import Augment
from zoo.data.pipeline import Pipeline


class Progressive:
    """Training batches whose size depends on the epoch and on nothing else; evaluation is that of the pipeline, at its size.

    pipelines: one per stage; they hold the same pictures at the same size, and differ in their changes at most.
    sizes:     one per stage: (height, width) in pixels, or one side of a square. Batches are scaled down to it after all changes.
    starts:    the first epoch of each stage, from 0, rising.
    """

    def __init__(self, pipelines: Sequence[Any], sizes: Sequence, starts: Sequence[int]):
        self.pipelines = tuple(pipelines)
        self.sizes = tuple((size, size) if isinstance(size, int) else tuple(size) for size in sizes)
        self.starts = tuple(starts)
        self.examples = getattr(self.pipelines[-1], "examples", None)

    def __len__(self) -> int:
        return len(self.pipelines[-1])

    def size(self, epoch: int) -> tuple[int, int]:
        """(height, width) of the training batches of an epoch, counted from 0."""
        return self.sizes[self._stage(epoch)]

    def steps(self, batch_size: int, drop_remainder: bool = False) -> int:
        """Batches in one epoch, the same in all stages."""
        return self.pipelines[-1].steps(batch_size, drop_remainder)

    def training(self, batch_size: int, seed: int, start_epoch: int = 0, drop_remainder: bool = False) -> tf.data.Dataset:
        """Epochs without end; epoch e is the same whatever `start_epoch` was."""
        steps, first = self.steps(batch_size, drop_remainder), self._stage(start_epoch)
        stages = []
        for stage in range(first, len(self.starts)):
            begin = max(self.starts[stage], start_epoch)
            batches = self.pipelines[stage].training(batch_size, seed, begin, drop_remainder)
            if stage + 1 < len(self.starts):
                batches = batches.take((self.starts[stage + 1] - begin) * steps)
            stages.append(batches.map(_scaled(self.sizes[stage]), num_parallel_calls=tf.data.AUTOTUNE))
        return functools.reduce(lambda whole, part: whole.concatenate(part), stages).prefetch(tf.data.AUTOTUNE)

    def evaluation(self, batch_size: int) -> tf.data.Dataset:
        """Every image once, at the full size, unchanged."""
        return self.pipelines[-1].evaluation(batch_size)

    def changed(self, classes: int, **wishes) -> Progressive:
        """The same with the changes that a recipe names, alike in all stages."""
        return Progressive([pipeline.changed(classes, **wishes) for pipeline in self.pipelines], self.sizes, self.starts)

    def _stage(self, epoch: int) -> int:
        return int(np.searchsorted(self.starts, epoch, side="right")) - 1


def progressive(
    data: Any, sizes: Sequence, epochs: Sequence[int], augments: Sequence[Augment | None] | None = None, model: Any = None
) -> Any:
    """The data of `zoo.train.fit` with training pictures that grow from stage to stage; validation stays at its full size.

    data:     has `.train` and `.validation`, `zoo.data.Pipeline`s of the full size.
    sizes:    of the stages in pixels: a side, or (height, width); none above the size of the pipeline.
    epochs:   how many epochs each stage lasts; the last stage lasts until the training ends.
    augments: the changes of the pictures in each stage, weak to strong; default: those of the pipeline in all.
    model:    if given, it must take pictures of any size: `input_shape=(None, None, 3)`.

    A program compiled for a shape is compiled again at each new size. Raises ValueError for stages that do not fit together, and for a
    model with a fixed input size, such as every one whose head flattens its map (VGG, AlexNet, LeNet).
    """
    sizes, epochs = list(sizes), list(epochs)
    if not sizes or len(sizes) != len(epochs) or any(number < 1 for number in epochs):
        raise ValueError(f"wanted one size and one number of epochs >= 1 for each stage, got sizes={sizes} and epochs={epochs}")
    if augments is not None and len(augments) != len(sizes):
        raise ValueError(f"wanted one augmentation for each of {len(sizes)} stages, got {len(augments)}")
    train, validation = getattr(data, "train", None), getattr(data, "validation", None)
    if not isinstance(train, Pipeline) or validation is None:
        raise ValueError(
            f"wanted data with .train, a zoo.data.Pipeline, and .validation, got {type(data).__name__} with {type(train).__name__}; "
            "arrays become one by zoo.data.pipeline.Pipeline(zoo.data.Examples(...), size)"
        )
    if model is not None and tuple(model.input_shape[1:3]) != (None, None):
        raise ValueError(
            f"{model.name} takes pictures of {model.input_shape[1]}x{model.input_shape[2]} only; build it with "
            "input_shape=(None, None, 3), which a head that flattens its map cannot have: choose a row with global pooling"
        )
    if train.cache:
        train.pixels()  # decoded here, once: the copies share them
    pipelines = [copy.copy(train) for _ in sizes]
    for pipeline, augment in zip(pipelines, augments or [], strict=False):
        pipeline.augment = augment
    starts = [0, *itertools.accumulate(epochs)][: len(sizes)]
    grown = Progressive(pipelines, sizes, starts)
    for size in grown.sizes:
        if len(size) != 2 or any(not 1 <= side <= full for side, full in zip(size, train.size, strict=True)):
            raise ValueError(f"the size of a stage must be between 1 and that of the pipeline, {train.size}, got {size}")
    return SimpleNamespace(train=grown, validation=validation)


def _scaled(size: tuple[int, int]):
    def scale(images, labels):
        if tuple(images.shape[1:3]) == size:
            return images, labels
        return tf.image.resize(images, size, antialias=True), labels

    return scale
