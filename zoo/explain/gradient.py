"""The gradient of the score with respect to the image, with its sign, and what is read off it.

Saliency shows where a change matters; the signed gradient also says in which direction. Every signed method of this room takes
`channels`, which says how its (b, h, w, c) becomes what is returned:

    "sum"   (b, h, w): the sum over the colours, signed; the total of an attribution stays what it was
    "max"   (b, h, w): the largest absolute value over the colours, what `saliency` shows of the gradient
    "keep"  (b, h, w, c): everything
"""

from __future__ import annotations

import warnings

import numpy as np

from zoo.explain.progress import Progress
from zoo.explain.session import image_gradients


def gradient(model, images, target=None, *, channels: str = "sum", batch_size: int = 32, progress: Progress | None = None) -> np.ndarray:
    """d score / d pixel, signed: float32 (b, h, w) or (b, h, w, c), in score per grey level of [0, 255].

    channels: "sum", "max" or "keep", see the head of this file.
    progress: called with (images done, images in all) after every chunk; what it raises ends the work.

    Other arguments and errors are those of `gradcam`. Simonyan et al. 2013, arXiv:1312.6034, section 3. A network saturates: a
    pixel may have made the decision and have no gradient, because a little more or less of it changes nothing.
    """
    check_channels(channels)
    found, _ = image_gradients(model, images, target, batch_size, progress=progress)
    return heat_of(found, channels)


def input_x_gradient(
    model, images, target=None, *, channels: str = "sum", batch_size: int = 32, progress: Progress | None = None
) -> np.ndarray:
    """pixel * d score / d pixel: float32 (b, h, w) or (b, h, w, c), in units of the score.

    Arguments and errors are those of `gradient`. Shrikumar et al. 2016, arXiv:1605.01713. In a ReLU network without
    biases it adds up to the score; a black pixel gets nothing whatever it means to the network.
    """
    check_channels(channels)
    found, pictures = image_gradients(model, images, target, batch_size, progress=progress)
    return heat_of(found * pictures, channels)


def check_channels(channels: str) -> None:
    if channels not in ("sum", "max", "keep"):
        raise ValueError(f'channels is "sum", "max" or "keep", got {channels!r}')


NO_DEPENDENCE = "the score does not depend on the image, or the model reads it as integers"


def heat_of(attributions: np.ndarray, channels: str, zero_means: str = NO_DEPENDENCE) -> np.ndarray:
    """(b, h, w, c) -> what `channels` wants of it; with a UserWarning, which says what zero means, where all is zero."""
    if not attributions.any():
        warnings.warn(f"the explanation is zero everywhere: {zero_means}", stacklevel=3)
    if channels == "keep":
        return attributions
    return attributions.sum(axis=-1) if channels == "sum" else np.abs(attributions).max(axis=-1)
