"""Maps that know nothing of the model. A method that does no better than they do explains nothing about it. numpy only."""

from __future__ import annotations

import numpy as np


def random_map(images, seed: int = 0) -> np.ndarray:
    """Uniform noise in [0, 1): float32 (b, h, w)."""
    return np.random.default_rng(seed).random(_shape(images), dtype=np.float32)


def centre_map(images) -> np.ndarray:
    """ "The object is in the middle": 1 at the centre, falling linearly to 0 in the corners: float32 (b, h, w)."""
    number, height, width = _shape(images)
    y, x = ((np.arange(side) + 0.5) / side * 2 - 1 for side in (height, width))
    distance = np.hypot(y[:, None], x[None, :]) / np.sqrt(2)
    return np.broadcast_to((1 - distance).astype(np.float32), (number, height, width)).copy()


def sobel_map(images) -> np.ndarray:
    """The strength of edges: the length of the Sobel gradient of the mean over the channels, in grey levels: float32 (b, h, w).

    Many a famous map is little more than this. Beyond the border the outermost pixels are repeated.
    """
    _shape(images)
    grey = np.pad(np.asarray(images, np.float64).mean(-1), ((0, 0), (1, 1), (1, 1)), mode="edge")

    def slope(values):  # central difference across the last axis, smoothed (1, 2, 1) across the one before
        step = values[:, :, 2:] - values[:, :, :-2]
        return step[:, :-2] + 2 * step[:, 1:-1] + step[:, 2:]

    across, down = slope(grey), slope(grey.transpose(0, 2, 1)).transpose(0, 2, 1)
    return np.hypot(across, down).astype(np.float32)


BASELINES = {"random": random_map, "centre": lambda images, seed=0: centre_map(images), "sobel": lambda images, seed=0: sobel_map(images)}
"""Name -> (images, seed) -> maps; only the random one depends on the seed."""


def _shape(images) -> tuple[int, int, int]:
    shape = np.shape(images)
    if len(shape) != 4 or 0 in shape:
        raise ValueError(f"images are (b, h, w, c), got shape {shape}")
    return shape[:3]
