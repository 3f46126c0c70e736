"""Score-CAM: weigh a channel by the score of the image seen through that channel's map, without any gradient.

Wang et al. 2020, arXiv:1910.01279, definitions 2 and 3 and algorithm 1.
"""

from __future__ import annotations

import warnings

import numpy as np

from zoo.explain.copies import positive, scores_of_copies, seen_through
from zoo.explain.fill import filling
from zoo.explain.images import resize_heat
from zoo.explain.progress import Progress
from zoo.explain.registration import check, placed
from zoo.explain.session import maps_of, probe


def scorecam(
    model,
    images,
    target=None,
    layer=None,
    *,
    channels: int | None = None,
    fill="grey",
    batch_size: int = 32,
    resize: bool = True,
    relu: bool = True,
    placement: str = "field",
    progress: Progress | None = None,
) -> np.ndarray:
    """Score-CAM of each image: float32 (b, h, w), a weighted mean of the layer's channels, in units of the map.

    model, images, target, layer, batch_size, resize, relu, placement: as in `gradcam`. A predicted class is that of the unmasked image.
    channels: None uses every channel, a number at most that many: those that vary most over the places of each image.
    fill:     what is seen where the image is hidden, as in `occlusion`; 0 is the product of picture and mask.
    progress: called as progress(copies done, all copies of all images); an exception from it stops the work.

    A channel's map is enlarged to the image (bilinear, half-pixel centres), stretched to [0, 1], and used as a mask; a flat
    channel hides everything. The weights are the softmax, over the channels, of the scores of the masked images, as in algorithm 1
    and in pytorch-grad-cam; the baseline's score, which the paper subtracts, cancels there. Scores are logits: a softmax over
    the classes instead would give a model with one logit the same weight for each channel. The paper multiplies a normalised
    picture by the mask, so that hidden means a middling colour; hence grey is the default here.

    It misleads in two ways. The softmax compares raw scores: where they differ by ten, one channel has all the weight, where by a
    tenth, the map is nearly the plain mean of the channels and the same for every class. And the mask of a blurred 7x7 map hides
    little of what lies beside the evidence. Costs one forward pass per channel and image: 2048 for ResNet50.

    Raises what `gradcam` raises, and ValueError for `channels` that is no positive int.
    """
    check(placement)
    if channels is not None:
        positive(channels, "channels")
    with probe(model, images, target, batch_size) as asked:
        pictures = asked.pictures
        hidden = filling(pictures, fill)
        maps = _kept_channels(maps_of(model, images, layer, batch_size), channels)
        total = maps.shape[-1]
        rows = np.repeat(np.arange(len(pictures)), total)

        def masked(numbers):
            of = rows[numbers]
            masks = _stretched(resize_heat(maps[of, :, :, numbers % total], pictures.shape[1:3]))
            return seen_through(masks, pictures[of], hidden[of])

        scores = np.concatenate([part for _, part in scores_of_copies(asked, rows, masked, progress)])
    heat = np.einsum("bhwc,bc->bhw", maps, _softmax(scores.reshape(-1, total)).astype(maps.dtype))
    if not heat.any():
        warnings.warn("the heat is zero everywhere: the map of the layer is zero", stacklevel=2)
    if relu:
        heat = np.maximum(heat, 0)
    return placed(model, asked.batch, heat, layer, placement) if resize else heat


def _kept_channels(maps: np.ndarray, channels: int | None) -> np.ndarray:
    """maps (b, h, w, c) -> (b, h, w, at most `channels`), those of the largest variance over the places, in their order."""
    if maps.shape[1:3] == (1, 1):
        raise ValueError("the map of the layer is 1x1: with one place only it cannot say where; choose an earlier layer or larger images")
    if channels is None or channels >= maps.shape[-1]:
        return maps
    chosen = np.argsort(-maps.var(axis=(1, 2)), axis=-1, kind="stable")[:, :channels]
    return np.take_along_axis(maps, np.sort(chosen)[:, None, None, :], axis=-1)


def _stretched(masks: np.ndarray) -> np.ndarray:
    """Masks (n, h, w) between their own minimum and maximum: [0, 1]; a flat one becomes zero."""
    low, high = masks.min(axis=(1, 2), keepdims=True), masks.max(axis=(1, 2), keepdims=True)
    return (masks - low) / np.where(high > low, high - low, 1)


def _softmax(scores: np.ndarray) -> np.ndarray:
    """(b, c) -> (b, c), float64."""
    powers = np.exp(scores.astype(np.float64) - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
