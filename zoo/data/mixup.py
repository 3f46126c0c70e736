"""mixup: train on straight lines between pictures (Zhang, Cisse, Dauphin & Lopez-Paz 2017, arXiv:1710.09412, equation 1).

A picture and its neighbour in the batch are blended with a weight drawn from Beta(alpha, alpha), and so are their labels. The network
learns to change its mind evenly from one class to the other, instead of jumping somewhere in between.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from zoo.data.pipeline import Pipeline


class Mixed:
    """A pipeline whose labels are rows of probabilities, float32 (b, classes), and whose training batches are blended in pairs.

    pipeline: batches of images and integer labels.
    classes:  number of classes.
    alpha:    of the Beta distribution, > 0; 0.2 is the paper's choice on ImageNet. 0 blends nothing: only the labels change their form.

    One weight for a batch, and the batch in reverse order as its partner. What is drawn follows from the seed and the number of the
    batch alone, so a resumed training sees the same blends. Use a loss of probabilities, such as `keras.losses.CategoricalCrossentropy`.
    """

    def __init__(self, pipeline: Pipeline, classes: int, alpha: float = 0.2):
        if classes < 2:
            raise ValueError(f"mixup needs at least two classes, got {classes}")
        if not 0 <= alpha < float("inf"):
            raise ValueError(f"alpha must be a finite number >= 0, got {alpha!r}")
        self.pipeline, self.classes, self.alpha = pipeline, classes, alpha

    def __len__(self) -> int:
        return len(self.pipeline)

    def steps(self, batch_size: int, drop_remainder: bool = False) -> int:
        """Batches in one epoch."""
        return self.pipeline.steps(batch_size, drop_remainder)

    def training(self, batch_size: int, seed: int, start_epoch: int = 0, drop_remainder: bool = False) -> tf.data.Dataset:
        """As `Pipeline.training`, blended."""
        batches = self.pipeline.training(batch_size, seed, start_epoch, drop_remainder)
        first = start_epoch * self.steps(batch_size, drop_remainder)
        return batches.enumerate(first).map(lambda number, batch: self._blend(seed, number, *batch), num_parallel_calls=tf.data.AUTOTUNE)

    def evaluation(self, batch_size: int) -> tf.data.Dataset:
        """Every image once, in the order of the split, unblended."""
        return self.pipeline.evaluation(batch_size).map(lambda images, labels: (images, self._rows(labels)))

    def _rows(self, labels):
        return tf.one_hot(labels, self.classes)

    def _blend(self, seed: int, number, images, labels):
        rows = self._rows(labels)
        if not self.alpha:
            return images, rows
        weight = beta(tf.stack([tf.cast(seed, tf.int64), number]), self.alpha)
        blended = [weight * each + (1 - weight) * tf.reverse(each, [0]) for each in (images, rows)]
        return blended[0], blended[1]


def beta(key, alpha: float):
    """One number from Beta(alpha, alpha), a function of the key (two integers): the share of one of two Gamma variables."""
    both = tf.random.stateless_gamma([2], key, alpha) + np.finfo(np.float32).tiny
    return both[0] / tf.reduce_sum(both)
