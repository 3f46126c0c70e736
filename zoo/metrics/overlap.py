"""How well a detection covers an object: boxes, masks or keypoints, each as one number in [0, 1] for a pair. Numpy only.

A crowd ("a flock of birds", one region for many objects) is judged by the share of the *detection* that lies in it: a bird inside
the flock is no mistake however large the flock is.
"""

from __future__ import annotations

import numpy as np

SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
"""How much people differ when they mark the 17 keypoints of COCO (nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles)."""


def box_overlap(detected: np.ndarray, boxes: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """Intersection over union (p,) of pairs of boxes (p, 4) xyxy; over the area of the detection where crowd (p,) is true.

    Boxes without area overlap nothing.
    """
    sides = np.minimum(detected[:, 2:], boxes[:, 2:]) - np.maximum(detected[:, :2], boxes[:, :2])
    common = np.where((sides > 0).all(axis=1), sides.prod(axis=1), 0.0)
    own = (detected[:, 2:] - detected[:, :2]).prod(axis=1)
    whole = np.where(crowd, own, own + (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) - common)
    return np.divide(common, whole, out=np.zeros(len(common)), where=common > 0)


def mask_overlap(detected: np.ndarray, masks: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """Intersection over union (d, n) of every mask (d, h, w) with every mask (n, h, w); over the area of the detection for a crowd (n,)."""
    if detected.shape[1:] != masks.shape[1:]:
        raise ValueError(f"wanted masks of the size of the image, got detected ones {detected.shape[1:]} and true ones {masks.shape[1:]}")
    rows, columns = (each.reshape(len(each), -1).astype(np.float64) for each in (detected, masks))
    common, own = rows @ columns.T, rows.sum(axis=1)[:, None]
    whole = np.where(crowd, own, own + columns.sum(axis=1) - common)
    return np.divide(common, whole, out=np.zeros(common.shape), where=common > 0)


def keypoint_overlap(detected: np.ndarray, truth: np.ndarray, boxes: np.ndarray, area: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Object keypoint similarity (p,) of pairs (https://cocodataset.org/#keypoints-eval): mean of exp(-distance^2 / (2 area (2 sigma)^2)).

    detected: (p, k, 2 or 3) x, y in pixels; truth: (p, k, 3) x, y and visibility, and only the marked points (visibility > 0) count;
    boxes: (p, 4) xyxy and area: (p,) of the true object. An object without any marked point is judged by how far each detected
    point lies outside of its box, the box first grown by its own size on every side.
    """
    marked = np.asarray(truth[..., 2] > 0)
    any_marked = np.asarray(marked.any(axis=1))
    size = boxes[:, 2:] - boxes[:, :2]
    low, high = (boxes[:, :2] - size)[:, None], (boxes[:, 2:] + size)[:, None]
    outside = np.maximum(0, low - detected[..., :2]) + np.maximum(0, detected[..., :2] - high)
    apart = np.where(any_marked[:, None, None], detected[..., :2] - truth[..., :2], outside)  # (p, k, 2)
    error = (apart**2).sum(axis=-1) / (2 * sigmas) ** 2 / (area[:, None] + np.spacing(1)) / 2
    counted = marked | ~any_marked[:, None]
    return (np.exp(-error) * counted).sum(axis=1) / counted.sum(axis=1)
