"""Activation maximisation: the image that a class or a unit likes best, found by walking up the gradient from noise.

Erhan et al. 2009 ("Visualizing higher-layer features of a deep network"). Without more, the walk ends in a
high-frequency pattern that no photograph has; three things of Olah et al. 2017 (distill.pub/2017/feature-visualization, "The
enemy of feature visualization") hold it back: a random shift before every step, a blurred gradient, a penalty on differences
between neighbours (total variation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from keras import tree

from zoo.explain.blur import gaussian_blur
from zoo.explain.copies import positive
from zoo.explain.images import picture
from zoo.explain.progress import Progress, report
from zoo.explain.session import probe
from zoo.explain.targets import as_target


@dataclass(frozen=True, eq=False)
class Maximised:
    """Images that excite their target.

    images:  float32 (n, h, w, c) in [0, 255].
    history: float32 (steps + 1, n), the score of each image before every step, as shifted for it, and at last unshifted.
    """

    images: np.ndarray
    history: np.ndarray


def maximise(
    model,
    target,
    *,
    size: tuple[int, int] | None = None,
    steps: int = 128,
    rate: float = 4.0,
    jitter: int = 4,
    blur: float = 1.0,
    total_variation: float = 0.1,
    seed: int | Sequence[int] = 0,
    start=None,
    batch_size: int = 32,
    progress: Progress | None = None,
) -> Maximised:
    """Images that give `target` a high score, and how the score rose, see `Maximised`.

    target:          a class, `Channel(layer, index)` for a channel of a layer, or any target. A list of classes or channels gives
                     one image for each. Not None: noise has no class worth looking for.
    size:            (h, w) of the images; default: what the model takes.
    steps, rate:     number of steps, and their size in grey levels: the root mean square of a step along the score's gradient.
    jitter:          largest shift in pixels, along both axes and around the border, drawn anew for every step.
    blur:            sigma in pixels of the blur of the score's gradient at the first step; it falls linearly towards 0.
    total_variation: how strongly neighbours are pulled together: weight of the gradient of `total_variation` against the score's
                     gradient at a root mean square of 1.
    seed:            an int for all images, or one per image: same target and seed, same image, whatever else is in the batch.
    start:           images to start from, as for `gradcam`; default: grey (128) with a little noise. Needed for several inputs.
    batch_size:      images per program.
    progress:        called with (steps done, steps) after every step; what it raises ends the work.

    Values stay in [0, 255]. What comes out excites the unit; that the unit looks for nothing else does not follow.
    Raises TypeError and ValueError for wrong arguments, with what was wanted.
    """
    positive(steps, "steps")
    _check(rate=rate, jitter=jitter, blur=blur, total_variation=total_variation)
    if target is None:
        raise TypeError("maximise needs a target: a class, Channel(layer, index) or another target; noise has no predicted class")
    target = as_target(target)
    batch, randoms = _start(model, target, size, seed, start)
    history = []
    with probe(model, batch, target, batch_size) as asked:
        images = np.clip(asked.pictures, 0, 255)
        every = np.arange(len(images))
        for step in range(steps):
            shifts = [random.integers(-jitter, jitter + 1, size=2) for random in randoms]
            scores, gradients = asked.scores_and_gradients(_shifted(images, shifts), every)
            history.append(scores)
            gradients = gaussian_blur(_shifted(gradients, [-shift for shift in shifts]), blur * (1 - step / steps))
            direction = _scaled(gradients) - total_variation * _total_variation_gradient(images)
            images = np.clip(images + rate * direction, 0, 255).astype(images.dtype)
            report(progress, step + 1, steps)
        history.append(asked.scores(images, every))
    return Maximised(images, np.stack(history))


def total_variation(images: np.ndarray) -> np.ndarray:
    """Sum of |difference| of all neighbours, down and across, over the colours: (b, h, w, c) -> (b,) (Rudin et al. 1992, anisotropic)."""
    return sum(np.abs(np.diff(images, axis=axis)).sum(axis=(1, 2, 3)) for axis in (1, 2))


def _total_variation_gradient(images: np.ndarray) -> np.ndarray:
    gradient = np.zeros_like(images)
    for axis in (1, 2):
        sign = np.sign(np.diff(images, axis=axis))
        before = [(0, 0)] * 4
        before[axis] = (1, 1)
        gradient -= np.diff(np.pad(sign, before), axis=axis)  # a pixel gains what it exceeds, on both sides
    return gradient


def _scaled(gradients: np.ndarray) -> np.ndarray:
    """Each gradient with a root mean square of 1; zero stays zero."""
    size = np.sqrt(np.mean(gradients.astype("float64") ** 2, axis=(1, 2, 3), keepdims=True))
    return np.divide(gradients, size, out=np.zeros_like(gradients), where=size > 0, casting="same_kind")


def _shifted(images: np.ndarray, shifts) -> np.ndarray:
    return np.stack([np.roll(image, shift, axis=(0, 1)) for image, shift in zip(images, shifts, strict=True)])


def _start(model, target, size, seed, start):
    """The images to start from, and the random generator of each."""
    index = getattr(target, "index", None)
    seeds = [seed] if isinstance(seed, int | np.integer) else list(seed)
    counts = {len(index) if isinstance(index, tuple) else 1, len(seeds)}
    if start is not None:
        start = np.asarray(start)[None] if not isinstance(start, dict | tuple | list) and np.ndim(start) == 3 else start
        counts.add(len(picture(tree.map_structure(np.asarray, start))))
    if len(counts - {1}) > 1 or 0 in counts:
        raise ValueError(f"the target, the seeds and the start must name one image or the same number of images, got {sorted(counts)}")
    count = max(counts)
    randoms = [np.random.default_rng(number) for number in (seeds * count if len(seeds) == 1 else seeds)]
    if start is not None:
        if counts != {count} and 1 in counts:
            start = tree.map_structure(lambda leaf: np.repeat(leaf, count, axis=0) if len(leaf) == 1 else np.asarray(leaf), start)
        return start, randoms
    shape = _shape(model, size)
    return np.stack([random.normal(128, 10, shape) for random in randoms]).astype("float32"), randoms


def _shape(model, size) -> tuple[int, int, int]:
    """(h, w, c) of the images."""
    known = getattr(model, "input_shape", None)
    if not isinstance(known, tuple) or len(known) != 4:
        known = (None, None, None, 3)
    height, width, channels = known[1:]
    if size is not None:
        height, width = size
    if height is None or width is None:
        raise ValueError(f"the model {model.name!r} takes images of any size; say which: size=(h, w)")
    return height, width, channels or 3


def _check(**numbers) -> None:
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < np.inf:
            raise ValueError(f"{name} must be a number, 0 or more, got {value!r}")
    if numbers["jitter"] != int(numbers["jitter"]):
        raise ValueError(f"jitter is a number of whole pixels, got {numbers['jitter']!r}")
