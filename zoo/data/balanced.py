"""A pipeline whose training batches hold every class equally often, however rare it is."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from zoo.data.pipeline import Pipeline, _key, _pieces


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

    def training(
        self, batch_size: int, seed: int, start_epoch: int = 0, drop_remainder: bool = False, part: tuple[int, int] = (0, 1)
    ) -> tf.data.Dataset:
        """As `Pipeline.training`, balanced. What changes an image is keyed by its place in the epoch, so copies differ."""
        self.steps(batch_size, drop_remainder)
        load, augment, labels, count = self._loader, self.augment, self._labels, len(self)
        edges = tf.constant(self._edges[:-1], tf.float64)

        def epoch_batches(epoch):
            drawn = tf.random.stateless_uniform([count], seed=_key(seed, epoch, -2), dtype=tf.float64)
            order = tf.cast(tf.searchsorted(edges, drawn, side="right"), tf.int64)
            places = tf.data.Dataset.from_tensor_slices((order, tf.range(count, dtype=tf.int64)))
            if augment is None:
                places = places.map(lambda index, _: index)
            else:
                places = places.map(lambda index, place: (index, augment.draws(_key(seed, epoch, place))))
            return _pieces(places.batch(batch_size, drop_remainder=drop_remainder), part)

        def batch(indices, draws=None):
            images = load(indices)
            images = tf.cast(images, tf.float32) if augment is None else augment.apply(images, draws)
            return images, tf.gather(labels, indices)

        epochs = tf.data.Dataset.range(start_epoch, np.iinfo(np.int64).max)
        return self._run(epochs.flat_map(epoch_batches), batch)
