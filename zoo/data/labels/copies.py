"""Pictures that are the same, or nearly: a detector that was trained on the test pictures cannot be tested on them.

Equal decoded pixels are equal pictures, whatever the files are called. Nearly equal ones (saved again, resized, brightened, cropped by a
pixel or two) are found by a sketch: 16 x 16 gray values without their mean and contrast. Among 332 COCO photographs no two different ones
come closer than a cosine of 0.90; saved as JPEG of quality 40, at half the size or with another gamma, each stays above 0.98 to itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from zoo.data.decode import ImageError

CLOSE = 0.97
"""Cosine of two sketches from which the pictures count as nearly the same."""
_SIDE = 16
_ROWS = 1024


def sketch(image: np.ndarray) -> np.ndarray:
    """uint8 (h, w, 3) -> float32 (256,) of length 1; zeros for a picture of nearly one gray, which resembles nothing."""
    gray = Image.fromarray(np.ascontiguousarray(image)).convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    values = np.asarray(gray, np.float32).ravel()
    values = values - values.mean()
    length = float(np.linalg.norm(values))
    return values / length if length > _SIDE else np.zeros_like(values)  # less than one gray level of contrast


def sketches(images: Sequence[Callable[[], np.ndarray]], progress: Callable[[int, int], None] | None = None) -> np.ndarray:
    """float32 (n, 256) of pictures, each fetched by its function in one of several threads; zeros for what cannot be decoded."""

    def one(fetch: Callable[[], np.ndarray]) -> np.ndarray:
        try:
            return sketch(fetch())
        except ImageError:
            return np.zeros(_SIDE**2, np.float32)

    found = np.zeros((len(images), _SIDE**2), np.float32)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as executor:
        for index, values in enumerate(executor.map(one, images)):
            found[index] = values
            if progress is not None:
                progress(index + 1, len(images))
    return found


def pairs(rows: np.ndarray, threshold: float = CLOSE) -> Iterator[tuple[int, int, float]]:
    """(first, second, cosine) of every two sketches (n, c) at least that close, first < second; memory grows with n."""
    for start in range(0, len(rows), _ROWS):
        cosine = rows[start : start + _ROWS] @ rows[start:].T
        left, right = np.nonzero(cosine >= threshold)
        for first, second in zip(left, right, strict=True):
            if second > first:
                yield int(first) + start, int(second) + start, float(cosine[first, second])
