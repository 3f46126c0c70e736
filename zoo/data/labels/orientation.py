"""Which way up were the labels drawn? A camera stores a picture lying and writes into its EXIF how to turn it.

Annotation tools turn it; TensorFlow's decoder, and scripts built on it, do not. Labels of the one on pixels of the other lie beside
their objects, and no error is raised. The zoo decodes upright, so labels that were drawn on the picture as it lies are turned with it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zoo.data.decode import _TURNS
from zoo.data.inspection import Seen
from zoo.data.labels import rle
from zoo.data.objects import Objects

LYING = (5, 6, 7, 8)
"""EXIF orientations under which width and height change places."""


def stored_size(seen: Seen) -> tuple[int, int]:
    """(width, height) of a picture before its EXIF turned it."""
    return (seen.height, seen.width) if seen.orientation in LYING else (seen.width, seen.height)


def turned(objects: Objects, seen: Seen, shares: bool) -> Objects:
    """Objects that were labelled on the stored picture, in pixels of the upright one.

    shares: the file had shares of width and height, which the reader took for those of the upright picture.
    """
    width, height = stored_size(seen)
    if shares:
        objects = _scaled(objects, width / seen.width, height / seen.height)
    return upright(objects, seen.orientation, width, height)


def _scaled(objects: Objects, across: float, down: float) -> Objects:
    keypoints, polygons = objects.keypoints, objects.polygons
    return replace(
        objects,
        boxes=objects.boxes * np.array([across, down, across, down]),
        keypoints=None if keypoints is None else keypoints * np.array([across, down, 1]),
        polygons=None if polygons is None else tuple(tuple(ring * np.array([across, down]) for ring in rings) for rings in polygons),
    )


def upright(objects: Objects, orientation: int, width: int, height: int) -> Objects:
    """Objects labelled on a stored picture of width x height pixels, in pixels of that picture turned by its EXIF orientation (1 to 8)."""
    if orientation == 1:
        return objects
    corners = np.stack(
        [_points(objects.boxes[:, :2], orientation, width, height), _points(objects.boxes[:, 2:], orientation, width, height)]
    )
    boxes = np.concatenate([corners.min(axis=0), corners.max(axis=0)], axis=1)
    keypoints, polygons = objects.keypoints, objects.polygons
    if keypoints is not None:
        moved = _points(keypoints[..., :2], orientation, width, height)
        keypoints = np.concatenate([np.where(keypoints[..., 2:] > 0, moved, keypoints[..., :2]), keypoints[..., 2:]], axis=-1)
    if polygons is not None:
        polygons = tuple(tuple(_points(ring, orientation, width, height) for ring in rings) for rings in polygons)
    attributes = dict(objects.attributes)
    if "rle" in attributes:
        column = np.empty(len(objects), object)
        for index, lengths in enumerate(attributes["rle"]):
            column[index] = None if lengths is None else rle.encode(_TURNS[orientation](rle.decode(lengths)))
        attributes["rle"] = column
    masks = None if objects.masks is None else np.array([_TURNS[orientation](mask) for mask in objects.masks])
    return Objects(boxes, objects.classes, masks, polygons, keypoints, objects.crowd, objects.difficult, attributes)


def _points(points: np.ndarray, orientation: int, width: int, height: int) -> np.ndarray:
    """x, y of (..., 2) on the stored picture -> on the upright one. What the turns of `zoo.data.decode` do to pixels."""
    x, y = points[..., 0], points[..., 1]
    back_x, back_y = width - x, height - y
    places = {
        1: (x, y),
        2: (back_x, y),
        3: (back_x, back_y),
        4: (x, back_y),
        5: (y, x),
        6: (back_y, x),
        7: (back_y, back_x),
        8: (y, back_x),
    }[orientation]
    return np.stack(places, axis=-1).astype(points.dtype)
