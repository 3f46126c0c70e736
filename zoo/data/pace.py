"""Where the time of an input pipeline goes: the same pictures through tf.data, one improvement after the other, timed in turns.

Every rung gives the same training batches up to their order, so what differs is the work per second. The consumer is a stand-in for
the training step: while it works, a pipeline that prefetches prepares the next batch, and one that does not waits for its turn.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from zoo.data.augment import Augment
from zoo.data.dataset import Examples
from zoo.data.decode import resize
from zoo.data.pipeline import Pipeline, _key

RUNGS = ("naive", "parallel", "cached", "vectorised", "prefetched", "zoo")


@dataclass(frozen=True)
class Pace:
    """One rung of the ladder, medians over the epochs after the first.

    first, later: images per second in the first epoch (decoding included) and in the later ones, the consumer's work included.
    waiting:      seconds per epoch that the consumer waited for batches. working: that it worked.
    """

    name: str
    what: str
    first: float
    later: float
    waiting: float
    working: float


WHAT = {
    "naive": "one image at a time: decode, resize, change, then stack",
    "parallel": "the same, several images at once",
    "cached": "decoded and resized once, then kept; changed one at a time",
    "vectorised": "kept; changed a batch at a time",
    "prefetched": "kept, a batch at a time, prepared while the consumer works",
    "zoo": "zoo.data.Pipeline: as prefetched, in an order that follows from seed and epoch",
}


def ladder(
    examples: Examples,
    size: int,
    *,
    batch_size: int = 32,
    epochs: int = 4,
    augment: Augment | None = None,
    step: Callable[[np.ndarray], object] | None = None,
    seed: int = 0,
) -> list[Pace]:
    """Time every rung of `RUNGS` over `epochs` epochs, in turns.

    size:    side of the images in pixels. augment: default `Augment()`.
    step:    what the consumer does with the images (b, size, size, 3) of a batch; default nothing.

    Raises ValueError for fewer than two epochs: the first one decodes.
    """
    if epochs < 2:
        raise ValueError(f"wanted at least 2 epochs, because the first one decodes and is told apart, got {epochs}")
    augment = augment or Augment()
    step = step or (lambda images: None)
    sources = {name: _source(name, examples, size, batch_size, augment, seed) for name in RUNGS}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in RUNGS}
    for epoch in range(epochs):
        for name, source in sources.items():
            taken[name].append(_drain(source(epoch), step))
    return [_pace(name, taken[name], len(examples)) for name in RUNGS]


def parts(examples: Examples, size: int, *, augment: Augment | None = None, seed: int = 0) -> dict[str, float]:
    """Seconds per image of each piece of work on one core, without tf.data: {"decode", "resize", "change"}."""
    augment = augment or Augment()
    seconds = dict.fromkeys(("decode", "resize", "change"), 0.0)
    for index in range(len(examples)):
        start = time.perf_counter()
        image = examples.image(index)
        decoded = time.perf_counter()
        small = resize(image, (size, size), "squash")
        resized = time.perf_counter()
        augment(small, _key(seed, 0, index))
        seconds["decode"] += decoded - start
        seconds["resize"] += resized - decoded
        seconds["change"] += time.perf_counter() - resized
    return {name: total / len(examples) for name, total in seconds.items()}


def _source(name: str, examples: Examples, size: int, batch_size: int, augment: Augment, seed: int) -> Callable[[int], tf.data.Dataset]:
    """Epoch -> the batches of that epoch."""
    if name == "zoo":
        pipeline = Pipeline(examples, size, augment)
        return lambda epoch: pipeline.training(batch_size, seed, epoch).take(pipeline.steps(batch_size))
    workers = None if name == "naive" else tf.data.AUTOTUNE

    def load(index):
        pixels = tf.numpy_function(lambda i: resize(examples.image(int(i)), (size, size), "squash"), [index], tf.uint8)
        return tf.ensure_shape(pixels, (size, size, 3)), index

    labels = tf.constant(examples.labels, tf.int64)
    kept = tf.data.Dataset.range(len(examples)).map(load, num_parallel_calls=workers)
    if name not in ("naive", "parallel"):
        kept = kept.cache()

    def batches(epoch: int) -> tf.data.Dataset:
        def one(image, index):
            return augment(image, _key(seed, epoch, index)), tf.gather(labels, index)

        def many(images, indices):
            draws = tf.map_fn(lambda index: augment.draws(_key(seed, epoch, index)), indices, fn_output_signature=tf.float32)
            return augment.apply(images, draws), tf.gather(labels, indices)

        if name in ("naive", "parallel", "cached"):
            return kept.map(one, num_parallel_calls=workers).batch(batch_size)
        dataset = kept.batch(batch_size).map(many, num_parallel_calls=workers)
        return dataset.prefetch(tf.data.AUTOTUNE) if name == "prefetched" else dataset

    return batches


def _drain(batches: tf.data.Dataset, step: Callable) -> tuple[float, float]:
    """(seconds of waiting, seconds of working) of one epoch."""
    waiting = working = 0.0
    iterator = iter(batches)
    while True:
        start = time.perf_counter()
        batch = next(iterator, None)
        arrived = time.perf_counter()
        waiting += arrived - start
        if batch is None:
            return waiting, working
        step(batch[0].numpy())
        working += time.perf_counter() - arrived


def _pace(name: str, taken: list[tuple[float, float]], count: int) -> Pace:
    waiting, working = (statistics.median(column) for column in zip(*taken[1:], strict=True))
    later = statistics.median(sum(epoch) for epoch in taken[1:])
    return Pace(name, WHAT[name], count / sum(taken[0]), count / later, waiting, working)
