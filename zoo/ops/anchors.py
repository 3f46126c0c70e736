"""Where the predictions of a detector sit: boxes, points and cells of an image of known size, as numpy constants of a graph.

Order everywhere: the finest level first; within a level row by row, within a row from left to right; the anchors of a cell last.
A level with stride s has ceil(height / s) x ceil(width / s) cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RETINANET_SIZES = tuple(tuple(32.0 * 2**level * 2 ** (step / 3) for step in range(3)) for level in range(5))
"""Square roots of the anchors' areas in pixels, three for each of P3 to P7 (Lin et al. 2017, arXiv:1708.02002, section 4)."""

YOLO_ANCHORS = (((10, 13), (16, 30), (33, 23)), ((30, 61), (62, 45), (59, 119)), ((116, 90), (156, 198), (373, 326)))
"""(width, height) in pixels at strides 8, 16 and 32: the nine of YOLOv3 (arXiv:1804.02767, 2.3), which YOLOv5 kept."""

YOLO_TINY_ANCHORS = (((10, 14), (23, 27), (37, 58)), ((81, 82), (135, 169), (344, 319)))
"""(width, height) in pixels at strides 16 and 32 of YOLOv3-tiny."""


def retinanet(
    height: int,
    width: int,
    strides: Sequence[int] = (8, 16, 32, 64, 128),
    sizes: Sequence[Sequence[float]] = RETINANET_SIZES,
    ratios: Sequence[float] = (0.5, 1.0, 2.0),
    rounded: bool = False,
    offset: float = 0.0,
) -> np.ndarray:
    """Anchors (a, 4) float32, xyxy in pixels, for an image of height x width. They may reach beyond the image.

    sizes: per level, square roots of areas; ratios: height / width. In a cell the sizes of the first ratio come first.
    offset: where in its cell an anchor is centred, in strides: 0 in torchvision and Detectron2, 0.5 in TensorFlow's detectors.
    rounded: torchvision's anchors, for weights trained on them. It cuts the sizes to whole pixels, rounds the corners around the centre,
             and takes height // (number of cells) for the distance of the cells, which at 800 pixels is 114 instead of 128 at P7.
    """
    _check(height, width, strides)
    if len(sizes) != len(strides):
        raise ValueError(f"every level needs its sizes: got {len(strides)} strides and {len(sizes)} lists of sizes")
    levels = []
    for stride, level_sizes in zip(strides, sizes, strict=True):
        size = np.asarray([int(size) for size in level_sizes] if rounded else level_sizes, "float64")
        root = np.sqrt(np.asarray(ratios, "float32" if rounded else "float64"))  # torchvision rounds what it computed in float32
        half_w, half_h = ((part[:, None] * size.astype(root.dtype)).ravel() / 2 for part in (1 / root, root))
        shapes = np.stack([-half_w, -half_h, half_w, half_h], axis=-1)  # (k, 4)
        shapes = np.round(shapes) if rounded else shapes
        rows, columns = _cells(height, width, stride)
        down, across = (height // rows, width // columns) if rounded else (stride, stride)
        x, y = (np.arange(columns) + offset) * across, (np.arange(rows) + offset) * down
        x, y = np.meshgrid(x, y)  # (rows, columns)
        centres = np.stack([x, y, x, y], axis=-1).reshape(-1, 1, 4)
        levels.append((centres + shapes).reshape(-1, 4))
    return np.concatenate(levels).astype("float32")


def points(height: int, width: int, strides: Sequence[int] = (8, 16, 32)) -> tuple[np.ndarray, np.ndarray]:
    """The centres of all cells, (a, 2) float32 (x, y) in pixels, and the stride of each, (a,) float32 (anchor-free heads: YOLOv8, FCOS)."""
    _check(height, width, strides)
    cells, stride = _all_cells(height, width, strides)
    return ((cells + 0.5) * stride[:, None]).astype("float32"), stride


def grid(
    height: int,
    width: int,
    strides: Sequence[int] = (8, 16, 32),
    anchors: Sequence[Sequence[tuple[float, float]]] = YOLO_ANCHORS,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What YOLOv3 and YOLOv5 predict from: cells (a, 2) int32 (column, row), anchors (a, 2) float32 (width, height) in pixels,
    strides (a,) float32. `anchors` are given per level.
    """
    _check(height, width, strides)
    if len(anchors) != len(strides):
        raise ValueError(f"every level needs its anchors: got {len(strides)} strides and {len(anchors)} lists of anchors")
    cells, shapes, steps = [], [], []
    for stride, level in zip(strides, anchors, strict=True):
        cell, step = _all_cells(height, width, [stride])
        cells.append(np.repeat(cell, len(level), axis=0))
        steps.append(np.repeat(step, len(level)))
        shapes.append(np.tile(np.asarray(level, "float32"), (len(cell), 1)))
    return np.concatenate(cells), np.concatenate(shapes), np.concatenate(steps)


def _all_cells(height, width, strides):
    """(a, 2) int32 (column, row) and (a,) float32 strides."""
    cells = [np.stack(np.meshgrid(*map(np.arange, _cells(height, width, stride)[::-1])), axis=-1).reshape(-1, 2) for stride in strides]
    return np.concatenate(cells).astype("int32"), np.repeat(np.asarray(strides, "float32"), [len(level) for level in cells])


def _cells(height, width, stride):
    """Rows and columns of a level."""
    return -(-height // stride), -(-width // stride)


def _check(height, width, strides):
    if height is None or width is None or min(height, width) < 1:
        raise ValueError(f"anchors are constants of a known image size, got {height} x {width}: give the model a fixed input shape")
    if not strides or min(strides) < 1:
        raise ValueError(f"strides are pixels >= 1, one per level, got {tuple(strides)}")
