"""Pictures whose evidence is known by construction: noise, and one small patch whose texture is the class.

Everything but the texture is the same for all classes: the noise, the place of the patch, its brightness and its contrast. What a
network knows about the class it can only know from the patch, so a map of its evidence is right or wrong, without taste or opinion.
Real photographs never offer that: there nobody knows what a network ought to look at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.data.dataset import Dataset, Examples

CLASSES = ("rows", "columns", "diagonals", "checkers")
SPLITS = ("train", "validation", "test")
PERIOD = 4
"""Pixels after which every texture repeats; half of them are bright."""


@dataclass(frozen=True)
class Patches:
    """A configuration of the generator.

    size, side: of the picture and of its patch, in pixels; the side is a multiple of the period 4, so that every texture has as many
                bright as dark pixels, and no class is brighter than another.
    contrast:   grey levels by which a texture lies above and below the mean of 128.
    noise:      standard deviation of the noise, in grey levels, drawn for every pixel.
    train, validation, test: pictures of each split.
    seed:       another seed is another collection.
    """

    size: int = 64
    side: int = 16
    contrast: float = 45.0
    noise: float = 35.0
    train: int = 1200
    validation: int = 200
    test: int = 200
    seed: int = 0

    def __post_init__(self):
        if self.side % PERIOD or not 0 < self.side <= self.size:
            raise ValueError(f"the side of the patch must be a multiple of {PERIOD} and at most the size {self.size}, got side={self.side}")
        for name in ("contrast", "noise"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is a number of grey levels >= 0, got {getattr(self, name)!r}")


def classification(config: Patches | None = None) -> Dataset:
    """The pictures as a classification set with the splits train, validation and test.

    Attribute of each split: "box", float32 (n, 4), xyxy in pixels: the patch, which is all the evidence that there is.
    """
    config = config or Patches()
    notes = (
        "Generated pictures: noise, and one patch whose texture is the class. They tell a good explanation from a bad one, and nothing "
        "about photographs.",
    )
    return Dataset("patches", "generated", CLASSES, {split: examples(config, split) for split in SPLITS}, notes)


def examples(config: Patches, split: str) -> Examples:
    """One split. Picture `i` depends on the seed, the split and `i`; how many pictures there are changes none of them."""
    if split not in SPLITS:
        raise ValueError(f"patches have no split {split!r}; they have {', '.join(SPLITS)}")
    count = getattr(config, split)
    labels = np.arange(count) % len(CLASSES)
    # a generator for each quantity: with one for all, the number of pictures would shift what the later quantities are
    places, phases, grains = (np.random.default_rng((config.seed, SPLITS.index(split), quantity)) for quantity in range(3))
    corners = places.integers(0, config.size - config.side + 1, (count, 2))  # (n, 2): left, top
    patterns = textures(labels, phases.integers(0, PERIOD, (count, 2)), config.side)
    rows, columns = (corners[:, axis, None] + np.arange(config.side) for axis in (1, 0))
    grey = np.full((count, config.size, config.size), 128, np.float32)
    grey[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]] += config.contrast * patterns
    grey += config.noise * grains.standard_normal(grey.shape, dtype=np.float32)
    images = np.repeat(np.clip(np.rint(grey), 0, 255).astype(np.uint8)[..., None], 3, axis=-1)
    boxes = np.concatenate([corners, corners + config.side], axis=1).astype(np.float32)
    return Examples(images, labels.astype(np.int64), {"box": boxes})


def textures(labels, phases, side: int) -> np.ndarray:
    """The texture of each label, shifted by its phases (n, 2) in pixels along x and y: int64 (n, side, side), -1 or 1."""
    labels, phases = np.asarray(labels)[:, None, None], np.asarray(phases)
    x = np.arange(side)[None, None, :] + phases[:, 0, None, None]
    y = np.arange(side)[None, :, None] + phases[:, 1, None, None]
    half = PERIOD // 2
    stripes = [y // half + 0 * x, x // half + 0 * y, (x + y) // half, x // half + y // half]
    return 1 - 2 * (np.choose(labels, stripes) % 2)
