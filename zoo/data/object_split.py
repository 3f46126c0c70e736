"""One split of a detection dataset -> batches of fixed shape, with `tf.data`: shuffled and changed anew in every epoch.

As `zoo.data.pipeline`, and with parts of it: the order of epoch e is keyed by (seed, e), the changes of a picture by (seed, e, index), so a
run resumed at epoch e sees the same bits as one that was never interrupted, however many threads work.
"""

from __future__ import annotations

import math
import threading

import numpy as np
import tensorflow as tf

from zoo.data.decode import resize
from zoo.data.form import Form
from zoo.data.kept import Kept
from zoo.data.letterbox import Letterbox
from zoo.data.mosaic import with_masks
from zoo.data.object_augment import ObjectAugment
from zoo.data.objects import Objects
from zoo.data.pipeline import Pipeline, _check_batch_size, _key, _permutation, _pieces
from zoo.data.warp import GREY, Picture, Rules, warp_objects


class ObjectSplit:
    """Batches of one split; made by `ObjectPipeline`."""

    def __init__(self, kept: Kept, form: Form, augment: ObjectAugment | None, flip_pairs, combine_until: int | None):
        self.kept, self.form, self.augment = kept, form, augment
        self.flip_pairs, self.combine_until = flip_pairs, combine_until
        self.left_out = 0
        """Objects that found no row so far, in all batches that were made: the smallest of pictures with more than `most`."""
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.kept)

    def steps(self, batch_size: int, drop_remainder: bool = False) -> int:
        """Batches in one epoch."""
        _check_batch_size(batch_size)
        steps = len(self) // batch_size if drop_remainder else math.ceil(len(self) / batch_size)
        if steps == 0:
            raise ValueError(f"{len(self)} images do not fill one batch of {batch_size}; choose batch_size <= {len(self)}")
        return steps

    def training(
        self, batch_size: int, seed: int, start_epoch: int = 0, drop_remainder: bool = False, part: tuple[int, int] = (0, 1)
    ) -> tf.data.Dataset:
        """Epochs without end from `start_epoch` on, each of `steps(batch_size, drop_remainder)` batches; as `Pipeline.training`.

        A batch is (float32 images (b, h, w, 3) in [0, 255], {"boxes" float32 (b, most, 4) xyxy in pixels, "classes" int32 (b, most), -1 on
        padding, and "masks", "keypoints" where they were asked for}). Crowds are left out: a box around nobody knows how many is no target.
        """
        self.steps(batch_size, drop_remainder)
        colour = None if self.augment is None else self.augment.colour

        def epoch_batches(epoch):
            order = tf.data.Dataset.from_tensor_slices(_permutation(len(self), seed, epoch)).batch(
                batch_size, drop_remainder=drop_remainder
            )
            return _pieces(order, part).map(lambda indices: (indices, epoch))

        def batch(indices, epoch):
            images, *columns = tf.numpy_function(self._training, [indices, epoch, seed], [tf.uint8, *self.form.kinds])
            images = tf.cast(tf.ensure_shape(images, (None, *self.form.size, 3)), tf.float32)
            if colour is not None:
                draws = tf.map_fn(lambda index: colour.draws(_key(seed, epoch, index)), indices, fn_output_signature=tf.float32)
                images = colour.apply(images, draws)
            return images, self.form.named(columns)

        epochs = tf.data.Dataset.range(start_epoch, np.iinfo(np.int64).max)
        return Pipeline._run(epochs.flat_map(epoch_batches), batch)

    def evaluation(self, batch_size: int, part: tuple[int, int] = (0, 1)) -> tf.data.Dataset:
        """Every image once, letterboxed, in the order of the split: batches as `training`, with three more columns.

        "letterbox", float32 (b, 6): `zoo.data.letterbox.unletterbox(boxes, rows)` leads back to pixels of the pictures. "difficult", bool
        (b, most). "crowd", int32 (b, most): the class of the crowd in that row, -1 where there is none; "classes" says -1 there, so that a
        loss takes the row for padding and a metric knows where not to count.
        """
        _check_batch_size(batch_size)

        def batch(indices):
            kinds = [tf.uint8, tf.int32, tf.bool, tf.float32, *self.form.kinds]
            images, crowd, difficult, rows, *columns = tf.numpy_function(self._evaluation, [indices], kinds)
            flags = {"crowd": crowd, "difficult": difficult}
            truth = {name: tf.ensure_shape(each, (None, self.form.most)) for name, each in flags.items()}
            truth["letterbox"] = tf.ensure_shape(rows, (None, 6))
            return tf.cast(tf.ensure_shape(images, (None, *self.form.size, 3)), tf.float32), {**self.form.named(columns), **truth}

        indices = _pieces(tf.data.Dataset.range(len(self)).batch(batch_size), part)
        return Pipeline._run(indices, batch).apply(tf.data.experimental.assert_cardinality(self.steps(batch_size)))

    def letterbox(self, index: int) -> Letterbox:
        """How picture `index` lies in the frame of `evaluation`."""
        return Letterbox(self.kept(index).shape, self.form.size)

    def example(self, index: int, seed: int = 0, epoch: int = 0) -> tuple[np.ndarray, Objects]:
        """Picture `index` as `training` would show it in that epoch, before colour: (uint8 (h, w, 3), its objects)."""
        if self.augment is None:
            return self._letterboxed(self.kept(index), self.form.masks)
        combine = self.combine_until is None or epoch < self.combine_until
        key, masks = (seed, epoch, index), self.form.masks
        image, objects = self.augment(self.kept, key, self.form.size, len(self), masks=masks, flip_pairs=self.flip_pairs, combine=combine)
        return image, with_masks(objects, self.form.size) if masks else objects

    def _training(self, indices, epoch, seed) -> tuple[np.ndarray, ...]:
        images, found = zip(*(self.example(int(index), int(seed), int(epoch)) for index in indices), strict=True)
        found = [self._fit(objects.take(~objects.crowd)) for objects in found]
        return (np.stack(images), *self.form.pack(found))

    def _evaluation(self, indices) -> tuple[np.ndarray, ...]:
        pictures = [self.kept(int(index)) for index in indices]
        images, found = zip(*(self._letterboxed(picture, self.form.masks) for picture in pictures), strict=True)
        found = [self._fit(objects) for objects in found]
        crowd, difficult = np.zeros((2, len(found), self.form.most), bool)
        for row, objects in enumerate(found):
            crowd[row, : len(objects)], difficult[row, : len(objects)] = objects.crowd, objects.difficult
        boxes, classes, *others = self.form.pack(found)
        rows = np.stack([Letterbox(picture.shape, self.form.size).row for picture in pictures])
        nobody = np.full_like(classes, -1)
        classes, crowds = np.where(crowd, nobody, classes), np.where(crowd, classes, nobody)
        return (np.stack(images), crowds, difficult, rows, boxes, classes, *others)

    def _letterboxed(self, picture: Picture, masks: bool) -> tuple[np.ndarray, Objects]:
        box = Letterbox(picture.shape, self.form.size)
        image = np.full((*self.form.size, 3), GREY, np.uint8)
        box.cut(np.moveaxis(image, -1, 0))[:] = np.moveaxis(resize(picture.image, box.inner), -1, 0)
        objects = warp_objects(picture.objects, picture.shape, box.matrix, self.form.size, Rules(0.0, 0.0, masks))
        return image, with_masks(objects, self.form.size) if masks else objects

    def _fit(self, objects: Objects) -> Objects:
        """At most `most` objects, the largest, in their order."""
        if len(objects) <= self.form.most:
            return objects
        with self._lock:
            self.left_out += len(objects) - self.form.most
        return objects.take(np.sort(np.argsort(-objects.area, kind="stable")[: self.form.most]))
