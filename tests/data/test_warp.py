"""Maps, outlines, resampling and letterbox, against counting, scipy and painted pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from zoo.data import maps
from zoo.data.labels.outlines import filled
from zoo.data.letterbox import Letterbox, unletterbox
from zoo.data.objects import Objects
from zoo.data.warp import GREY, Picture, Rules, covered, resample, warp, warp_objects


def inside(ring: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Even-odd rule, a ray to the right: bool (n,)."""
    (ax, ay), (bx, by) = ring.T[:, :, None], np.roll(ring, -1, axis=0).T[:, :, None]
    x, y = points.T
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = (ay > y) != (by > y)
        hits = crossing & (x < ax + (y - ay) / (by - ay) * (bx - ax))
    return hits.sum(axis=0) % 2 == 1


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_clipping_keeps_what_lies_in_both(seed, mirrored):
    random = np.random.default_rng(seed)
    angles = np.sort(random.uniform(0, 2 * np.pi, 9))
    star = 50 + np.stack([np.cos(angles), np.sin(angles)], axis=1) * random.uniform(15, 60, (9, 1))  # not convex
    field = maps.move(maps.about(maps.turn(20), 50, 50) @ maps.scale(-1 if mirrored else 1, 1), maps.corners(np.array([-80, 10, -20, 80])))
    field = field if mirrored else maps.move(maps.shift(100, 0), field)
    grid = np.stack(np.meshgrid(*[np.arange(-20, 120, 0.25)] * 2), axis=-1).reshape(-1, 2)
    both = inside(star, grid) & inside(field, grid)
    cut = maps.clip(star, field)
    assert maps.area(cut) == pytest.approx(both.sum() / 16, abs=4)
    if both.sum() > 200:
        found = np.concatenate([grid[both].min(axis=0), grid[both].max(axis=0)])
        assert abs(maps.bounds(cut) - found).max() < 0.6


def test_clipping_away_leaves_nothing():
    ring = maps.corners(np.array([0, 0, 5, 5]))
    assert len(maps.clip(ring, maps.corners(np.array([10, 10, 20, 20])))) == 0
    assert (maps.clip(ring, maps.corners(np.array([-1, -1, 20, 20]))) == ring).all()


def test_resampling_agrees_with_scipy():
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    image = np.asarray(ndimage.gaussian_filter(image.astype(float), (2, 2, 0)), np.uint8)
    matrix = maps.about(maps.turn(17) @ maps.shear(6, 3) @ maps.scale(1.3, 0.9), 25, 20) @ maps.shift(2.3, -1.7)
    back = np.linalg.inv(matrix)
    # scipy counts (row, column) from pixel centres
    swap = np.array([[0, 1], [1, 0]])
    linear = swap @ back[:2, :2] @ swap
    offset = (back[:2, :2] @ (0.5, 0.5) + back[:2, 2] - 0.5)[::-1]
    wanted = np.stack(
        [ndimage.affine_transform(image[..., c].astype(float), linear, offset, (36, 44), order=1, mode="nearest") for c in range(3)],
        axis=-1,
    )
    got = resample(image, matrix, (36, 44)).astype(float)
    shown = covered((40, 50), matrix, (36, 44))
    assert abs(got - wanted)[shown].max() <= 1.5
    assert (got[~shown] == GREY).all()
    assert 200 < shown.sum() < 36 * 44


@pytest.mark.parametrize(
    ("matrix", "wanted"),
    [
        (np.eye(3), lambda a: a),
        (maps.about(maps.scale(-1, 1), 10, 8), lambda a: a[:, ::-1]),
        (maps.about(maps.scale(1, -1), 10, 8), lambda a: a[::-1]),
        (maps.shift(3, -2) @ np.eye(3), lambda a: np.pad(a[2:, :-3], ((0, 2), (3, 0), (0, 0)), constant_values=GREY)),
    ],
    ids=["nothing", "flip", "flop", "shift"],
)
def test_whole_pixels_move_without_a_change(matrix, wanted):
    image = np.random.default_rng(1).integers(0, 256, (16, 20, 3), np.uint8)
    assert (resample(image, matrix, (16, 20)) == wanted(image)).all()


def test_a_quarter_turn_turns_against_the_clock():
    image = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    assert abs(resample(image, maps.about(maps.turn(90), 8, 8), (16, 16)).astype(int) - np.rot90(image)).max() <= 1


def test_shrinking_averages_and_skips_no_pixel():
    checkers = np.indices((64, 64)).sum(axis=0) % 2 * 255
    image = np.repeat(checkers[..., None], 3, axis=-1).astype(np.uint8)
    small = resample(image, maps.scale(0.25), (16, 16))
    assert abs(small.astype(int) - 127).max() <= 1


@pytest.mark.parametrize("matrix", [maps.scale(1 / 3), maps.scale(0.3, 0.45), maps.shift(5, 3) @ maps.scale(0.21)])
def test_a_shrunk_object_stays_where_its_label_says(matrix):
    image = np.zeros((97, 131, 3), np.uint8)
    image[30:81, 40:101] = 255
    small, objects = warp(Picture(image, Objects([[40, 30, 101, 81]], [0]), (97, 131)), matrix, (40, 50))
    rows, columns = np.nonzero(small[..., 0] >= 160)
    assert abs(objects.boxes[0] - (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)).max() <= 1


def test_an_outline_is_filled_as_it_was_painted():
    angles = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    ring = (30, 24) + np.stack([np.cos(angles) * 20, np.sin(angles) * 15], axis=1)
    y, x = np.mgrid[:48, :64] + 0.5
    wanted = ((x - 30) / 20) ** 2 + ((y - 24) / 15) ** 2 <= 1
    assert (filled([ring], 48, 64) != wanted).sum() <= 6
    assert (filled([ring[::-1]], 48, 64) == filled([ring], 48, 64)).all()
    assert filled([], 4, 5).sum() == 0
    assert filled([maps.corners(np.array([1, 1, 4, 3])), maps.corners(np.array([3, 2, 6, 5]))], 6, 8).sum() == 6 + 9 - 1


def test_half_an_object_is_half():
    objects = Objects([[0, 0, 10, 10], [20, 0, 30, 10]], [0, 1])
    for visible, left in ((0.49, 2), (0.51, 1)):
        found = warp_objects(objects, (40, 40), maps.shift(-5, 0), (40, 40), Rules(visible, 0))
        assert len(found) == left
    assert found.boxes.tolist() == [[15, 0, 25, 10]]


def test_a_label_beyond_its_picture_ends_at_the_border():
    found = warp_objects(Objects([[-5, 10, 20, 60]], [0]), (40, 40), maps.shift(7, 0), (40, 60), Rules())
    assert found.boxes.tolist() == [[7, 10, 27, 40]]


def test_left_and_right_trade_places_in_a_mirror_only():
    objects = Objects([[0, 0, 10, 10]], [0], keypoints=[[[2, 5, 2], [8, 5, 1], [5, 5, 2]]])
    rules = Rules(flip_pairs=((0, 1),))
    mirrored = warp_objects(objects, (10, 10), maps.about(maps.scale(-1, 1), 5, 5), (10, 10), rules)
    assert mirrored.keypoints[0].tolist() == [[2, 5, 1], [8, 5, 2], [5, 5, 2]]
    turned = warp_objects(objects, (10, 10), maps.about(maps.scale(-1, -1), 5, 5), (10, 10), rules)
    assert turned.keypoints[0].tolist() == [[8, 5, 2], [2, 5, 1], [5, 5, 2]]


sides = st.integers(1, 900)


@settings(max_examples=60, deadline=None)
@given(st.tuples(sides, sides), st.tuples(sides, sides), st.integers(0, 10**6))
def test_the_way_back_is_exact(shape, size, seed):
    box = Letterbox(shape, size)
    boxes = np.random.default_rng(seed).uniform(0, 1, (3, 7, 4)) * np.array(shape[::-1] * 2)
    there = box.boxes(boxes)
    assert there.min() >= 0
    assert (there <= np.array(size[::-1] * 2) + 1e-4).all()
    # in pixels of the frame: where a side of hundreds shrinks to one, float32 has no more to give in pixels of the picture
    assert abs(box.boxes(box.boxes_back(there)) - there).max() <= 1e-4
    scale = np.array(box.inner[::-1] * 2) / np.array(shape[::-1] * 2)
    assert (abs(box.boxes_back(there) - boxes) * np.minimum(scale, 1)).max() <= 1e-4
    assert (
        abs(box.points_back(box.points(boxes[..., :2])) * np.minimum(scale[:2], 1) - boxes[..., :2] * np.minimum(scale[:2], 1)).max()
        <= 1e-4
    )
    back = unletterbox(there, np.stack([box.row] * 3))
    assert abs((back - boxes) * np.minimum(scale, 1)).max() <= 5e-4  # the rows are float32
    assert min(abs(inner - side) for inner, side in zip(box.inner, size, strict=True)) == 0


@pytest.mark.parametrize("shape", [(48, 100), (100, 48), (64, 64), (30, 20)])
def test_a_letterboxed_object_is_where_the_box_says(shape):
    image = np.zeros((*shape, 3), np.uint8)
    box = (4, 3, 17, 25)
    image[box[1] : box[3], box[0] : box[2]] = 255
    letterbox = Letterbox(shape, (64, 64))
    framed = letterbox.image(image)
    rows, columns = np.nonzero(framed[..., 0] >= 128)
    assert abs(letterbox.boxes(np.array([box]))[0] - (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)).max() <= 1
    assert (letterbox.cut(framed[..., 0]) != GREY).any()
    outside = framed[..., 0].astype(int)
    letterbox.cut(outside)[:] = GREY
    assert (outside == GREY).all()


def test_a_letterbox_tells_what_does_not_fit():
    with pytest.raises(ValueError, match="at least 1"):
        Letterbox((0, 4), (8, 8))
    with pytest.raises(ValueError, match=r"wanted \(4, 4\), got \(5, 4\)"):
        Letterbox((4, 4), (8, 8)).image(np.zeros((5, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="rows"):
        unletterbox(np.zeros((2, 3, 4)), np.zeros((3, 6)))
