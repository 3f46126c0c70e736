"""Saliency: the pixels to which the score reacts most (Simonyan et al. 2013, arXiv:1312.6034, section 3)."""

from __future__ import annotations

import warnings

import numpy as np
from keras import ops

from zoo.explain.session import image_gradients


def saliency(model, images, target=None, *, batch_size: int = 32) -> np.ndarray:
    """|d score / d pixel|, the largest over the channels as in the paper: float32 (b, h, w), in score per grey level of [0, 255].

    Arguments and errors are those of `gradcam`. Captum's `Saliency` is the same before the maximum over the channels.
    """
    heat, _ = image_gradients(model, images, target, batch_size, _largest)
    if not heat.any():
        warnings.warn(
            "the saliency is zero everywhere: the score does not depend on the image, or the model reads it as integers", stacklevel=2
        )
    return heat


def _largest(gradients):
    """(b, h, w, c) -> (b, h, w)."""
    return ops.max(ops.abs(gradients), axis=-1)
