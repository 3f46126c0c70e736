"""What an image is replaced by where it is hidden, and what counts as no evidence: grey, a mean colour, a blur, or given values."""

from __future__ import annotations

import numpy as np

from zoo.explain.blur import gaussian_blur

LEVELS = {"black": 0.0, "grey": 127.5, "white": 255.0}
BLUR = 1 / 10
"""Standard deviation of "blur", as a share of the image's shorter side: 22 pixels at 224. RISE's own 5 leave much to be recognised."""


def filling(pictures: np.ndarray, fill, name: str = "fill") -> np.ndarray:
    """What takes the place of each picture (b, h, w, c): floating, of the same shape and dtype, in [0, 255].

    fill: "black", "grey" (127.5), "white", "mean" (each image's mean colour), "blur" (each image under a Gaussian whose sigma is a
          tenth of its shorter side), or numbers in [0, 255]: one, one per channel, an image (h, w, c), one per image (b, h, w, c).
    name: what the caller's argument is called, for the error.

    Raises ValueError for another word, a shape that does not fit, or numbers that are not finite.
    """
    if isinstance(fill, str):
        if fill not in (*LEVELS, "mean", "blur"):
            raise ValueError(f"{name} is {', '.join(map(repr, LEVELS))}, 'mean', 'blur' or numbers in [0, 255], got {fill!r}")
        if fill == "blur":
            return gaussian_blur(pictures, BLUR * min(pictures.shape[1:3]))
        fill = pictures.mean(axis=(1, 2), keepdims=True) if fill == "mean" else LEVELS[fill]
    values = np.asarray(fill, dtype=pictures.dtype)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite, got values that are NaN or infinite")
    try:
        return np.broadcast_to(values, pictures.shape)
    except ValueError:
        raise ValueError(
            f"the {name} of images {pictures.shape} is a number, a colour (c,), (h, w, c) or (b, h, w, c), got {values.shape}"
        ) from None
