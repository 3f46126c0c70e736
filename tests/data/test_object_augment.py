"""Painted pixels: labels must say after every change what is found in the picture.

The changes are pure functions of their key. So each object is painted alone into otherwise equal pictures, and whatever differs from the
unpainted ones is that object, wherever it went. No formula of the code under test is used to find it.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest

from zoo.data.mosaic import with_masks
from zoo.data.object_augment import ObjectAugment
from zoo.data.objects import Objects
from zoo.data.warp import Picture

SIZE = (72, 88)
SHAPES = ((64, 96), (96, 60), (72, 88), (50, 50))
OBJECTS = 2  # of each picture
STILL = {"flip": False, "shift": 0, "zoom": 0, "visible": 1e-6, "smallest": 0}
FREE = {"visible": 1e-6, "smallest": 0.0}

CHANGES = {
    "nothing": ObjectAugment(**STILL),
    "flip": ObjectAugment(**{**STILL, "flip": True, "flip_vertical": True}),
    "shift": ObjectAugment(**{**STILL, "shift": 0.4}),
    "zoom in and out": ObjectAugment(**{**STILL, "zoom": 1.0}),
    "crop": ObjectAugment(**{**STILL, "crop": 1.0, "crop_area": 0.2}),
    "expand": ObjectAugment(**{**STILL, "expand": 1.0}),
    "rotate": ObjectAugment(**{**STILL, "rotate": 25}),
    "shear": ObjectAugment(**{**STILL, "shear": 12}),
    "mosaic": ObjectAugment(**{**STILL, "mosaic": 1.0}),
    "mixup": ObjectAugment(**{**STILL, "mixup": 1.0}),
    "everything affine": ObjectAugment(rotate=15, shear=6, crop=0.5, expand=0.5, **FREE),
    "mosaic, turned": ObjectAugment(rotate=15, shear=6, mosaic=1.0, zoom=0.6, **FREE),
    "mosaic, turned and mixed": ObjectAugment(rotate=10, mosaic=0.7, mixup=1.0, **FREE),
}
PASTES = {
    "copy-paste": ObjectAugment(**{**STILL, "copy_paste": 1.0}),
    "all at once": ObjectAugment(rotate=10, shear=5, crop=0.3, mosaic=0.5, mixup=0.5, copy_paste=1.0, **FREE),
}


@functools.cache
def things(number: int, truth: str) -> Objects:
    """Two objects of picture `number`: rectangles where boxes are all that is known, else ellipses. Attribute "id" names them."""
    random = np.random.default_rng(number)
    height, width = SHAPES[number]
    boxes, masks, polygons, points = [], [], [], []
    for half in range(OBJECTS):  # the left and the right half, so that they never overlap
        w, h = (int(value) for value in random.integers(14, (width // 2 - 2, height - 4)))
        left, top = half * (width // 2) + int(random.integers(0, width // 2 - w)), int(random.integers(0, height - h))
        boxes.append([left, top, left + w, top + h])
        y, x = np.mgrid[:height, :width] + 0.5
        middle, radius = np.array([left + w / 2, top + h / 2]), np.array([w / 2, h / 2])
        masks.append((((x - middle[0]) / radius[0]) ** 2 + ((y - middle[1]) / radius[1]) ** 2) <= 1)
        angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        polygons.append((middle + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1),))
        points.append([[*(middle + (dx * w, 0)), 2] for dx in (-0.25, 0.25)] + [[0, 0, 0]])
    return Objects(
        boxes=boxes,
        classes=[0, 1],
        masks=np.stack(masks) if truth == "masks" else None,
        polygons=tuple(polygons) if truth == "polygons" else None,
        keypoints=points,
        attributes={"id": np.arange(OBJECTS) + OBJECTS * number},
    )


def pictures(truth: str, painted: int | None = None, dot: int | None = None):
    """number -> Picture; of all objects only `painted` is painted, or only its keypoint `dot`."""

    def fetch(number: int) -> Picture:
        objects = things(number, truth)
        image = np.full((*SHAPES[number], 3), 40, np.uint8)
        if painted is not None and painted // OBJECTS == number:
            which = painted % OBJECTS
            if dot is not None:
                x, y = objects.keypoints[which, dot, :2]
                grid = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
                image[(abs(grid[1] - x) <= 1.5) & (abs(grid[0] - y) <= 1.5)] = 240
            elif truth == "boxes":
                left, top, right, bottom = objects.boxes[which].astype(int)
                image[top:bottom, left:right] = 240
            elif truth == "masks":
                image[objects.masks[which]] = 240
            else:
                image[:] = np.rint(40 + 200 * smooth(objects.boxes[which], SHAPES[number]))[..., None]
        return Picture(image, objects, SHAPES[number])

    return fetch


def smooth(box, shape) -> np.ndarray:
    """The share of each pixel (h, w) that the ellipse in a box covers, counted on 8 x 8 points."""
    points = [(np.arange(8 * side) + 0.5) / 8 for side in shape]
    y, x = ((2 * at - low - high) / (high - low) for at, low, high in zip(points, box[1::-1], box[:1:-1], strict=True))
    return (x**2 + y[:, None] ** 2 <= 1).reshape(shape[0], 8, shape[1], 8).mean(axis=(1, 3))


@functools.cache
def unpainted(augment, truth, key, masks) -> np.ndarray:
    return augment(pictures(truth), key, SIZE, 4, masks=masks)[0]


def found(augment, truth, key, painted, dot=None, masks=False) -> np.ndarray:
    """The pixels (h, w) that painting changes: True where at least half of the change arrived."""
    image, _ = augment(pictures(truth, painted, dot), key, SIZE, 4, masks=masks)
    blank = unpainted(augment, truth, key, masks)
    difference = image[..., 0].astype(int) - blank[..., 0]
    return difference >= max(difference.max(), 12) / 2


def edges(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def splinter(mask: np.ndarray) -> bool:
    """Whether so little is left at the border that half-covered pixels say nothing about its ends."""
    return not mask.any() or min(np.ptp(places) for places in np.nonzero(mask)) < 4


def trials(count: int):
    return [(seed, epoch, (seed + epoch) % 4) for seed in range(count) for epoch in (0, 3)]


@pytest.mark.parametrize("truth", ["boxes", "polygons", "masks"])
@pytest.mark.parametrize("name", CHANGES)
def test_boxes_are_where_the_paint_is(name, truth):
    checked = 0
    for key in trials(4):
        _, objects = CHANGES[name](pictures(truth), key, SIZE, 4)
        for box, number in zip(objects.boxes, objects.attributes["id"], strict=True):
            if (objects.attributes["id"] == number).sum() > 1:
                continue  # one picture twice in a mosaic: its paint is in two places
            paint = found(CHANGES[name], truth, key, int(number))
            if splinter(paint):
                continue
            assert abs(box - edges(paint)).max() <= 1.0, (key, number, box, edges(paint))
            checked += 1
    assert checked >= 6


@pytest.mark.parametrize("name", [*CHANGES, *PASTES])
def test_masks_are_the_painted_pixels(name):
    augment = {**CHANGES, **PASTES}[name]
    checked = 0
    for key in trials(3):
        _, objects = augment(pictures("masks"), key, SIZE, 4, masks=True)
        for number, (box, mask) in enumerate(zip(objects.boxes, objects.masks, strict=True)):
            same = objects.attributes["id"] == objects.attributes["id"][number]
            paint = found(augment, "masks", key, int(objects.attributes["id"][number]), masks=True)
            if same.sum() == 1 and not splinter(paint):
                # the picture is rounded to whole grey levels, the mask is not: a pixel that is half covered may fall either way
                assert (mask != paint).sum() <= 1 + 0.02 * paint.sum(), (key, number)
                assert abs(box - edges(paint)).max() <= 1.0
                checked += 1
    assert checked >= 6


@pytest.mark.parametrize("name", CHANGES)
def test_keypoints_land_on_the_painted_dots(name):
    augment, truth = CHANGES[name], "boxes"
    checked = 0
    for key in trials(2):
        _, objects = augment(pictures(truth), key, SIZE, 4)
        numbers = objects.attributes["id"]
        for points, number in zip(objects.keypoints, numbers, strict=True):
            assert points[2].tolist() == [0, 0, 0]  # not labelled before, nor after
            for dot in (0, 1):
                paint = found(augment, truth, key, int(number), dot)
                if (numbers == number).sum() > 1 or (0 < paint.sum() < 4):
                    continue
                if points[dot, 2] == 0:
                    continue
                rows, columns = np.nonzero(paint)
                if min(rows.min(), columns.min()) == 0 or rows.max() == SIZE[0] - 1 or columns.max() == SIZE[1] - 1:
                    continue  # the dot is cut off, its middle elsewhere
                assert abs(points[dot, :2] - (columns.mean() + 0.5, rows.mean() + 0.5)).max() <= 1.0
                checked += 1
    assert checked >= 3


@pytest.mark.parametrize("name", CHANGES)
def test_nothing_that_shows_goes_without_a_label(name):
    for key in trials(2):
        _, objects = CHANGES[name](pictures("masks"), key, SIZE, 4)
        for number in set(range(8)) - set(objects.attributes["id"].tolist()):
            image, _ = CHANGES[name](pictures("masks", number), key, SIZE, 4)
            assert (image != unpainted(CHANGES[name], "masks", key, False)).any(axis=-1).sum() <= 6, (key, number)


def test_the_same_key_gives_the_same_picture_and_another_key_another():
    augment = PASTES["all at once"]
    first, same, other = (augment(pictures("masks", 2), key, SIZE, 4, masks=True) for key in ((1, 2, 1), (1, 2, 1), (1, 3, 1)))
    assert (first[0] == same[0]).all()
    assert (first[1].boxes == same[1].boxes).all()
    assert (first[1].masks == same[1].masks).all()
    assert (first[0] != other[0]).any()


def test_without_combining_there_is_one_picture():
    augment = ObjectAugment(mosaic=1.0, mixup=1.0, copy_paste=1.0)
    for key in trials(3):
        _, objects = augment(pictures("masks"), key, SIZE, 4, combine=False)
        assert set(objects.attributes["id"] // OBJECTS) <= {key[2]}


def test_objects_of_which_little_is_left_lose_their_label():
    augment = ObjectAugment(**{**STILL, "crop": 1.0, "crop_area": 0.1})
    strict = dataclasses.replace(augment, visible=0.9)
    lost = 0
    for key in trials(6):
        loose, kept = (each(pictures("masks"), key, SIZE, 4, masks=True)[1] for each in (augment, strict))
        assert set(kept.attributes["id"]) <= set(loose.attributes["id"])
        lost += len(loose) - len(kept)
        for box, mask in zip(kept.boxes, kept.masks, strict=True):
            # nine tenths of an ellipse: more than its box would hold if a third were cut off
            assert mask.sum() > 0.6 * (box[2] - box[0]) * (box[3] - box[1])
    assert lost > 0


def test_colour_moves_no_pixel():
    colour = ObjectAugment(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05).colour
    image = np.zeros((16, 16, 3), np.uint8)
    image[4:9, 5:11] = (200, 100, 50)
    changed = np.asarray(colour(image, (0, 1)))
    inside = np.zeros((16, 16), bool)
    inside[4:9, 5:11] = True
    assert np.ptp(changed[inside], axis=0).max() < 1e-3
    assert np.ptp(changed[~inside], axis=0).max() < 1e-3
    assert ObjectAugment().colour is None


@pytest.mark.parametrize(
    "field", [{"shift": 1}, {"mosaic": 1.1}, {"zoom": -1}, {"farthest": 0.5}, {"visible": 0}, {"hue": 0.6}, {"shear": 90}]
)
def test_a_strength_outside_its_range_is_told(field):
    (name,) = field
    with pytest.raises(ValueError, match=name):
        ObjectAugment(**field)


def test_crowds_are_carried():
    def fetch(number: int) -> Picture:
        picture = pictures("masks")(number)
        return dataclasses.replace(picture, objects=dataclasses.replace(picture.objects, crowd=[True, False], difficult=[False, True]))

    _, objects = ObjectAugment(rotate=10)(fetch, (0, 0, 2), SIZE, 4)
    assert (objects.crowd == (objects.attributes["id"] % 2 == 0)).all()
    assert (objects.difficult == ~objects.crowd).all()


def test_mixup_after_copy_paste_has_masks_where_labels_have_outlines():
    square = Objects([[5, 5, 20, 20]], [0], polygons=(([[5, 5], [20, 5], [20, 20], [5, 20]],),))
    picture = Picture(np.zeros((40, 40, 3), np.uint8), square, (40, 40))
    augment = ObjectAugment(**{**STILL, "copy_paste": 1.0, "mixup": 1.0})
    for index in range(6):
        _, found = augment(lambda number: picture, (0, 0, index), (40, 40), 6, masks=True)
        assert with_masks(found, (40, 40)).masks.sum(axis=(1, 2)).tolist() == [15 * 15] * len(found)
