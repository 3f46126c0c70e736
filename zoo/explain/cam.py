"""Class activation maps: which places of a feature map speak for the target.

Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2) weighs each channel by the mean gradient of the score with
respect to that channel, and sums. Grad-CAM++ (Chattopadhay et al. 2018, arXiv:1710.11063, equation 19) weighs the positive
gradients of each place instead, which does better when the object appears several times.
"""

from __future__ import annotations

import warnings

import numpy as np
from keras import ops

from zoo.explain.images import picture, resize_heat
from zoo.explain.session import map_gradients, maps_of


def gradcam(model, images, target=None, layer=None, *, batch_size: int = 32, resize: bool = True, relu: bool = True) -> np.ndarray:
    """Grad-CAM of each image: float32 (b, h, w), raw values in units of the score, larger where the map speaks for the target.

    model:      any Keras model: functional, Sequential, nested, subclassed; it is left as it was.
    images:     (b, h, w, 3) or one (h, w, 3), RGB in [0, 255], uint8 or float; for several inputs their dict, tuple or list.
    target:     None (the predicted class of each image), a class, a list of one class per image, or a target object.
    layer:      name, path ("backbone/stage4_conv") or layer; default: the input of the last global pooling (`default_layer`).
    batch_size: images per step; it bounds the memory and does not change the result.
    resize:     True gives maps of the image's size (bilinear, half-pixel centres), False the size of the layer's map.
    relu:       keep evidence for the target only (as in the paper); False also returns evidence against it, negative.

    Raises ValueError for an unknown layer, a 1x1 map, a class out of range or a list of the wrong length, TypeError for a target
    that is none. A score that does not depend on the layer gives zero maps and a UserWarning.
    """
    return _cam(_gradcam, model, images, target, layer, batch_size, resize, relu)


def gradcam_plus_plus(
    model, images, target=None, layer=None, *, batch_size: int = 32, resize: bool = True, relu: bool = True
) -> np.ndarray:
    """Grad-CAM++ of each image: float32 (b, h, w); arguments and errors are those of `gradcam`.

    The paper differentiates exp(score), which overflows for logits near 90; its exponentials cancel from the weights up to one
    factor per image, so the score itself is differentiated, as pytorch-grad-cam does. Its constant 1e-6 in the denominator is
    kept too: where gradients are below about 1e-3, it favours the strongest ones more than the paper's formula would.
    """
    return _cam(_gradcam_plus_plus, model, images, target, layer, batch_size, resize, relu)


def feature_maps(model, images, layer=None, *, batch_size: int = 32) -> np.ndarray:
    """What a layer sees: its maps (b, h, w, c) as float32 numpy. `layer` as in `gradcam`."""
    return maps_of(model, images, layer, batch_size)


def _cam(reduce, model, images, target, layer, batch_size, resize, relu):
    heat, batch = map_gradients(model, images, target, layer, batch_size, reduce)
    if not heat.any():
        warnings.warn("the heat is zero everywhere: the score does not depend on this layer, or no gradient reaches it", stacklevel=3)
    if relu:
        heat = np.maximum(heat, 0)
    return resize_heat(heat, picture(batch).shape[1:3]) if resize else heat


def _gradcam(maps, gradients):
    """maps, gradients (b, h, w, c) -> (b, h, w)."""
    weights = ops.mean(gradients, axis=(1, 2), keepdims=True)  # (b, 1, 1, c)
    return ops.sum(weights * maps, axis=-1)


def _gradcam_plus_plus(maps, gradients):
    """maps, gradients (b, h, w, c) -> (b, h, w)."""
    square = gradients * gradients
    denominator = 2 * square + ops.sum(maps, axis=(1, 2), keepdims=True) * square * gradients + 1e-6
    alpha = square / ops.where(denominator == 0, ops.ones_like(denominator), denominator)
    weights = ops.sum(ops.where(gradients > 0, alpha * gradients, ops.zeros_like(alpha)), axis=(1, 2), keepdims=True)
    return ops.sum(weights * maps, axis=-1)
