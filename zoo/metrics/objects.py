"""Objects and detections of many images as one table, checked. Numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

KINDS = ("boxes", "masks", "keypoints")


@dataclass(frozen=True)
class Truth:
    """The objects of one image. Anything else with these attributes will do, so `zoo.data` Objects too (area is then attributes["area"]).

    boxes:     (n, 4) xyxy in pixels. classes: (n,) integers; rows of class -1 are padding and are left out.
    crowd:     (n,) bool: one region for many objects. None: no crowds.
    area:      (n,) pixels, which decides about small, medium and large; COCO gives the area of the outline.
               None or NaN: that of the mask when masks are judged, otherwise that of the box.
    masks:     (n, h, w) bool. keypoints: (n, k, 3) x, y, visibility (0 not marked, 1 hidden, 2 visible).
    """

    boxes: Any
    classes: Any
    crowd: Any = None
    area: Any = None
    masks: Any = None
    keypoints: Any = None


@dataclass(frozen=True)
class Table:
    """The objects of all images under one another: a row each, image by image."""

    image: np.ndarray  # (n,) number of the image
    classes: np.ndarray  # (n,)
    boxes: np.ndarray  # (n, 4) float64
    area: np.ndarray  # (n,)
    crowd: np.ndarray  # (n,) bool
    score: np.ndarray  # (n,); ones for truth
    place: np.ndarray  # (n,) row of `masks[image]`
    masks: Sequence[np.ndarray]  # per image (m, h, w)
    keypoints: np.ndarray  # (n, k, 3)


def gather(items: Sequence[Any], classes: int, kind: str = "boxes", scored: bool = False) -> Table:
    """Truth or, with `scored`, detections of all images as one table. Raises ValueError for misshapen, unknown or not finite values."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    what = "detections" if scored else "truths"
    parts = [_one(item, f"{what}[{index}]", classes, kind, scored) for index, item in enumerate(items)]
    counts = np.array([len(part[0]) for part in parts], np.int64)
    columns = [np.concatenate(column) for column in zip(*(part[:5] for part in parts), strict=True)] if parts else _empty()
    keypoints = [part[6] for part in parts if len(part[6])]
    image = np.repeat(np.arange(len(parts)), counts)
    place = np.arange(len(image)) - np.repeat(np.cumsum(counts) - counts, counts)
    joined = np.concatenate(keypoints) if keypoints else np.zeros((len(image), 0, 3))
    return Table(image, columns[0], columns[1], columns[2], columns[3], columns[4], place, [part[5] for part in parts], joined)


def take(table: Table, rows: np.ndarray) -> Table:
    """The chosen rows (a mask or numbers) of a table; masks stay as they are and are found by `place`."""
    columns = {name: getattr(table, name)[rows] for name in ("image", "classes", "boxes", "area", "crowd", "score", "place", "keypoints")}
    return replace(table, **columns)


def _empty() -> list[np.ndarray]:
    return [np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0), np.zeros(0, bool), np.zeros(0)]


def _one(item: Any, name: str, classes: int, kind: str, scored: bool) -> tuple[np.ndarray, ...]:
    """Classes, boxes, area, crowd, score, masks and keypoints of one image, checked, without padding."""
    labels = np.asarray(item.classes).reshape(-1)
    real = labels >= 0
    boxes = np.asarray(item.boxes, np.float64).reshape(-1, 4)
    if len(boxes) != len(labels):
        raise ValueError(f"{name}: {len(labels)} classes need as many boxes (n, 4), got {len(boxes)}")
    boxes, labels = boxes[real], labels[real].astype(np.int64)
    if len(labels) and labels.max() >= classes:
        raise ValueError(f"{name}: class {labels.max()} is not below the {classes} classes; classes count from 0")
    if not np.isfinite(boxes).all():
        raise ValueError(f"{name}: a box holds NaN or infinity; the network is broken, or the label is")
    column = lambda key, kind: np.asarray(getattr(item, key), kind).reshape(-1)[real]  # noqa: E731
    score = column("scores", np.float64) if scored else np.ones(len(labels))
    if not np.isfinite(score).all():
        raise ValueError(f"{name}: a score is NaN or infinite; the network is broken")
    given = {key: getattr(item, key, None) for key in ("crowd", "area", "masks", "keypoints")}
    crowd = np.zeros(len(labels), bool) if scored or given["crowd"] is None else column("crowd", bool)
    masks, keypoints = np.zeros((0, 0, 0), bool), np.zeros((0, 0, 3))
    area = np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(axis=1)
    if kind == "masks" and len(labels):
        masks = _asked(given["masks"], name, kind)[real].astype(bool)
        area = masks.sum(axis=(1, 2)).astype(np.float64)
    if kind == "keypoints" and len(labels):
        keypoints = _asked(given["keypoints"], name, kind)[real].astype(np.float64)
        area = np.ptp(keypoints[..., :2], axis=1).prod(axis=1) if scored else area
    columns = getattr(item, "attributes", None)  # the property `area` of zoo.data's Objects is that of the boxes, not of the outlines
    known = given["area"] if columns is None else columns.get("area")
    if not scored and known is not None:
        known = np.asarray(known, np.float64).reshape(-1)[real]
        area = np.where(np.isnan(known), area, known)
    return labels, boxes, area, crowd, score, masks, keypoints


def _asked(value: Any, name: str, kind: str) -> np.ndarray:
    if value is None:
        raise ValueError(f"{name} has no {kind}, which were asked to be judged; give them, or kind='boxes'")
    return np.asarray(value)
