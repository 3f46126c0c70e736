"""Class activation maps: which places of a feature map speak for the target.

Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2) weighs each channel by the mean gradient of the score with
respect to that channel, and sums. Grad-CAM++ (Chattopadhay et al. 2018, arXiv:1710.11063, equation 19) weighs the positive
gradients of each place instead, which does better when the object appears several times. Layer-CAM and HiResCAM do not average at
all: each place has its own weight. Eigen-CAM asks for no score: it shows what varies most in the map.
"""

from __future__ import annotations

import warnings

import numpy as np
from keras import ops, tree

from zoo.explain.registration import check, placed
from zoo.explain.session import map_gradients, maps_of


def gradcam(
    model, images, target=None, layer=None, *, batch_size: int = 32, resize: bool = True, relu: bool = True, placement: str = "field"
) -> np.ndarray:
    """Grad-CAM of each image: float32 (b, h, w), raw values in units of the score, larger where the map speaks for the target.

    model:      any Keras model: functional, Sequential, nested, subclassed; it is left as it was.
    images:     (b, h, w, 3) or one (h, w, 3), RGB in [0, 255], uint8 or float; for several inputs their dict, tuple or list.
    target:     None (the predicted class of each image), a class, a list of one class per image, or a target object.
    layer:      name, path ("backbone/stage4_conv") or layer; default: the input of the last global pooling (`default_layer`).
    batch_size: images per step; it bounds the memory and does not change the result.
    resize:     True gives maps of the image's size (bilinear), False the size of the layer's map.
    relu:       keep evidence for the target only (as in the paper); False also returns evidence against it, negative.
    placement:  "field" lays each cell on the centre of its receptive field (`place_heat`); "stretch" stretches the map over the
                image with half-pixel centres, as other libraries do. Where no field is known (a subclassed model, a layer of
                unknown geometry, branches of different strides), "field" is "stretch" too: `placement_of` tells which.

    Raises ValueError for an unknown layer or placement, a 1x1 map, a class out of range or a list of the wrong length, TypeError for
    a target that is none. A score that does not depend on the layer gives zero maps and a UserWarning.
    """
    return _cam(_gradcam, model, images, target, layer, batch_size, resize, relu, placement)


def gradcam_plus_plus(
    model, images, target=None, layer=None, *, batch_size: int = 32, resize: bool = True, relu: bool = True, placement: str = "field"
) -> np.ndarray:
    """Grad-CAM++ of each image: float32 (b, h, w); arguments and errors are those of `gradcam`.

    The paper differentiates exp(score), which overflows for logits near 90; its exponentials cancel from the weights up to one
    factor per image, so the score itself is differentiated, as pytorch-grad-cam does. Its constant 1e-6 in the denominator is
    kept too: where gradients are below about 1e-3, it favours the strongest ones more than the paper's formula would.
    """
    return _cam(_gradcam_plus_plus, model, images, target, layer, batch_size, resize, relu, placement)


def layercam(
    model, images, target=None, layer=None, *, batch_size: int = 32, resize: bool = True, relu: bool = True, placement: str = "field"
) -> np.ndarray:
    """Layer-CAM of each image: float32 (b, h, w), in units of the score; arguments and errors are those of `gradcam`.

    Each place of each channel weighs by its own positive gradient: sum over channels of max(gradient, 0) * map (Jiang et al. 2021,
    IEEE Transactions on Image Processing 30, section III). So early layers, whose gradients change their sign from place to place,
    give maps that are fine and still about the object; the paper merges several layers, which is left to the caller.

    It misleads where a negative gradient matters: evidence against the target has no weight, not even with relu=False, so a place
    that argues for and against looks as if it argued for.
    """
    return _cam(_layercam, model, images, target, layer, batch_size, resize, relu, placement)


def hirescam(
    model, images, target=None, layer=None, *, batch_size: int = 32, resize: bool = True, relu: bool = True, placement: str = "field"
) -> np.ndarray:
    """HiResCAM of each image: float32 (b, h, w), in units of the score; arguments and errors are those of `gradcam`.

    The sum over channels of gradient * map, place by place, without Grad-CAM's mean (Draelos and Carin 2020, arXiv:2011.08891).
    With relu=False it adds up: in a network whose head is one linear layer on the map, the places sum to the score less the bias,
    so it shows the places that the head used, which Grad-CAM does only if the head pools globally; there the two are equal.

    It misleads when the head is not linear: then the gradient holds near this image only, and the sum is no longer the score.
    """
    return _cam(_hirescam, model, images, target, layer, batch_size, resize, relu, placement)


def eigencam(
    model, images, target=None, layer=None, *, batch_size: int = 32, resize: bool = True, relu: bool = True, placement: str = "field"
) -> np.ndarray:
    """Eigen-CAM of each image: float32 (b, h, w), in units of the map; arguments and errors are those of `gradcam`.

    The map's first principal component: its places (h w, c), less their mean, projected on their first right singular vector
    (Muhammad and Yeasin 2020, arXiv:2008.00299; they do not subtract the mean, pytorch-grad-cam and we do). A singular vector has no
    sign of its own; here it is the one with which the heat is larger where the channels sum to more.

    It is blind to the class: `target` is taken, so that methods can be exchanged, and ignored. It shows what stands out in the
    layer, whether or not the score depends on it, and would show the same for every class.
    """
    return _cam(_eigencam, model, images, _any_score, layer, batch_size, resize, relu, placement)


def feature_maps(model, images, layer=None, *, batch_size: int = 32) -> np.ndarray:
    """What a layer sees: its maps (b, h, w, c) as float32 numpy. `layer` as in `gradcam`."""
    return maps_of(model, images, layer, batch_size)


def _cam(reduce, model, images, target, layer, batch_size, resize, relu, placement):
    check(placement)
    heat, batch = map_gradients(model, images, target, layer, batch_size, reduce)
    if not heat.any():
        message = "the heat is zero everywhere: the score does not depend on this layer, no gradient reaches it, or the map is flat"
        warnings.warn(message, stacklevel=3)
    if relu:
        heat = np.maximum(heat, 0)
    return placed(model, batch, heat, layer, placement) if resize else heat


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


def _layercam(maps, gradients):
    """maps, gradients (b, h, w, c) -> (b, h, w)."""
    return ops.sum(ops.maximum(gradients, 0) * maps, axis=-1)


def _hirescam(maps, gradients):
    """maps, gradients (b, h, w, c) -> (b, h, w)."""
    return ops.sum(gradients * maps, axis=-1)


def _eigencam(maps, gradients):
    """maps (b, h, w, c) -> (b, h, w); the gradients play no part."""
    b, h, w, c = ops.shape(maps)
    places = ops.reshape(maps, (b, h * w, c))
    places = places - ops.mean(places, axis=1, keepdims=True)
    _, _, directions = ops.svd(places, full_matrices=False)
    heat = ops.squeeze(ops.matmul(places, ops.expand_dims(directions[:, 0, :], -1)), -1)  # (b, h w)
    agreement = ops.sum(heat * ops.sum(places, axis=-1), axis=1, keepdims=True)
    return ops.reshape(ops.where(agreement < 0, -heat, heat), (b, h, w))


def _any_score(outputs):
    """A score (b,) of any model, for a method that needs none."""
    output = ops.cast(tree.flatten(outputs)[0], "float32")
    return ops.sum(ops.reshape(output, (ops.shape(output)[0], -1)), axis=1)
