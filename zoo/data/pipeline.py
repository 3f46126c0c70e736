"""Labelled images -> batches, with `tf.data`: decode once, keep the pixels, shuffle and augment anew in every epoch.

The order of epoch e is a permutation keyed by (seed, e), and each image's augmentation is keyed by (seed, e, index). Nothing
is kept between epochs, so a run resumed at epoch e sees the same bits as one that was never interrupted, however many threads
work. (`Dataset.shuffle` keeps its state in a buffer that no checkpoint holds.)
"""

from __future__ import annotations

import contextlib
import math
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from zoo.cores import cores
from zoo.data.augment import Augment
from zoo.data.dataset import Examples
from zoo.data.plan import Plan, budget, plan

if TYPE_CHECKING:
    from zoo.data.changes import Chain
    from zoo.data.mixup import Mixed


class Pipeline:
    """Batches of one split.

    examples: the split.
    size:     (height, width) of the batches in pixels, or one side of a square.
    augment:  changes of training images; None for none. Evaluation never augments.
    cache:    True decodes and resizes every image once and keeps the uint8 pixels: in memory up to `memory` bytes, beyond
              that in a temporary file. False decodes anew each time, in parallel.
    how:      "squash", "crop" or "letterbox": how another aspect ratio meets `size` (`zoo.data.decode.resize`).
    memory:   budget in bytes of the cache in memory; None for a quarter of the memory that is free now.
    deterministic: False lets a training batch that is ready overtake one that is not: faster where decoding times differ, but no two
              runs are alike, and a batch at the edge of an epoch may come in the neighbouring one.
    device:   None, or TensorFlow's name of the device to which training batches are copied ahead ("GPU:0"). On TensorFlow only: JAX
              copies ahead by itself.
    repeats:  repeated augmentation (Hoffer et al. 2020, arXiv:1901.09335): each picture comes that many times in a row, changed differently
              each time. An epoch keeps its length, so it sees one in `repeats` of the pictures, others in each epoch.

    What follows from these on this machine is told by `plan()`.

    Batches are (float32 images (b, h, w, 3) in [0, 255], int64 labels (b,)). An image that cannot be read raises
    `zoo.data.decode.ImageError` naming the file when the pixels are kept, else tf.errors.InvalidArgumentError that names it.
    """

    def __init__(
        self,
        examples: Examples,
        size,
        augment: Augment | Chain | None = None,
        cache: bool = True,
        how: str = "squash",
        memory: int | None = None,
        repeats: int = 1,
        deterministic: bool = True,
        device: str | None = None,
    ):
        if not len(examples):
            raise ValueError("a pipeline needs at least one image, got an empty split")
        self.examples = examples
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        self.augment = augment
        self.cache = cache
        self.how = how
        self.memory = budget() if memory is None else memory
        if repeats < 1:
            raise ValueError(f"repeats must be at least 1, got {repeats!r}")
        self.repeats = repeats
        self.deterministic = deterministic
        self.device = device
        _leave_accelerators_alone()

    def __len__(self) -> int:
        return len(self.examples)

    def steps(self, batch_size: int, drop_remainder: bool = False) -> int:
        """Batches in one epoch."""
        _check_batch_size(batch_size)
        steps = len(self) // batch_size if drop_remainder else math.ceil(len(self) / batch_size)
        if steps == 0:
            raise ValueError(
                f"{len(self)} images do not fill one batch of {batch_size}; choose batch_size <= {len(self)} or keep the remainder"
            )
        return steps

    def training(
        self, batch_size: int, seed: int, start_epoch: int = 0, drop_remainder: bool = False, part: tuple[int, int] = (0, 1)
    ) -> tf.data.Dataset:
        """Epochs without end from `start_epoch` on; each is exactly `steps(batch_size, drop_remainder)` batches.

        Epoch e is the same whatever `start_epoch` was. Give Keras' `fit` steps_per_epoch=steps(...).
        part: (i, n) gives the i-th of n pieces of every batch, for process i of n; only those images are decoded.
        """
        self.steps(batch_size, drop_remainder)
        load, augment, labels = self._loader, self.augment, self._labels

        def epoch_batches(epoch):
            order, keys = self._order(seed, epoch)
            indices = tf.data.Dataset.from_tensor_slices(order)
            if augment is not None:
                indices = tf.data.Dataset.from_tensor_slices((order, keys))
                indices = indices.map(lambda index, key: (index, augment.draws(_key(seed, epoch, key))))
            return _pieces(indices.batch(batch_size, drop_remainder=drop_remainder), part)

        def batch(indices, draws=None):
            images = load(indices)
            images = tf.cast(images, tf.float32) if augment is None else augment.apply(images, draws)
            return images, tf.gather(labels, indices)

        epochs = tf.data.Dataset.range(start_epoch, np.iinfo(np.int64).max)
        dataset = self._run(epochs.flat_map(epoch_batches), batch, self.deterministic)
        return dataset if self.device is None else dataset.apply(tf.data.experimental.prefetch_to_device(self.device))

    def _order(self, seed: int, epoch):
        """int64 (n,) twice: the images of an epoch in their order, and for each the number that its changes are drawn from."""
        order = _permutation(len(self), seed, epoch)
        if self.repeats == 1:
            return order, order
        copies = tf.range(len(self), dtype=tf.int64) % self.repeats
        order = tf.repeat(order[: math.ceil(len(self) / self.repeats)], self.repeats)[: len(self)]
        return order, order + copies * len(self)  # copy c of picture i draws as picture i + c * n would

    def evaluation(self, batch_size: int, part: tuple[int, int] = (0, 1)) -> tf.data.Dataset:
        """Every image once, in the order of the split, unchanged; with part = (i, n) only the i-th of n pieces of every batch."""
        _check_batch_size(batch_size)
        load, labels = self._loader, self._labels
        indices = _pieces(tf.data.Dataset.range(len(self)).batch(batch_size), part)
        dataset = self._run(indices, lambda chosen: (tf.cast(load(chosen), tf.float32), tf.gather(labels, chosen)))
        return dataset.apply(tf.data.experimental.assert_cardinality(self.steps(batch_size)))

    def plan(self) -> Plan:
        """What is cached, decoded, changed, ordered and prefetched how, and why; print it. Nothing is read for it."""
        return plan(self)

    def changed(self, classes: int, **wishes) -> Pipeline | Mixed:
        """The same pictures with the changes that a recipe names; see `zoo.data.changes.changed`. The cache is shared."""
        from zoo.data.changes import changed

        return changed(self, classes, **wishes)

    def pixels(self) -> np.ndarray:
        """Every image of the split, decoded and resized: uint8 (n, h, w, 3), in memory or mapped from a temporary file."""
        return self._pixels

    @staticmethod
    def _run(indices: tf.data.Dataset, batch, deterministic: bool = True) -> tf.data.Dataset:
        options = tf.data.Options()
        options.deterministic = deterministic
        return indices.map(batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE).with_options(options)

    @cached_property
    def _labels(self) -> tf.Tensor:
        with tf.device("CPU:0"):
            return tf.constant(self.examples.labels, tf.int64)

    @cached_property
    def _loader(self):
        """Indices (b,) -> uint8 images (b, h, w, 3), as a function for `Dataset.map`."""
        if self.cache and not isinstance(self._pixels, np.memmap):
            with tf.device("CPU:0"):
                kept = tf.convert_to_tensor(self._pixels)
            return lambda indices: tf.gather(kept, indices)

        def read(chosen: np.ndarray) -> np.ndarray:
            return np.asarray(self._pixels[chosen]) if self.cache else np.stack([self._image(index) for index in chosen])

        return lambda indices: tf.ensure_shape(tf.numpy_function(read, [indices], tf.uint8), (None, *self.size, 3))

    @cached_property
    def _pixels(self) -> np.ndarray:
        items, shape = self.examples.items, (len(self), *self.size, 3)
        if isinstance(items, np.ndarray) and items.shape == shape and items.dtype == np.uint8:
            return items
        pixels = np.empty(shape, np.uint8) if math.prod(shape) <= self.memory else _file_array(shape)

        def fill(index: int) -> None:
            pixels[index] = self._image(index)

        with ThreadPoolExecutor(cores()) as pool:
            try:
                for _ in pool.map(fill, range(len(self))):
                    pass
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return pixels

    def _image(self, index: int) -> np.ndarray:
        item = self.examples.items[index]
        if isinstance(item, np.ndarray) and item.shape[:2] == self.size:
            return _checked(item, index)
        from zoo.data.decode import ImageError, resize

        if isinstance(item, np.ndarray):
            return resize(_checked(item, index), self.size, self.how)
        try:
            return resize(self.examples.image(index), self.size, self.how)
        except ImageError as error:
            raise ImageError(f"{error.reason}; remove the file, or load the data with skip_bad", str(item)) from error


def _pieces(batches: tf.data.Dataset, part: tuple[int, int]) -> tf.data.Dataset:
    """The i-th of n consecutive pieces of every batch, part = (i, n)."""
    index, count = part
    if count == 1:
        return batches

    def piece(*batch):
        size = tf.shape(tf.nest.flatten(batch)[0])[0]
        cut = tf.nest.map_structure(lambda each: each[index * size // count : (index + 1) * size // count], batch)
        return cut if len(cut) > 1 else cut[0]

    return batches.map(piece)


def _permutation(count: int, seed: int, epoch):
    """The order of one epoch: int64 (count,), a pure function of (count, seed, epoch)."""
    keys = tf.random.stateless_uniform([count], seed=_key(seed, epoch, -1), minval=None, maxval=None, dtype=tf.int64)
    return tf.cast(tf.argsort(keys, stable=True), tf.int64)


def _key(seed: int, epoch, index):
    """Two int64 for stateless operations: the run's seed with the epoch, and the image (-1 for the order)."""
    return tf.stack([tf.cast(seed, tf.int64) * (1 << 32) + tf.cast(epoch, tf.int64), tf.cast(index, tf.int64)])


def _file_array(shape) -> np.memmap:
    """An array in a temporary file that has no name, so that it vanishes with the process even after a kill."""
    with tempfile.TemporaryFile(prefix="zoo-pixels-") as file:
        return np.memmap(file, dtype=np.uint8, mode="w+", shape=shape)


def _checked(image: np.ndarray, index: int) -> np.ndarray:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image {index} must be uint8 (h, w, 3) in [0, 255], got {image.dtype} {image.shape}")
    return image


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")


def _leave_accelerators_alone() -> None:
    """Under JAX or torch, TensorFlow only feeds: it must not reserve the GPU's memory."""
    keras = sys.modules.get("keras")
    if keras is None or keras.backend.backend() == "tensorflow":
        return
    with contextlib.suppress(RuntimeError):  # TensorFlow has started already; whoever started it decided
        tf.config.set_visible_devices([], "GPU")
