"""Attributes that come along with a class."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.data.dataset import Examples
from zoo.data.look import companions, frame_brightness


def framed(outside: int, inside: int, side: int = 20) -> np.ndarray:
    image = np.full((side, side, 3), outside, np.uint8)
    image[side // 4 : -side // 4, side // 4 : -side // 4] = inside
    return image


@pytest.mark.parametrize(
    ("outside", "expected"), [(0, "dark"), (84, "dark"), (85, "medium"), (128, "medium"), (170, "bright"), (255, "bright")]
)
@pytest.mark.parametrize("inside", [0, 255])
def test_only_the_frame_counts(outside, expected, inside):
    assert frame_brightness(Examples([framed(outside, inside)], np.array([0]))).tolist() == [expected]


@pytest.mark.parametrize("side", [1, 2, 3])
def test_tiny_pictures_are_all_frame(side):
    image = np.full((side, side, 3), 200, np.uint8)
    assert frame_brightness(Examples([image], np.array([0]))).tolist() == ["bright"]


def test_a_named_attribute_goes_first():
    images = [framed(0, 255), framed(255, 0)]
    with_background = Examples(images, np.array([0, 1]), {"area": np.array([0.1, 0.2]), "background": np.array(["sea", "street"])})
    name, values = companions(with_background)
    assert (name, values.tolist()) == ("background", ["sea", "street"])
    name, values = companions(Examples(images, np.array([0, 1])))
    assert (name, values.tolist()) == ("brightness of the frame", ["dark", "bright"])
