"""Affine maps of the plane as 3 x 3 matrices, and what they do to points, boxes and outlines.

Coordinates are pixels counted from the outer corner: a picture of w x h pixels covers (0, 0) to (w, h), and the centre of its first pixel
is (0.5, 0.5). y points down. A map leads from the old picture to the new one; `b @ a` does a first.
"""

from __future__ import annotations

import math

import numpy as np


def shift(x: float, y: float) -> np.ndarray:
    """Move by (x, y) pixels."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def scale(x: float, y: float | None = None) -> np.ndarray:
    """Enlarge by factors along x and y, around the corner (0, 0); a negative one mirrors."""
    return np.diag([x, x if y is None else y, 1.0])


def turn(degrees: float) -> np.ndarray:
    """Turn counter-clockwise, as seen on the screen, around the corner (0, 0)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])


def shear(x: float, y: float = 0.0) -> np.ndarray:
    """Slant: vertical lines by x degrees, horizontal ones by y degrees; both in (-90, 90)."""
    return np.array([[1.0, math.tan(math.radians(x)), 0.0], [math.tan(math.radians(y)), 1.0, 0.0], [0.0, 0.0, 1.0]])


def about(matrix: np.ndarray, x: float, y: float) -> np.ndarray:
    """The same map with (x, y) as its fixed point instead of the corner."""
    return shift(x, y) @ matrix @ shift(-x, -y)


def window(box, size) -> np.ndarray:
    """The map that stretches the rectangle `box` (xyxy) over a whole picture of `size` (height, width)."""
    left, top, right, bottom = box
    return scale(size[1] / (right - left), size[0] / (bottom - top)) @ shift(-left, -top)


def move(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Where points (..., 2) go: float64 (..., 2)."""
    return np.asarray(points, float) @ matrix[:2, :2].T + matrix[:2, 2]


def upright(matrix: np.ndarray) -> bool:
    """Whether boxes stay boxes: no turn and no shear, at most mirrors."""
    return abs(matrix[0, 1]) + abs(matrix[1, 0]) < 1e-9


def growth(matrix: np.ndarray) -> float:
    """By what factor areas grow; never negative."""
    return abs(float(np.linalg.det(matrix[:2, :2])))


def corners(boxes: np.ndarray) -> np.ndarray:
    """Boxes (..., 4) xyxy -> their four corners (..., 4, 2), clockwise on the screen from the upper left."""
    boxes = np.asarray(boxes, float)
    return boxes[..., [0, 1, 2, 1, 2, 3, 0, 3]].reshape(*boxes.shape[:-1], 4, 2)


def bounds(points: np.ndarray) -> np.ndarray:
    """The smallest box around points (..., p, 2): (..., 4) xyxy."""
    return np.concatenate([points.min(axis=-2), points.max(axis=-2)], axis=-1)


def enclosing(matrix: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) through a map: the boxes around their four corners, (n, 4). Exact where the map is `upright`."""
    return bounds(move(matrix, corners(boxes)))


def area(ring: np.ndarray) -> float:
    """The area of a ring (p, 2), by the shoelace formula; never negative."""
    x, y = ring[:, 0] - ring[:1, 0], ring[:, 1] - ring[:1, 1]
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def clip(ring: np.ndarray, field: np.ndarray) -> np.ndarray:
    """The part of a ring (p, 2) inside a convex field (f, 2): (q, 2), empty when nothing is.

    Sutherland and Hodgman 1974, one side of the field after the other. A ring that falls apart stays one ring, its parts joined along the
    border of the field, so that area and bounds are right.
    """
    ring, field = np.asarray(ring, float), np.asarray(field, float)
    signed = float(np.sum(field[:, 0] * np.roll(field[:, 1], -1) - field[:, 1] * np.roll(field[:, 0], -1)))
    if signed < 0:  # a mirrored field runs the other way round
        field = field[::-1]
    for start, stop in zip(field, np.roll(field, -1, axis=0), strict=True):
        if not len(ring):
            break
        side = (stop[0] - start[0]) * (ring[:, 1] - start[1]) - (stop[1] - start[1]) * (ring[:, 0] - start[0])
        if (side >= 0).all():
            continue
        kept: list[np.ndarray] = []
        for here, there, a, b in zip(ring, np.roll(ring, -1, axis=0), side, np.roll(side, -1), strict=True):
            if a >= 0:
                kept.append(here)
            if (a > 0 > b) or (a < 0 < b):
                kept.append(here + (there - here) * (a / (a - b)))
        ring = np.array(kept).reshape(-1, 2)
    return ring
