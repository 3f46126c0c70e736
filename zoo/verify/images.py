"""What both sides of a comparison see, and how far apart their answers are. numpy only: torch's process uses it too."""

from __future__ import annotations

import numpy as np


def smooth_images(count: int, height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Float64 images (count, height, width, channels) in [0, 255]: a few random waves each, as photographs have, no pixel noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    images = np.zeros((count, height, width, channels))
    for image in images:
        for _ in range(8):
            fy, fx = random.uniform(-8, 8, 2)
            wave = np.cos(2 * np.pi * (fy * y + fx * x) + random.uniform(0, 6.28))
            image += wave[..., None] * random.normal(size=channels)
    low, high = images.min((1, 2, 3), keepdims=True), images.max((1, 2, 3), keepdims=True)
    return 255 * (images - low) / (high - low)


def signal(answers: np.ndarray) -> float:
    """Mean change of an output (b, ...) from one image to the next.

    Raises ValueError when it hardly reacts to its input: then agreement would mean nothing.
    """
    if not np.isfinite(answers).all():
        raise ValueError("the reference's output is not finite")
    moved = np.abs(answers - np.roll(answers, 1, axis=0)).mean()
    if moved <= 1e-3 * np.abs(answers).mean():
        raise ValueError(f"the reference is dead: its output moves by {moved:.3g} of {np.abs(answers).mean():.3g}")
    return float(moved)


def difference(ours: np.ndarray, theirs: np.ndarray, unit: float | None = None) -> float:
    """max |ours - theirs| in units of `signal(theirs)`, or of `unit`."""
    ours, theirs = np.asarray(ours, "float64"), np.asarray(theirs, "float64")
    if ours.shape != theirs.shape:
        raise ValueError(f"shapes differ: {ours.shape} and {theirs.shape}")
    return float(np.abs(ours - theirs).max() / (signal(theirs) if unit is None else unit))


def probe(shape) -> np.ndarray:
    """Fixed random numbers: sum(output * probe) is the loss whose gradients are compared."""
    return np.random.default_rng(2).normal(size=shape)
