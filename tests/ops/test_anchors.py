"""Anchors: published counts, torchvision's own numbers, and geometry that can be said in one line."""

import numpy as np
import pytest

from tests.ops import torch_oracle
from zoo.ops import anchors


def test_a_one_pixel_image_has_one_cell_per_level():
    boxes = anchors.retinanet(1, 1)
    assert boxes.shape == (5 * 9, 4)
    assert boxes.dtype == np.float32
    np.testing.assert_allclose((boxes[:, :2] + boxes[:, 2:]) / 2, 0, atol=1e-4)
    centres, strides = anchors.points(1, 1, (8, 16))
    assert centres.tolist() == [[4, 4], [8, 8]]
    assert strides.tolist() == [8, 16]
    cells, shapes, steps = anchors.grid(1, 1)
    assert cells.tolist() == [[0, 0]] * 9
    assert shapes.tolist() == [list(each) for level in anchors.YOLO_ANCHORS for each in level]
    assert steps.tolist() == [8] * 3 + [16] * 3 + [32] * 3


def test_published_counts():
    assert anchors.retinanet(800, 800).shape == (120_087, 4)
    assert len(anchors.grid(640, 640)[0]) == 25_200
    assert len(anchors.points(640, 640)[0]) == 8_400
    assert len(anchors.grid(416, 416, (16, 32), anchors.YOLO_TINY_ANCHORS)[0]) == 3 * (26**2 + 13**2)


def test_areas_ratios_and_centres():
    boxes = anchors.retinanet(50, 130, offset=0.5).astype("float64")
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    np.testing.assert_allclose((height / width).reshape(-1, 3, 3)[:, :, 1], np.tile([0.5, 1, 2], (len(boxes) // 9, 1)), rtol=1e-4)
    np.testing.assert_allclose(np.sqrt(width * height)[:9], np.tile(32 * 2.0 ** np.array([0, 1 / 3, 2 / 3]), 3), rtol=1e-4)
    np.testing.assert_allclose(np.sqrt(width * height)[-9:], np.tile(512 * 2.0 ** np.array([0, 1 / 3, 2 / 3]), 3), rtol=1e-4)
    centres, strides = anchors.points(50, 130, (8, 16, 32, 64, 128))
    np.testing.assert_allclose(((boxes[:, :2] + boxes[:, 2:]) / 2)[::9], centres, atol=1e-4)
    assert np.bincount(strides.astype(int))[[8, 16, 32, 64, 128]].tolist() == [7 * 17, 4 * 9, 2 * 5, 1 * 3, 1 * 2]


def test_rows_come_before_columns_and_anchors_last():
    cells, shapes, strides = anchors.grid(24, 40, (8, 16), [[(1, 2), (3, 4)], [(5, 6), (7, 8)]])
    assert cells[:10].tolist() == [[column, 0] for column in range(5) for _ in range(2)]
    assert cells[10].tolist() == [0, 1]
    assert shapes[:3].tolist() == [[1, 2], [3, 4], [1, 2]]
    assert shapes[-1].tolist() == [7, 8]
    assert (strides == [8.0] * 30 + [16.0] * 12).all()
    assert cells.dtype == np.int32
    assert shapes.dtype == strides.dtype == np.float32
    assert anchors.points(24, 40, (8, 16))[0][:6].tolist() == [[4, 4], [12, 4], [20, 4], [28, 4], [36, 4], [4, 12]]


def test_rounded_anchors_are_torchvisions():
    sizes = [(800, 800), (320, 480), (96, 224)]
    wanted = torch_oracle.ask(anchors=np.array(sizes))
    for height, width in sizes:
        np.testing.assert_array_equal(anchors.retinanet(height, width, rounded=True), wanted[f"{height}x{width}"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: anchors.retinanet(None, 64), "known image size, got None x 64"),
        (lambda: anchors.points(0, 64), "known image size"),
        (lambda: anchors.grid(64, 64, ()), "one per level"),
        (lambda: anchors.retinanet(64, 64, (8, 16)), "2 strides and 5 lists"),
        (lambda: anchors.grid(64, 64, (8, 16)), "2 strides and 3 lists"),
    ],
)
def test_bad_input_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()
