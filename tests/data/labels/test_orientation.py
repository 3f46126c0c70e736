"""A painted patch on a picture that EXIF turns: the box of the stored picture, turned, is the box of the patch on the upright one."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from zoo.data import labels
from zoo.data.decode import decode
from zoo.data.labels import rle
from zoo.data.labels.orientation import upright
from zoo.data.objects import Objects

BOX = (10, 20, 35, 28)
WIDTH, HEIGHT = 80, 60


def stored(path, orientation):
    """A black picture of 80x60 with a white patch in BOX, and one white corner pixel block that makes every turn different."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    left, top, right, bottom = BOX
    pixels[top:bottom, left:right] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif)
    return path


def patch(image):
    rows, columns = np.nonzero(image[..., 0] > 127)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_everything_turns_with_the_pixels(tmp_path, orientation):
    image = decode(stored(tmp_path / "a.png", orientation))
    mask = np.zeros((HEIGHT, WIDTH), bool)
    left, top, right, bottom = BOX
    mask[top:bottom, left:right] = True
    lengths = np.empty(1, object)
    lengths[0] = rle.encode(mask)
    corner = [[left, top, 2]]
    drawn = Objects([BOX], [0], mask[None], (([[left, top], [right, top], [right, bottom]],),), [corner], attributes={"rle": lengths})
    turned = upright(drawn, orientation, WIDTH, HEIGHT)
    np.testing.assert_array_equal(turned.boxes[0], patch(image))
    np.testing.assert_array_equal(turned.masks[0], image[..., 0] > 127)
    np.testing.assert_array_equal(rle.decode(turned.attributes["rle"][0]), image[..., 0] > 127)
    low, high = turned.polygons[0][0].min(axis=0), turned.polygons[0][0].max(axis=0)
    np.testing.assert_array_equal([*low, *high], patch(image))
    assert any((turned.keypoints[0, 0, :2] == point).all() for point in ([x, y] for x in patch(image)[::2] for y in patch(image)[1::2]))


def test_a_keypoint_that_nobody_labelled_stays_at_zero():
    drawn = Objects([BOX], [0], keypoints=[[[0, 0, 0], [10, 20, 1]]])
    np.testing.assert_array_equal(upright(drawn, 3, WIDTH, HEIGHT).keypoints[0], [[0, 0, 0], [70, 40, 1]])


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (HEIGHT, WIDTH)], ids=["stated as stored", "stated upright"])
def test_the_stated_size_tells_what_the_labels_were_drawn_on(tmp_path, orientation, size):
    image = decode(stored(tmp_path / "a.png", orientation))
    truth = patch(image)
    left, top, right, bottom = BOX if size == (WIDTH, HEIGHT) else map(int, truth)
    content = {
        "images": [{"id": 7, "file_name": "a.png", "width": size[0], "height": size[1]}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [left, top, right - left, bottom - top]}],
        "categories": [{"id": 3, "name": "patch"}],
    }
    (tmp_path / "labels.json").write_text(json.dumps(content))
    data = labels.read(tmp_path)
    np.testing.assert_array_equal(data["all"].objects[0].boxes[0], truth)
    kinds = {item.kind for item in labels.doctor(tmp_path)}
    assert ("lying" in kinds) == (size == (WIDTH, HEIGHT))
    assert ("rotated" in kinds) == (size != (WIDTH, HEIGHT))
    for format in labels.FORMATS:  # what is written is upright for every program
        labels.write(data, tmp_path / format, format)
        again = labels.read(tmp_path / format)
        (part,) = again.splits.values()
        np.testing.assert_allclose(part.objects[0].boxes[0], truth, atol=1e-3)
        np.testing.assert_array_equal(patch(part.image(0)), truth)
        if not isinstance(part.items[0], np.ndarray):
            with Image.open(part.items[0]) as plain:
                assert plain.size == image.shape[1::-1]
                assert plain.getexif().get(0x0112, 1) == 1


def test_yolo_says_nothing_so_the_caller_may(tmp_path):
    stored(tmp_path / "a.png", 6)
    left, top, right, bottom = BOX
    line = f"0 {(left + right) / 2 / WIDTH} {(top + bottom) / 2 / HEIGHT} {(right - left) / WIDTH} {(bottom - top) / HEIGHT}\n"
    (tmp_path / "a.txt").write_text(line)
    truth = patch(decode(tmp_path / "a.png"))
    as_upright = labels.read(tmp_path)["all"].objects[0].boxes[0]
    assert not np.allclose(as_upright, truth, atol=1)
    np.testing.assert_allclose(labels.read(tmp_path, drawn="lying")["all"].objects[0].boxes[0], truth, atol=1e-3)
    with pytest.raises(ValueError, match="drawn must be"):
        labels.read(tmp_path, drawn="left")
