"""How well anchors fit objects: overlaps that are known by pencil and paper."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.detect.reach import reach

pytestmark = pytest.mark.backend


def test_boxes_take_the_anchor_that_overlaps_most():
    boxes = [[0, 0, 10, 10], [20, 20, 30, 40], [90, 90, 91, 91]]
    anchors = [[0, 0, 10, 5], [5, 0, 15, 10], [20, 20, 30, 40]]
    np.testing.assert_allclose(reach(boxes, anchors), [1 / 2, 1.0, 0.0], atol=1e-6)


def test_sizes_are_compared_wherever_they_are():
    """Of two shapes with one corner in common the smaller of both sides overlap."""
    sizes = np.array([[10, 20], [40, 40], [8, 8]], float).repeat(70, axis=0)  # more than are compared at once
    anchors = [[10, 10], [20, 20]]
    np.testing.assert_allclose(reach(sizes, anchors), np.repeat([1 / 2, 400 / 1600, 64 / 100], 70), atol=1e-6)


def test_nothing_overlaps_nothing_and_odd_shapes_are_refused():
    assert reach(np.zeros((0, 4)), [[0, 0, 1, 1]]).shape == (0,)
    for boxes, anchors in (([[1, 2, 3]], [[1, 2, 3]]), ([[1, 2]], [[0, 0, 1, 2]]), ([[1, 2]], np.zeros((0, 2)))):
        with pytest.raises(ValueError, match=r"wanted boxes \(n, 4\) and anchors"):
            reach(boxes, anchors)
