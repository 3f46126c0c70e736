"""One affine map and one resampling for a picture and everything that its labels say: boxes, masks, outlines and keypoints.

Picture and masks go through the very same resampling, so they stay together to the pixel. A box is found anew from what is best known of
its object: from the mask, else from the outline, else from its own four corners, which after a turn gives a box that is too wide, but
never one that cuts the object.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from zoo.data import maps
from zoo.data.objects import Objects
from zoo.data.scenes import tight_box

GREY = 114
"""What lies beyond the picture: the grey level of Darknet's letterbox (0.45 * 255), near the mean of photographs."""


@dataclass(frozen=True)
class Picture:
    """An image and its objects.

    image:   uint8 (h, w, 3).
    objects: in pixels of a picture of `shape` (height, width), which differs from the image's where that was resized to be kept.
    """

    image: np.ndarray
    objects: Objects
    shape: tuple[int, int]

    @property
    def kept(self) -> np.ndarray:
        """The map from pixels of `shape` to pixels of the image."""
        return maps.scale(self.image.shape[1] / self.shape[1], self.image.shape[0] / self.shape[0])


@dataclass(frozen=True)
class Rules:
    """What becomes of the labels.

    visible:    an object of which less than this share of its area is left in the new picture loses its label, in [0, 1].
    smallest:   as does one whose box has a side below this many pixels of the new picture.
    masks:      whether masks are wanted; without, they only serve to find boxes, and the result has none.
    flip_pairs: pairs of keypoint numbers that trade places when the picture is mirrored.
    """

    visible: float = 0.25
    smallest: float = 2.0
    masks: bool = True
    flip_pairs: tuple[tuple[int, int], ...] = ()


def warp(picture: Picture, matrix: np.ndarray, size, rules: Rules | None = None) -> tuple[np.ndarray, Objects]:
    """A picture through the map from its `shape` to a new picture of `size` (height, width): (uint8 image (*size, 3), Objects)."""
    image = resample(picture.image, matrix @ np.linalg.inv(picture.kept), size)
    return image, warp_objects(picture.objects, picture.shape, matrix, size, rules or Rules())


def resample(image: np.ndarray, matrix: np.ndarray, size, fill: int = GREY) -> np.ndarray:
    """uint8 (h, w, 3) or (h, w) through a map: uint8 (*size, 3) or `size`, bilinear, `fill` beyond the border.

    Where the map shrinks by two or more, whole blocks of pixels are averaged first: bilinear alone would skip pixels.
    """
    picture = Image.fromarray(image)
    x, y = (
        min(max(1, int(1 / max(length, 1e-6) + 1e-6)), side)
        for length, side in zip(np.linalg.norm(matrix[:2, :2], axis=0), picture.size, strict=True)
    )
    if x > 1 or y > 1:
        picture, matrix = picture.reduce((x, y)), matrix @ maps.scale(x, y)
    back = np.linalg.inv(matrix)[:2].ravel().tolist()
    colour = fill if image.ndim == 2 else (fill,) * 3
    height, width = size
    return np.asarray(picture.transform((width, height), Image.Transform.AFFINE, back, Image.Resampling.BILINEAR, fillcolor=colour))


def warp_mask(mask: np.ndarray, matrix: np.ndarray, size) -> np.ndarray:
    """bool (h, w) through a map: True where at least half of the resampled pixel is covered, bool `size`."""
    return resample(mask.astype(np.uint8) * 254, matrix, size, fill=0) >= 127  # 254: its half is a whole number


def warp_objects(objects: Objects, shape, matrix: np.ndarray, size, rules: Rules) -> Objects:
    """The objects of a picture of `shape` (height, width) in the new picture; those that `rules` refuse are left out."""
    frame = np.array([0, 0, size[1], size[0]], float)
    whole = np.array([0, 0, shape[1], shape[0]], float)
    fields = (maps.move(matrix, maps.corners(whole)), maps.corners(frame))
    inside = np.clip(objects.boxes.astype(float), 0, whole[[2, 3, 2, 3]])  # labels may lie beyond their picture
    boxes = maps.enclosing(matrix, inside)
    within = ((boxes[:, :2] >= 0) & (boxes[:, 2:] <= frame[2:])).all(axis=1)
    untouched = np.logical_and(within, maps.upright(matrix))
    shares, masks = np.ones(len(objects)), []
    for number in range(len(objects)):
        mask = None
        if objects.masks is not None and (rules.masks or not untouched[number]):
            mask = warp_mask(objects.masks[number], matrix, size)
        if rules.masks and mask is not None:
            masks.append(mask)
        if not untouched[number]:
            boxes[number], shares[number] = _refit(objects, number, inside[number], mask, matrix, fields)
    kept = (shares >= rules.visible) & (shares > 0) & ((boxes[:, 2:] - boxes[:, :2]) >= rules.smallest).all(axis=1)
    numbers = np.flatnonzero(kept)
    return Objects(
        boxes=boxes[numbers],
        classes=objects.classes[numbers],
        masks=np.stack([masks[i] for i in numbers]) if masks and len(numbers) else _no_masks(objects, rules, size),
        polygons=None if objects.polygons is None else tuple(_outline(objects.polygons[i], matrix, fields) for i in numbers),
        keypoints=None if objects.keypoints is None else _points(objects.keypoints[numbers], matrix, fields, rules.flip_pairs),
        crowd=objects.crowd[numbers],
        difficult=objects.difficult[numbers],
        attributes={name: column[numbers] for name, column in objects.attributes.items()},
    )


def covered(shape, matrix: np.ndarray, size) -> np.ndarray:
    """Which pixels of the new picture show a picture of `shape`: bool `size`, by their centres."""
    back = np.linalg.inv(matrix)
    x, y = np.arange(size[1]) + 0.5, np.arange(size[0])[:, None] + 0.5
    old_x, old_y = (back[row, 0] * x + back[row, 1] * y + back[row, 2] for row in (0, 1))
    return (old_x >= 0) & (old_x < shape[1]) & (old_y >= 0) & (old_y < shape[0])


def _refit(objects: Objects, number: int, box, mask, matrix, fields) -> tuple[np.ndarray, float]:
    """(box, share of its area that is left) of an object that was turned or cut."""
    if mask is not None:
        before = float(np.count_nonzero(objects.masks[number])) * maps.growth(matrix)  # type: ignore[index]
        return tight_box(mask).astype(float), min(float(np.count_nonzero(mask)) / max(before, 1e-6), 1.0)
    outline = objects.polygons[number] if objects.polygons is not None else ()
    rings = [maps.move(matrix, ring) for ring in outline or (maps.corners(box),)]
    left = [ring for ring in (_cut(ring, fields) for ring in rings) if len(ring)]
    if not left:
        return np.zeros(4), 0.0
    share = sum(maps.area(ring) for ring in left) / max(sum(maps.area(ring) for ring in rings), 1e-6)
    return maps.bounds(np.concatenate(left)), min(share, 1.0)


def _cut(ring: np.ndarray, fields) -> np.ndarray:
    for field in fields:
        ring = maps.clip(ring, field)
    return ring


def _outline(rings, matrix, fields) -> tuple[np.ndarray, ...]:
    return tuple(ring for ring in (_cut(maps.move(matrix, ring), fields) for ring in rings) if len(ring) >= 3)


def _points(keypoints: np.ndarray, matrix, fields, flip_pairs) -> np.ndarray:
    """Keypoints (n, k, 3) in the new picture; one that fell out of it is no longer labelled: (0, 0, 0)."""
    order = np.arange(keypoints.shape[1])
    if np.linalg.det(matrix[:2, :2]) < 0:
        for first, second in flip_pairs:
            order[[first, second]] = order[[second, first]]
    moved = maps.move(matrix, keypoints[..., :2])
    right, bottom = fields[1][2]
    inside = (moved >= 0).all(-1) & (moved[..., 0] <= right) & (moved[..., 1] <= bottom) & (keypoints[..., 2] > 0)
    rows = np.concatenate([moved, keypoints[..., 2:]], axis=-1) * inside[..., None]
    return rows[:, order].astype(np.float32)


def _no_masks(objects: Objects, rules: Rules, size) -> np.ndarray | None:
    return np.zeros((0, *size), bool) if rules.masks and objects.masks is not None else None
