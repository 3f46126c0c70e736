"""Several pictures made into one: mosaic, mixup and copy-paste, with everything that their labels say.

Mosaic: four pictures meet in one point (Bochkovskiy et al. 2020, arXiv:2004.10934, section 3.3). The network sees more objects, smaller
ones, and objects outside their usual surroundings. mixup: two pictures on top of each other, with the objects of both (Zhang et al. 2017,
arXiv:1710.09412; for detection Zhang et al. 2019, arXiv:1902.04103). Copy-paste: objects cut out along their masks and put into another
picture (Ghiasi et al. 2020, arXiv:2012.07177).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from zoo.data import maps
from zoo.data.labels.outlines import filled
from zoo.data.objects import Objects
from zoo.data.scenes import tight_box
from zoo.data.warp import GREY, Rules, covered, resample, warp_objects


def mosaic(pictures, centre, view: np.ndarray, size, rules: Rules) -> tuple[np.ndarray, Objects]:
    """Four pictures around a point, seen through `view`: (uint8 image (*size, 3), Objects).

    The four lie on a canvas of twice the `size`, upper left, upper right, lower left, lower right; each is scaled to fit `size` and touches
    the centre (x, y) with one corner, so none covers another. `view` maps the canvas to the new picture. Each picture is resampled once.
    """
    if len(pictures) != 4:
        raise ValueError(f"a mosaic takes four pictures, got {len(pictures)}")
    canvas = np.full((*size, 3), GREY, np.uint8)
    found = []
    for number, picture in enumerate(pictures):
        matrix = view @ tile(picture.shape, centre, size, number)
        around = maps.bounds(maps.move(matrix, maps.corners(np.array([0, 0, *picture.shape[::-1]]))))
        left, top = (max(int(np.floor(value)), 0) for value in around[:2])
        right, bottom = (min(int(np.ceil(value)), side) for value, side in zip(around[2:], size[::-1], strict=True))
        if left >= right or top >= bottom:
            continue
        part, inner = maps.shift(-left, -top) @ matrix, (bottom - top, right - left)  # only where this picture can be
        shown = covered(picture.shape, part, inner)
        image = resample(picture.image, part @ np.linalg.inv(picture.kept), inner)
        canvas[top:bottom, left:right][shown] = image[shown]
        found.append(warp_objects(picture.objects, picture.shape, matrix, size, rules))
    return canvas, Objects.joined(found)


def tile(shape, centre, size, number: int) -> np.ndarray:
    """The map from a picture of `shape` to the canvas where it is number 0 to 3 around `centre`."""
    ratio = min(size[0] / shape[0], size[1] / shape[1])
    height, width = ratio * shape[0], ratio * shape[1]
    left = centre[0] - (width if number in (0, 2) else 0)
    top = centre[1] - (height if number in (0, 1) else 0)
    return maps.shift(left, top) @ maps.scale(ratio)


def mixup(first, second, weight: float) -> tuple[np.ndarray, Objects]:
    """weight * first + (1 - weight) * second, each (uint8 image, Objects) of one size; the objects of both, whatever the weight."""
    blended = weight * first[0].astype(np.float32) + (1 - weight) * second[0]
    return np.rint(blended).astype(np.uint8), Objects.joined([first[1], second[1]])


def copy_paste(below, above, chosen, rules: Rules) -> tuple[np.ndarray, Objects]:
    """The `chosen` objects (numbers) of `above` cut out along their masks and put on `below`; both are (uint8 image, Objects) of one size.

    Objects that are now hidden get a smaller mask and box, or lose their label where less than `rules.visible` of them is left.
    Raises ValueError where objects have neither masks nor polygons.
    """
    (image, old), (other, added) = below, above
    old, added = with_masks(old, image.shape[:2]), with_masks(added.take(chosen), image.shape[:2])
    if not len(added):
        return below
    pasted = np.any(_masks(added), axis=0)
    kept = hidden(old, pasted, rules)
    return np.where(pasted[..., None], other, image), Objects.joined([kept, added])


def hidden(objects: Objects, by: np.ndarray, rules: Rules) -> Objects:
    """What is left of the objects when the pixels `by`, bool (h, w), are covered. Outlines go: they tell of the whole object."""
    if not len(objects):
        return objects
    masks = _masks(objects) & ~by
    before, after = (each.sum(axis=(1, 2)) for each in (_masks(objects), masks))
    changed = after < before
    boxes = np.where(changed[:, None], np.stack([tight_box(mask) for mask in masks]), objects.boxes)
    enough = ((boxes[:, 2:] - boxes[:, :2]) >= rules.smallest).all(axis=1)
    keypoints = objects.keypoints
    if keypoints is not None:
        row, column = (np.clip(keypoints[..., axis].astype(int), 0, by.shape[1 - axis] - 1) for axis in (1, 0))
        seen = np.where(by[row, column] & (keypoints[..., 2] == 2), 1, keypoints[..., 2])
        keypoints = np.concatenate([keypoints[..., :2], seen[..., None]], axis=-1)
    left = dataclasses.replace(objects, boxes=boxes, masks=masks, polygons=None, keypoints=keypoints)
    return left.take(~changed | (enough & (after >= rules.visible * np.maximum(before, 1))))


def with_masks(objects: Objects, size) -> Objects:
    """The same objects with masks bool (n, *size), painted from their outlines where there are none yet."""
    if objects.masks is not None:
        return objects
    if len(objects) and (objects.polygons is None or not all(objects.polygons)):
        raise ValueError("masks were wanted, and some objects have neither a mask nor an outline: switch masks and copy_paste off")
    masks = [filled(rings, *size) for rings in objects.polygons or ()]
    return dataclasses.replace(objects, masks=np.stack(masks) if masks else np.zeros((0, *size), bool))


def _masks(objects: Objects) -> np.ndarray:
    return np.zeros((0, 1, 1), bool) if objects.masks is None else objects.masks
