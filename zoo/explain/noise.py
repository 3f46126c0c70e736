"""Gradients averaged over noisy copies of the image: what is left when the gradient's own noise cancels.

Copy number k of an image is the image plus `noise * range * z`, where range is the image's largest minus its smallest value and z
is `numpy.random.default_rng([seed, k]).standard_normal((h, w, c))`: the same for every image, so that an explanation does not
depend on which images are explained together.
"""

from __future__ import annotations

import numpy as np

from zoo.explain.copies import copy_gradients, positive
from zoo.explain.gradient import check_channels, heat_of
from zoo.explain.progress import Progress
from zoo.explain.session import probe


def smoothgrad(
    model,
    images,
    target=None,
    *,
    samples: int = 50,
    noise: float = 0.15,
    seed: int = 0,
    channels: str = "sum",
    batch_size: int = 32,
    progress: Progress | None = None,
) -> np.ndarray:
    """The mean gradient over noisy copies: float32 (b, h, w) or (b, h, w, c), in score per grey level of [0, 255].

    samples:  copies of each image.
    noise:    standard deviation as a share of the image's range of values; 0 gives the gradient itself.
    seed:     of the noise; the same seed gives the same explanation, whatever the batch.
    channels: as in `gradient`.
    progress: called with (copies done, copies in all) after every chunk; what it raises ends the work.

    Smilkov et al. 2017, arXiv:1706.03825, section 3 (their figures use 10-20 % noise and 50 samples). A predicted class is that of
    the clean image. Noisy copies may leave [0, 255]. Other arguments and errors are those of `gradcam`.
    """
    mean, _ = _moments(model, images, target, samples, noise, seed, channels, batch_size, progress)
    return heat_of(mean, channels)


def vargrad(
    model,
    images,
    target=None,
    *,
    samples: int = 50,
    noise: float = 0.15,
    seed: int = 0,
    channels: str = "sum",
    batch_size: int = 32,
    progress: Progress | None = None,
) -> np.ndarray:
    """The variance of the gradient over noisy copies: float32 (b, h, w) or (b, h, w, c), never negative.

    Arguments are those of `smoothgrad`; samples is 2 at least. Adebayo et al. 2018, arXiv:1810.03292. It divides by the
    number of samples. It shows where the network bends, not where evidence lies: the gradient of a linear model has no variance.
    """
    positive(samples, "samples", least=2)
    _, variance = _moments(model, images, target, samples, noise, seed, channels, batch_size, progress)
    return heat_of(variance, channels, "every noisy copy has the same gradient")


def _moments(model, images, target, samples, noise, seed, channels, batch_size, progress):
    """Mean and variance (b, h, w, c) of the gradient over the copies."""
    check_channels(channels)
    positive(samples, "samples")
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise is a share of the range of values, 0 or more, for example 0.15, got {noise!r}")
    with probe(model, images, target, batch_size) as asked:
        pictures = asked.pictures
        deviation = noise * np.ptp(pictures, axis=(1, 2, 3))

        def noisy(rows, numbers):
            draws = [np.random.default_rng([seed, number]).standard_normal(pictures.shape[1:]) for number in numbers]
            return pictures[rows] + deviation[rows, None, None, None] * np.stack(draws)

        mean, spread = np.zeros(pictures.shape), np.zeros(pictures.shape)
        for row, number, gradient in copy_gradients(asked, samples, noisy, progress):
            change = gradient - mean[row]  # Welford's sums: a variance beside a large mean is not lost in rounding
            mean[row] += change / (number + 1)
            spread[row] += change * (gradient - mean[row])
    return mean.astype(pictures.dtype), (spread / samples).astype(pictures.dtype)
