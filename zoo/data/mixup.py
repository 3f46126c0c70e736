"""mixup and CutMix: train on pictures that are two at once, with labels that say so.

mixup: straight lines between pictures (Zhang, Cisse, Dauphin & Lopez-Paz 2017, arXiv:1710.09412, equation 1). A picture and its
neighbour in the batch are blended with a weight drawn from Beta(alpha, alpha), and so are their labels. The network learns to change its
mind evenly from one class to the other, instead of jumping somewhere in between.

CutMix: a rectangle of the neighbour is pasted in, and the labels share by area (Yun et al. 2019, arXiv:1905.04899, equations 1 and 2).
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from zoo.data.pipeline import Pipeline


class Mixed:
    """A pipeline whose labels are rows of probabilities, float32 (b, classes), and whose training batches are mixed in pairs.

    pipeline: batches of images and integer labels.
    classes:  number of classes.
    alpha:    of mixup's Beta distribution, >= 0; 0.2 is the paper's choice on ImageNet. 0 blends nothing.
    cutmix:   alpha of CutMix, >= 0; 1.0 is the paper's choice. 0 pastes nothing. With both, each batch tosses a coin for one of them.
    epochs:   number of first epochs that mix; None means all. In the others only the labels change their form.

    One weight for a batch, and the batch in reverse order as its partner. What is drawn follows from the seed and the number of the
    batch alone, so a resumed training sees the same mixes. Use a loss of probabilities, such as `zoo.losses.Crossentropy`.
    """

    def __init__(self, pipeline: Pipeline, classes: int, alpha: float = 0.2, cutmix: float = 0.0, epochs: int | None = None):
        if classes < 2:
            raise ValueError(f"mixup needs at least two classes, got {classes}")
        for name, value in {"alpha": alpha, "cutmix": cutmix}.items():
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name} must be a finite number >= 0, got {value!r}")
        self.pipeline, self.classes, self.alpha, self.cutmix, self.epochs = pipeline, classes, alpha, cutmix, epochs

    def __len__(self) -> int:
        return len(self.pipeline)

    def steps(self, batch_size: int, drop_remainder: bool = False) -> int:
        """Batches in one epoch."""
        return self.pipeline.steps(batch_size, drop_remainder)

    def training(self, batch_size: int, seed: int, start_epoch: int = 0, drop_remainder: bool = False) -> tf.data.Dataset:
        """As `Pipeline.training`, mixed."""
        batches = self.pipeline.training(batch_size, seed, start_epoch, drop_remainder)
        steps = self.steps(batch_size, drop_remainder)
        last = np.iinfo(np.int64).max if self.epochs is None else self.epochs * steps

        def mixed(number, batch):
            return self._mix(seed, number, last, *batch)

        return batches.enumerate(start_epoch * steps).map(mixed, num_parallel_calls=tf.data.AUTOTUNE)

    def evaluation(self, batch_size: int) -> tf.data.Dataset:
        """Every image once, in the order of the split, unmixed."""
        return self.pipeline.evaluation(batch_size).map(lambda images, labels: (images, self._rows(labels)))

    def _rows(self, labels):
        return tf.one_hot(labels, self.classes)

    def _mix(self, seed: int, number, last: int, images, labels):
        rows = self._rows(labels)
        if not self.alpha and not self.cutmix:
            return images, rows
        key = tf.stack([tf.cast(seed, tf.int64), number])

        def pairs():
            if not self.cutmix:
                return self._blend(key, images, rows)
            if not self.alpha:
                return self._paste(key, images, rows)
            heads = tf.random.stateless_uniform([], tf.random.experimental.stateless_fold_in(key, 1)) < 0.5
            return tf.cond(heads, lambda: self._blend(key, images, rows), lambda: self._paste(key, images, rows))

        return pairs() if self.epochs is None else tf.cond(number < last, pairs, lambda: (images, rows))

    def _blend(self, key, images, rows):
        weight = beta(key, self.alpha)
        blended = [weight * each + (1 - weight) * tf.reverse(each, [0]) for each in (images, rows)]
        return blended[0], blended[1]

    def _paste(self, key, images, rows):
        keep, share = cut(tf.shape(images)[1], tf.shape(images)[2], key, self.cutmix)
        pasted = tf.where(keep[None, :, :, None], images, tf.reverse(images, [0]))
        return pasted, share * rows + (1 - share) * tf.reverse(rows, [0])


def beta(key, alpha: float):
    """One number from Beta(alpha, alpha), a function of the key (two integers): the share of one of two Gamma variables."""
    both = tf.random.stateless_gamma([2], key, alpha) + np.finfo(np.float32).tiny
    return both[0] / tf.reduce_sum(both)


def cut(height, width, key, alpha: float):
    """(keep (h, w) of bool, its share of the area as float32): all but a rectangle of area 1 - Beta(alpha, alpha) around a uniform
    centre, whose parts beyond the border are lost, and the share counted after that."""
    side = tf.sqrt(1 - beta(key, alpha))
    centre = tf.random.stateless_uniform([2], tf.random.experimental.stateless_fold_in(key, 2))
    inside = []
    for length, middle in ((height, centre[0]), (width, centre[1])):
        whole = tf.cast(length, tf.float32)
        middle, half = tf.floor(middle * whole), tf.floor(side * whole) / 2
        places = tf.range(whole)
        inside.append((places >= tf.floor(middle - half)) & (places < tf.floor(middle + half)))
    keep = ~(inside[0][:, None] & inside[1][None, :])
    return keep, tf.reduce_mean(tf.cast(keep, tf.float32))
