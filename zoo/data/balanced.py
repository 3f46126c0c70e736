"""A pipeline whose training batches hold every class equally often, however rare it is."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from zoo.data.pipeline import Pipeline, _key


class BalancedPipeline(Pipeline):
    """A pipeline that draws a class for each place of a training batch, and then one of its images.

    pipeline: what to draw from; its decoded pixels are shared.

    An epoch keeps its length; images of rare classes come several times, each time changed differently, and some of the others not at
    all. Epoch e is a function of (seed, e), so a resumed run sees the same bits. Evaluation is unchanged.
    """

    def __init__(self, pipeline: Pipeline):
        repeats = getattr(pipeline, "repeats", 1)
        if repeats != 1:
            raise ValueError(f"balanced batches repeat images already, got a pipeline with repeats={repeats}; leave it at 1")
        self.__dict__.update(pipeline.__dict__)
        labels = np.asarray(self.examples.labels)
        counts = np.bincount(labels)
        shares = 1.0 / counts[labels]
        self._edges = np.cumsum(shares) / shares.sum()  # image i owns the interval between edge i - 1 and edge i

    def _order(self, seed: int, epoch):
        """Images drawn by class. What changes one is keyed by its place in the epoch, so copies differ."""
        drawn = tf.random.stateless_uniform([len(self)], seed=_key(seed, epoch, -2), dtype=tf.float64)
        order = tf.searchsorted(tf.constant(self._edges[:-1], tf.float64), drawn, side="right")
        return tf.cast(order, tf.int64), tf.range(len(self), dtype=tf.int64)
