"""Object sizes beside a detector's grid: every object is counted, every stride and anchor stands where it belongs."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.viz import object_sizes


def test_every_object_is_counted_and_strides_and_anchors_are_where_they_belong():
    sizes = np.array([[16, 16]] * 5 + [[4, 9]] * 3 + [[64, 16]])
    figure = object_sizes(sizes, (8, 16, 32), [[10, 13], [30, 61]])
    counts, shapes = figure.axes
    bars = {bar.get_x(): bar.get_height() for bar in counts.patches if bar.get_height()}
    assert sum(bars.values()) == 9
    widths = {bar.get_x(): bar.get_width() for bar in counts.patches}
    for side, count in ((16, 5), (6, 3), (32, 1)):
        (inside,) = [height for left, height in bars.items() if left <= side < left + widths[left]]
        assert inside == count
    assert [line.get_xdata()[0] for line in counts.lines] == [8, 16, 32]
    np.testing.assert_array_equal(shapes.lines[1].get_xydata(), [[10, 13], [30, 61]])
    assert len(shapes.lines[0].get_xydata()) == 9


def test_one_object_many_objects_and_nothing():
    assert len(object_sizes([[20, 10]], [8]).axes) == 2
    assert len(object_sizes(np.full((5000, 2), 20.0), [8]).axes[1].lines[0].get_xydata()) <= 2000
    for wrong in (np.zeros((0, 2)), [[1, 2, 3]], [[0, 5]], [[np.nan, 5]]):
        with pytest.raises(ValueError, match="positive widths and heights"):
            object_sizes(wrong, [8])
