"""Gaussian blur with mirrored borders. Keras has one, `keras.ops.image.gaussian_blur`, but it takes the outside for black."""

from __future__ import annotations

import numpy as np


def gaussian_blur(images: np.ndarray, sigma: float) -> np.ndarray:
    """Images (b, h, w, c), floating -> the same shape and dtype, blurred by a Gaussian cut off at 4 sigma.

    sigma: in pixels; 0 changes nothing. Beyond its border an image is mirrored, so a constant image stays as it is.
    Raises ValueError for a negative sigma.
    """
    if not 0 <= sigma < np.inf:
        raise ValueError(f"sigma is a width in pixels, 0 or more, got {sigma!r}")
    radius = int(4 * sigma + 0.5)
    if radius == 0:
        return images
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    for axis in (1, 2):
        size = images.shape[axis]
        width = [(radius, radius) if number == axis else (0, 0) for number in range(4)]
        padded = np.pad(images, width, mode="symmetric")
        shifts = (np.take(padded, range(start, start + size), axis=axis) for start in range(2 * radius + 1))
        images = sum(weight * shifted for weight, shifted in zip(kernel.astype(images.dtype), shifts, strict=True))
    return images
