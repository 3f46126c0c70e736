"""Targets of a segmenter: why are these pixels of that class?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from zoo.explain.targets import Target, class_numbers, per_image, picked, predicted, single


@dataclass(frozen=True, eq=False)
class Region(Target):
    """The mean logit of a class over a region of a segmenter's output (b, h, w, classes) (Vinogradova et al. 2020, arXiv:2002.11434).

    mask:   bool or 0/1, (h, w) for all images or (b, h, w), of the size of the *output*; at least one pixel in each.
    index:  the class, one per image, or None for the class with the largest mean logit in the region of the unchanged image.
    output: as in `ClassScore`.

    Raises ValueError for a mask of the wrong size, an empty one, or a class out of range.
    """

    mask: Any
    index: int | Sequence[int] | None = None
    output: str | int | None = None

    def __post_init__(self):
        mask = np.asarray(self.mask)
        if mask.ndim not in (2, 3) or not np.isin(mask, (0, 1)).all():
            raise ValueError(f"a mask is (h, w) or (b, h, w) of bool or 0/1, got shape {mask.shape} and dtype {mask.dtype}")
        object.__setattr__(self, "mask", mask.astype(bool))
        object.__setattr__(self, "index", class_numbers(self.index))

    def masks(self, images: int, size: tuple) -> np.ndarray:
        """bool (images, h, w) for an output of that size."""
        if self.mask.shape not in (size, (images, *size)):
            raise ValueError(
                f"the mask has shape {self.mask.shape}, the output of the {images} images {(images, *size)}; "
                "resize the mask to the output, (h, w) for all images or (b, h, w)"
            )
        return np.broadcast_to(self.mask, (images, *size))

    def data(self, images: int, shape: tuple) -> tuple[np.ndarray, np.ndarray]:
        if len(shape) != 3:
            raise ValueError(f"a region needs an output (b, h, w, classes), got shape (b, {', '.join(map(str, shape))})")
        masks = self.masks(images, shape[:2])
        pixels = masks.sum(axis=(1, 2), keepdims=True)
        if not pixels.all():
            raise ValueError(f"the mask of image {int(np.argmin(pixels))} is empty; a region has at least one pixel")
        return (masks / pixels).astype("float32"), per_image(self.index, images, shape[2])

    def settled(self, output, data):
        return data[0], predicted(_means(output, data[0]), data[1])

    def score(self, output, data):
        means = _means(output, data[0])
        return picked(means, predicted(means, data[1]))


@dataclass(frozen=True, eq=False)
class Pixel(Region):
    """The logit of a class at one pixel of a segmenter's output: a `Region` of one.

    mask:  the pixel (row, column) for all images, or one per image (b, 2), counted from 0 at the output's upper left.
    """

    def __post_init__(self):
        pixels = np.asarray(self.mask)
        if pixels.dtype.kind not in "iu" or pixels.ndim not in (1, 2) or pixels.shape[-1] != 2:
            raise ValueError(f"a pixel is (row, column), or one pair of ints per image, got {self.mask!r}")
        object.__setattr__(self, "mask", pixels)
        object.__setattr__(self, "index", class_numbers(self.index))

    def masks(self, images: int, size: tuple) -> np.ndarray:
        if self.mask.ndim == 2 and len(self.mask) != images:
            raise ValueError(f"the target names {len(self.mask)} pixels for {images} images; give one for all, or one per image")
        rows, columns = np.broadcast_to(self.mask, (images, 2)).T
        if rows.min() < 0 or columns.min() < 0 or rows.max() >= size[0] or columns.max() >= size[1]:
            raise ValueError(f"a pixel (row, column) must lie in the output of size {tuple(size)}, got {self.mask.tolist()}")
        masks = np.zeros((images, *size), dtype=bool)
        masks[np.arange(images), rows, columns] = True
        return masks


def _means(output, weights):
    """output (b, h, w, classes), weights (b, h, w) that sum to one -> (b, classes)."""
    output = single(output)  # in half precision a share of one pixel in many would vanish
    return ops.sum(output * ops.expand_dims(ops.cast(weights, output.dtype), -1), axis=(1, 2))
