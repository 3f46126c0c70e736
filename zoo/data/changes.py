"""What a recipe asks of the training pictures -> a pipeline that does it: names and numbers only, so that recipes stay data."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import tensorflow as tf

from zoo.data.augment import Augment
from zoo.data.mixup import Mixed
from zoo.data.pipeline import Pipeline
from zoo.data.random_augment import RandomAugment

STILL = Augment(flip=False, shift=0.0, zoom=0.0)
"""Augment without the changes that are on by default."""


class Chain:
    """Several changes one after another, each with numbers of its own, behind the face of one `Augment`."""

    def __init__(self, parts: Sequence[Any]):
        if not parts:
            raise ValueError("a chain needs at least one change")
        self.parts = tuple(parts)

    def draws(self, key):
        """Key (two integers) -> the draws of all parts, side by side. The first part draws as it would alone."""
        key = tf.convert_to_tensor(key, tf.int64)
        folded = [tf.random.experimental.stateless_fold_in(key, number) for number in range(1, len(self.parts))]
        keys = [key, *(tf.cast(each, tf.int64) for each in folded)]
        drawn = [part.draws(each) for part, each in zip(self.parts, keys, strict=True)]
        return tf.concat(drawn, axis=-1)

    def apply(self, images, draws):
        """Images (b, h, w, 3) in [0, 255] and their draws -> float32 (b, h, w, 3) in [0, 255]."""
        sizes = [part.draws(tf.zeros(2, tf.int64)).shape[0] for part in self.parts]
        for part, mine in zip(self.parts, tf.split(draws, sizes, axis=-1), strict=True):
            images = part.apply(images, mine)
        return images


def changed(
    pipeline: Pipeline,
    classes: int,
    *,
    flip: bool = False,
    crop: float = 0.0,
    colour: float = 0.0,
    random_augment: float = 0.0,
    random_augment_layers: int = 2,
    erasing: float = 0.0,
    repeats: int = 1,
    mixup: float = 0.0,
    cutmix: float = 0.0,
    mix_epochs: int | None = None,
) -> Pipeline | Mixed:
    """The pipeline with these changes of its training pictures; each field as in `zoo.train.Recipe`.

    classes:    number of classes, for labels that become rows of probabilities.
    mix_epochs: number of first epochs that mix; None means all.

    The order is crop and flip, colour, random operations, erasing, mixing. Raises ValueError for a pipeline that has an augmentation
    already and a wish for another.
    """
    parts: list[Any] = []
    if flip or crop or colour:
        parts.append(replace(STILL, flip=flip, crop=crop, brightness=colour, contrast=colour, saturation=colour))
    if random_augment:
        parts.append(RandomAugment(random_augment, random_augment_layers))
    if erasing:
        parts.append(replace(STILL, erase=erasing))
    if parts and pipeline.augment is not None:
        raise ValueError(
            "the recipe asks for changes of the pictures (flip, crop, colour, random_augment or erasing) and the pipeline has an "
            "augmentation of its own; say it in one place: leave out augment=... or these fields"
        )
    result = copy.copy(pipeline)  # keeps decoded pixels
    if repeats != 1:
        result.repeats = repeats
    if parts:
        result.augment = parts[0] if len(parts) == 1 else Chain(parts)
    if mixup or cutmix:
        return Mixed(result, classes, alpha=mixup, cutmix=cutmix, epochs=mix_epochs)
    return result
