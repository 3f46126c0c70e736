"""Signs on roads: labels against painted pixels, faces that are told apart, and splits that share nothing."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.data import maps
from zoo.data.labels.outlines import filled
from zoo.data.sign_scenes import SPLITS, SignScenes, compose, sign_scenes
from zoo.data.signs import SIGNS, sign

BLACK = tuple(np.zeros((40, 60, 3), np.uint8) for _ in range(3))


def green(side: int, border: int = 0) -> np.ndarray:
    """A face of pure green, red in a border of that many pixels; without a border it has coverage."""
    face = np.zeros((side, side, 3), np.uint8)
    face[..., 0] = 255
    face[border : side - border, border : side - border] = (0, 255, 0)
    return face if border else np.dstack([face, np.full((side, side), 255, np.uint8)])


def painted(image: np.ndarray) -> np.ndarray:
    """xyxy around the pixels that are at least half as green as the greenest."""
    greenness = image[..., 1].astype(int) - np.maximum(image[..., 0], image[..., 2])
    rows, columns = np.nonzero(greenness >= np.quantile(greenness, 0.999) / 2)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


@pytest.mark.parametrize("border", [0, 6])
def test_boxes_are_where_the_paint_is(border):
    config = SignScenes(size=96, signs=(1, 1), scale=(0.3, 0.5), faces={"green": [green(60, border)] * 3}, frames=BLACK, margin=0.1)
    for index in range(12):
        image, objects = compose(index, config, "train")
        assert len(objects) == 1
        # given crops without coverage fade out at the margin, so their end is less sharp
        assert abs(objects.boxes[0] - painted(image)).max() <= (1 if border == 0 else 2), index
        mask = objects.masks[0]
        rows, columns = np.nonzero(mask)
        assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == objects.boxes[0].tolist()


def test_drawn_signs_stand_apart_and_inside():
    config = SignScenes(size=96, signs=(3, 3))
    for index in range(10):
        image, objects = compose(index, config, "test")
        assert image.shape == (96, 96, 3)
        assert image.dtype == np.uint8
        assert len(objects) >= 1
        assert objects.classes[0] == index % len(SIGNS)
        assert objects.masks.sum(axis=0).max() <= 1
        assert objects.boxes.min() >= 0
        assert objects.boxes.max() <= 96
        assert ((objects.boxes[:, 2:] - objects.boxes[:, :2]).max(axis=1) >= 0.1 * 96).all()


def test_a_picture_follows_from_its_seed_split_and_number_alone():
    first = sign_scenes(SignScenes(size=48, train=3, validation=1, test=1))
    more = sign_scenes(SignScenes(size=48, train=5, validation=1, test=1))
    assert (first["train"].items == more["train"].items[:3]).all()
    other = compose(0, SignScenes(size=48, seed=1), "train")[0]
    assert (other != first["train"].items[0]).any()
    assert (first["validation"].items[0] != first["train"].items[0]).any()
    assert first.classes == tuple(SIGNS)
    assert [len(first[split]) for split in SPLITS] == [3, 1, 1]


def test_splits_share_no_given_picture():
    frames = tuple(np.full((40, 40, 3), 10 * k, np.uint8) for k in range(6))
    faces = {"a": [np.full((8, 8, 3), 20 * k, np.uint8) for k in range(10)]}
    config = SignScenes(size=32, frames=frames, faces=faces)
    from zoo.data.sign_scenes import _share

    for pictures in (frames, faces["a"]):
        parts = [[int(each.flat[0]) for each in _share(pictures, split)] for split in SPLITS]
        assert sorted(sum(parts, [])) == sorted(int(each.flat[0]) for each in pictures)
        assert min(map(len, parts)) >= 1
    assert config.classes == ("a",)


OUTLINES = {
    "stop": [(np.cos(a) / np.cos(np.pi / 8), np.sin(a) / np.cos(np.pi / 8)) for a in np.radians(np.arange(22.5, 360, 45))],
    "priority road": [(0, -1), (1, 0), (0, 1), (-1, 0)],
    "crossing": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
    **dict.fromkeys(("speed limit 30", "speed limit 100", "no entry"), [(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 200)]),
}


@pytest.mark.parametrize("kind", OUTLINES)
def test_a_sign_has_the_outline_of_the_convention(kind):
    ring = maps.move(maps.scale(64) @ maps.shift(1, 1), np.array(OUTLINES[kind]))
    assert ((sign(kind, 128)[..., 3] >= 128) != filled([ring], 128, 128)).mean() < 0.01


def test_give_way_points_down_and_is_red_around_white():
    face = sign("give way", 128)
    widths = (face[..., 3] >= 128).sum(axis=1)
    rows = np.flatnonzero(widths)
    assert widths[rows[len(rows) // 4]] > 2 * widths[rows[-len(rows) // 5]] > 0
    red, green_, _, coverage = face[45, 64]
    assert min(red, green_, coverage) > 200
    assert face[16, 64, 0] > 150 > 100 > face[16, 64, 1]


def test_every_two_signs_look_different():
    faces = np.stack([sign(kind, 64).astype(float) for kind in SIGNS])
    for number, face in enumerate(faces):
        for other in faces[number + 1 :]:
            assert (abs(face - other).max(axis=-1) > 80).mean() > 0.02  # digits fill little more than that


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 8}, "legible"),
        ({"signs": (2, 1)}, "fewest"),
        ({"signs": (0, 0)}, "fewest"),
        ({"scale": (0.5, 0.2)}, "smallest"),
        ({"frames": BLACK[:2]}, "frames"),
        ({"faces": {"a": [green(8)]}}, "faces a"),
    ],
)
def test_what_cannot_be_is_told(options, message):
    with pytest.raises(ValueError, match=message):
        SignScenes(**options)
    with pytest.raises(ValueError, match="no sign 'yield'"):
        sign("yield")
