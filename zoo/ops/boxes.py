"""Boxes: formats, area, clipping, and their encoding relative to anchors. How far two of them overlap is in `overlap.py`.

A box is (left, top, right, bottom) in pixels, "xyxy", unless a format is named. Everything is computed in float32 (float64 for float64
boxes), on any leading dimensions.
"""

from __future__ import annotations

import math

import keras
from keras import ops

from zoo.ops.overlap import iou, pair_iou
from zoo.ops.precision import wide_boxes

__all__ = ["FORMATS", "LARGEST", "area", "clip", "convert", "decode", "encode", "iou", "pair_iou"]

FORMATS = ("xyxy", "yxyx", "xywh", "cxcywh", "rel_xyxy", "rel_yxyx", "rel_xywh", "rel_cxcywh")
"""xywh is the left top corner and the size, cxcywh the centre and the size; rel_ means in fractions of the image's width and height."""

LARGEST = math.log(1000 / 16)
"""The largest logarithm of a size that is decoded: an anchor of 16 pixels becomes at most 1000 (Faster R-CNN's code). Without it a
network that is still random gives infinite boxes."""

TINY = 1e-7
"""The smallest width or height that is encoded, in pixels: padding has none, and its logarithm must be finite."""


def convert(boxes, source: str, target: str, image_shape=None):
    """Boxes (..., 4) of the format `source` in the format `target`; see `FORMATS`.

    image_shape: (height, width) or (height, width, channels), needed when one of the two formats is relative.
    Raises ValueError for an unknown format, for a missing image_shape and for a last dimension that is not 4.
    """
    for name in (source, target):
        if name not in FORMATS:
            raise ValueError(f"a box format is one of {', '.join(FORMATS)}; got {name!r}")
    if image_shape is None and "rel_" in source + target and source != target:
        raise ValueError(f"{source} -> {target} needs the size of the image: give image_shape=(height, width)")
    boxes = wide_boxes(boxes)
    if source == target:
        return boxes
    height, width = (None, None) if image_shape is None else image_shape[:2]
    source, target = source.replace("cxcywh", "center_xywh"), target.replace("cxcywh", "center_xywh")
    dtype = keras.backend.standardize_dtype(boxes.dtype)
    return keras.utils.bounding_boxes.convert_format(boxes, source, target, height=height, width=width, dtype=dtype)


def area(boxes):
    """Boxes (..., 4) -> (...) square pixels. A box whose right is not beyond its left, or bottom beyond its top, has none."""
    left, top, right, bottom = _edges(boxes)
    return ops.maximum(right - left, 0.0) * ops.maximum(bottom - top, 0.0)


def clip(boxes, height, width):
    """The part of each box (..., 4) that lies in an image of that size; what lies outside becomes a box without area on its border."""
    left, top, right, bottom = _edges(boxes)

    def within(x, limit):
        return ops.minimum(ops.maximum(x, 0.0), ops.cast(limit, x.dtype))

    return ops.stack([within(left, width), within(top, height), within(right, width), within(bottom, height)], axis=-1)


def encode(boxes, anchors, weights=(1.0, 1.0, 1.0, 1.0)):
    """What a network has to predict at `anchors` (..., 4) for `boxes` (..., 4): (dx, dy, dw, dh), (..., 4) (R-CNN, arXiv:1311.2524, C).

    The offset of the centre in sizes of the anchor and the logarithm of the ratio of sizes, times `weights`: Faster R-CNN's second stage
    and SSD use (10, 10, 5, 5). A box without width or height, such as padding, is encoded as if it had 1e-7 pixels.
    """
    (x, y, w, h), (anchor_x, anchor_y, anchor_w, anchor_h) = _centred(boxes), _centred(anchors)
    dx, dy = (x - anchor_x) / anchor_w, (y - anchor_y) / anchor_h
    dw, dh = (ops.log(ops.maximum(size, TINY) / anchor) for size, anchor in ((w, anchor_w), (h, anchor_h)))
    return ops.stack([delta * weight for delta, weight in zip((dx, dy, dw, dh), weights, strict=True)], axis=-1)


def decode(deltas, anchors, weights=(1.0, 1.0, 1.0, 1.0)):
    """The inverse of `encode`: deltas (..., 4) at anchors (..., 4) -> boxes (..., 4). Sizes grow at most 62.5-fold; see `LARGEST`."""
    deltas = wide_boxes(deltas)
    dx, dy, dw, dh = (deltas[..., i] / weight for i, weight in zip(range(4), weights, strict=True))
    x, y, w, h = _centred(anchors)
    x, y = dx * w + x, dy * h + y  # the deltas come first: they may be symbolic, and JAX's own arrays refuse such a partner
    w, h = ops.exp(ops.minimum(dw, LARGEST)) * w, ops.exp(ops.minimum(dh, LARGEST)) * h
    return ops.stack([x - 0.5 * w, y - 0.5 * h, x + 0.5 * w, y + 0.5 * h], axis=-1)


def _edges(boxes):
    boxes = wide_boxes(boxes)
    return boxes[..., 0], boxes[..., 1], boxes[..., 2], boxes[..., 3]


def _centred(boxes):
    """Centre x, centre y, width, height, each (...)."""
    left, top, right, bottom = _edges(boxes)
    return 0.5 * (left + right), 0.5 * (top + bottom), right - left, bottom - top
