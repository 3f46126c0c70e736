"""Objects cut out of pictures: painted rectangles come out in their own colour, with the margin around them."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.data.object_crops import crops
from zoo.data.objects import ObjectExamples, Objects


def painted():
    image = np.full((40, 60, 3), 10, np.uint8)
    image[8:20, 12:36] = (200, 0, 0)
    image[30:40, 50:60] = (0, 200, 0)
    return image


def test_a_crop_holds_its_object_and_nothing_else():
    examples = ObjectExamples([painted(), painted()], [Objects([[12, 8, 36, 20], [50, 30, 60, 40]], [3, 1]), Objects.none()])
    pictures, classes = crops(examples, (6, 8), margin=0.0)
    assert pictures.shape == (2, 6, 8, 3)
    assert classes.tolist() == [3, 1]
    assert (pictures[0] == (200, 0, 0)).all()
    assert (pictures[1] == (0, 200, 0)).all()


def test_the_margin_is_a_share_of_the_longer_side_and_ends_at_the_border():
    examples = ObjectExamples([painted()], [Objects([[12, 8, 36, 20], [50, 30, 60, 40]], [0, 0])])
    pictures, _ = crops(examples, (16, 32), margin=1 / 6)  # 4 of 24 pixels: the crop is 32 x 20 pixels, the object 24 x 12 of them
    red = pictures[0][..., 0] > 105
    assert red.sum() == pytest.approx(16 * 32 * (24 * 12) / (32 * 20), rel=0.1)
    green = pictures[1][..., 1] > 105  # the margin of 2 pixels is to the left and above only
    assert green[-1, -1]
    assert not green[0, 0]


def test_crowds_and_objects_outside_are_left_out_and_nothing_at_all_is_refused():
    objects = Objects([[12, 8, 36, 20], [70, 50, 90, 60], [50, 30, 60, 40]], [0, 1, 2], crowd=[True, False, False])
    assert crops(ObjectExamples([painted()], [objects]), 8)[1].tolist() == [2]
    with pytest.raises(ValueError, match="no object to cut out"):
        crops(ObjectExamples([painted()], [Objects.none()]), 8)
    with pytest.raises(ValueError, match="margin is a share"):
        crops(ObjectExamples([painted()], [objects]), 8, margin=-1)
