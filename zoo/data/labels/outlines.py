"""Outlines and masks of objects: polygons filled, measured, joined into one ring, and every mask of an image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.data.labels import rle
from zoo.data.objects import Objects

Rings = Sequence[np.ndarray]


def filled(rings: Rings, height: int, width: int) -> np.ndarray:
    """bool (height, width): the pixels whose centre lies inside a ring (p, 2); several rings are united, each by the even-odd rule."""
    mask = np.zeros((height, width), bool)
    for ring in rings:
        mask |= _fill(np.asarray(ring, np.float64), height, width)
    return mask


def _fill(ring: np.ndarray, height: int, width: int) -> np.ndarray:
    """Along each row of pixel centres, count the edges that a pixel has to its left."""
    mask = np.zeros((height, width), bool)
    x, y = ring.T
    x2, y2 = np.roll(ring, -1, axis=0).T
    for row in range(max(0, int(y.min())), min(height, int(np.ceil(y.max())))):
        level = row + 0.5
        crosses = (y <= level) != (y2 <= level)
        if crosses.any():
            x1, y1 = x[crosses], y[crosses]
            at = x1 + (level - y1) * (x2[crosses] - x1) / (y2[crosses] - y1)
            columns = np.clip(np.ceil(at - 0.5), 0, width).astype(int)  # the first pixel whose centre is not left of the edge
            mask[row] = np.cumsum(np.bincount(columns, minlength=width + 1))[:width] % 2 == 1
    return mask


def area(rings: Rings) -> float:
    """Area of the rings in square pixels by the shoelace formula; overlaps count twice."""
    return float(sum(abs(_signed(np.asarray(ring, np.float64))) for ring in rings))


def _signed(ring: np.ndarray) -> float:
    x, y = (ring - ring[0]).T  # near the origin no digits are lost
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


def bounds(rings: Rings) -> tuple[float, float, float, float]:
    """The box xyxy around all rings."""
    points = np.concatenate([np.asarray(ring, np.float64) for ring in rings])
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def joined(rings: Rings) -> np.ndarray:
    """Several rings as one (p, 2), for formats that have room for one: a line goes to each further ring, around it, and back.

    The line is walked twice, so by the even-odd rule it covers nothing.
    """
    first = np.asarray(rings[0])
    if len(rings) == 1:
        return first
    return np.concatenate([first, first[:1], *(part for ring in rings[1:] for part in (ring, ring[:1], first[:1]))])[:-1]


def masks(objects: Objects, height: int, width: int) -> np.ndarray:
    """bool (n, height, width) of the objects of an image, from whatever they have: masks, run lengths, polygons, or else the box.

    height, width: of the image, in pixels. Raises ValueError for run lengths of another size.
    """
    if objects.masks is not None:
        return objects.masks
    result = np.zeros((len(objects), height, width), bool)
    lengths = objects.attributes.get("rle")
    for index in range(len(objects)):
        if lengths is not None and lengths[index] is not None:
            if list(lengths[index]["size"]) != [height, width]:
                raise ValueError(f"the mask of object {index} has [height, width] {lengths[index]['size']}, its image {[height, width]}")
            result[index] = rle.decode(lengths[index])
        elif objects.polygons is not None and objects.polygons[index]:
            result[index] = filled(objects.polygons[index], height, width)
        else:
            left, top, right, bottom = objects.boxes[index]
            result[index] = filled([np.array([[left, top], [right, top], [right, bottom], [left, bottom]])], height, width)
    return result
