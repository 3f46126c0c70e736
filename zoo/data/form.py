"""What a batch of objects looks like: lists of different lengths as arrays of one shape, padded with class -1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from zoo.data.objects import Objects


@dataclass(frozen=True)
class Form:
    """What a batch looks like.

    size:      (height, width) of the images in pixels.
    most:      rows of boxes per image.
    masks:     whether "masks" (b, most, height, width) uint8 are given.
    keypoints: k of "keypoints" (b, most, k, 3), 0 for none.
    """

    size: tuple[int, int]
    most: int
    masks: bool = False
    keypoints: int = 0

    def pack(self, found: list[Objects]) -> list[np.ndarray]:
        """The objects of b images as arrays of fixed shape: boxes, classes (-1 on padding) and, if asked for, masks and keypoints."""
        count = len(found)
        boxes, classes = np.zeros((count, self.most, 4), np.float32), np.full((count, self.most), -1, np.int32)
        masks = np.zeros((count, self.most if self.masks else 0, *self.size), np.uint8)
        keypoints = np.zeros((count, self.most if self.keypoints else 0, self.keypoints, 3), np.float32)
        for row, objects in enumerate(found):
            n = len(objects)
            boxes[row, :n], classes[row, :n] = objects.boxes, objects.classes
            if self.masks and n and objects.masks is not None:
                masks[row, :n] = objects.masks
            if self.keypoints and n and objects.keypoints is not None:
                keypoints[row, :n] = objects.keypoints
        return [boxes, classes, *([masks] if self.masks else []), *([keypoints] if self.keypoints else [])]

    def named(self, columns: list) -> dict:
        """Tensors in the order of `pack` -> the dict that a loss gets, with their static shapes."""
        shapes = {"boxes": (4,), "classes": ()}
        shapes |= {"masks": self.size} if self.masks else {}
        shapes |= {"keypoints": (self.keypoints, 3)} if self.keypoints else {}
        return {name: tf.ensure_shape(each, (None, self.most, *shape)) for (name, shape), each in zip(shapes.items(), columns, strict=True)}

    @property
    def kinds(self) -> list:
        """TensorFlow's types, in the order of `pack`."""
        return [tf.float32, tf.int32, *([tf.uint8] if self.masks else []), *([tf.float32] if self.keypoints else [])]
